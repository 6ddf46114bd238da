// Dot products of bytes, where a processor has instructions for them.
#pragma once

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet_bytes.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST)
#include "rocmforge/platform/host/byte_dot.hpp"
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

#if !defined(ROCMFORGE_PLATFORM_HOST)
/// How many bytes are multiplied at a time: GPUs multiply pairs of halves instead (half_pairs.hpp).
inline constexpr int byte_dot_size = 0;
#endif

/// N bytes as words of 16 bits.
template <int N>
ROCMFORGE_DEVICE packet<unsigned, N / 2> widen_bytes(const byte_packet<N>& bytes) {
  packet<unsigned, N / 2> words;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N / 2; ++i) {
    const unsigned two = bytes.words[i / 2] >> 16 * (i % 2);
    words.set(i, (two & 0x000000ffu) | (two & 0x0000ff00u) << 8);
  }
  return words;
}
/// The same of two's complement bytes.
template <int N>
ROCMFORGE_DEVICE packet<unsigned, N / 2> widen_signed_bytes(const byte_packet<N>& bytes) {
  // 128 more is without a sign; words may borrow from each other as it is taken away again.
  using words = packet<unsigned, N / 2>;
  const words more = widen_bytes<N>({bytes.words ^ packet<unsigned, N / 4>(0x80808080u)});
  const words low = (more | words(0x8000u)) - words(0x80u), high = more - words(0x00800000u);
  return ((low ^ words(0x8000u)) & words(0xffffu)) | (high & words(0xffff0000u));
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
