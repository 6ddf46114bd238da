// libFuzzer target: a file's vocabulary, its tokenizer with some texts, and its chat template.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "support/fuzz_mutator.hpp"
#include "support/tokenizer_exercise.hpp"
#include "support/vocabulary_files.hpp"

namespace rocmforge::testing {

std::vector<byte_vector> fuzz_seeds() {
  return vocabulary_files();
}

}  // namespace rocmforge::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocmforge::testing::exercise_tokenizer(std::as_bytes(std::span(data, size)));
  return 0;
}
