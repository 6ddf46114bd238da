// libFuzzer target over load_vocabulary(), the tokenisers and the chat templates.
// tokenizer_fuzz_test.cpp runs the same check without libFuzzer.
#include "support/tokenizer_exercise.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocmforge::testing::exercise_tokenizer(std::as_bytes(std::span(data, size)));
  return 0;
}
