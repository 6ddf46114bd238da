// Formats whose numbers name values of a small table: ggml's IQ4 with an uneven one, and the 4-bit
// floats (E2M1) of MXFP4 (OCP Microscaling Formats, 2023) and NVFP4.
// Layouts: ggml-common.h of ggml, restated in docs/quant.md.
#pragma once

#include "rocmforge/quant/block.hpp"

namespace rocmforge {

/// 32 weights of 4 bits: table[q] * d. Laid out as q4_0.
struct iq4_nl {
  half d;
  std::uint8_t qs[16];
};

/// 256 weights of 4 bits: table[q] * d * (scale - 32), with a 6-bit scale for each 32 weights.
struct alignas(4) iq4_xs {
  half d;
  std::uint16_t scales_h;    // the upper two bits of each scale
  std::uint8_t scales_l[4];  // the lower four
  std::uint8_t qs[128];
};

/// 32 weights of 4-bit floats (E2M1) with a common power of two: float[q] * 2^(e - 127).
struct mxfp4 {
  std::uint8_t e;
  std::uint8_t qs[16];
};

/// 64 weights of 4-bit floats (E2M1), with an 8-bit float (UE4M3) as the scale of each 16.
struct alignas(4) nvfp4 {
  std::uint8_t d[4];
  std::uint8_t qs[32];
};

static_assert(sizeof(iq4_nl) == 18 && sizeof(iq4_xs) == 136 && sizeof(mxfp4) == 17 &&
              sizeof(nvfp4) == 36);

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace device {

/// The sixteen values of IQ4, uneven and denser about zero, times d.
template <int N>
ROCMFORGE_DEVICE packet<float, N> scaled_iq4(const byte_packet<N>& bytes, int first, float d) {
  constexpr std::int8_t table[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};
  return scaled_lookup(table, bytes, first, d);
}

/// Twice the sixteen values of E2M1, 0 0.5 1 1.5 2 3 4 6 and their negatives, times d.
template <int N>
ROCMFORGE_DEVICE packet<float, N> scaled_e2m1(const byte_packet<N>& bytes, int first, float d) {
  constexpr std::int8_t table[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  return scaled_lookup(table, bytes, first, d);
}

/// 2^(e - 128), down to the subnormal 2^-128: an E8M0 scale, halved because E2M1 is doubled.
ROCMFORGE_DEVICE float half_of_e8m0(int e) {
  const unsigned number = static_cast<unsigned>(e);
  return __builtin_bit_cast(float, e < 2 ? 0x200000u << number : (number - 1) << 23);
}

/// Half the value of an unsigned 8-bit float with 4 bits of exponent and 3 of mantissa. The byte
/// 0x7f is 0; of others the uppermost bit is not looked at.
ROCMFORGE_DEVICE float half_of_ue4m3(int x) {
  // As the bits of a float it is 2^-119 times as large, subnormal numbers included.
  const float small = __builtin_bit_cast(float, static_cast<unsigned>(x & 0x7f) << 20);
  return x == 0x7f ? 0.0f : small * 0x1p119f;
}

}  // namespace device

template <>
struct block_format<iq4_nl> {
  static constexpr int elements = 32;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq4_nl& block, int, int part) {
    return scaled_iq4(device::load_field<N>(block, block.qs + N * part), 4 * Half,
                      static_cast<float>(block.d));
  }
};

template <>
struct block_format<iq4_xs> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq4_xs& block, affine s, int group,
                                                  int part) {
    return scaled_iq4(device::load_field<N>(block, block.qs + 16 * group + N * part), 4 * Half,
                      s.d);
  }
  ROCMFORGE_DEVICE static affine scale(const iq4_xs& block, int group, int /*half*/) {
    const int scale = (block.scales_l[group / 2] >> 4 * (group % 2) & 15) |
                      (block.scales_h >> 2 * group & 3) << 4;
    return {static_cast<float>(block.d) * static_cast<float>(scale - 32), 0};
  }
  ROCMFORGE_DEVICE static block_scales<1> scales(const iq4_xs& block) {
    const unsigned low = device::load_field<4>(block, block.scales_l).words[0];
    byte_packet<8> lower{0u};
    lower.words.set(0, device::spread_nibbles(low & 0xffffu));
    lower.words.set(1, device::spread_nibbles(low >> 16));
    const auto numbers =
        lower | move_bits<2>(device::spread_pairs_of_bits<8>(block.scales_h), 0, 4);
    block_scales<1> result;
    store_packet(result.d,
                 (to_float(numbers) - packet<float, 8>(32.0f)) * static_cast<float>(block.d));
    return result;
  }
};

template <>
struct block_format<mxfp4> {
  static constexpr int elements = 32;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const mxfp4& block, int, int part) {
    return scaled_e2m1(device::load_field<N>(block, block.qs + N * part), 4 * Half,
                       device::half_of_e8m0(block.e));
  }
};

template <>
struct block_format<nvfp4> {
  static constexpr int elements = 64;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const nvfp4& block, int group, int part) {
    // The low four bits of 8 bytes are the first 8 of 16 weights, the high four the others.
    const int sub = 2 * group + Half;
    const auto eight = device::load_field<8>(block, block.qs + 8 * sub);
    byte_packet<N> bytes{0u};
    packet<unsigned, N / 4> shifts(0u);
    ROCMFORGE_UNROLL
    for (int i = 0; i < N / 4; ++i) {
      const int word = N / 4 * part + i;  // of the 16 weights
      bytes.words.set(i, word % 2 == 0 ? eight.words[0] : eight.words[1]);
      shifts.set(i, word / 2 * 4u);
    }
    return scaled_e2m1(byte_packet<N>{bytes.words >> shifts}, 0,
                       device::half_of_ue4m3(block.d[sub]));
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
