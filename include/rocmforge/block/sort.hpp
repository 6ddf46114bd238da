// Sorting a few numbers in shared memory. Batcher, "Sorting Networks and Their Applications", 1968.
#pragma once

#include <cstdint>

#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// Sorts `count` numbers in shared memory, the largest first (a bitonic sort). Every lane of the
/// block calls it, after a barrier; another one follows the last change.
///
/// @param numbers  room for `count` rounded up to a power of two; the rest becomes 0
template <int BlockSize, int WaveSize>
ROCMFORGE_DEVICE void sort_descending(block_context<BlockSize, WaveSize> block,
                                      std::uint64_t* numbers, int count) {
  int size = 1;
  while (size < count) size *= 2;
  for (int i = count + block.thread; i < size; i += BlockSize) numbers[i] = 0;
  block.barrier();
  for (int run = 2; run <= size; run *= 2) {
    for (int stride = run / 2; stride > 0; stride /= 2) {
      for (int i = block.thread; i < size / 2; i += BlockSize) {
        const int low = (i & ~(stride - 1)) * 2 + (i & (stride - 1)), high = low + stride;
        const std::uint64_t a = numbers[low], b = numbers[high];
        if ((a < b) == ((low & run) == 0)) {
          numbers[low] = b;
          numbers[high] = a;
        }
      }
      block.barrier();
    }
  }
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
