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

/// Weights 16 * Half + N * part and on of 32, where `eight_of(i)` are the bytes of weights 8 * i to
/// 8 * i + 7 of the 32.
template <int N, int Half, class F>
ROCMFORGE_DEVICE byte_packet<N> grid_bytes(int part, F&& eight_of) {
  byte_packet<N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; i += 4) {
    const int element = 16 * Half + N * part + i;
    const std::uint64_t eight = eight_of(element / 8);
    result.words.set(i / 4, static_cast<unsigned>(eight >> element % 8 * 8));
  }
  return result;
}

/// The signs of the same weights, where `eight_of(i)` are the signs of eight as bits.
template <int N, int Half, class F>
ROCMFORGE_DEVICE byte_packet<N> grid_signs(int part, F&& eight_of) {
  const unsigned sixteen = eight_of(2 * Half) | eight_of(2 * Half + 1) << 8;
  return spread_bits<N>(sixteen >> N * part);
}

/// Eight signs from seven: an even number of weights is negative.
ROCMFORGE_DEVICE unsigned eight_signs(unsigned seven) {
  seven &= 127u;
  unsigned parity = seven ^ seven >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return seven | (parity & 1u) << 7;
}

template <>
struct block_format<iq2_xxs> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq2_xxs& block, int group, int part) {
    const std::uint16_t* q = block.qs + 4 * group;
    const unsigned w = q[2] | static_cast<unsigned>(q[3]) << 16;
    const auto grid = grid_bytes<N, Half>(
        part, [&](int i) { return grids::iq2_xxs(q[i / 2] >> i % 2 * 8 & 255); });
    const auto signs = grid_signs<N, Half>(part, [&](int i) { return eight_signs(w >> 7 * i); });
    const float scale = static_cast<float>(block.d) * (0.5f + static_cast<float>(w >> 28)) * 0.25f;
    return signed_to_float(negate_where(signs, grid)) * scale;
  }
};

template <>
struct block_format<iq2_xs> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq2_xs& block, int group, int part) {
    const std::uint16_t* q = block.qs + 4 * group;
    const auto grid = grid_bytes<N, Half>(part, [&](int i) { return grids::iq2_xs(q[i] & 511); });
    const auto signs = grid_signs<N, Half>(
        part, [&](int i) { return eight_signs(static_cast<unsigned>(q[i] >> 9)); });
    const float scale = static_cast<float>(block.d) *
                        (0.5f + static_cast<float>(block.scales[group] >> 4 * Half & 15)) * 0.25f;
    return signed_to_float(negate_where(signs, grid)) * scale;
  }
};

template <>
struct block_format<iq2_s> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq2_s& block, int group, int part) {
    const auto grid = grid_bytes<N, Half>(part, [&](int i) {
      return grids::iq2_s(block.qs[4 * group + i] | (block.qh[group] >> 2 * i & 3) << 8);
    });
    const auto signs = grid_signs<N, Half>(
        part, [&](int i) { return static_cast<unsigned>(block.signs[4 * group + i]); });
    const float scale = static_cast<float>(block.d) *
                        (0.5f + static_cast<float>(block.scales[group] >> 4 * Half & 15)) * 0.25f;
    return signed_to_float(negate_where(signs, grid)) * scale;
  }
};

template <>
struct block_format<iq3_xxs> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq3_xxs& block, int group, int part) {
    const unsigned w = block.signs_and_scales[2 * group] |
                       static_cast<unsigned>(block.signs_and_scales[2 * group + 1]) << 16;
    const auto grid = grid_bytes<N, Half>(part, [&](int i) {
      const std::uint8_t* q = block.qs + 8 * group + 2 * i;
      return grids::iq3_xxs(q[0]) | std::uint64_t{grids::iq3_xxs(q[1])} << 32;
    });
    const auto signs = grid_signs<N, Half>(part, [&](int i) { return eight_signs(w >> 7 * i); });
    const float scale = static_cast<float>(block.d) * (0.5f + static_cast<float>(w >> 28)) * 0.5f;
    return signed_to_float(negate_where(signs, grid)) * scale;
  }
};

template <>
struct block_format<iq3_s> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq3_s& block, int group, int part) {
    const int high = block.qh[group];
    const auto grid = grid_bytes<N, Half>(part, [&](int i) {
      const std::uint8_t* q = block.qs + 8 * group + 2 * i;
      return grids::iq3_s(q[0] | (high >> 2 * i & 1) << 8) |
             std::uint64_t{grids::iq3_s(q[1] | (high >> (2 * i + 1) & 1) << 8)} << 32;
    });
    const auto signs = grid_signs<N, Half>(
        part, [&](int i) { return static_cast<unsigned>(block.signs[4 * group + i]); });
    const int scale = block.scales[group / 2] >> 4 * (group % 2) & 15;
    return signed_to_float(negate_where(signs, grid)) *
           (static_cast<float>(block.d) * static_cast<float>(1 + 2 * scale));
  }
};

template <>
struct block_format<iq1_s> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq1_s& block, int group, int part) {
    const int w = block.qh[group];
    const auto grid = grid_bytes<N, Half>(
        part, [&](int i) { return grids::iq1_s(block.qs[4 * group + i] | (w >> 3 * i & 7) << 8); });
    const float scale = static_cast<float>(block.d) * static_cast<float>(2 * (w >> 12 & 7) + 1);
    const float shift = (w & 0x8000) != 0 ? -0.125f : 0.125f;
    return fma(signed_to_float(grid), packet<float, N>(scale), packet<float, N>(scale * shift));
  }
};

template <>
struct block_format<iq1_m> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const iq1_m& block, int group, int part) {
    unsigned d = 0;
    ROCMFORGE_UNROLL
    for (int i = 0; i < 4; ++i) d |= static_cast<unsigned>(block.scales[i] >> 12) << 4 * i;
    const int high = block.qh[2 * group + Half];  // of the 16 weights
    const auto grid = grid_bytes<N, Half>(part, [&](int i) {
      return grids::iq1_s(block.qs[4 * group + i] | (high >> i % 2 * 4 & 7) << 8);
    });
    const int scale = block.scales[group / 2] >> (6 * (group % 2) + 3 * Half) & 7;
    const float s = static_cast<float>(half::from_bits(static_cast<std::uint16_t>(d))) *
                    static_cast<float>(2 * scale + 1);
    packet<float, N> shifts;
    ROCMFORGE_UNROLL
    for (int i = 0; i < N; ++i)
      shifts.set(i, (high >> (N * part + i) / 8 * 4 & 8) != 0 ? -0.125f : 0.125f);
    return (signed_to_float(grid) + shifts) * s;
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
