// How rows are distributed over blocks where a row needs no whole block.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "rocmforge/block/packets.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// Rows that one block takes: one on a GPU. A block of the serial host is a task for a thread of
/// the team, which costs a few microseconds to start: there it takes as many as have 8192 elements
/// together.
template <int WaveSize>
constexpr int rows_per_block(std::int64_t row_elements) {
  constexpr std::int64_t task_elements = 8192;
  if (WaveSize > 1) return 1;
  return static_cast<int>(
      std::max<std::int64_t>(1, task_elements / std::max<std::int64_t>(1, row_elements)));
}

/// Elements of a row that one block takes where a row may be split: a packet a lane on a GPU, a
/// task on the serial host.
template <int BlockSize, int WaveSize, int PacketElements>
constexpr int columns_per_block() {
  return WaveSize == 1 ? 16384 : BlockSize * PacketElements;
}

/// Number of parts of `part` elements in `whole`, the last of which may be smaller.
template <class Int>
ROCMFORGE_HOST_DEVICE constexpr Int divide_up(Int whole, std::type_identity_t<Int> part) {
  return whole / part + (whole % part != 0);
}

/// Calls `f(row)` for the rows of the block, of which there are `rows_per_block`: on a GPU one,
/// whatever the caller says. Even a loop of a single iteration keeps addresses live in scalar
/// registers (SGPRs), and kernels with many views would spill.
template <int BlockSize, int WaveSize, class F>
ROCMFORGE_DEVICE void for_each_row(block_context<BlockSize, WaveSize> block, int rows_per_block,
                                   int num_rows, F&& f) {
  if constexpr (WaveSize > 1) {
    if (block.index.x < num_rows) f(block.index.x);
  } else {
    const int first = block.index.x * rows_per_block;
    const int end = num_rows - first < rows_per_block ? num_rows : first + rows_per_block;
    for (int row = first; row < end; ++row) f(row);
  }
}

/// Calls `f(row, packet_position)` for the lane's packets of `num_rows` short rows of `size`
/// elements. As many lanes share a row as it has packets, rounded up to a power of two and at most
/// a wave; so a block works on several rows at once.
template <int N, int BlockSize, int WaveSize, class F>
ROCMFORGE_DEVICE void for_each_packet_of_rows(block_context<BlockSize, WaveSize> block,
                                              int num_rows, int size, F&& f) {
  int lanes = 1;
  while (lanes < WaveSize && lanes * N < size) lanes *= 2;
  for (int row = block.thread / lanes; row < num_rows; row += BlockSize / lanes) {
    for_each_packet<N>(block.thread % lanes, lanes, size, [&](auto at) { f(row, at); });
  }
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
