// Pairs of elements on the host: shuffles of two vectors.
#pragma once

#include <cstddef>
#include <utility>

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

namespace pair_shuffles {
template <int N, std::size_t... I>
ROCMFORGE_DEVICE packet_pair<N> unzip(const packet_pair<N>& p, std::index_sequence<I...>) {
  packet_pair<N> result;
  result.first.v = __builtin_shufflevector(p.first.v, p.second.v, static_cast<int>(2 * I)...);
  result.second.v = __builtin_shufflevector(p.first.v, p.second.v, static_cast<int>(2 * I + 1)...);
  return result;
}

template <int N, std::size_t... I>
ROCMFORGE_DEVICE packet_pair<N> zip(const packet_pair<N>& p, std::index_sequence<I...>) {
  packet_pair<N> result;
  result.first.v =
      __builtin_shufflevector(p.first.v, p.second.v, static_cast<int>(I / 2 + I % 2 * N)...);
  result.second.v =
      __builtin_shufflevector(p.first.v, p.second.v, static_cast<int>((I + N) / 2 + I % 2 * N)...);
  return result;
}
}  // namespace pair_shuffles

/// From the order in memory, first = (a0 b0 a1 b1 ...), second = (... bN-1), to first = (a0 a1
/// ...), second = (b0 b1 ...).
template <int N>
ROCMFORGE_DEVICE packet_pair<N> unzip(const packet_pair<N>& p) {
  return pair_shuffles::unzip(p, std::make_index_sequence<static_cast<std::size_t>(N)>{});
}

/// The inverse of unzip.
template <int N>
ROCMFORGE_DEVICE packet_pair<N> zip(const packet_pair<N>& p) {
  return pair_shuffles::zip(p, std::make_index_sequence<static_cast<std::size_t>(N)>{});
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
