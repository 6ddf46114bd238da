// ggml's K formats: 256 weights of 2 to 6 bits with a scale (and an offset) of a few bits for each
// 16 or 32 of them. Layouts: ggml-common.h of ggml, restated in docs/quant.md.
#pragma once

#include "rocmforge/quant/block.hpp"

namespace rocmforge {

/// 256 weights of 2 bits: q * d * scale - dmin * min, both of 4 bits, for each 16 weights.
struct alignas(4) q2_k {
  std::uint8_t scales[16];  // scale in the low, min in the high four bits
  std::uint8_t qs[64];
  half d, dmin;
};

/// 256 weights of 3 bits: (q - 4) * d * scale, with a signed 6-bit scale for each 16 weights.
struct q3_k {
  std::uint8_t hmask[32];  // the third bits
  std::uint8_t qs[64];     // the low two
  std::uint8_t scales[12];
  half d;
};

/// 256 weights of 4 bits: q * d * scale - dmin * min, both of 6 bits, for each 32 weights.
struct alignas(4) q4_k {
  half d, dmin;
  std::uint8_t scales[12];
  std::uint8_t qs[128];
};

/// 256 weights of 5 bits: as q4_k.
struct alignas(4) q5_k {
  half d, dmin;
  std::uint8_t scales[12];
  std::uint8_t qh[32];  // the fifth bits
  std::uint8_t qs[128];
};

/// 256 weights of 6 bits: (q - 32) * d * scale, with a signed 8-bit scale for each 16 weights.
struct q6_k {
  std::uint8_t ql[128];  // the low four bits
  std::uint8_t qh[64];   // the upper two
  std::int8_t scales[16];
  half d;
};

/// 256 weights of 8 bits: q * d, beside the sums of each 16 q. Of activations, not in files.
struct alignas(4) q8_k {
  float d;
  std::int8_t qs[256];
  std::int16_t bsums[16];
};

static_assert(sizeof(q2_k) == 84 && sizeof(q3_k) == 110 && sizeof(q4_k) == 144 &&
              sizeof(q5_k) == 176 && sizeof(q6_k) == 210 && sizeof(q8_k) == 292);

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// The 6-bit scale and min of 32 weights of a q4_k or q5_k: those of the first four groups lie side
/// by side, those of the others are put together from their lower four bits and the two that the
/// former leave over.
struct scale_and_min {
  int scale, min;
};
ROCMFORGE_DEVICE scale_and_min six_bit_scales(const std::uint8_t (&s)[12], int group) {
  const int j = group % 4;
  if (group < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 8] & 15) | s[j] >> 6 << 4, s[j + 8] >> 4 | s[j + 4] >> 6 << 4};
}

template <>
struct block_format<q2_k> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q2_k& block, int group, int part) {
    const int scales = block.scales[2 * group + Half];
    const float d = static_cast<float>(block.d) * static_cast<float>(scales & 15),
                min = static_cast<float>(block.dmin) * static_cast<float>(scales >> 4);
    const auto bytes = load_field<N>(block, block.qs + 32 * (group / 4) + 16 * Half + N * part);
    return scaled_bits<2>(bytes, 2 * (group % 4), packet<float, N>(d), packet<float, N>(-min));
  }
};

template <>
struct block_format<q3_k> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q3_k& block, int group, int part) {
    const int k = 2 * group + Half;  // of the 16 scales: four bits, and two more in the last bytes
    const int scale =
        (block.scales[k % 8] >> k / 8 * 4 & 15) | (block.scales[8 + k % 4] >> k / 4 * 2 & 3) << 4;
    const float d = static_cast<float>(block.d) * static_cast<float>(scale - 32);
    const int first = 16 * Half + N * part;
    const auto low =
        bits<2>(load_field<N>(block, block.qs + 32 * (group / 4) + first), 2 * (group % 4));
    const auto high = bits<1>(load_field<N>(block, block.hmask + first), group);
    return scaled_bits<3>(low | high << 2u, 0, 4, packet<float, N>(d));
  }
};

template <>
struct block_format<q4_k> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q4_k& block, int group, int part) {
    const scale_and_min s = six_bit_scales(block.scales, group);
    const float d = static_cast<float>(block.d) * static_cast<float>(s.scale),
                min = static_cast<float>(block.dmin) * static_cast<float>(s.min);
    const auto bytes = load_field<N>(block, block.qs + 32 * (group / 2) + 16 * Half + N * part);
    return scaled_bits<4>(bytes, 4 * (group % 2), packet<float, N>(d), packet<float, N>(-min));
  }
};

template <>
struct block_format<q5_k> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q5_k& block, int group, int part) {
    const scale_and_min s = six_bit_scales(block.scales, group);
    const float d = static_cast<float>(block.d) * static_cast<float>(s.scale),
                min = static_cast<float>(block.dmin) * static_cast<float>(s.min);
    const int first = 16 * Half + N * part;
    const auto low =
        bits<4>(load_field<N>(block, block.qs + 32 * (group / 2) + first), 4 * (group % 2));
    const auto high = bits<1>(load_field<N>(block, block.qh + first), group);
    return fma(to_float(low | high << 4u), packet<float, N>(d), packet<float, N>(-min));
  }
};

template <>
struct block_format<q6_k> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q6_k& block, int group, int part) {
    const float d =
        static_cast<float>(block.d) * static_cast<float>(block.scales[2 * group + Half]);
    const int first = 16 * Half + N * part, quarter = group % 4;
    const auto low =
        bits<4>(load_field<N>(block, block.ql + 64 * (group / 4) + 32 * (quarter % 2) + first),
                4 * (quarter / 2));
    const auto high =
        bits<2>(load_field<N>(block, block.qh + 32 * (group / 4) + first), 2 * quarter);
    return (to_float(low | high << 4u) - packet<float, N>(32.0f)) * d;
  }
};

template <>
struct block_format<q8_k> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q8_k& block, int group, int part) {
    return signed_to_float(load_field<N>(block, block.qs + 32 * group + 16 * Half + N * part)) *
           block.d;
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
