// Philox 4x32 with ten rounds: random numbers as a function of a counter and a key, without state.
// Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", 2011.
#pragma once

#include <cstdint>

#include "rocmforge/platform/macros.hpp"

namespace rocmforge {

struct philox_words {
  std::uint32_t word[4];
};

/// 128 random bits. Equal arguments give equal bits; any two different ones are independent.
ROCMFORGE_HOST_DEVICE constexpr philox_words philox4x32(const philox_words& counter,
                                                        std::uint64_t key) {
  std::uint32_t c0 = counter.word[0], c1 = counter.word[1], c2 = counter.word[2],
                c3 = counter.word[3];
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xd2511f53} * c0, b = std::uint64_t{0xcd9e8d57} * c2;
    c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(b);
    c2 = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(a);
    k0 += 0x9e3779b9;  // the golden ratio
    k1 += 0xbb67ae85;  // the square root of three, less one
  }
  return {{c0, c1, c2, c3}};
}

}  // namespace rocmforge
