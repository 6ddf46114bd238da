// Two packets of neighbouring pairs (a0 b0 a1 b1 ...) taken apart into the firsts and the seconds,
// and put together again.
#pragma once

#include <cstddef>
#include <utility>

#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// The first and the second elements of N pairs, each side by side; or the packets that hold them
/// pair by pair.
template <int N>
struct packet_pair {
  packet<float, N> first, second;
};

#if defined(ROCMFORGE_PLATFORM_HOST)
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
#endif

/// From the order in memory, first = (a0 b0 a1 b1 ...), second = (... bN-1), to first = (a0 a1
/// ...), second = (b0 b1 ...).
template <int N>
ROCMFORGE_DEVICE packet_pair<N> unzip(const packet_pair<N>& p) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  return pair_shuffles::unzip(p, std::make_index_sequence<static_cast<std::size_t>(N)>{});
#else
  packet_pair<N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    result.first.v[i] = 2 * i < N ? p.first.v[2 * i % N] : p.second.v[2 * i % N];
    result.second.v[i] = 2 * i + 1 < N ? p.first.v[(2 * i + 1) % N] : p.second.v[(2 * i + 1) % N];
  }
  return result;
#endif
}

/// The inverse of unzip.
template <int N>
ROCMFORGE_DEVICE packet_pair<N> zip(const packet_pair<N>& p) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  return pair_shuffles::zip(p, std::make_index_sequence<static_cast<std::size_t>(N)>{});
#else
  packet_pair<N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    result.first.v[i] = i % 2 == 0 ? p.first.v[i / 2] : p.second.v[i / 2];
    result.second.v[i] = i % 2 == 0 ? p.first.v[(i + N) / 2] : p.second.v[(i + N) / 2];
  }
  return result;
#endif
}

/// Element j of rows[i] and element i of rows[j] change places. N is a power of two: each turn puts
/// the row that is half of all further on between the elements of a row.
template <int N>
ROCMFORGE_DEVICE void transpose(packet<float, N> (&rows)[N]) {
  ROCMFORGE_UNROLL
  for (int turn = 1; turn < N; turn *= 2) {
    packet<float, N> mixed[N];
    ROCMFORGE_UNROLL
    for (int i = 0; i < N / 2; ++i) {
      const packet_pair<N> both = zip(packet_pair<N>{rows[i], rows[i + N / 2]});
      mixed[2 * i] = both.first;
      mixed[2 * i + 1] = both.second;
    }
    ROCMFORGE_UNROLL
    for (int i = 0; i < N; ++i) rows[i] = mixed[i];
  }
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
