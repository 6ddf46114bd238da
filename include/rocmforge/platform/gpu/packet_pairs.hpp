// Pairs of elements on a GPU: moves of registers.
#pragma once

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// From the order in memory, first = (a0 b0 a1 b1 ...), second = (... bN-1), to first = (a0 a1
/// ...), second = (b0 b1 ...).
template <int N>
ROCMFORGE_DEVICE packet_pair<N> unzip(const packet_pair<N>& p) {
  packet_pair<N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    result.first.v[i] = 2 * i < N ? p.first.v[2 * i % N] : p.second.v[2 * i % N];
    result.second.v[i] = 2 * i + 1 < N ? p.first.v[(2 * i + 1) % N] : p.second.v[(2 * i + 1) % N];
  }
  return result;
}

/// The inverse of unzip.
template <int N>
ROCMFORGE_DEVICE packet_pair<N> zip(const packet_pair<N>& p) {
  packet_pair<N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    result.first.v[i] = i % 2 == 0 ? p.first.v[i / 2] : p.second.v[i / 2];
    result.second.v[i] = i % 2 == 0 ? p.first.v[(i + N) / 2] : p.second.v[(i + N) / 2];
  }
  return result;
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
