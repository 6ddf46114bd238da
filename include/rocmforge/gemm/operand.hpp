// Shared by the kernels for dense products: the tile of a block, its position in C, and loading a
// tile of an operand from memory, whichever of its axes is contiguous.
#pragma once

#include <cstdint>

#include "rocmforge/block/rows.hpp"
#include "rocmforge/gemm/options.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

/// The same matrix `batch` times over, without a copy: a batch axis of stride 0.
template <class T>
ROCMFORGE_HOST_DEVICE constexpr tensor_view<T, 3> broadcast_batch(const tensor_view<T, 2>& matrix,
                                                                  int batch) {
  return {matrix.data,
          {batch, matrix.extent[0], matrix.extent[1]},
          {0, matrix.stride[0], matrix.stride[1]}};
}

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace gemm_detail {
using namespace device;

/// Whether neighbors along the axis are neighbors in memory.
template <class T, int Rank>
ROCMFORGE_HOST_DEVICE constexpr bool is_contiguous(const tensor_view<T, Rank>& view, int axis) {
  return view.stride[axis] == 1 || view.extent[axis] <= 1;
}

/// A, or B transposed: `outer` rows (of A) or columns (of B) of k elements.
template <class T>
struct operand {
  const T* data;
  int outer, k;
  std::int64_t outer_stride, k_stride;
  bool along_k;     // the contiguous axis is k, else outer
  bool is_aligned;  // every line of it starts where wide loads may

  /// Matrix `batch` of x, whose axis `outer_axis` (1 or 2) is the outer one.
  ROCMFORGE_DEVICE operand(const tensor_view<const T, 3>& x, int batch, int outer_axis)
      : data(x.data + batch * x.stride[0]),
        outer(x.extent[outer_axis]),
        k(x.extent[3 - outer_axis]),
        outer_stride(x.stride[outer_axis]),
        k_stride(x.stride[3 - outer_axis]),
        along_k(is_contiguous(x, 3 - outer_axis)),
        is_aligned((reinterpret_cast<std::uintptr_t>(data) |
                    static_cast<std::uintptr_t>((along_k ? outer_stride : k_stride) *
                                                std::int64_t{sizeof(T)})) %
                       wide_alignment ==
                   0) {}

  /// Element (row, column) if it exists, and how many from there on along the contiguous axis do.
  struct run {
    const T* data;
    int count;
  };
  ROCMFORGE_DEVICE run at(int row, int column) const {
    const int count = along_k ? (row < outer ? k - column : 0) : (column < k ? outer - row : 0);
    return {data + row * outer_stride + column * k_stride, count};
  }

  /// Loads a lane's packets of a tile, N elements each, at `place(i)`. Inside the matrix all loads
  /// are issued before the first result is used.
  template <int N, int Count, class Place>
  ROCMFORGE_DEVICE void load_tile(raw_packet<T, N> (&held)[Count], int first, int rows, int first_k,
                                  int columns, const Place& place) const {
    if (is_aligned && first + rows <= outer && first_k + columns <= k) {
      ROCMFORGE_UNROLL
      for (int i = 0; i < Count; ++i) {
        const auto [row, column] = place(i);
        held[i] = load_raw<N>(at(first + row, first_k + column).data);
      }
    } else {
      ROCMFORGE_UNROLL
      for (int i = 0; i < Count; ++i) {
        const auto [row, column] = place(i);
        const run part = at(first + row, first_k + column);
        held[i] = is_aligned && part.count >= N ? load_raw<N>(part.data)
                                                : load_raw<N>(part.data, part.count);
      }
    }
  }
};

/// Position of an element in a staged tile.
struct staged_place {
  int outer, k;
};

/// Which matrix of the batch a block works on, and which tile of it.
struct block_place {
  int batch, first_row, first_column;
};

/// Blocks traverse the tiles of C in groups of eight rows, column by column, so that blocks that
/// run at the same time share tiles of A and B in the caches.
ROCMFORGE_DEVICE block_place place_of(int block, const gemm_tile& tile, int m, int n) {
  constexpr int rows_together = 8;
  const int tiles_m = divide_up(m, tile.block_m), tiles_n = divide_up(n, tile.block_n);
  const int batch = block / (tiles_m * tiles_n), index = block % (tiles_m * tiles_n);
  const int first = index / (rows_together * tiles_n) * rows_together;
  const int rows = tiles_m - first < rows_together ? tiles_m - first : rows_together;
  const int rest = index - first * tiles_n;
  return {batch, (first + rest % rows) * tile.block_m, rest / rows * tile.block_n};
}

}  // namespace gemm_detail
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
