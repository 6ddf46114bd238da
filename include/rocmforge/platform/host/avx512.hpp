// AVX-512: what compilers do not find by themselves. Each is an overload of a portable function for
// a packet of 16.
#pragma once

#include <immintrin.h>
#include <cstdint>
#include <type_traits>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

// g++ would compare into a mask and blend: four times the latency.
ROCMFORGE_DEVICE packet<float, 16> maximum(const packet<float, 16>& a, const packet<float, 16>& b) {
  packet<float, 16> result;
  result.v = reinterpret_cast<packet<float, 16>::storage>(
      _mm512_maskz_max_ps(0xffff, reinterpret_cast<__m512>(a.v), reinterpret_cast<__m512>(b.v)));
  return result;
}

ROCMFORGE_DEVICE packet<float, 16> minimum(const packet<float, 16>& a, const packet<float, 16>& b) {
  packet<float, 16> result;
  result.v = reinterpret_cast<packet<float, 16>::storage>(
      _mm512_maskz_min_ps(0xffff, reinterpret_cast<__m512>(a.v), reinterpret_cast<__m512>(b.v)));
  return result;
}

ROCMFORGE_DEVICE void load_elements(packet<float, 16>& result, const half* p) {
  result.v = reinterpret_cast<packet<float, 16>::storage>(
      _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}

// By name: g++ 12 widens a vector of bytes one element at a time.
ROCMFORGE_DEVICE void load_elements(packet<int, 16>& result, const std::int8_t* p) {
  result.v = reinterpret_cast<packet<int, 16>::storage>(
      _mm512_maskz_cvtepi8_epi32(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
ROCMFORGE_DEVICE void load_elements(packet<int, 16>& result, const std::uint8_t* p) {
  result.v = reinterpret_cast<packet<int, 16>::storage>(
      _mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

ROCMFORGE_DEVICE void store_packet(half* p, const packet<float, 16>& value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_maskz_cvtps_ph(0xffff, reinterpret_cast<__m512>(value.v),
                                            _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

ROCMFORGE_DEVICE packet<float, 16> lookup(const packet<float, 16>& table,
                                          const packet<int, 16>& indices) {
  packet<float, 16> result;
  result.v = reinterpret_cast<packet<float, 16>::storage>(_mm512_maskz_permutexvar_ps(
      0xffff, reinterpret_cast<__m512i>(indices.v), reinterpret_cast<__m512>(table.v)));
  return result;
}
ROCMFORGE_DEVICE packet<float, 16> lookup(const packet<float, 16>& table,
                                          const packet<float, 16>& more,
                                          const packet<int, 16>& indices) {
  packet<float, 16> result;
  result.v = reinterpret_cast<packet<float, 16>::storage>(_mm512_permutex2var_ps(
      reinterpret_cast<__m512>(table.v), reinterpret_cast<__m512i>(indices.v),
      reinterpret_cast<__m512>(more.v)));
  return result;
}

#if defined(__AVX512BW__) && defined(__AVX512VL__)
ROCMFORGE_DEVICE void spread_bits(byte_packet<16>& result, unsigned mask) {
  result.words.v = reinterpret_cast<packet<unsigned, 4>::storage>(
      _mm_maskz_set1_epi8(static_cast<__mmask16>(mask), 1));
}
#endif

ROCMFORGE_DEVICE packet<float, 16> negate_where(unsigned mask, const packet<float, 16>& a) {
  packet<float, 16> result;
  const __m512i bits = reinterpret_cast<__m512i>(a.v);
  result.v = reinterpret_cast<packet<float, 16>::storage>(_mm512_mask_xor_epi32(
      bits, static_cast<__mmask16>(mask), bits, _mm512_set1_epi32(static_cast<int>(0x80000000u))));
  return result;
}

ROCMFORGE_DEVICE packet<float, 16> add_where(unsigned mask, const packet<float, 16>& a,
                                             float more) {
  packet<float, 16> result;
  const __m512 values = reinterpret_cast<__m512>(a.v);
  result.v = reinterpret_cast<packet<float, 16>::storage>(
      _mm512_mask_add_ps(values, static_cast<__mmask16>(mask), values, _mm512_set1_ps(more)));
  return result;
}

#if defined(__AVX512BW__)
// Dot products of bytes (byte_dot.hpp).
ROCMFORGE_DEVICE void dot_add(const byte_packet<64>& numbers, const byte_packet<64>& digits,
                              const byte_packet<64>& scales, packet<int, 16>& sum) {
  const __m512i pairs = _mm512_maddubs_epi16(reinterpret_cast<__m512i>(numbers.words.v),
                                             reinterpret_cast<__m512i>(digits.words.v));
  const __m512i factors = reinterpret_cast<__m512i>(scales.words.v),
                before = reinterpret_cast<__m512i>(sum.v);
#if defined(__AVX512VNNI__)
  const __m512i after = _mm512_dpwssd_epi32(before, pairs, factors);
#else
  const __m512i after = _mm512_add_epi32(before, _mm512_madd_epi16(pairs, factors));
#endif
  sum.v = reinterpret_cast<packet<int, 16>::storage>(after);
}

ROCMFORGE_DEVICE void repeat_bytes(byte_packet<64>& result, const std::uint8_t* p) {
  result.words.v = reinterpret_cast<packet<unsigned, 16>::storage>(
      _mm512_maskz_broadcast_i64x4(0xff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}

template <int PerGroup>
ROCMFORGE_DEVICE void spread_words(byte_packet<64>& result, const packet<unsigned, 8>& words,
                                   int group) {
  packet<unsigned, 16> indices(0u);
  ROCMFORGE_UNROLL
  for (int i = 0; i < 16; ++i)
    indices.set(i, static_cast<unsigned>(PerGroup * group + i * PerGroup / 8) * 0x00010001u);
  result.words.v = reinterpret_cast<packet<unsigned, 16>::storage>(
      _mm512_maskz_permutexvar_epi16(0xffffffff, reinterpret_cast<__m512i>(indices.v),
                                     _mm512_castsi256_si512(reinterpret_cast<__m256i>(words.v))));
}

ROCMFORGE_DEVICE void dot_add_words(const packet<unsigned, 8>& words, const std::int16_t* others,
                                    packet<int, 16>& sum) {
  const __m256i products =
      _mm256_madd_epi16(reinterpret_cast<__m256i>(words.v),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(others)));
  sum.v += reinterpret_cast<packet<int, 16>::storage>(
      _mm512_maskz_inserti64x4(0xff, _mm512_setzero_si512(), products, 0));
}

ROCMFORGE_DEVICE void store_low_bytes(std::int8_t* p, const packet<int, 16>& numbers) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm512_maskz_cvtepi32_epi8(0xffff, reinterpret_cast<__m512i>(numbers.v)));
}
#endif

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
