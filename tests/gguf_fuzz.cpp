// libFuzzer target: the GGUF reader, over one file and over the two of a split model.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "support/fuzz_mutator.hpp"
#include "support/gguf_exercise.hpp"
#include "support/gguf_models.hpp"

namespace rocmforge::testing {

std::vector<byte_vector> fuzz_seeds() {
  std::vector<byte_vector> seeds = {small_model().bytes(), small_model(2, 8).bytes(), rich_model()};
  const std::vector<byte_vector> files = split_model();
  seeds.push_back(files[0]);
  append(seeds.back(), files[1]);
  return seeds;
}

}  // namespace rocmforge::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t second_file = text.rfind("GGUF");
  if (second_file != text.npos && second_file != 0) {
    rocmforge::testing::exercise_split(bytes, second_file);
  } else {
    rocmforge::testing::exercise(bytes);
  }
  return 0;
}
