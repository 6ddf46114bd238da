// SSSE3: its one shuffle of bytes that compilers do not find.
#pragma once

#include <immintrin.h>
#include <cstdint>

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

ROCMFORGE_DEVICE byte_packet<16> lookup_bytes(const std::int8_t (&table)[16],
                                              const byte_packet<16>& indices) {
  byte_packet<16> result;
  result.words.v = reinterpret_cast<packet<unsigned, 4>::storage>(
      _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)),
                       reinterpret_cast<__m128i>(indices.words.v)));
  return result;
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
