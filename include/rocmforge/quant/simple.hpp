// ggml's formats with one scale, or a scale and an offset, a block: 1, 2, 4, 5 and 8 bits a weight.
// Layouts: ggml-common.h of ggml, restated in docs/quant.md.
#pragma once

#include "rocmforge/quant/block.hpp"

namespace rocmforge {

/// 32 weights of 4 bits: (q - 8) * d. Byte i holds element i in its low and element i + 16 in its
/// high four bits.
struct q4_0 {
  half d;
  std::uint8_t qs[16];
};

/// 32 weights of 4 bits: q * d + m. Laid out as q4_0.
struct alignas(4) q4_1 {
  half d, m;
  std::uint8_t qs[16];
};

/// 32 weights of 5 bits: (q - 16) * d. The low four bits laid out as q4_0's, the fifth of element e
/// is bit e of qh.
struct q5_0 {
  half d;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};

/// 32 weights of 5 bits: q * d + m. Laid out as q5_0.
struct alignas(4) q5_1 {
  half d, m;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};

/// 32 weights of 8 bits: q * d.
struct q8_0 {
  half d;
  std::int8_t qs[32];
};

/// 32 weights of 8 bits: q * d, beside s = d * sum(q). Of activations, not in files.
struct alignas(4) q8_1 {
  half d, s;
  std::int8_t qs[32];
};

/// 128 weights of 1 bit: d where bit e is 1, else -d.
struct q1_0 {
  half d;
  std::uint8_t qs[16];
};

/// 64 weights of 2 bits: (q - 1) * d. Element e is in bits 2 * (e % 4) and on of byte e / 4.
struct q2_0 {
  half d;
  std::uint8_t qs[16];
};

static_assert(sizeof(q4_0) == 18 && sizeof(q4_1) == 20 && sizeof(q5_0) == 22 &&
              sizeof(q5_1) == 24 && sizeof(q8_0) == 34 && sizeof(q8_1) == 36 &&
              sizeof(q1_0) == 18 && sizeof(q2_0) == 18);

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace device {

/// The fifth bits of the numbers 16 * Half and on of a block of 32, from bit 0 on.
template <int Half, class Block>
ROCMFORGE_DEVICE unsigned fifth_bits(const Block& block) {
  return static_cast<unsigned>(block.qh[2 * Half]) | static_cast<unsigned>(block.qh[2 * Half + 1])
                                                         << 8;
}

/// The five-bit numbers 16 * Half + N * part and on of a block of 32.
template <int N, int Half, number_form Form = number_form{}, class Block>
ROCMFORGE_DEVICE byte_packet<N> five_bit_numbers(const Block& block, int part) {
  const auto bytes = load_field<N, Form>(block, block.qs + N * part);
  const auto fifth = move_bits<1>(spread_bits<N>(fifth_bits<Half>(block) >> N * part), 0, 4);
  return move_bits<4>(bytes, 4 * Half, 0) | fifth;
}

/// The same less `zero`, as floats.
template <int N, int Half, class Block>
ROCMFORGE_DEVICE packet<float, N> five_bits(const Block& block, int part, float zero) {
  if constexpr (has_lookup && N == 16) {
    const auto low =
        map_bits<4>(load_field<N>(block, block.qs + N * part), 4 * Half,
                    [&](const packet<float, N>& q) { return q - packet<float, N>(zero); });
    return add_where(fifth_bits<Half>(block), low, 16.0f);
  } else {
    return to_float(five_bit_numbers<N, Half>(block, part)) - packet<float, N>(zero);
  }
}

}  // namespace device

template <>
struct block_format<q4_0> {
  static constexpr int elements = 32;
  static constexpr int zero = 8;
  template <int N>
  ROCMFORGE_DEVICE static packet<float, N> at(const q4_0& block, int half, int offset) {
    return scaled_bits<4>(device::load_field<N>(block, block.qs + offset), 4 * half, 8,
                          device::broadcast<N>(block.d));
  }
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q4_0& block, int, int part) {
    return at<N>(block, Half, N * part);
  }
  template <int N, int Half, number_form Form = number_form{}>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q4_0& block, [[maybe_unused]] int group,
                                                 int part) {
    return device::move_bits<4>(device::load_field<N, Form>(block, block.qs + N * part), 4 * Half,
                                0);
  }
  ROCMFORGE_DEVICE static affine factors(const q4_0& block, [[maybe_unused]] int group,
                                         [[maybe_unused]] int half) {
    const auto d = static_cast<float>(block.d);
    return {d, -zero * d};
  }
};

template <>
struct block_format<q4_1> {
  static constexpr int elements = 32;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q4_1& block, int, int part) {
    return scaled_bits<4>(device::load_field<N>(block, block.qs + N * part), 4 * Half,
                          device::broadcast<N>(block.d), device::broadcast<N>(block.m));
  }
  template <int N, int Half, number_form Form = number_form{}>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q4_1& block, [[maybe_unused]] int group,
                                                 int part) {
    return device::move_bits<4>(device::load_field<N, Form>(block, block.qs + N * part), 4 * Half,
                                0);
  }
  ROCMFORGE_DEVICE static affine factors(const q4_1& block, [[maybe_unused]] int group,
                                         [[maybe_unused]] int half) {
    return {static_cast<float>(block.d), static_cast<float>(block.m)};
  }
};

template <>
struct block_format<q5_0> {
  static constexpr int elements = 32;
  static constexpr int zero = 16;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q5_0& block, int, int part) {
    return device::five_bits<N, Half>(block, part, 16) * device::broadcast<N>(block.d);
  }
  template <int N, int Half, number_form Form = number_form{}>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q5_0& block, [[maybe_unused]] int group,
                                                 int part) {
    return device::five_bit_numbers<N, Half, Form>(block, part);
  }
  ROCMFORGE_DEVICE static affine factors(const q5_0& block, [[maybe_unused]] int group,
                                         [[maybe_unused]] int half) {
    const auto d = static_cast<float>(block.d);
    return {d, -zero * d};
  }
};

template <>
struct block_format<q5_1> {
  static constexpr int elements = 32;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q5_1& block, int, int part) {
    return fma(device::five_bits<N, Half>(block, part, 0), device::broadcast<N>(block.d),
               device::broadcast<N>(block.m));
  }
  template <int N, int Half, number_form Form = number_form{}>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q5_1& block, [[maybe_unused]] int group,
                                                 int part) {
    return device::five_bit_numbers<N, Half, Form>(block, part);
  }
  ROCMFORGE_DEVICE static affine factors(const q5_1& block, [[maybe_unused]] int group,
                                         [[maybe_unused]] int half) {
    return {static_cast<float>(block.d), static_cast<float>(block.m)};
  }
};

template <>
struct block_format<q8_0> {
  static constexpr int elements = 32;
  static constexpr int zero = 128;
  template <int N>
  ROCMFORGE_DEVICE static packet<float, N> at(const q8_0& block, int half, int offset) {
    return signed_to_float(device::load_field<N>(block, block.qs + 16 * half + offset)) *
           device::broadcast<N>(block.d);
  }
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q8_0& block, int, int part) {
    return at<N>(block, Half, N * part);
  }
  template <int N, int Half, number_form Form = number_form{}>
  ROCMFORGE_DEVICE static byte_packet<N> numbers(const q8_0& block, [[maybe_unused]] int group,
                                                 int part) {
    // Two's complement and 128: bytes without a sign.
    auto bytes = device::load_field<N, Form>(block, block.qs + 16 * Half + N * part);
    bytes.words = bytes.words ^ packet<unsigned, N / 4>(0x80808080u);
    return bytes;
  }
  ROCMFORGE_DEVICE static affine factors(const q8_0& block, [[maybe_unused]] int group,
                                         [[maybe_unused]] int half) {
    const auto d = static_cast<float>(block.d);
    return {d, -zero * d};
  }
};

template <>
struct block_format<q8_1> {
  static constexpr int elements = 32;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q8_1& block, int, int part) {
    return signed_to_float(device::load_field<N>(block, block.qs + 16 * Half + N * part)) *
           device::broadcast<N>(block.d);
  }
};

template <>
struct block_format<q1_0> {
  static constexpr int elements = 128;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q1_0& block, int group, int part) {
    const std::uint8_t* qs = block.qs + 4 * group + 2 * Half;
    const unsigned mask = qs[0] | static_cast<unsigned>(qs[1]) << 8;
    return fma(to_float(device::spread_bits<N>(mask >> N * part)), packet<float, N>(2.0f),
               packet<float, N>(-1.0f)) *
           device::broadcast<N>(block.d);
  }
};

template <>
struct block_format<q2_0> {
  static constexpr int elements = 64;
  template <int N, int Half>
  ROCMFORGE_DEVICE static packet<float, N> values(const q2_0& block, int group, int part) {
    const std::uint8_t* qs = block.qs + 8 * group + 4 * Half + N / 4 * part;
    unsigned numbers = 0;
    ROCMFORGE_UNROLL
    for (int i = 0; i < N / 4; ++i) numbers |= static_cast<unsigned>(qs[i]) << 8 * i;
    return (to_float(device::spread_pairs_of_bits<N>(numbers)) - packet<float, N>(1.0f)) *
           device::broadcast<N>(block.d);
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
