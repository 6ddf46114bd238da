// RMSNorm over the last axis: y = x / sqrt(mean(x^2) + epsilon) * weight.
// Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
#pragma once

#include <cmath>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {

/// One block per row, which is read twice: to sum the squares, then to scale. Accumulates in float
/// whatever T is. With `AddResidual` the row is first replaced by its sum with `residual`; the
/// second pass then reads the rounded sum, so that the result does not depend on whether the
/// addition was fused.
template <class T, int BlockSize, int WaveSize, bool AddResidual = false>
struct rms_norm {
  static_assert(BlockSize % WaveSize == 0, "rms_norm: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  using row_sum = block_reduce<BlockSize, WaveSize>;
  using shared_storage = typename row_sum::storage;

  tensor_view<T, 2> y;             // [num_rows, hidden_dim]
  tensor_view<const T, 2> x;       // [num_rows, hidden_dim]
  tensor_view<const T, 1> weight;  // [hidden_dim]
  float epsilon;
  tensor_view<T, 2> sum;             // [num_rows, hidden_dim], with AddResidual: x + residual
  tensor_view<const T, 2> residual;  // [num_rows, hidden_dim], with AddResidual

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int row = block.index.x;
    const int hidden_dim = x.extent[1];
    const T* from = slice(x, row).data;
    packet<float, packet_elements> squares[num_packet_slots] = {0.0f, 0.0f, 0.0f, 0.0f};
    for_each_packet<packet_elements>(block, hidden_dim, [&](auto at) {
      auto value = load(from, at);
      if constexpr (AddResidual) {
        value += load(slice(residual, row).data, at);
        store(slice(sum, row).data, at, value);
        value = load(slice(sum, row).data, at);
      }
      squares[at.slot] = fma(value, value, squares[at.slot]);
    });
    const float lane_sum = horizontal_sum((squares[0] + squares[1]) + (squares[2] + squares[3]));
    const float mean =
        row_sum::reduce(lane_sum, add_op{}, block, shared) / static_cast<float>(hidden_dim);
    const packet<float, packet_elements> scale(1.0f / sqrtf(mean + epsilon));
    if constexpr (AddResidual)
      from = slice(sum, row).data;  // each lane reads back what it wrote itself
    for_each_packet<packet_elements>(block, hidden_dim, [&](auto at) {
      store(slice(y, row).data, at, load(from, at) * scale * load(weight.data, at));
    });
  }
};

}  // namespace kernels

/// Divides each row of `x` by its root mean square, then multiplies by `weight`.
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y        [num_rows, hidden_dim]  output; may be `x` itself
/// @param x        [num_rows, hidden_dim]
/// @param weight   [hidden_dim]
/// @param epsilon  added to the mean square; 0 or more
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
/// invalid_argument for a
///         negative epsilon
template <class T, int BlockSize = default_block_size>
[[nodiscard]] status rms_norm(tensor_view<T, 2> y, identity_t<tensor_view<const T, 2>> x,
                              identity_t<tensor_view<const T, 1>> weight, float epsilon = 1e-5f,
                              stream_ref stream = {}) {
  constexpr const char* op = "rms_norm";
  if (status s =
          checks::all(checks::view(op, "y", y), checks::view(op, "x", x),
                      checks::view(op, "weight", weight), checks::same_extents(op, "x", x, y),
                      checks::extent(op, "weight", 0, weight.extent[0], x.extent[1]));
      !s) {
    return s;
  }
  if (!(epsilon >= 0))
    return {status_code::invalid_argument, op, "epsilon", "must be 0 or more", {}};
  return dispatch_wave_size(op, stream, [&](auto wave) {
    using kernel = kernels::rms_norm<T, lanes<BlockSize, wave>, wave>;
    return launch(op, kernel{y, x, weight, epsilon, {}, {}}, {x.extent[0]}, stream);
  });
}

/// The two steps between the halves of a transformer layer in one: sum = x + residual, y =
/// rms_norm(sum) * weight. Asynchronous on `stream`; allocates nothing.
///
/// @param y         [num_rows, hidden_dim]  output: the normalised sum; not `sum`
/// @param sum       [num_rows, hidden_dim]  output: the sum, rounded to T; may be `x` or `residual`
/// itself
/// @param x         [num_rows, hidden_dim]
/// @param residual  [num_rows, hidden_dim]
/// @param weight    [hidden_dim]
/// @param epsilon   added to the mean square; 0 or more
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
/// invalid_argument for a
///         negative epsilon or if `y` is `sum`
template <class T, int BlockSize = default_block_size>
[[nodiscard]] status add_rms_norm(tensor_view<T, 2> y, identity_t<tensor_view<T, 2>> sum,
                                  identity_t<tensor_view<const T, 2>> x,
                                  identity_t<tensor_view<const T, 2>> residual,
                                  identity_t<tensor_view<const T, 1>> weight, float epsilon = 1e-5f,
                                  stream_ref stream = {}) {
  constexpr const char* op = "add_rms_norm";
  if (status s = checks::all(
          checks::view(op, "y", y), checks::view(op, "sum", sum), checks::view(op, "x", x),
          checks::view(op, "residual", residual), checks::view(op, "weight", weight),
          checks::same_extents(op, "sum", sum, y), checks::same_extents(op, "x", x, y),
          checks::same_extents(op, "residual", residual, y),
          checks::extent(op, "weight", 0, weight.extent[0], x.extent[1]));
      !s) {
    return s;
  }
  if (!(epsilon >= 0))
    return {status_code::invalid_argument, op, "epsilon", "must be 0 or more", {}};
  if (y.data == sum.data && y.size() != 0)
    return {status_code::invalid_argument, op, "y", "must not be sum itself", {}};
  return dispatch_wave_size(op, stream, [&](auto wave) {
    using kernel = kernels::rms_norm<T, lanes<BlockSize, wave>, wave, true>;
    return launch(op, kernel{y, x, weight, epsilon, sum, residual}, {x.extent[0]}, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
