// Packets of bytes on the host.
#pragma once

#include <cstdint>
#include <cstring>

#include "rocmforge/platform/host/packet_memory.hpp"
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
  std::memcpy(&result.words.v, p, N);
  return result;
}

/// The same from shared memory.
template <int N, int Alignment, class Byte>
ROCMFORGE_DEVICE byte_packet<N> load_shared_byte_packet(const Byte* p) {
  return load_byte_packet<N, Alignment>(p);
}

/// The bytes of two words of 64 bits.
ROCMFORGE_DEVICE byte_packet<16> byte_packet_of(std::uint64_t low, std::uint64_t high) {
  byte_packet<16> result;
  typedef std::uint64_t pair __attribute__((vector_size(16)));
  result.words.v = reinterpret_cast<typename packet<unsigned, 4>::storage>(pair{low, high});
  return result;
}

/// The bytes as whole numbers from 0 to 255.
template <int N>
ROCMFORGE_DEVICE packet<int, N> to_int(const byte_packet<N>& a) {
  packet<int, N> result;
  result = load_bytes<N>(reinterpret_cast<const std::uint8_t*>(&a.words.v));
  return result;
}

/// Two's complement bytes as floats from -128 to 127.
template <int N>
ROCMFORGE_DEVICE packet<float, N> signed_to_float(const byte_packet<N>& a) {
  return to_float(load_bytes<N>(reinterpret_cast<const std::int8_t*>(&a.words.v)));
}

/// Byte i of the result is the byte of the table that byte i of `indices`, 0 to 15, names.
template <int N>
ROCMFORGE_DEVICE byte_packet<N> lookup_bytes(const std::int8_t (&table)[16],
                                             const byte_packet<N>& indices) {
  byte_packet<N> result;
  std::uint8_t at[N];
  std::int8_t found[N];
  std::memcpy(at, &indices.words.v, N);
  for (int i = 0; i < N; ++i) found[i] = table[at[i] & 15];
  std::memcpy(&result.words.v, found, N);
  return result;
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
