// Dot products of bytes on the host. There are no portable ones: floats are faster where the
// processor lacks the instructions. For N = byte_dot_size the file of the instruction set has
//
//   dot_add(numbers, digits, scales, sum)
//     Adds to element i of `sum` (packet<int, N / 4>) two products of a scale and two products:
//     those of the unsigned bytes of `numbers` and the signed ones of `digits` from 4 * i on, times
//     the 16-bit numbers of `scales` from 2 * i on. Two products of bytes are at most 2^15 - 1.
//   repeat_bytes(result, p)
//     32 bytes, in a byte_packet<64> twice.
//   spread_words<PerGroup>(result, words, group)
//     The scales of the groups of 32 bytes from `group` on, each as often as dot_add takes it:
//     words PerGroup * group and on of the 16 words of 16 bits.
//   multiply_words(words, factor)
//     Each of 16 words times a number; the low 16 bits.
//   dot_add_words(words, others, sum)
//     Adds to element i of `sum`, 0 to 7, two products of words, of a register and of memory.
//   store_low_bytes(p, numbers)
//     The lowest byte of each number.
#pragma once

#include "rocmforge/platform/host/packet_bytes.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet_bytes.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// How many bytes `dot_add` multiplies at a time; 0 where there is none.
#if defined(__AVX512BW__)
inline constexpr int byte_dot_size = 64;
#elif defined(__AVX2__)
inline constexpr int byte_dot_size = 32;
#else
inline constexpr int byte_dot_size = 0;
#endif

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
