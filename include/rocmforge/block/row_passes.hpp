// Several passes of a block over a row. On a GPU the row stays in registers if it fits; otherwise,
// and on the host, each pass reads it again, from the caches.
#pragma once

#include "rocmforge/block/packets.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// Every pass loads the packets of the row.
template <int N, int BlockSize, int WaveSize>
struct streamed_row {
  block_context<BlockSize, WaveSize> block;
  int size;

  /// Calls `f(packet_position, load(packet_position))` for the lane's packets.
  template <class Load, class F>
  ROCMFORGE_DEVICE void first(const Load& load, const F& f) {
    for_each_packet<N>(block, size, [&](auto at) { f(at, load(at)); });
  }
  template <class Load, class F>
  ROCMFORGE_DEVICE void next(const Load& load, const F& f) {
    first(load, f);
  }
};

/// The first pass loads the packets, the others find them in registers. For rows of whole packets
/// that are not more than the lanes' registers hold.
template <int N, int BlockSize, int WaveSize>
struct kept_row {
  static constexpr int num_kept = 32 / N;  // packets a lane: 32 registers

  block_context<BlockSize, WaveSize> block;
  int size;
  packet<float, N> kept[num_kept];

  ROCMFORGE_DEVICE static bool holds(int size) {
    return size % N == 0 && size <= num_kept * BlockSize * N;
  }

  template <class Load, class F>
  ROCMFORGE_DEVICE void first(const Load& load, const F& f) {
    for_each([&](auto at, packet<float, N>& value) {
      value = load(at);
      f(at, value);
    });
  }
  template <class Load, class F>
  ROCMFORGE_DEVICE void next(const Load&, const F& f) {
    for_each(f);
  }

 private:
  template <class F>
  ROCMFORGE_DEVICE void for_each(const F& f) {
    ROCMFORGE_UNROLL
    for (int i = 0; i < num_kept; ++i) {
      const int index = (i * BlockSize + block.thread) * N;
      if (index < size) f(packet_position<N, 0, true>{index, N}, kept[i]);
    }
  }
};

/// Calls `f(passes)` with a streamed_row or a kept_row of `size` elements. The first pass must be
/// `passes.first(load, f)`, further ones are `passes.next(load, f)`.
template <int N, int BlockSize, int WaveSize, class F>
ROCMFORGE_DEVICE void for_row_passes(block_context<BlockSize, WaveSize> block, int size,
                                     const F& f) {
  if constexpr (WaveSize > 1) {
    using kept = kept_row<N, BlockSize, WaveSize>;
    if (kept::holds(size)) {
      kept passes{block, size, {}};
      f(passes);
      return;
    }
  }
  streamed_row<N, BlockSize, WaveSize> passes{block, size};
  f(passes);
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
