// What the libFuzzer targets over model files share: the files to start from, made when the target
// runs, and changes that know what a GGUF file is made of. Included once by a target, which defines
// `fuzz_seeds`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <random>
#include <span>
#include <vector>

#include "support/gguf_writer.hpp"

namespace rocmforge::testing {

/// The files that a target starts from.
std::vector<byte_vector> fuzz_seeds();

/// Overwrites a number in place: counts, lengths, types and extents are all found this way.
inline void overwrite_number(std::span<std::uint8_t> data, std::mt19937& random) {
  static constexpr std::uint64_t numbers[] = {
      0,          1,          2,          3,          4,          8,
      16,         31,         32,         33,         64,         256,
      512,        65536,      0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32,
      1ull << 40, 1ull << 62, 1ull << 63, ~0ull - 31, ~0ull - 7,  ~0ull};
  const std::size_t size = random() % 2 == 0 ? 4 : 8;
  if (data.size() < size) return;
  std::size_t at = 0;
  std::uint64_t number = 0;
  // Fields hold small numbers; where there is another one, there is mostly text or data.
  for (int tries = 0; tries < 32 && (number == 0 || number > 65536); ++tries) {
    at = random() % (data.size() - size + 1);
    number = 0;
    std::memcpy(&number, data.data() + at, size);
  }
  if (random() % 2 == 0) {  // a little more or less
    number += random() % 9;
    number -= 4;
  } else {
    number = numbers[random() % std::size(numbers)];
  }
  std::memcpy(data.data() + at, &number, size);
}

}  // namespace rocmforge::testing

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// A seed, a number overwritten in what there is, or one of libFuzzer's own changes.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  static const std::vector<rocmforge::testing::byte_vector> seeds =
      rocmforge::testing::fuzz_seeds();
  std::mt19937 random(seed);
  if (size < 24 || random() % 64 == 0) {
    const auto& chosen = seeds[random() % seeds.size()];
    size = std::min(chosen.size(), max_size);
    std::memcpy(data, chosen.data(), size);
  }
  if (random() % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  // Most of what can go wrong lies in the head.
  const std::size_t head = random() % 4 == 0 ? size : std::min<std::size_t>(size, 1500);
  for (unsigned int i = 0; i <= random() % 3; ++i) {
    rocmforge::testing::overwrite_number({data, head}, random);
  }
  return size;
}
