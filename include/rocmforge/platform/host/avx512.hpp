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

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
