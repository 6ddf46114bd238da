// Weights as unsigned bytes for products of bytes: what a format's numbers and scales are before
// they become floats. For the host (linear/matvec_bytes.hpp).
#pragma once

#include "rocmforge/platform/byte_dot.hpp"
#include "rocmforge/quant/block.hpp"
#include "rocmforge/quant/k_quants.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Scales of 256 weights before they are multiplied by that of the block: 16 signed numbers of 16
/// bits, one for each 16 weights; or eight, one for each 32.
struct word_scales {
  packet<unsigned, 8> words;
};
/// And offsets.
template <int PerGroup>
struct word_scales_and_offsets {
  packet<unsigned, 8> words;
  packet<float, 8 * PerGroup> m;
};

/// A format of 256 weights that are (q - zero) * d * scale + m, with numbers q of at most 7 bits
/// (of which two products with -127 to 127 have 16 bits) and scales that are whole numbers of at
/// most 8 bits with their sign, is specialized with
/// - `per_group`: how many different scales and offsets 32 weights have, 1 or 2;
/// - `zero`: 0 if there is an m, else at most 32;
/// - `numbers<N>(block, group)`: the q of the N / 32 groups from `group` on;
/// - `scales(block)`: word_scales, or word_scales_and_offsets where zero is 0;
/// and its blocks have a half `d`.
template <class Type>
struct byte_weights;

template <class Type>
concept has_byte_weights = requires {
  byte_weights<Type>::per_group;
};

namespace device {

/// Bits `from` to `from` + Count - 1 of the first 32 bytes, as bits `to` and on; and those `Next`
/// bits further up of the next 32. They do not cross bit `to`.
template <int Count, int Next, int N>
ROCMFORGE_DEVICE byte_packet<N> move_group_bits(const byte_packet<N>& a, int from, int to) {
  using words = packet<unsigned, N / 4>;
  words distance(0u);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N / 4; ++i) {
    const int at = from + i / 8 * Next;
    distance.set(i, static_cast<unsigned>(from >= to ? at - to : to - at));
  }
  const words moved = from >= to ? a.words >> distance : a.words << distance;
  return {moved & words((((1u << Count) - 1) * 0x01010101u) << to)};
}

template <int N>
ROCMFORGE_DEVICE byte_packet<N> repeat_bytes(const std::uint8_t* p) {
  byte_packet<N> result;
  repeat_bytes(result, p);
  return result;
}

/// The scales of q4_k and q5_k.
template <class Block>
ROCMFORGE_DEVICE word_scales_and_offsets<1> six_bit_word_scales(const Block& block) {
  const six_bit_numbers all = all_six_bit_numbers(block);
  byte_packet<16> scales{0u};
  byte_packet<8> mins{0u};
  ROCMFORGE_UNROLL
  for (int half = 0; half < 2; ++half) {
    scales.words.set(half, all.scales[half]);
    mins.words.set(half, all.mins[half]);
  }
  return {widen_bytes(scales),
          to_float(mins) * (packet<float, 8>(0.0f) - broadcast<8>(block.dmin))};
}

}  // namespace device

template <>
struct byte_weights<q2_k> {
  static constexpr int per_group = 2, zero = 0;
  template <int N>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q2_k& block, int group) {
    return device::move_group_bits<2, 2>(device::repeat_bytes<N>(block.qs + 32 * (group / 4)),
                                         2 * (group % 4), 0);
  }
  template <class Block>
  ROCMFORGE_DEVICE static word_scales_and_offsets<2> scales(const Block& block) {
    const auto packed = device::load_field<16>(block, block.scales);
    return {widen_bytes(bits<4>(packed, 0)),
            to_float(bits<4>(packed, 4)) *
                (packet<float, 16>(0.0f) - device::broadcast<16>(block.dmin))};
  }
};

template <>
struct byte_weights<q3_k> {
  static constexpr int per_group = 2, zero = 4;
  template <int N>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q3_k& block, int group) {
    return device::move_group_bits<2, 2>(device::repeat_bytes<N>(block.qs + 32 * (group / 4)),
                                         2 * (group % 4), 0) |
           device::move_group_bits<1, 1>(device::repeat_bytes<N>(block.hmask), group, 2);
  }
  template <class Block>
  ROCMFORGE_DEVICE static word_scales scales(const Block& block) {
    const byte_packet<16> numbers = device::q3_k_scales(block);
    // 32 less, as bytes with a sign: the sixth bit turned round is that of the sign.
    using words = packet<unsigned, 4>;
    const words less = numbers.words ^ words(0x20202020u), sign = less & words(0x20202020u);
    return {widen_signed_bytes(byte_packet<16>{less | sign << words(1u) | sign << words(2u)})};
  }
};

template <>
struct byte_weights<q4_k> {
  static constexpr int per_group = 1, zero = 0;
  template <int N>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q4_k& block, int group) {
    return device::move_group_bits<4, 4>(device::repeat_bytes<N>(block.qs + 32 * (group / 2)),
                                         4 * (group % 2), 0);
  }
  template <class Block>
  ROCMFORGE_DEVICE static word_scales_and_offsets<1> scales(const Block& block) {
    return device::six_bit_word_scales(block);
  }
};

template <>
struct byte_weights<q5_k> {
  static constexpr int per_group = 1, zero = 0;
  template <int N>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q5_k& block, int group) {
    return device::move_group_bits<4, 4>(device::repeat_bytes<N>(block.qs + 32 * (group / 2)),
                                         4 * (group % 2), 0) |
           device::move_group_bits<1, 1>(device::repeat_bytes<N>(block.qh), group, 4);
  }
  template <class Block>
  ROCMFORGE_DEVICE static word_scales_and_offsets<1> scales(const Block& block) {
    return device::six_bit_word_scales(block);
  }
};

template <>
struct byte_weights<q6_k> {
  static constexpr int per_group = 2, zero = 32;
  template <int N>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q6_k& block, int group) {
    const int quarter = group % 4;
    return device::bits<4>(
               device::load_field<N>(block, block.ql + 64 * (group / 4) + 32 * (quarter % 2)),
               4 * (quarter / 2)) |
           device::move_group_bits<2, 2>(device::repeat_bytes<N>(block.qh + 32 * (group / 4)),
                                         2 * quarter, 4);
  }
  template <class Block>
  ROCMFORGE_DEVICE static word_scales scales(const Block& block) {
    return {widen_signed_bytes(device::load_field<16>(block, block.scales))};
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
