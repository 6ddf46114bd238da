// Two packets of neighboring pairs (a0 b0 a1 b1 ...) taken apart into the firsts and the seconds,
// and put together again.
#pragma once

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST)
#include "rocmforge/platform/host/packet_pairs.hpp"
#else
#include "rocmforge/platform/gpu/packet_pairs.hpp"
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

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

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
