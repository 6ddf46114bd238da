// AVX2 and F16C: what compilers do not find by themselves. Each is an overload of a portable
// function for a packet of 8.
#pragma once

#include <immintrin.h>
#include <cstdint>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

#if defined(__F16C__)
ROCMFORGE_DEVICE void load_elements(packet<float, 8>& result, const half* p) {
  result.v = reinterpret_cast<packet<float, 8>::storage>(
      _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
#endif

#if defined(__AVX2__)
ROCMFORGE_DEVICE void load_elements(packet<int, 8>& result, const std::int8_t* p) {
  result.v = reinterpret_cast<packet<int, 8>::storage>(
      _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
ROCMFORGE_DEVICE void load_elements(packet<int, 8>& result, const std::uint8_t* p) {
  result.v = reinterpret_cast<packet<int, 8>::storage>(
      _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}

// Dot products of bytes (byte_dot.hpp).
ROCMFORGE_DEVICE void dot_add(const byte_packet<32>& numbers, const byte_packet<32>& digits,
                              const byte_packet<32>& scales, packet<int, 8>& sum) {
  const __m256i pairs = _mm256_maddubs_epi16(reinterpret_cast<__m256i>(numbers.words.v),
                                             reinterpret_cast<__m256i>(digits.words.v));
  sum.v += reinterpret_cast<packet<int, 8>::storage>(
      _mm256_madd_epi16(pairs, reinterpret_cast<__m256i>(scales.words.v)));
}

ROCMFORGE_DEVICE void repeat_bytes(byte_packet<32>& result, const std::uint8_t* p) {
  result.words.v = reinterpret_cast<packet<unsigned, 8>::storage>(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

template <int PerGroup>
ROCMFORGE_DEVICE void spread_words(byte_packet<32>& result, const packet<unsigned, 8>& words,
                                   int group) {
  // Each half of the register gets all eight words among which its own is.
  const __m256i all = reinterpret_cast<__m256i>(words.v);
  const int first = PerGroup * group;
  const __m256i eight = first < 8 ? _mm256_permute2x128_si256(all, all, 0x00)
                                  : _mm256_permute2x128_si256(all, all, 0x11);
  packet<unsigned, 8> indices(0u);
  ROCMFORGE_UNROLL
  for (int i = 0; i < 8; ++i) {
    const auto byte = 2 * static_cast<unsigned>((first + i * PerGroup / 8) % 8);
    indices.set(i, byte * 0x01010101u + 0x01000100u);
  }
  result.words.v = reinterpret_cast<packet<unsigned, 8>::storage>(
      _mm256_shuffle_epi8(eight, reinterpret_cast<__m256i>(indices.v)));
}

ROCMFORGE_DEVICE packet<unsigned, 8> widen_bytes(const byte_packet<16>& bytes) {
  packet<unsigned, 8> words;
  words.v = reinterpret_cast<packet<unsigned, 8>::storage>(
      _mm256_cvtepu8_epi16(reinterpret_cast<__m128i>(bytes.words.v)));
  return words;
}
ROCMFORGE_DEVICE packet<unsigned, 8> widen_signed_bytes(const byte_packet<16>& bytes) {
  packet<unsigned, 8> words;
  words.v = reinterpret_cast<packet<unsigned, 8>::storage>(
      _mm256_cvtepi8_epi16(reinterpret_cast<__m128i>(bytes.words.v)));
  return words;
}

ROCMFORGE_DEVICE packet<unsigned, 8> multiply_words(const packet<unsigned, 8>& words, int factor) {
  packet<unsigned, 8> result;
  result.v = reinterpret_cast<packet<unsigned, 8>::storage>(_mm256_mullo_epi16(
      reinterpret_cast<__m256i>(words.v), _mm256_set1_epi16(static_cast<short>(factor))));
  return result;
}
ROCMFORGE_DEVICE void dot_add_words(const packet<unsigned, 8>& words, const std::int16_t* others,
                                    packet<int, 8>& sum) {
  sum.v += reinterpret_cast<packet<int, 8>::storage>(
      _mm256_madd_epi16(reinterpret_cast<__m256i>(words.v),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(others))));
}

ROCMFORGE_DEVICE void store_low_bytes(std::int8_t* p, const packet<int, 8>& numbers) {
  const __m256i low =
      _mm256_shuffle_epi8(reinterpret_cast<__m256i>(numbers.v), _mm256_set1_epi32(0x0c080400));
  const int words[2] = {_mm256_extract_epi32(low, 0), _mm256_extract_epi32(low, 4)};
  __builtin_memcpy(p, words, sizeof(words));
}
#endif

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
