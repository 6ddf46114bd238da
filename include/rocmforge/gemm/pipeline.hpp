// The software pipeline of the GPU's kernels for dense products.
#pragma once

#include "rocmforge/gemm/operand.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace gemm_detail {
using namespace device;

/// Goes over k in steps of BlockK: stages the tiles of A and B in `shared` and calls `multiply()`,
/// while the loads of the next tiles are in flight.
///
/// @tparam NextA  the packets of a tile of A that one lane holds between load and store: with
///                load(operand, first row, first k, thread) and store(staged tile, along_k, thread)
/// @tparam NextB  the same for B
template <class NextA, class NextB, int BlockK, int BlockSize, int WaveSize, class Staged, class T,
          class Multiply>
ROCMFORGE_DEVICE void staged_pipeline(block_context<BlockSize, WaveSize> block, Staged& shared,
                                      const operand<T>& left, const operand<T>& right,
                                      block_place place, int k, const Multiply& multiply) {
  NextA next_a;
  NextB next_b;
  next_a.load(left, place.first_row, 0, block.thread);
  next_b.load(right, place.first_column, 0, block.thread);
  for (int first_k = 0; first_k < k; first_k += BlockK) {
    next_a.store(shared.a, left.along_k, block.thread);
    next_b.store(shared.b, right.along_k, block.thread);
    block.barrier();
    if (first_k + BlockK < k) {
      next_a.load(left, place.first_row, first_k + BlockK, block.thread);
      next_b.load(right, place.first_column, first_k + BlockK, block.thread);
    }
    multiply();
    block.barrier();
  }
}

}  // namespace gemm_detail
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
