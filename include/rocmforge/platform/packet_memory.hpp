// Packets to and from memory: conversions from and to narrower elements, tails, unaligned
// addresses.
#pragma once

#include <cstddef>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST)
#include "rocmforge/platform/host/packet_memory.hpp"
#else
#include "rocmforge/platform/gpu/packet_memory.hpp"
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// The first `count` elements from `p` on, none if it is negative; the others are 0 and are not
/// read. `p` is aligned for T only.
template <int N, class T>
ROCMFORGE_DEVICE raw_packet<T, N> load_raw(const T* p, int count) {
  struct elements {
    T t[N];
  } some{};
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    if (i < count) some.t[i] = p[i];
  }
  raw_packet<T, N> raw;
  __builtin_memcpy(&raw, &some, sizeof(raw));
  return raw;
}

/// The elements as floats.
template <class T, int N>
ROCMFORGE_DEVICE packet<float, N> to_float(const raw_packet<T, N>& raw) {
  struct elements {
    T t[N];
  };
  elements held;
  __builtin_memcpy(&held, &raw, sizeof(held));
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.set(i, static_cast<float>(held.t[i]));
  return result;
}

/// Prefetches every cache line of a block.
template <class Block>
ROCMFORGE_DEVICE void prefetch_block(const Block* p) {
  ROCMFORGE_UNROLL
  for (std::size_t at = 0; at < sizeof(Block); at += 64)
    prefetch(reinterpret_cast<const char*>(p) + at);
}

/// Element i of the result is element (indices[i] modulo 16) of the table.
template <int N>
requires(N == 16) ROCMFORGE_DEVICE packet<float, N> lookup(const packet<float, N>& table,
                                                           const packet<int, N>& indices) {
  packet<float, N> result;
  for (int i = 0; i < 16; ++i) result.set(i, table[indices[i] & 15]);
  return result;
}

/// Element i of the result is element (indices[i] modulo 32) of the two tables, one after the
/// other.
template <int N>
requires(N == 16) ROCMFORGE_DEVICE packet<float, N> lookup(const packet<float, N>& table,
                                                           const packet<float, N>& more,
                                                           const packet<int, N>& indices) {
  packet<float, N> result;
  for (int i = 0; i < 16; ++i)
    result.set(i, (indices[i] & 16) != 0 ? more[indices[i] & 15] : table[indices[i] & 15]);
  return result;
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
