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

namespace device {

/// The 6-bit scale and min of 32 weights of a q4_k or q5_k: those of the first four groups lie side
/// by side, those of the others are put together from their lower four bits and the two that the
/// former leave over.
template <class Block>
ROCMFORGE_DEVICE affine six_bit_scale(const Block& block, int group) {
  // Words, not bytes: with d and dmin they are one load of 16 bytes.
  const int shift = 8 * (group % 4);
  const unsigned first = load_field<4>(block, block.scales).words[0] >> shift,
                 second = load_field<4>(block, block.scales + 4).words[0] >> shift,
                 third = load_field<4>(block, block.scales + 8).words[0] >> shift;
  const unsigned scale = group < 4 ? first & 63 : (third & 15) | (first >> 2 & 48);
  const unsigned min = group < 4 ? second & 63 : (third >> 4 & 15) | (second >> 2 & 48);
  return {static_cast<float>(block.d) * static_cast<float>(scale),
          static_cast<float>(block.dmin) * -static_cast<float>(min)};
}

/// Of bytes with a bit for each group of a block, those of groups 4 * half to 4 * half + 3 from bit
/// 0 on. Where lanes differ in the half only, that leaves the rest of the shift to the compiler.
template <int N>
ROCMFORGE_DEVICE byte_packet<N> four_bits_of(const byte_packet<N>& bytes, int half) {
  return {bytes.words >> packet<unsigned, N / 4>(static_cast<unsigned>(4 * half))};
}

/// All scales and mins of a block before they are multiplied, a byte each: of groups 0 to 3 and of
/// groups 4 to 7.
struct six_bit_numbers {
  unsigned scales[2], mins[2];
};
template <class Block>
ROCMFORGE_DEVICE six_bit_numbers all_six_bit_numbers(const Block& block) {
  const unsigned first = load_field<4>(block, block.scales).words[0],
                 second = load_field<4>(block, block.scales + 4).words[0],
                 third = load_field<4>(block, block.scales + 8).words[0];
  constexpr unsigned six = 0x3f3f3f3f, low_four = 0x0f0f0f0f, upper_two = 0x30303030;
  return {{first & six, (third & low_four) | (first >> 2 & upper_two)},
          {second & six, (third >> 4 & low_four) | (second >> 2 & upper_two)}};
}

/// The scales and mins of groups 4 * half to 4 * half + 3.
template <class Block>
ROCMFORGE_DEVICE void six_bit_half(const Block& block, int half, affine (&f)[4]) {
  const six_bit_numbers all = all_six_bit_numbers(block);
  const byte_packet<4> scales{packet<unsigned, 1>(half == 0 ? all.scales[0] : all.scales[1])},
      mins{packet<unsigned, 1>(half == 0 ? all.mins[0] : all.mins[1])};
  const packet<float, 4> d = to_float(scales) * static_cast<float>(block.d),
                         m = to_float(mins) * -static_cast<float>(block.dmin);
  ROCMFORGE_UNROLL
  for (int i = 0; i < 4; ++i) f[i] = {d[i], m[i]};
}

/// Those of all groups.
template <class Block>
ROCMFORGE_DEVICE block_scales<1> six_bit_scales(const Block& block) {
  const six_bit_numbers all = all_six_bit_numbers(block);
  byte_packet<8> scales{0u}, mins{0u};
  ROCMFORGE_UNROLL
  for (int half = 0; half < 2; ++half) {
    scales.words.set(half, all.scales[half]);
    mins.words.set(half, all.mins[half]);
  }
  block_scales<1> result;
  store_packet(result.d, to_float(scales) * static_cast<float>(block.d));
  store_packet(result.m, to_float(mins) * -static_cast<float>(block.dmin));
  return result;
}

/// All scales of a q3_k, 32 too large.
template <class Block>
ROCMFORGE_DEVICE byte_packet<16> q3_k_scales(const Block& block) {
  const auto low = load_field<8>(block, block.scales);
  const unsigned high = load_field<4>(block, block.scales + 8).words[0];
  byte_packet<16> numbers{0u};
  ROCMFORGE_UNROLL
  for (int i = 0; i < 4; ++i) {
    numbers.words.set(
        i, (low.words[i % 2] >> i / 2 * 4 & 0x0f0f0f0fu) | (high >> 2 * i & 0x03030303u) << 4);
  }
  return numbers;
}

}  // namespace device

template <>
struct block_format<q2_k> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q2_k& block, affine s, int group,
                                                  int part) {
    const auto bytes =
        device::load_field<N>(block, block.qs + 32 * (group / 4) + 16 * Half + N * part);
    return scaled_bits<2>(bytes, 2 * (group % 4), packet<float, N>(s.d), packet<float, N>(s.m));
  }
  ROCMFORGE_DEVICE static affine scale(const q2_k& block, int group, int half) {
    const int scales = block.scales[2 * group + half];
    return {static_cast<float>(block.d) * static_cast<float>(scales & 15),
            static_cast<float>(block.dmin) * -static_cast<float>(scales >> 4)};
  }
  ROCMFORGE_DEVICE static block_scales<2> scales(const q2_k& block) {
    const auto packed = device::load_field<16>(block, block.scales);
    block_scales<2> result;
    store_packet(result.d, to_float(bits<4>(packed, 0)) * static_cast<float>(block.d));
    store_packet(result.m, to_float(bits<4>(packed, 4)) * -static_cast<float>(block.dmin));
    return result;
  }
  template <int N, int Half, number_form Form = number_form{}>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q2_k& block, [[maybe_unused]] int group,
                                                 int part) {
    const auto bytes =
        device::load_field<N, Form>(block, block.qs + 32 * (group / 4) + 16 * Half + N * part);
    return device::move_bits<2>(bytes, 2 * (group % 4), 0);
  }
  ROCMFORGE_DEVICE static affine factors(const q2_k& block, [[maybe_unused]] int group,
                                         [[maybe_unused]] int half) {
    return scale(block, group, half);
  }
};

template <>
struct block_format<q3_k> {
  static constexpr int elements = 256;
  static constexpr int zero = 4;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q3_k& block, affine s, int group,
                                                  int part) {
    const int first = 16 * Half + N * part;
    const auto low =
        bits<2>(device::load_field<N>(block, block.qs + 32 * (group / 4) + first), 2 * (group % 4));
    const auto high = move_bits<1>(device::load_field<N>(block, block.hmask + first), group, 2);
    return scaled_bits<3>(low | high, 0, 4, packet<float, N>(s.d));
  }
  ROCMFORGE_DEVICE static affine scale(const q3_k& block, int group, int half) {
    const int k = 2 * group + half;  // four bits, and two more in the last four bytes
    const int scale =
        (block.scales[k % 8] >> k / 8 * 4 & 15) | (block.scales[8 + k % 4] >> k / 4 * 2 & 3) << 4;
    return {static_cast<float>(block.d) * static_cast<float>(scale - 32), 0};
  }
  ROCMFORGE_DEVICE static block_scales<2> scales(const q3_k& block) {
    const byte_packet<16> numbers = device::q3_k_scales(block);
    block_scales<2> result;
    store_packet(result.d,
                 (to_float(numbers) - packet<float, 16>(32.0f)) * static_cast<float>(block.d));
    return result;
  }
  template <int N, int Half, number_form Form = number_form{}>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q3_k& block, [[maybe_unused]] int group,
                                                 int part) {
    const int first = 16 * Half + N * part;
    const auto low = device::move_bits<2>(
        device::load_field<N, Form>(block, block.qs + 32 * (group / 4) + first), 2 * (group % 4),
        0);
    const auto third = device::load_field<N, Form>(block, block.hmask + first);
    const auto high = device::move_bits<1>(device::four_bits_of(third, group / 4), group % 4, 2);
    return low | high;
  }
  ROCMFORGE_DEVICE static affine factors(const q3_k& block, [[maybe_unused]] int group,
                                         [[maybe_unused]] int half) {
    const float d = scale(block, group, half).d;
    return {d, -zero * d};
  }
};

template <>
struct block_format<q4_k> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q4_k& block, affine s, int group,
                                                  int part) {
    const auto bytes =
        device::load_field<N>(block, block.qs + 32 * (group / 2) + 16 * Half + N * part);
    return scaled_bits<4>(bytes, 4 * (group % 2), packet<float, N>(s.d), packet<float, N>(s.m));
  }
  ROCMFORGE_DEVICE static affine scale(const q4_k& block, int group, int /*half*/) {
    return device::six_bit_scale(block, group);
  }
  ROCMFORGE_DEVICE static block_scales<1> scales(const q4_k& block) {
    return device::six_bit_scales(block);
  }
  template <int N, int Half, number_form Form = number_form{}>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q4_k& block, [[maybe_unused]] int group,
                                                 int part) {
    const auto bytes =
        device::load_field<N, Form>(block, block.qs + 32 * (group / 2) + 16 * Half + N * part);
    return device::move_bits<4>(bytes, 4 * (group % 2), 0);
  }
  ROCMFORGE_DEVICE static void half_factors(const q4_k& block, int half, affine (&f)[4]) {
    device::six_bit_half(block, half, f);
  }
};

template <>
struct block_format<q5_k> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q5_k& block, affine s, int group,
                                                  int part) {
    const int first = 16 * Half + N * part;
    const auto low =
        bits<4>(device::load_field<N>(block, block.qs + 32 * (group / 2) + first), 4 * (group % 2));
    const auto high = move_bits<1>(device::load_field<N>(block, block.qh + first), group, 4);
    return scaled_bits<5>(low | high, 0, packet<float, N>(s.d), packet<float, N>(s.m));
  }
  ROCMFORGE_DEVICE static affine scale(const q5_k& block, int group, int /*half*/) {
    return device::six_bit_scale(block, group);
  }
  ROCMFORGE_DEVICE static block_scales<1> scales(const q5_k& block) {
    return device::six_bit_scales(block);
  }
  template <int N, int Half, number_form Form = number_form{}>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q5_k& block, [[maybe_unused]] int group,
                                                 int part) {
    const int first = 16 * Half + N * part;
    const auto low = device::move_bits<4>(
        device::load_field<N, Form>(block, block.qs + 32 * (group / 2) + first), 4 * (group % 2),
        0);
    const auto fifth = device::load_field<N, Form>(block, block.qh + first);
    const auto high = device::move_bits<1>(device::four_bits_of(fifth, group / 4), group % 4, 4);
    return low | high;
  }
  ROCMFORGE_DEVICE static void half_factors(const q5_k& block, int half, affine (&f)[4]) {
    device::six_bit_half(block, half, f);
  }
};

template <>
struct block_format<q6_k> {
  static constexpr int elements = 256;
  static constexpr int zero = 32;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q6_k& block, affine s, int group,
                                                  int part) {
    const int first = 16 * Half + N * part, quarter = group % 4;
    const auto low = bits<4>(
        device::load_field<N>(block, block.ql + 64 * (group / 4) + 32 * (quarter % 2) + first),
        4 * (quarter / 2));
    const auto high = move_bits<2>(
        device::load_field<N>(block, block.qh + 32 * (group / 4) + first), 2 * quarter, 4);
    return (to_float(low | high) - packet<float, N>(32.0f)) * s.d;
  }
  ROCMFORGE_DEVICE static affine scale(const q6_k& block, int group, int half) {
    return {static_cast<float>(block.d) * static_cast<float>(block.scales[2 * group + half]), 0};
  }
  ROCMFORGE_DEVICE static block_scales<2> scales(const q6_k& block) {
    block_scales<2> result;
    store_packet(result.d, signed_to_float(device::load_field<16>(block, block.scales)) *
                               static_cast<float>(block.d));
    return result;
  }
  template <int N, int Half, number_form Form = number_form{}>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q6_k& block, [[maybe_unused]] int group,
                                                 int part) {
    const int first = 16 * Half + N * part, quarter = group % 4;
    const auto low =
        device::move_bits<4>(device::load_field<N, Form>(
                                 block, block.ql + 64 * (group / 4) + 32 * (quarter % 2) + first),
                             4 * (quarter / 2), 0);
    const auto high = device::move_bits<2>(
        device::load_field<N, Form>(block, block.qh + 32 * (group / 4) + first), 2 * quarter, 4);
    return low | high;
  }
  ROCMFORGE_DEVICE static affine factors(const q6_k& block, [[maybe_unused]] int group,
                                         [[maybe_unused]] int half) {
    const float d = scale(block, group, half).d;
    return {d, -zero * d};
  }
};

template <>
struct block_format<q8_k> {
  static constexpr int elements = 256;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q8_k& block, int group, int part) {
    return signed_to_float(
               device::load_field<N>(block, block.qs + 32 * group + 16 * Half + N * part)) *
           block.d;
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
