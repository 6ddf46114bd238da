// Packets of bytes on a GPU.
#pragma once

#include <cstdint>

#include "rocmforge/platform/gpu/runtime.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// N bytes from an address that is a multiple of Alignment.
template <int N, int Alignment, class Byte>
ROCMFORGE_DEVICE byte_packet<N> load_byte_packet(const Byte* p) {
  static_assert(sizeof(Byte) == 1);
  byte_packet<N> result;
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
  return result;
}

/// The same from shared memory, which some GPUs read by words at any address.
template <int N, int Alignment, class Byte>
ROCMFORGE_DEVICE byte_packet<N> load_shared_byte_packet(const Byte* p) {
  if constexpr (arch::shared_words_lie_anywhere) {
    byte_packet<N> result;
    ROCMFORGE_UNROLL
    for (int i = 0; i < N / 4; ++i) result.words.set(i, gpu::load_shared_word(p + 4 * i));
    return result;
  } else {
    return load_byte_packet<N, Alignment>(p);
  }
}

/// The bytes of two words of 64 bits.
ROCMFORGE_DEVICE byte_packet<16> byte_packet_of(std::uint64_t low, std::uint64_t high) {
  byte_packet<16> result;
  result.words.set(0, static_cast<unsigned>(low));
  result.words.set(1, static_cast<unsigned>(low >> 32));
  result.words.set(2, static_cast<unsigned>(high));
  result.words.set(3, static_cast<unsigned>(high >> 32));
  return result;
}

/// The bytes as whole numbers from 0 to 255.
template <int N>
ROCMFORGE_DEVICE packet<int, N> to_int(const byte_packet<N>& a) {
  packet<int, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; i += 4) {
    const unsigned word = gpu::as_it_is(a.words[i / 4]);
    ROCMFORGE_UNROLL
    for (int byte = 0; byte < 4; ++byte)
      result.set(i + byte, static_cast<int>(word >> 8 * byte & 255u));
  }
  return result;
}

/// Two's complement bytes as floats from -128 to 127.
template <int N>
ROCMFORGE_DEVICE packet<float, N> signed_to_float(const byte_packet<N>& a) {
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    result.set(i,
               static_cast<float>(static_cast<std::int8_t>(a.words[i / 4] >> 8 * (i % 4) & 255u)));
  }
  return result;
}

/// Byte i of the result is the byte of the table that byte i of `indices`, 0 to 15, names.
template <int N>
ROCMFORGE_DEVICE byte_packet<N> lookup_bytes(const std::int8_t (&table)[16],
                                             const byte_packet<N>& indices) {
  byte_packet<N> result;
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
  return result;
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
