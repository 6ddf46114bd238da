// libFuzzer target over gguf::parse(). gguf_fuzz_test.cpp runs the same check without libFuzzer.
#include "support/gguf_exercise.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocmforge::testing::exercise(std::as_bytes(std::span(data, size)));
  return 0;
}
