// How the lanes of a block share the elements of a row: packet by packet, the tail masked.
#pragma once

#include <type_traits>

#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// Where a packet lies in its row, and how many of its elements are in the row. `slot` counts the
/// packets that are in flight at once: with one accumulator per slot, sums do not wait for each
/// other.
template <int N, int Slot, bool Whole>
struct packet_position {
  static constexpr int slot = Slot;
  int index;  // of the packet's first element
  int count;  // elements in the row; N for a whole packet
};

template <int N, int Slot, bool Whole, class T>
ROCMFORGE_DEVICE packet<float, N> load(const T* row, packet_position<N, Slot, Whole> at) {
  if constexpr (Whole) {
    return load_packet<N>(row + at.index);
  } else {
    return load_packet<N>(row + at.index, at.count);
  }
}

template <int N, int Slot, bool Whole, class T>
ROCMFORGE_DEVICE void store(T* row, packet_position<N, Slot, Whole> at,
                            const packet<float, N>& value) {
  if constexpr (Whole) {
    store_packet(row + at.index, value);
  } else {
    store_packet(row + at.index, value, at.count);
  }
}

/// `value` with `outside` in place of the elements that are beyond the row.
template <int N, int Slot, bool Whole>
ROCMFORGE_DEVICE packet<float, N> masked(packet<float, N> value, packet_position<N, Slot, Whole> at,
                                         float outside) {
  if constexpr (!Whole) {
    ROCMFORGE_UNROLL
    for (int i = 0; i < N; ++i) {
      if (i >= at.count) value.set(i, outside);
    }
  }
  return value;
}

/// Packets that a lane has in flight.
inline constexpr int num_packet_slots = 4;

/// Calls `f(packet_position)` for the packets of a row of `size` elements that are lane `thread`'s
/// of `num_threads`. Slots are filled in order, so that the same row always adds up in the same
/// order.
template <int N, class F>
ROCMFORGE_DEVICE void for_each_packet(int thread, int num_threads, int size, F&& f) {
  const int step = num_threads * N;
  int index = thread * N;
  for (; index + (num_packet_slots - 1) * step + N <= size; index += num_packet_slots * step) {
    f(packet_position<N, 0, true>{index, N});
    f(packet_position<N, 1, true>{index + step, N});
    f(packet_position<N, 2, true>{index + 2 * step, N});
    f(packet_position<N, 3, true>{index + 3 * step, N});
  }
  for (; index + N <= size; index += step) f(packet_position<N, 0, true>{index, N});
  if (index < size) f(packet_position<N, 0, false>{index, size - index});
}

template <int N, int BlockSize, int WaveSize, class F>
ROCMFORGE_DEVICE void for_each_packet(block_context<BlockSize, WaveSize> block, int size, F&& f) {
  for_each_packet<N>(block.thread, BlockSize, size, static_cast<F&&>(f));
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
