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
#endif

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
