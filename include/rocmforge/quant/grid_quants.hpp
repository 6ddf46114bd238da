// ggml's formats of 1 to 3 bits whose numbers name eight (or four) weights at once, from a grid of
// those that occur most. Signs are stored apart. Layouts: ggml-common.h of ggml, restated in
// docs/quant.md.
#pragma once

#include "rocmforge/quant/block.hpp"
#include "rocmforge/quant/grids.hpp"

namespace rocmforge {

/// 256 weights: d * (0.5 + scale) / 4 * grid * sign.
struct iq2_xxs {
  half d;
  std::uint16_t qs[32];  // for each 32 weights: 4 bytes of grid entries, 4 x 7 signs, 4-bit scale
};

/// 256 weights: d * (0.5 + scale) / 4 * grid * sign.
struct iq2_xs {
  half d;
  std::uint16_t qs[32];    // for each 8 weights: 9 bits of grid entry, 7 signs
  std::uint8_t scales[8];  // 4 bits for each 16 weights
};

/// 256 weights: d * (0.5 + scale) / 4 * grid * sign.
struct iq2_s {
  half d;
  std::uint8_t qs[32];     // the low 8 bits of the grid entries
  std::uint8_t signs[32];  // one bit a weight
  std::uint8_t qh[8];      // the upper 2 bits of the grid entries
  std::uint8_t scales[8];  // 4 bits for each 16 weights
};

/// 256 weights: d * (0.5 + scale) / 2 * grid * sign.
struct iq3_xxs {
  half d;
  std::uint8_t qs[64];                 // grid entries of 4 weights
  std::uint16_t signs_and_scales[16];  // for each 32 weights: 4 x 7 signs, 4-bit scale
};

/// 256 weights: d * (1 + 2 * scale) * grid * sign.
struct iq3_s {
  half d;
  std::uint8_t qs[64];     // the low 8 bits of the grid entries of 4 weights
  std::uint8_t qh[8];      // their ninth bits
  std::uint8_t signs[32];  // one bit a weight
  std::uint8_t scales[4];  // 4 bits for each 32 weights
};

/// 256 weights: d * (2 * scale + 1) * (grid + 1/8 or - 1/8).
struct iq1_s {
  half d;
  std::uint8_t qs[32];  // the low 8 bits of the grid entries
  std::uint16_t qh[8];  // for each 32 weights: 4 x 3 upper bits, 3-bit scale, sign of the 1/8
};

/// 256 weights: as iq1_s, with a scale for each 16 weights and the sign of the 1/8 for each 8.
struct alignas(4) iq1_m {
  std::uint8_t qs[32];      // the low 8 bits of the grid entries
  std::uint8_t qh[16];      // for each 8 weights: 3 upper bits, sign of the 1/8
  std::uint16_t scales[4];  // 12 bits of scales, and 4 of the 16 of d
};

static_assert(sizeof(iq2_xxs) == 66 && sizeof(iq2_xs) == 74 && sizeof(iq2_s) == 82 &&
              sizeof(iq3_xxs) == 98 && sizeof(iq3_s) == 110 && sizeof(iq1_s) == 50 &&
              sizeof(iq1_m) == 56);

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace device {

/// Weights 16 * Half + N * part and on of 32, where `eight_of(i)` are the bytes of weights 8 * i to
/// 8 * i + 7 of the 32.
template <int N, int Half, class F>
ROCMFORGE_DEVICE byte_packet<N> grid_bytes(int part, F&& eight_of) {
  const int first = 16 * Half + N * part;
  if constexpr (N == 16) {
    return byte_packet_of(eight_of(first / 8), eight_of(first / 8 + 1));
  } else {
    byte_packet<N> result{0u};
    ROCMFORGE_UNROLL
    for (int i = 0; i < N; i += 4) {
      const std::uint64_t eight = eight_of((first + i) / 8);
      result.words.set(i / 4, static_cast<unsigned>(eight >> (first + i) % 8 * 8));
    }
    return result;
  }
}

/// The same weights as floats, negative where the bits of `signs`, one for each of the 32, say so.
template <int N, int Half>
ROCMFORGE_DEVICE packet<float, N> with_signs(const byte_packet<N>& grid, int part, unsigned signs) {
  return negate_where(signs >> (16 * Half + N * part), to_float(grid));
}

/// Eight signs a byte from seven: an even number of each eight weights is negative.
ROCMFORGE_DEVICE unsigned complete_signs(unsigned sevens) {
  unsigned parity = sevens ^ sevens >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return sevens | (parity & 0x01010101u) << 7;
}
/// 32 signs from the low 28 bits.
ROCMFORGE_DEVICE unsigned signs_of_28(unsigned w) {
  return complete_signs((w & 0x7fu) | (w << 1 & 0x7f00u) | (w << 2 & 0x7f0000u) |
                        (w << 3 & 0x7f000000u));
}
/// d * (0.5 + scale) / 4 with the 16 four-bit scales of 8 bytes.
template <class Block>
ROCMFORGE_DEVICE affine four_bit_scale(const Block& block, int group, int half) {
  const int scale = block.scales[group] >> 4 * half & 15;
  return {static_cast<float>(block.d) * (0.5f + static_cast<float>(scale)) * 0.25f, 0};
}
template <class Block>
ROCMFORGE_DEVICE block_scales<2> four_bit_scales(const Block& block) {
  byte_packet<16> numbers{0u};
  ROCMFORGE_UNROLL
  for (int i = 0; i < 4; ++i) {
    numbers.words.set(i, spread_nibbles(block.scales[2 * i] |
                                        static_cast<unsigned>(block.scales[2 * i + 1]) << 8));
  }
  block_scales<2> result;
  store_packet(result.d, (to_float(numbers) + packet<float, 16>(0.5f)) *
                             (static_cast<float>(block.d) * 0.25f));
  return result;
}

}  // namespace device

template <>
struct block_format<iq2_xxs> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq2_xxs& block, int group, int part) {
    const std::uint16_t* q = block.qs + 4 * group;
    const unsigned w = q[2] | static_cast<unsigned>(q[3]) << 16;
    const auto grid = device::grid_bytes<N, Half>(
        part, [&](int i) { return grids::iq2_xxs(q[i / 2] >> i % 2 * 8 & 255); });
    const float scale = static_cast<float>(block.d) * (0.5f + static_cast<float>(w >> 28)) * 0.25f;
    return with_signs<N, Half>(grid, part, device::signs_of_28(w)) * scale;
  }
};

template <>
struct block_format<iq2_xs> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq2_xs& block, affine s, int group,
                                                  int part) {
    const std::uint16_t* q = block.qs + 4 * group;
    const auto grid =
        device::grid_bytes<N, Half>(part, [&](int i) { return grids::iq2_xs(q[i] & 511); });
    const unsigned sevens = q[0] >> 9 | static_cast<unsigned>(q[1] >> 9) << 8 |
                            static_cast<unsigned>(q[2] >> 9) << 16 |
                            static_cast<unsigned>(q[3] >> 9) << 24;
    return with_signs<N, Half>(grid, part, device::complete_signs(sevens)) * s.d;
  }
  ROCMFORGE_DEVICE static affine scale(const iq2_xs& block, int group, int half) {
    return device::four_bit_scale(block, group, half);
  }
  ROCMFORGE_DEVICE static block_scales<2> scales(const iq2_xs& block) {
    return device::four_bit_scales(block);
  }
};

template <>
struct block_format<iq2_s> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq2_s& block, affine s, int group,
                                                  int part) {
    const auto grid = device::grid_bytes<N, Half>(part, [&](int i) {
      return grids::iq2_s(block.qs[4 * group + i] | (block.qh[group] >> 2 * i & 3) << 8);
    });
    return with_signs<N, Half>(grid, part,
                               device::load_field<4>(block, block.signs + 4 * group).words[0]) *
           s.d;
  }
  ROCMFORGE_DEVICE static affine scale(const iq2_s& block, int group, int half) {
    return device::four_bit_scale(block, group, half);
  }
  ROCMFORGE_DEVICE static block_scales<2> scales(const iq2_s& block) {
    return device::four_bit_scales(block);
  }
};

template <>
struct block_format<iq3_xxs> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq3_xxs& block, int group, int part) {
    const unsigned w = block.signs_and_scales[2 * group] |
                       static_cast<unsigned>(block.signs_and_scales[2 * group + 1]) << 16;
    const auto grid = device::grid_bytes<N, Half>(part, [&](int i) {
      const std::uint8_t* q = block.qs + 8 * group + 2 * i;
      return grids::iq3_xxs(q[0]) | std::uint64_t{grids::iq3_xxs(q[1])} << 32;
    });
    const float scale = static_cast<float>(block.d) * (0.5f + static_cast<float>(w >> 28)) * 0.5f;
    return with_signs<N, Half>(grid, part, device::signs_of_28(w)) * scale;
  }
};

template <>
struct block_format<iq3_s> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq3_s& block, int group, int part) {
    const int high = block.qh[group];
    const auto grid = device::grid_bytes<N, Half>(part, [&](int i) {
      const std::uint8_t* q = block.qs + 8 * group + 2 * i;
      return grids::iq3_s(q[0] | (high >> 2 * i & 1) << 8) |
             std::uint64_t{grids::iq3_s(q[1] | (high >> (2 * i + 1) & 1) << 8)} << 32;
    });
    const int scale = block.scales[group / 2] >> 4 * (group % 2) & 15;
    return with_signs<N, Half>(grid, part,
                               device::load_field<4>(block, block.signs + 4 * group).words[0]) *
           (static_cast<float>(block.d) * static_cast<float>(1 + 2 * scale));
  }
};

template <>
struct block_format<iq1_s> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq1_s& block, int group, int part) {
    const int w = block.qh[group];
    const auto grid = device::grid_bytes<N, Half>(
        part, [&](int i) { return grids::iq1_s(block.qs[4 * group + i] | (w >> 3 * i & 7) << 8); });
    const float scale = static_cast<float>(block.d) * static_cast<float>(2 * (w >> 12 & 7) + 1);
    const float shift = (w & 0x8000) != 0 ? -0.125f : 0.125f;
    return (signed_to_float(grid) + packet<float, N>(shift)) * scale;
  }
};

template <>
struct block_format<iq1_m> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq1_m& block, affine s, int group,
                                                  int part) {
    const int high = block.qh[2 * group + Half];  // of the 16 weights
    const auto grid = device::grid_bytes<N, Half>(part, [&](int i) {
      return grids::iq1_s(block.qs[4 * group + i] | (high >> i % 2 * 4 & 7) << 8);
    });
    const unsigned downwards =
        ((high & 0x08) != 0 ? 0xffu : 0u) | ((high & 0x80) != 0 ? 0xff00u : 0u);
    const auto shifts = negate_where(downwards >> N * part, packet<float, N>(0.125f));
    return (signed_to_float(grid) + shifts) * s.d;
  }
  ROCMFORGE_DEVICE static affine scale(const iq1_m& block, int group, int half) {
    const int scale = block.scales[group / 2] >> (6 * (group % 2) + 3 * half) & 7;
    return {d(block) * static_cast<float>(2 * scale + 1), 0};
  }
  ROCMFORGE_DEVICE static block_scales<2> scales(const iq1_m& block) {
    byte_packet<16> numbers{0u};
    ROCMFORGE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const unsigned four = block.scales[i];
      numbers.words.set(
          i, (four & 7u) | (four & 0x38u) << 5 | (four & 0x1c0u) << 10 | (four & 0xe00u) << 15);
    }
    block_scales<2> result;
    store_packet(
        result.d,
        fma(to_float(numbers), packet<float, 16>(2.0f), packet<float, 16>(1.0f)) * d(block));
    return result;
  }

 private:
  ROCMFORGE_DEVICE static float d(const iq1_m& block) {
    unsigned bits = 0;
    ROCMFORGE_UNROLL
    for (int i = 0; i < 4; ++i) bits |= static_cast<unsigned>(block.scales[i] >> 12) << 4 * i;
    return static_cast<float>(half::from_bits(static_cast<std::uint16_t>(bits)));
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
