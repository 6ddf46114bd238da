// Packets of bytes: small numbers that lie four to a word, are taken apart by shifts and masks on
// whole words, and become floats in the end. This is how quantised weights are decoded everywhere.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "rocmforge/platform/packet.hpp"
#include "rocmforge/platform/packet_memory.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST) && (defined(__SSSE3__) || defined(__AVX512F__))
#include <immintrin.h>
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// N bytes; byte i is in bits 8 * (i % 4) and on of word i / 4.
template <int N>
struct byte_packet {
  static_assert(N % 4 == 0, "byte_packet: whole words");
  static constexpr int num_words = N / 4;
  packet<unsigned, num_words> words;
};

/// N bytes from an address that is a multiple of Alignment.
template <int N, int Alignment, class Byte>
ROCMFORGE_DEVICE byte_packet<N> load_byte_packet(const Byte* p) {
  static_assert(sizeof(Byte) == 1);
  byte_packet<N> result;
#if defined(ROCMFORGE_PLATFORM_HOST)
  std::memcpy(&result.words.v, p, N);
#else
  ROCMFORGE_UNROLL
  for (int i = 0; i < N / 4; ++i) {
    unsigned word = 0;
    if constexpr (Alignment >= 4) {
      word = reinterpret_cast<const std::uint32_t*>(p)[i];
    } else if constexpr (Alignment == 2) {
      const auto* halves = reinterpret_cast<const std::uint16_t*>(p);
      word = halves[2 * i] | static_cast<unsigned>(halves[2 * i + 1]) << 16;
    } else {
      ROCMFORGE_UNROLL
      for (int byte = 0; byte < 4; ++byte)
        word |= static_cast<unsigned>(static_cast<std::uint8_t>(p[4 * i + byte])) << 8 * byte;
    }
    result.words.set(i, word);
  }
#endif
  return result;
}

/// The bytes of two words of 64 bits.
ROCMFORGE_DEVICE byte_packet<16> byte_packet_of(std::uint64_t low, std::uint64_t high) {
  byte_packet<16> result;
#if defined(ROCMFORGE_PLATFORM_HOST)
  typedef std::uint64_t pair __attribute__((vector_size(16)));
  result.words.v = reinterpret_cast<typename packet<unsigned, 4>::storage>(pair{low, high});
#else
  result.words.set(0, static_cast<unsigned>(low));
  result.words.set(1, static_cast<unsigned>(low >> 32));
  result.words.set(2, static_cast<unsigned>(high));
  result.words.set(3, static_cast<unsigned>(high >> 32));
#endif
  return result;
}

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

/// Byte i is bit i of `mask`.
template <int N>
ROCMFORGE_DEVICE byte_packet<N> spread_bits(unsigned mask) {
#if defined(ROCMFORGE_PLATFORM_HOST) && defined(__AVX512BW__) && defined(__AVX512VL__)
  if constexpr (N == 16) {
    byte_packet<N> result;
    result.words.v = reinterpret_cast<typename packet<unsigned, 4>::storage>(
        _mm_maskz_set1_epi8(static_cast<__mmask16>(mask), 1));
    return result;
  }
#endif
  using words = packet<unsigned, N / 4>;
  // Four bits at once: multiplied, bit i appears at 7 * i more, which is bit 8 * i.
  const words four = (words(mask) >> steps<N / 4, 4>()) & words(15u);
  return {(four * words(0x00204081u)) & words(0x01010101u)};
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
#if defined(ROCMFORGE_PLATFORM_HOST) && defined(__AVX512F__)
  if constexpr (N == 16) {
    packet<float, N> result;
    const __m512i bits = reinterpret_cast<__m512i>(a.v);
    result.v = reinterpret_cast<typename packet<float, N>::storage>(
        _mm512_mask_xor_epi32(bits, static_cast<__mmask16>(mask), bits,
                              _mm512_set1_epi32(static_cast<int>(0x80000000u))));
    return result;
  }
#endif
  using words = packet<unsigned, N>;
  const words signs = (words(mask) >> steps<N, 1>()) << words(31u);
  return bit_cast<float>(bit_cast<unsigned>(a) ^ signs);
}

/// a + more where bit i of `mask` is 1, a where it is 0.
template <int N>
ROCMFORGE_DEVICE packet<float, N> add_where(unsigned mask, const packet<float, N>& a, float more) {
#if defined(ROCMFORGE_PLATFORM_HOST) && defined(__AVX512F__)
  if constexpr (N == 16) {
    packet<float, N> result;
    const __m512 values = reinterpret_cast<__m512>(a.v);
    result.v = reinterpret_cast<typename packet<float, N>::storage>(
        _mm512_mask_add_ps(values, static_cast<__mmask16>(mask), values, _mm512_set1_ps(more)));
    return result;
  }
#endif
  return a + to_float(spread_bits<N>(mask)) * more;
}

/// The bytes as whole numbers from 0 to 255.
template <int N>
ROCMFORGE_DEVICE packet<int, N> to_int(const byte_packet<N>& a) {
  packet<int, N> result;
#if defined(ROCMFORGE_PLATFORM_HOST)
  result = load_bytes<N>(reinterpret_cast<const std::uint8_t*>(&a.words.v));
#else
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.set(i, static_cast<int>(a.words[i / 4] >> 8 * (i % 4) & 255u));
#endif
  return result;
}

/// The bytes as floats from 0 to 255.
template <int N>
ROCMFORGE_DEVICE packet<float, N> to_float(const byte_packet<N>& a) {
  return to_float(to_int(a));
}

/// Two's complement bytes as floats from -128 to 127.
template <int N>
ROCMFORGE_DEVICE packet<float, N> signed_to_float(const byte_packet<N>& a) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  return to_float(load_bytes<N>(reinterpret_cast<const std::int8_t*>(&a.words.v)));
#else
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    result.set(i,
               static_cast<float>(static_cast<std::int8_t>(a.words[i / 4] >> 8 * (i % 4) & 255u)));
  }
  return result;
#endif
}

/// Byte i of the result is the byte of the table that byte i of `indices`, 0 to 15, names.
template <int N>
ROCMFORGE_DEVICE byte_packet<N> lookup_bytes(const std::int8_t (&table)[16],
                                             const byte_packet<N>& indices) {
  byte_packet<N> result;
#if defined(ROCMFORGE_PLATFORM_HOST)
#if defined(__SSSE3__)
  if constexpr (N == 16) {
    const __m128i found = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)),
                                           reinterpret_cast<__m128i>(indices.words.v));
    result.words.v = reinterpret_cast<typename packet<unsigned, 4>::storage>(found);
    return result;
  }
#endif
  std::uint8_t at[N];
  std::int8_t found[N];
  std::memcpy(at, &indices.words.v, N);
  for (int i = 0; i < N; ++i) found[i] = table[at[i] & 15];
  std::memcpy(&result.words.v, found, N);
#else
  unsigned words[4];
  ROCMFORGE_UNROLL
  for (int i = 0; i < 16; ++i)
    words[i / 4] = (i % 4 == 0 ? 0u : words[i / 4]) |
                   static_cast<unsigned>(static_cast<std::uint8_t>(table[i])) << 8 * (i % 4);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N / 4; ++i) {
    const unsigned index = indices.words[i];
    const unsigned below = gpu::select_bytes(words[1], words[0], index & 0x07070707u);
    const unsigned above = gpu::select_bytes(words[3], words[2], index & 0x07070707u);
    const unsigned flags = index >> 3 & 0x01010101u, upper = (flags << 8) - flags;
    result.words.set(i, (above & upper) | (below & ~upper));
  }
#endif
  return result;
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
