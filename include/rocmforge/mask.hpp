// Masks of attention: which keys a query sees, by its position. Vaswani et al., "Attention Is All
// You Need", 2017; sliding windows: Beltagy et al., "Longformer", 2020.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "rocmforge/attention/mask.hpp"
#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Operations of kernels::map_scores on a packet of scores of neighboring keys. The packet is at
/// position `at` counted from element `first` of the row.
namespace score_ops {
using namespace device;

struct scale {
  static constexpr bool reads_scores = true;
  float factor;
  template <class At, int N>
  ROCMFORGE_DEVICE packet<float, N> apply(const packet<float, N>& value, int, int, int, At,
                                          int /*first*/) const {
    return value * factor;
  }
};

template <class T>
struct add {
  static constexpr bool reads_scores = true;
  static constexpr float lowest = -std::numeric_limits<float>::max();
  tensor_view<const T, 4> mask;
  template <class At, int N>
  ROCMFORGE_DEVICE packet<float, N> apply(const packet<float, N>& value, int batch, int head,
                                          int query, At at, int first) const {
    const auto added = load(slice(mask, batch, head, query).data + first, at);
    // -infinity hides any score: NaN + -infinity would be NaN.
    return select_less(added, packet<float, N>(lowest), packet<float, N>(-__builtin_huge_valf()),
                       value + added);
  }
};

/// -infinity where the mask hides the key. Without `ReadsScores` the others are 0.
template <bool ReadsScores>
struct hide {
  static constexpr bool reads_scores = ReadsScores;
  attention_mask mask;
  int offset;  // position of the first query
  int kv_len;
  template <class At, int N>
  ROCMFORGE_DEVICE packet<float, N> apply(const packet<float, N>& value, int, int, int query, At at,
                                          int first) const {
    constexpr float minus_infinity = -__builtin_huge_valf();
    const int key = first + at.index, q_len = kv_len - offset;
    return drop_first(keep_first(value, mask.end(query, q_len, kv_len) - key, minus_infinity),
                      mask.begin(query, q_len, kv_len) - key, minus_infinity);
  }
};

}  // namespace score_ops

namespace kernels {
using namespace device;

/// y = Op(x) elementwise, each element knowing its place. A block takes a part of a row (or, on the
/// host, several short rows).
template <class Op, class T, int BlockSize, int WaveSize>
struct map_scores {
  static_assert(BlockSize % WaveSize == 0, "map_scores: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  static constexpr int columns = columns_per_block<BlockSize, WaveSize, packet_elements>();
  struct shared_storage {};

  tensor_view<T, 4> y;        // [batch, num_heads, q_len, kv_len]
  tensor_view<const T, 4> x;  // [batch, num_heads, q_len, kv_len]
  Op op;
  int num_block_rows;  // rows that a block takes; on a GPU one

  // Grid: x over rows of a head, y over parts of a row, z over heads of all sequences.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const int batch = block.index.z / y.extent[1], head = block.index.z % y.extent[1];
    const int first = block.index.y * columns;
    const int count = y.extent[3] - first < columns ? y.extent[3] - first : columns;
    for_each_row(block, num_block_rows, y.extent[2], [&](int query) {
      T* to = slice(y, batch, head, query).data + first;
      for_each_packet<packet_elements>(block, count, [&](auto at) {
        packet<float, packet_elements> value(0.0f);
        if constexpr (Op::reads_scores) value = load(slice(x, batch, head, query).data + first, at);
        store(to, at, op.apply(value, batch, head, query, at, first));
      });
    });
  }
};

template <int BlockSize, class T, class Op>
status launch_map_scores(const char* name, const tensor_view<T, 4>& y,
                         const tensor_view<const T, 4>& x, const Op& op, stream_ref stream) {
  if (status s = checks::countable(name, "y", "{0} x {1} heads are more than 2^30", y.extent[0],
                                   y.extent[1]);
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(name, stream, [&](auto wave) {
    using kernel = map_scores<Op, T, block_threads<BlockSize, wave>, wave>;
    const int rows = rows_per_block<wave>(y.extent[3]);
    return launch(name, kernel{y, x, op, rows},
                  {divide_up(y.extent[2], rows), divide_up(y.extent[3], kernel::columns),
                   y.extent[0] * y.extent[1]},
                  stream);
  });
}

}  // namespace kernels

/// y = factor * x.
///
/// @param y       [batch, num_heads, q_len, kv_len]  output; may be `x` itself
/// @param x       [batch, num_heads, q_len, kv_len]
/// @param factor  finite
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument for a factor that is not finite
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status scale_scores(tensor_view<T, 4> y, tensor_view<X, 4> x, float factor,
                                  stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "scale_scores: x must have the element type of y");
  constexpr const char* op = "scale_scores";
  if (status s = checks::all(checks::output(op, "y", y), checks::view(op, "x", x),
                             checks::same_extents(op, "x", x, y));
      !s) {
    return s;
  }
  if (!std::isfinite(factor))
    return {status_code::invalid_argument, op, "factor", "must be finite", {}};
  return kernels::launch_map_scores<BlockSize, T>(op, y, elements_as<const T>(x),
                                                  score_ops::scale{factor}, stream);
}

/// y = x + mask; where the mask is -infinity, y is too, whatever x is, NaN included. One mask for
/// several sequences or heads is a view whose stride there is 0.
///
/// @param y     [batch, num_heads, q_len, kv_len]  output; may be `x` itself
/// @param x     [batch, num_heads, q_len, kv_len]
/// @param mask  [batch, num_heads, q_len, kv_len]
/// @return as scale_scores
template <class T, int BlockSize = default_block_size, class X = const T, class Mask = const T>
[[nodiscard]] status add_mask(tensor_view<T, 4> y, tensor_view<X, 4> x, tensor_view<Mask, 4> mask,
                              stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "add_mask: x must have the element type of y");
  static_assert(same_elements<Mask, T>, "add_mask: mask must have the element type of y");
  constexpr const char* op = "add_mask";
  if (status s = checks::all(checks::output(op, "y", y), checks::view(op, "x", x),
                             checks::view(op, "mask", mask), checks::same_extents(op, "x", x, y),
                             checks::same_extents(op, "mask", mask, y));
      !s) {
    return s;
  }
  return kernels::launch_map_scores<BlockSize, T>(
      op, y, elements_as<const T>(x), score_ops::add<T>{elements_as<const T>(mask)}, stream);
}

/// Scores with -infinity in place of those of keys that the query does not see.
///
/// @param y     [batch, num_heads, q_len, kv_len]  output; may be `x` itself
/// @param x     [batch, num_heads, q_len, kv_len]
/// @param mask  which keys are seen
/// @return as scale_scores; invalid_argument for a negative window
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status mask_scores(tensor_view<T, 4> y, tensor_view<X, 4> x,
                                 const attention_mask& mask = {}, stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "mask_scores: x must have the element type of y");
  constexpr const char* op = "mask_scores";
  if (status s = checks::all(checks::output(op, "y", y), checks::view(op, "x", x),
                             checks::same_extents(op, "x", x, y), checks::mask(op, mask));
      !s) {
    return s;
  }
  const int kv_len = y.extent[3];
  return kernels::launch_map_scores<BlockSize, T>(
      op, y, elements_as<const T>(x), score_ops::hide<true>{mask, kv_len - y.extent[2], kv_len},
      stream);
}

/// A mask to add to scores: 0 where query i, which stands at `position + i`, sees the key, else
/// -infinity. With position = kv_len - q_len the last query sees the last key.
///
/// @param y         [q_len, kv_len]  output
/// @param position  of the first query; may be negative: queries before position 0 see nothing
/// @param mask      which keys are seen
/// @return invalid_layout if the last axis is not contiguous, invalid_argument for a negative
/// window
///         or a position that is not below 2^30 in magnitude
template <class T, int BlockSize = default_block_size>
[[nodiscard]] status causal_mask(tensor_view<T, 2> y, int position, const attention_mask& mask = {},
                                 stream_ref stream = {}) {
  constexpr const char* op = "causal_mask";
  if (status s = checks::all(checks::output(op, "y", y), checks::mask(op, mask)); !s) return s;
  constexpr int limit = 1 << 30;
  if (position <= -limit || position >= limit) {
    return {status_code::invalid_argument,
            op,
            "position",
            "is {0}, expected between -2^30 and 2^30",
            {position}};
  }
  const tensor_view<T, 4> heads{
      y.data, {1, 1, y.extent[0], y.extent[1]}, {0, 0, y.stride[0], y.stride[1]}};
  return kernels::launch_map_scores<BlockSize, T>(
      op, heads, {}, score_ops::hide<false>{mask, position, y.extent[1]}, stream);
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
