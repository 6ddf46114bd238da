// ggml's ternary formats: 256 weights of -d, 0 or d.
// Layouts: ggml-common.h of ggml, restated in docs/quant.md.
#pragma once

#include "rocmforge/quant/block.hpp"

namespace rocmforge {

/// Five weights a byte, as the digits of a fraction to base 3 that is stored as byte / 256.
struct tq1_0 {
  std::uint8_t qs[48];
  std::uint8_t qh[4];  // four weights a byte
  half d;
};

/// Four weights a byte, two bits each.
struct tq2_0 {
  std::uint8_t qs[64];
  half d;
};

static_assert(sizeof(tq1_0) == 54 && sizeof(tq2_0) == 66);

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

template <>
struct block_format<tq1_0> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const tq1_0& block, int group, int part) {
    // Elements 0 to 159 are digits 0 to 4 of bytes 0 to 31, 160 to 239 those of bytes 32 to 47, and
    // 240 to 255 digits 0 to 3 of qh.
    const int sixteen = 2 * group + Half;
    byte_packet<N> bytes{0u};
    packet<int, N> powers(1);
    if (sixteen < 15) {
      const int digit = sixteen < 10 ? group : sixteen - 10;
      const int from = sixteen < 10 ? 16 * Half : 32;
      bytes = device::load_field<N>(block, block.qs + from + N * part);
      powers = packet<int, N>(power_of_three(digit));
    } else {
      const auto four = device::load_field<4>(block, block.qh);
      ROCMFORGE_UNROLL
      for (int i = 0; i < N; ++i) {
        bytes.words.set(i / 4, four.words[0]);
        powers.set(i, power_of_three((N * part + i) / 4));
      }
    }
    // Multiplied by 3^digit, the fraction starts with the digit; times 3 it is the whole part.
    const packet<int, N> fractions = (to_int(bytes) * powers) & packet<int, N>(255);
    const packet<int, N> digits = (fractions * packet<int, N>(3)) >> packet<int, N>(8);
    return map_numbers<2>(digits, [&](const packet<float, N>& q) {
      return (q - packet<float, N>(1.0f)) * device::broadcast<N>(block.d);
    });
  }

 private:
  ROCMFORGE_DEVICE static int power_of_three(int digit) {
    return digit == 0 ? 1 : digit == 1 ? 3 : digit == 2 ? 9 : digit == 3 ? 27 : 81;
  }
};

template <>
struct block_format<tq2_0> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const tq2_0& block, int group, int part) {
    const auto bytes =
        device::load_field<N>(block, block.qs + 32 * (group / 4) + 16 * Half + N * part);
    return scaled_bits<2>(bytes, 2 * (group % 4), 1, device::broadcast<N>(block.d));
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
