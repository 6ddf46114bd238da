// Softmax over the last axis: y = e^(scale * x) / sum(e^(scale * x)).
// Computed as powers of two of (x - max) * scale * log2 e.
#pragma once

#include <cmath>
#include <limits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {

/// One block per row (on the host, for several short ones), which is read three times: for its
/// maximum, for the sum, and to write. Only the first read of a row that fits in the caches goes to
/// memory.
template <class T, int BlockSize, int WaveSize>
struct softmax {
  static_assert(BlockSize % WaveSize == 0, "softmax: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  using row_reduce = block_reduce<BlockSize, WaveSize>;
  using shared_storage = typename row_reduce::storage;

  tensor_view<T, 2> y;        // [num_rows, row_size]
  tensor_view<const T, 2> x;  // [num_rows, row_size]
  float exponent_scale;       // scale * log2 e
  int num_block_rows;         // rows that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    for_each_row(block, num_block_rows, x.extent[0], [&](int row) {
      const T* from = slice(x, row).data;
      const float largest = row_reduce::reduce(lane_maximum(block, from), max_op{}, block, shared);
      // A row of -infinity: with a maximum of 0 all its powers and their sum are 0, where -infinity
      // less itself were NaN.
      const packet<float, packet_elements> maximum(largest > lowest ? largest : 0.0f);
      const packet<float, packet_elements> scale(exponent_scale);
      const auto power = [&](auto at) { return exp2_of((load(from, at) - maximum) * scale); };
      const float sum = row_reduce::reduce(lane_sum(block, power), add_op{}, block, shared);
      const packet<float, packet_elements> factor(sum == 0 ? 0.0f : 1.0f / sum);
      T* to = slice(y, row).data;
      for_each_packet<packet_elements>(block, x.extent[1],
                                       [&](auto at) { store(to, at, power(at) * factor); });
    });
  }

 private:
  static constexpr float lowest = -std::numeric_limits<float>::infinity();
  using slots = packet<float, packet_elements>[num_packet_slots];

  ROCMFORGE_DEVICE float lane_maximum(block_context<BlockSize, WaveSize> block,
                                      const T* from) const {
    slots maxima = {lowest, lowest, lowest, lowest};
    for_each_packet<packet_elements>(block, x.extent[1], [&](auto at) {
      maxima[at.slot] = maximum(masked(load(from, at), at, lowest), maxima[at.slot]);
    });
    return horizontal_maximum(
        maximum(maximum(maxima[0], maxima[1]), maximum(maxima[2], maxima[3])));
  }

  template <class Power>
  ROCMFORGE_DEVICE float lane_sum(block_context<BlockSize, WaveSize> block, Power&& power) const {
    slots sums = {0.0f, 0.0f, 0.0f, 0.0f};
    for_each_packet<packet_elements>(
        block, x.extent[1], [&](auto at) { sums[at.slot] += masked(power(at), at, 0.0f); });
    return horizontal_sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
};

}  // namespace kernels

/// The softmax of each row of scale * x. Elements of -infinity get 0; a row of nothing else gets
/// zeros. A row with NaN or +infinity in it becomes NaN.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y      [num_rows, row_size]  output; may be `x` itself
/// @param x      [num_rows, row_size]
/// @param scale  finite and above 0
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument for a scale out of range
template <class T, int BlockSize = default_block_size>
[[nodiscard]] status softmax(tensor_view<T, 2> y, identity_t<tensor_view<const T, 2>> x,
                             float scale = 1.0f, stream_ref stream = {}) {
  constexpr const char* op = "softmax";
  if (status s = checks::all(checks::view(op, "y", y), checks::view(op, "x", x),
                             checks::same_extents(op, "x", x, y));
      !s) {
    return s;
  }
  if (!(scale > 0) || !std::isfinite(scale)) {
    return {status_code::invalid_argument, op, "scale", "must be finite and above 0", {}};
  }
  return dispatch_wave_size(op, stream, [&](auto wave) {
    using kernel = kernels::softmax<T, lanes<BlockSize, wave>, wave>;
    const int rows = rows_per_block<wave>(x.extent[1]);
    return launch(op, kernel{y, x, scale * log2_e, rows}, {divide_up(x.extent[0], rows)}, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
