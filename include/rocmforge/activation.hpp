// SwiGLU, silu(gate) * up with silu(x) = x / (1 + e^-x), and addition, elementwise.
// Shazeer, "GLU Variants Improve Transformer", 2020.
#pragma once

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {

/// y = Op(a, b) elementwise, in float whatever T is. A block takes a part of a row (or, on the
/// host, several short rows), so that one long row has many blocks.
template <class Op, class T, int BlockSize, int WaveSize>
struct combine {
  static_assert(BlockSize % WaveSize == 0, "combine: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  static constexpr int columns = columns_per_block<BlockSize, WaveSize, packet_elements>();
  struct shared_storage {};

  tensor_view<T, 2> y;        // [num_rows, row_size]
  tensor_view<const T, 2> a;  // [num_rows, row_size]
  tensor_view<const T, 2> b;  // [num_rows, row_size]
  int num_block_rows;         // rows that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const int first = block.index.y * columns;
    const int count = y.extent[1] - first < columns ? y.extent[1] - first : columns;
    for_each_row(block, num_block_rows, y.extent[0], [&](int row) {
      const T* from_a = slice(a, row).data + first;
      const T* from_b = slice(b, row).data + first;
      T* to = slice(y, row).data + first;
      for_each_packet<packet_elements>(block, count, [&](auto at) {
        store(to, at, Op::apply(load(from_a, at), load(from_b, at)));
      });
    });
  }
};

struct silu_times {
  template <int N>
  ROCMFORGE_DEVICE static packet<float, N> apply(const packet<float, N>& gate,
                                                 const packet<float, N>& up) {
    const packet<float, N> one(1.0f);
    return gate / (one + exp_of(gate * -1.0f)) * up;
  }
};

struct sum {
  template <int N>
  ROCMFORGE_DEVICE static packet<float, N> apply(const packet<float, N>& a,
                                                 const packet<float, N>& b) {
    return a + b;
  }
};

template <class T, int BlockSize, int WaveSize>
using swiglu = combine<silu_times, T, BlockSize, WaveSize>;

template <class T, int BlockSize, int WaveSize>
using add = combine<sum, T, BlockSize, WaveSize>;

template <class Kernel, class T>
status launch_combine(const char* op, tensor_view<T, 2> y, identity_t<tensor_view<const T, 2>> a,
                      identity_t<tensor_view<const T, 2>> b, stream_ref stream) {
  const int rows = rows_per_block<Kernel::wave_size>(y.extent[1]);
  return launch(op, Kernel{y, a, b, rows},
                {divide_up(y.extent[0], rows), divide_up(y.extent[1], Kernel::columns)}, stream);
}

}  // namespace kernels

/// The gated activation of a feed-forward layer: y = silu(gate) * up, elementwise. Rows may be
/// strided: `gate` and `up` are usually the halves of one [num_rows, 2 * ffn_dim] buffer.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y     [num_rows, ffn_dim]  output; may be `gate` or `up` itself
/// @param gate  [num_rows, ffn_dim]
/// @param up    [num_rows, ffn_dim]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size>
[[nodiscard]] status swiglu(tensor_view<T, 2> y, identity_t<tensor_view<const T, 2>> gate,
                            identity_t<tensor_view<const T, 2>> up, stream_ref stream = {}) {
  constexpr const char* op = "swiglu";
  if (status s = checks::all(checks::view(op, "y", y), checks::view(op, "gate", gate),
                             checks::view(op, "up", up), checks::same_extents(op, "gate", gate, y),
                             checks::same_extents(op, "up", up, y));
      !s) {
    return s;
  }
  return dispatch_wave_size(op, stream, [&](auto wave) {
    using kernel = kernels::swiglu<T, lanes<BlockSize, wave>, wave>;
    return kernels::launch_combine<kernel>(op, y, gate, up, stream);
  });
}

/// y = x + residual, elementwise, rounded once to T.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y         [num_rows, dim]  output; may be `x` or `residual` itself
/// @param x         [num_rows, dim]
/// @param residual  [num_rows, dim]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size>
[[nodiscard]] status add(tensor_view<T, 2> y, identity_t<tensor_view<const T, 2>> x,
                         identity_t<tensor_view<const T, 2>> residual, stream_ref stream = {}) {
  constexpr const char* op = "add";
  if (status s =
          checks::all(checks::view(op, "y", y), checks::view(op, "x", x),
                      checks::view(op, "residual", residual), checks::same_extents(op, "x", x, y),
                      checks::same_extents(op, "residual", residual, y));
      !s) {
    return s;
  }
  return dispatch_wave_size(op, stream, [&](auto wave) {
    using kernel = kernels::add<T, lanes<BlockSize, wave>, wave>;
    return kernels::launch_combine<kernel>(op, y, x, residual, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
