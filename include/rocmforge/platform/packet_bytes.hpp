// Packets of bytes: small numbers that lie four to a word, are taken apart by shifts and masks on
// whole words, and become floats in the end. This is how quantized weights are decoded everywhere.
#pragma once

#include <cstdint>

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST)
#include "rocmforge/platform/host/packet_bytes.hpp"
#else
#include "rocmforge/platform/gpu/packet_bytes.hpp"
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

template <int N>
ROCMFORGE_DEVICE byte_packet<N> operator|(const byte_packet<N>& a, const byte_packet<N>& b) {
  return {a.words | b.words};
}

/// Bits `first` to `first` + Count - 1 of each byte.
template <int Count, int N>
ROCMFORGE_DEVICE byte_packet<N> bits(const byte_packet<N>& a, int first) {
  return {(a.words >> packet<unsigned, N / 4>(static_cast<unsigned>(first))) &
          packet<unsigned, N / 4>(((1u << Count) - 1) * 0x01010101u)};
}

/// Bits `from` to `from` + Count - 1 of each byte, as bits `to` and on.
template <int Count, int N>
ROCMFORGE_DEVICE byte_packet<N> move_bits(const byte_packet<N>& a, int from, int to) {
  using words = packet<unsigned, N / 4>;
  const words moved = from >= to ? a.words >> words(static_cast<unsigned>(from - to))
                                 : a.words << words(static_cast<unsigned>(to - from));
  return {moved & words((((1u << Count) - 1) * 0x01010101u) << to)};
}

/// 0, Step, 2 * Step, ...
template <int N, unsigned Step>
ROCMFORGE_DEVICE packet<unsigned, N> steps() {
  packet<unsigned, N> result(0u);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.set(i, static_cast<unsigned>(i) * Step);
  return result;
}

template <int N>
ROCMFORGE_DEVICE void spread_bits(byte_packet<N>& result, unsigned mask) {
  using words = packet<unsigned, N / 4>;
  // Four bits at once: multiplied, bit i appears at 7 * i more, which is bit 8 * i.
  const words four = (words(mask) >> steps<N / 4, 4>()) & words(15u);
  result = {(four * words(0x00204081u)) & words(0x01010101u)};
}

/// Byte i is bit i of `mask`.
template <int N>
ROCMFORGE_DEVICE byte_packet<N> spread_bits(unsigned mask) {
  byte_packet<N> result;
  spread_bits(result, mask);
  return result;
}

/// Byte i is the four bits from 4 * i on of `numbers`, which has 16.
ROCMFORGE_DEVICE unsigned spread_nibbles(unsigned numbers) {
  const unsigned two = (numbers | numbers << 8) & 0x00ff00ffu;
  return (two | two << 4) & 0x0f0f0f0fu;
}

/// Byte i is the two bits from 2 * i on of `numbers`.
template <int N>
ROCMFORGE_DEVICE byte_packet<N> spread_pairs_of_bits(unsigned numbers) {
  using words = packet<unsigned, N / 4>;
  const words four = (words(numbers) >> steps<N / 4, 8>()) & words(255u);
  return {(four | four << words(6u) | four << words(12u) | four << words(18u)) &
          words(0x03030303u)};
}

/// -a where bit i of `mask` is 1, a where it is 0.
template <int N>
ROCMFORGE_DEVICE packet<float, N> negate_where(unsigned mask, const packet<float, N>& a) {
  using words = packet<unsigned, N>;
  const words signs = (words(mask) >> steps<N, 1>()) << words(31u);
  return bit_cast<float>(bit_cast<unsigned>(a) ^ signs);
}

/// a + more where bit i of `mask` is 1, a where it is 0.
template <int N>
ROCMFORGE_DEVICE packet<float, N> add_where(unsigned mask, const packet<float, N>& a, float more) {
  return a + to_float(spread_bits<N>(mask)) * more;
}

/// The bytes as floats from 0 to 255.
template <int N>
ROCMFORGE_DEVICE packet<float, N> to_float(const byte_packet<N>& a) {
  return to_float(to_int(a));
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
