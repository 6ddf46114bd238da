// Norms over the last axis. RMSNorm: y = x / sqrt(mean(x^2) + epsilon) * weight. LayerNorm: y = (x
// - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias. L2: y = x / max(sqrt(sum(x^2)),
// epsilon). Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019; Ba et al., "Layer
// Normalization", 2016.
#pragma once

#include <cmath>
#include <type_traits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/block/row_passes.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

struct rms_norm_options {
  float epsilon = 1e-5f;    // added to the mean square; 0 or more
  float weight_offset = 0;  // 1: rows are multiplied by 1 + weight (Gemma's checkpoints); finite
};

/// Whether the weight of a norm over rows of T may have these elements: T itself or float, as GGUF
/// files have it.
template <class Weight, class T>
inline constexpr bool is_norm_weight = same_elements<Weight, T> || same_elements<Weight, float>;
template <class Weight, class T>
using norm_weight_element = std::conditional_t<same_elements<Weight, float>, float, T>;

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace checks::norm {

inline status epsilon(const char* op, float value) {
  if (value >= 0) return {};
  return {status_code::invalid_argument, op, "epsilon", "must be 0 or more", {}};
}

inline status options(const char* op, const rms_norm_options& o) {
  if (!std::isfinite(o.weight_offset))
    return {status_code::invalid_argument, op, "weight_offset", "must be finite", {}};
  return epsilon(op, o.epsilon);
}

/// Checks of what all norms have.
template <class T, class Weight>
status views(const char* op, tensor_view<T, 2> y, identity_t<tensor_view<const T, 2>> x,
             tensor_view<Weight, 1> weight) {
  if (status s =
          checks::all(checks::output(op, "y", y), checks::view(op, "x", x),
                      checks::view(op, "weight", weight), checks::same_extents(op, "x", x, y));
      !s) {
    return s;
  }
  if (weight.extent[0] == 0) return {};
  return checks::extent(op, "weight", 0, weight.extent[0], x.extent[1]);
}

/// Those of the sum of a fused addition.
template <class T>
status sum(const char* op, tensor_view<T, 2> y, identity_t<tensor_view<T, 2>> sum,
           identity_t<tensor_view<const T, 2>> residual) {
  if (status s = checks::all(checks::output(op, "sum", sum), checks::view(op, "residual", residual),
                             checks::same_extents(op, "sum", sum, y),
                             checks::same_extents(op, "residual", residual, y));
      !s) {
    return s;
  }
  if (y.data == sum.data && y.size() != 0)
    return {status_code::invalid_argument, op, "y", "must not be sum itself", {}};
  return {};
}

template <class T>
status bias(const char* op, tensor_view<T, 1> bias, int hidden_dim) {
  if (status s = checks::view(op, "bias", bias); !s || bias.extent[0] == 0) return s;
  return checks::extent(op, "bias", 0, bias.extent[0], hidden_dim);
}

}  // namespace checks::norm

namespace kernels {
using namespace device;

/// Row `row` of x, or of x + residual, which the first read leaves in `sum`.
template <class T, bool AddResidual>
struct row_inputs {
  tensor_view<const T, 2> x, residual;
  tensor_view<T, 2> sum;
  int row;

  template <class Position>
  ROCMFORGE_DEVICE auto load_first(Position at) const {
    const auto value = load(slice(x, row).data, at);
    if constexpr (!AddResidual) {
      return value;
    } else {
      store(slice(sum, row).data, at, value + load(slice(residual, row).data, at));
      return load_again(at);
    }
  }
  /// No barrier needed: each lane re-reads only elements it accessed before.
  template <class Position>
  ROCMFORGE_DEVICE auto load_again(Position at) const {
    return load(AddResidual ? slice(sum, row).data : slice(x, row).data, at);
  }
};

/// Scale factor of a row, given its sum of squares. A row of zeros stays zeros, whatever epsilon
/// is.
struct rms_scale {
  float epsilon;
  ROCMFORGE_DEVICE float operator()(float squares, int size) const {
    const float mean = squares / static_cast<float>(size) + epsilon;
    return mean > 0 ? 1.0f / sqrtf(mean) : mean - mean;  // NaN of NaN
  }
};
struct l2_scale {
  float epsilon;
  ROCMFORGE_DEVICE float operator()(float squares, int /*size*/) const {
    const float length = maximum(epsilon, sqrtf(squares));
    return length > 0 ? 1.0f / length : length - length;
  }
};

/// One block per row, in two passes: one sums the squares, one scales. Accumulates in float
/// whatever T is; the weight may be float beside rows of 16 bits, as files store it. With
/// `AddResidual` the row is first replaced by its sum with `residual`, rounded to T, so that the
/// result does not depend on whether the addition was fused.
template <class Scale, class T, int BlockSize, int WaveSize, bool AddResidual = false,
          class TWeight = T>
struct scaled_norm {
  static_assert(BlockSize % WaveSize == 0, "norm: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  using row_sum = block_reduce<BlockSize, WaveSize>;
  using shared_storage = typename row_sum::storage;

  tensor_view<T, 2> y;                   // [num_rows, hidden_dim]
  tensor_view<const T, 2> x;             // [num_rows, hidden_dim]
  tensor_view<const TWeight, 1> weight;  // [hidden_dim] or empty
  Scale scale;
  float weight_offset;
  tensor_view<T, 2> sum;             // [num_rows, hidden_dim], with AddResidual: x + residual
  tensor_view<const T, 2> residual;  // [num_rows, hidden_dim], with AddResidual

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int row = block.index.x;
    const row_inputs<T, AddResidual> in{x, residual, sum, row};
    // Kept out of the kernel's members, which a store might have changed for all the compiler
    // knows.
    T* const to = slice(y, row).data;
    const TWeight* const weights = weight.extent[0] != 0 ? weight.data : nullptr;
    const packet<float, packet_elements> offset(weight_offset);
    for_row_passes<packet_elements>(block, x.extent[1], [&](auto& passes) {
      packet<float, packet_elements> squares[num_packet_slots] = {0.0f, 0.0f, 0.0f, 0.0f};
      passes.first([&](auto at) { return in.load_first(at); },
                   [&](auto at, const auto& value) {
                     squares[at.slot] = fma(value, value, squares[at.slot]);
                   });
      const float lane_sum = horizontal_sum((squares[0] + squares[1]) + (squares[2] + squares[3]));
      const packet<float, packet_elements> factor(
          scale(row_sum::reduce(lane_sum, add_op{}, block, shared), x.extent[1]));
      passes.next([&](auto at) { return in.load_again(at); },
                  [&](auto at, const auto& value) {
                    auto result = value * factor;
                    if (weights != nullptr) result *= load(weights, at) + offset;
                    store(to, at, result);
                  });
    });
  }
};

template <class T, int BlockSize, int WaveSize, bool AddResidual = false, class TWeight = T>
using rms_norm = scaled_norm<rms_scale, T, BlockSize, WaveSize, AddResidual, TWeight>;

template <class T, int BlockSize, int WaveSize>
using l2_norm = scaled_norm<l2_scale, T, BlockSize, WaveSize>;

/// One block per row, in three passes: the mean, the variance about it, and the scaling. The second
/// pass also finds what rounding left of the mean, so that a row far from 0 keeps all its digits.
/// With `AddResidual` as in scaled_norm.
template <class T, int BlockSize, int WaveSize, bool AddResidual = false, class TWeight = T>
struct layer_norm {
  static_assert(BlockSize % WaveSize == 0, "layer_norm: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  using row_sum = block_reduce<BlockSize, WaveSize>;
  using shared_storage = typename row_sum::storage;

  tensor_view<T, 2> y;                   // [num_rows, hidden_dim]
  tensor_view<const T, 2> x;             // [num_rows, hidden_dim]
  tensor_view<const TWeight, 1> weight;  // [hidden_dim] or empty
  tensor_view<const TWeight, 1> bias;    // [hidden_dim] or empty
  float epsilon;
  tensor_view<T, 2> sum;             // [num_rows, hidden_dim], with AddResidual: x + residual
  tensor_view<const T, 2> residual;  // [num_rows, hidden_dim], with AddResidual

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    using floats = packet<float, packet_elements>;
    const int row = block.index.x;
    const float per_element = 1.0f / static_cast<float>(x.extent[1]);
    const row_inputs<T, AddResidual> in{x, residual, sum, row};
    T* const to = slice(y, row).data;
    const TWeight* const weights = weight.extent[0] != 0 ? weight.data : nullptr;
    const TWeight* const biases = bias.extent[0] != 0 ? bias.data : nullptr;
    const auto mean_of = [&](const floats(&sums)[num_packet_slots]) {
      const float lane_sum = horizontal_sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
      return row_sum::reduce(lane_sum, add_op{}, block, shared) * per_element;
    };
    for_row_passes<packet_elements>(block, x.extent[1], [&](auto& passes) {
      floats sums[num_packet_slots] = {0.0f, 0.0f, 0.0f, 0.0f};
      passes.first([&](auto at) { return in.load_first(at); },
                   [&](auto at, const auto& value) { sums[at.slot] += value; });
      const floats rough_mean(mean_of(sums));

      floats rests[num_packet_slots] = {0.0f, 0.0f, 0.0f, 0.0f};
      floats squares[num_packet_slots] = {0.0f, 0.0f, 0.0f, 0.0f};
      passes.next([&](auto at) { return in.load_again(at); },
                  [&](auto at, const auto& value) {
                    const floats rest = masked(value - rough_mean, at, 0.0f);
                    rests[at.slot] += rest;
                    squares[at.slot] = fma(rest, rest, squares[at.slot]);
                  });
      const float rest = mean_of(rests);  // of the mean, which is rough_mean + rest
      const float variance = maximum(0.0f, mean_of(squares) - rest * rest) + epsilon;
      const floats scale(variance > 0 ? 1.0f / sqrtf(variance) : 0.0f), rest_of_mean(rest);
      passes.next([&](auto at) { return in.load_again(at); },
                  [&](auto at, const auto& value) {
                    floats result = (value - rough_mean - rest_of_mean) * scale;
                    if (weights != nullptr) result *= load(weights, at);
                    if (biases != nullptr) result += load(biases, at);
                    store(to, at, result);
                  });
    });
  }
};

}  // namespace kernels

/// Divides each row of `x` by its root mean square, then multiplies by `weight`. A row of zeros
/// stays zeros. Asynchronous on `stream`; allocates nothing.
///
/// @param y        [num_rows, hidden_dim]  output; may be `x` itself
/// @param x        [num_rows, hidden_dim]
/// @param weight   [hidden_dim] of T or float, or empty: 1
/// @param options  see rms_norm_options
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument for a negative epsilon or a weight_offset that is not finite
template <class T, int BlockSize = default_block_size, class X = const T, class Weight = const T>
[[nodiscard]] status rms_norm(tensor_view<T, 2> y, tensor_view<X, 2> x,
                              tensor_view<Weight, 1> weight, const rms_norm_options& options,
                              stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "rms_norm: x must have the element type of y");
  static_assert(is_norm_weight<Weight, T>,
                "rms_norm: weight must have the element type of y, or be of float");
  using TWeight = norm_weight_element<Weight, T>;
  constexpr const char* op = "rms_norm";
  if (status s = checks::all(
          checks::norm::views(op, y, elements_as<const T>(x), elements_as<const TWeight>(weight)),
          checks::norm::options(op, options));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::rms_norm<T, block_threads<BlockSize, wave>, wave, false, TWeight>;
    return launch(op,
                  kernel{y,
                         elements_as<const T>(x),
                         elements_as<const TWeight>(weight),
                         {options.epsilon},
                         options.weight_offset,
                         {},
                         {}},
                  {x.extent[0]}, stream);
  });
}

/// The same with an epsilon only.
template <class T, int BlockSize = default_block_size, class X = const T, class Weight = const T>
[[nodiscard]] status rms_norm(tensor_view<T, 2> y, tensor_view<X, 2> x,
                              tensor_view<Weight, 1> weight, float epsilon = 1e-5f,
                              stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "rms_norm: x must have the element type of y");
  static_assert(is_norm_weight<Weight, T>,
                "rms_norm: weight must have the element type of y, or be of float");
  using TWeight = norm_weight_element<Weight, T>;
  return rms_norm<T, BlockSize>(y, elements_as<const T>(x), elements_as<const TWeight>(weight),
                                rms_norm_options{epsilon, 0}, stream);
}

/// The two steps between the halves of a transformer layer in one: sum = x + residual, y =
/// rms_norm(sum) * weight. Asynchronous on `stream`; allocates nothing.
///
/// @param y         [num_rows, hidden_dim]  output: the normalized sum; not `sum`
/// @param sum       [num_rows, hidden_dim]  output: the sum, rounded to T; may be `x` or `residual`
///                  itself
/// @param x         [num_rows, hidden_dim]
/// @param residual  [num_rows, hidden_dim]
/// @param weight    [hidden_dim] of T or float, or empty: 1
/// @param options   see rms_norm_options
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument for a negative epsilon, a weight_offset that is not finite, or if `y`
///         is `sum`
template <class T, int BlockSize = default_block_size, class Sum = T, class X = const T,
          class Residual = const T, class Weight = const T>
[[nodiscard]] status add_rms_norm(tensor_view<T, 2> y, tensor_view<Sum, 2> sum, tensor_view<X, 2> x,
                                  tensor_view<Residual, 2> residual, tensor_view<Weight, 1> weight,
                                  const rms_norm_options& options, stream_ref stream = {}) {
  static_assert(same_elements<Sum, T>, "add_rms_norm: sum must have the element type of y");
  static_assert(same_elements<X, T>, "add_rms_norm: x must have the element type of y");
  static_assert(same_elements<Residual, T>,
                "add_rms_norm: residual must have the element type of y");
  static_assert(is_norm_weight<Weight, T>,
                "add_rms_norm: weight must have the element type of y, or be of float");
  using TWeight = norm_weight_element<Weight, T>;
  constexpr const char* op = "add_rms_norm";
  if (status s = checks::all(
          checks::norm::views(op, y, elements_as<const T>(x), elements_as<const TWeight>(weight)),
          checks::norm::options(op, options),
          checks::norm::sum(op, y, elements_as<T>(sum), elements_as<const T>(residual)));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::rms_norm<T, block_threads<BlockSize, wave>, wave, true, TWeight>;
    return launch(op,
                  kernel{y,
                         elements_as<const T>(x),
                         elements_as<const TWeight>(weight),
                         {options.epsilon},
                         options.weight_offset,
                         elements_as<T>(sum),
                         elements_as<const T>(residual)},
                  {x.extent[0]}, stream);
  });
}

/// The same with an epsilon only.
template <class T, int BlockSize = default_block_size, class Sum = T, class X = const T,
          class Residual = const T, class Weight = const T>
[[nodiscard]] status add_rms_norm(tensor_view<T, 2> y, tensor_view<Sum, 2> sum, tensor_view<X, 2> x,
                                  tensor_view<Residual, 2> residual, tensor_view<Weight, 1> weight,
                                  float epsilon = 1e-5f, stream_ref stream = {}) {
  static_assert(same_elements<Sum, T>, "add_rms_norm: sum must have the element type of y");
  static_assert(same_elements<X, T>, "add_rms_norm: x must have the element type of y");
  static_assert(same_elements<Residual, T>,
                "add_rms_norm: residual must have the element type of y");
  static_assert(is_norm_weight<Weight, T>,
                "add_rms_norm: weight must have the element type of y, or be of float");
  using TWeight = norm_weight_element<Weight, T>;
  return add_rms_norm<T, BlockSize>(
      y, elements_as<T>(sum), elements_as<const T>(x), elements_as<const T>(residual),
      elements_as<const TWeight>(weight), rms_norm_options{epsilon, 0}, stream);
}

/// Takes its mean from each row of `x`, divides by the standard deviation, then multiplies by
/// `weight` and adds `bias`. A row of equal elements becomes `bias`. Asynchronous on `stream`;
/// allocates nothing.
///
/// @param y        [num_rows, hidden_dim]  output; may be `x` itself
/// @param x        [num_rows, hidden_dim]
/// @param weight   [hidden_dim] of T or float, or empty: 1
/// @param bias     [hidden_dim] of the weight's type, or empty: 0
/// @param epsilon  added to the variance; 0 or more
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument for a negative epsilon
template <class T, int BlockSize = default_block_size, class X = const T, class Weight = const T,
          class Bias = Weight>
[[nodiscard]] status layer_norm(tensor_view<T, 2> y, tensor_view<X, 2> x,
                                tensor_view<Weight, 1> weight, tensor_view<Bias, 1> bias = {},
                                float epsilon = 1e-5f, stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "layer_norm: x must have the element type of y");
  static_assert(is_norm_weight<Weight, T>,
                "layer_norm: weight must have the element type of y, or be of float");
  using TWeight = norm_weight_element<Weight, T>;
  static_assert(same_elements<Bias, Weight>,
                "layer_norm: bias must have the element type of weight");
  constexpr const char* op = "layer_norm";
  if (status s = checks::all(
          checks::norm::views(op, y, elements_as<const T>(x), elements_as<const TWeight>(weight)),
          checks::norm::epsilon(op, epsilon),
          checks::norm::bias(op, elements_as<const TWeight>(bias), x.extent[1]));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::layer_norm<T, block_threads<BlockSize, wave>, wave, false, TWeight>;
    return launch(op,
                  kernel{y,
                         elements_as<const T>(x),
                         elements_as<const TWeight>(weight),
                         elements_as<const TWeight>(bias),
                         epsilon,
                         {},
                         {}},
                  {x.extent[0]}, stream);
  });
}

/// sum = x + residual, y = layer_norm(sum). Asynchronous on `stream`; allocates nothing.
///
/// @param y         [num_rows, hidden_dim]  output: the normalized sum; not `sum`
/// @param sum       [num_rows, hidden_dim]  output: the sum, rounded to T; may be `x` or `residual`
///                  itself
/// @param x         [num_rows, hidden_dim]
/// @param residual  [num_rows, hidden_dim]
/// @param weight    [hidden_dim] of T or float, or empty: 1
/// @param bias      [hidden_dim] of the weight's type, or empty: 0
/// @param epsilon   added to the variance; 0 or more
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument for a negative epsilon or if `y` is `sum`
template <class T, int BlockSize = default_block_size, class Sum = T, class X = const T,
          class Residual = const T, class Weight = const T, class Bias = Weight>
[[nodiscard]] status add_layer_norm(tensor_view<T, 2> y, tensor_view<Sum, 2> sum,
                                    tensor_view<X, 2> x, tensor_view<Residual, 2> residual,
                                    tensor_view<Weight, 1> weight, tensor_view<Bias, 1> bias = {},
                                    float epsilon = 1e-5f, stream_ref stream = {}) {
  static_assert(same_elements<Sum, T>, "add_layer_norm: sum must have the element type of y");
  static_assert(same_elements<X, T>, "add_layer_norm: x must have the element type of y");
  static_assert(same_elements<Residual, T>,
                "add_layer_norm: residual must have the element type of y");
  static_assert(is_norm_weight<Weight, T>,
                "add_layer_norm: weight must have the element type of y, or be of float");
  using TWeight = norm_weight_element<Weight, T>;
  static_assert(same_elements<Bias, Weight>,
                "add_layer_norm: bias must have the element type of weight");
  constexpr const char* op = "add_layer_norm";
  if (status s = checks::all(
          checks::norm::views(op, y, elements_as<const T>(x), elements_as<const TWeight>(weight)),
          checks::norm::epsilon(op, epsilon),
          checks::norm::bias(op, elements_as<const TWeight>(bias), x.extent[1]),
          checks::norm::sum(op, y, elements_as<T>(sum), elements_as<const T>(residual)));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::layer_norm<T, block_threads<BlockSize, wave>, wave, true, TWeight>;
    return launch(op,
                  kernel{y, elements_as<const T>(x), elements_as<const TWeight>(weight),
                         elements_as<const TWeight>(bias), epsilon, elements_as<T>(sum),
                         elements_as<const T>(residual)},
                  {x.extent[0]}, stream);
  });
}

/// Divides each row of `x` by its Euclidean length, or by epsilon where that is more. A row of
/// zeros stays zeros. Asynchronous on `stream`; allocates nothing.
///
/// @param y        [num_rows, dim]  output; may be `x` itself
/// @param x        [num_rows, dim]
/// @param epsilon  the least length that a row is divided by; 0 or more
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument for a negative epsilon
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status l2_norm(tensor_view<T, 2> y, tensor_view<X, 2> x, float epsilon = 1e-6f,
                             stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "l2_norm: x must have the element type of y");
  constexpr const char* op = "l2_norm";
  if (status s = checks::all(
          checks::norm::views(op, y, elements_as<const T>(x), tensor_view<const T, 1>{}),
          checks::norm::epsilon(op, epsilon));
      !s)
    return s;
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::l2_norm<T, block_threads<BlockSize, wave>, wave>;
    return launch(op, kernel{y, elements_as<const T>(x), {}, {epsilon}, 0, {}, {}}, {x.extent[0]},
                  stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
