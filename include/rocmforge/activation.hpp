// Gated and plain activations, and addition, elementwise: SwiGLU, silu(gate) * up, and its kin.
// Shazeer, "GLU Variants Improve Transformer", 2020.
#pragma once

#include <cmath>
#include <cstdint>

#include "rocmforge/activation/functions.hpp"
#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

/// Which GELU: with the error function, or its approximation with tanh (GELU of GPT-2 and Gemma).
enum class gelu_form { erf, tanh };

struct clamped_swiglu_options {
  float alpha = 1.702f;  // slope of the logistic function; finite
  float limit = 7;       // of the gate from above, of `up` on both sides; above 0
};

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace checks {
inline status clamped_swiglu(const clamped_swiglu_options& options) {
  if (!std::isfinite(options.alpha))
    return {status_code::invalid_argument, "clamped_swiglu", "alpha", "must be finite", {}};
  if (!(options.limit > 0))
    return {status_code::invalid_argument, "clamped_swiglu", "limit", "must be above 0", {}};
  return {};
}
}  // namespace checks

namespace kernels {
using namespace device;

/// y = op(a, b), or with `NumInputs` of 1 y = op(a), elementwise, in float whatever T is. A block
/// takes a part of a row (or, on the host, several short rows), so that one long row has many
/// blocks.
template <class Op, int NumInputs, class T, int BlockSize, int WaveSize>
struct elementwise {
  static_assert(BlockSize % WaveSize == 0, "elementwise: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  static constexpr int columns = columns_per_block<BlockSize, WaveSize, packet_elements>();
  struct shared_storage {};

  tensor_view<T, 2> y;        // [num_rows, row_size]
  tensor_view<const T, 2> a;  // [num_rows, row_size]
  tensor_view<const T, 2> b;  // [num_rows, row_size], with two inputs
  Op op;
  int num_block_rows;  // rows that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const int first = block.index.y * columns;
    const int count = y.extent[1] - first < columns ? y.extent[1] - first : columns;
    for_each_row(block, num_block_rows, y.extent[0], [&](int row) {
      const T* from_a = slice(a, row).data + first;
      T* to = slice(y, row).data + first;
      if constexpr (NumInputs == 2) {
        const T* from_b = slice(b, row).data + first;
        for_each_packet<packet_elements>(
            block, count, [&](auto at) { store(to, at, op(load(from_a, at), load(from_b, at))); });
      } else {
        for_each_packet<packet_elements>(block, count,
                                         [&](auto at) { store(to, at, op(load(from_a, at))); });
      }
    });
  }
};

template <int NumInputs, int BlockSize, class Op, class T>
status launch_elementwise(const char* op_name, Op op, tensor_view<T, 2> y,
                          identity_t<tensor_view<const T, 2>> a,
                          identity_t<tensor_view<const T, 2>> b, stream_ref stream) {
  return dispatch_wave_size<BlockSize>(op_name, stream, [&](auto wave) {
    using kernel = elementwise<Op, NumInputs, T, block_threads<BlockSize, wave>, wave>;
    const int rows = rows_per_block<wave>(y.extent[1]);
    return launch(op_name, kernel{y, a, b, op, rows},
                  {divide_up(y.extent[0], rows), divide_up(y.extent[1], kernel::columns)}, stream);
  });
}

/// Checks, then y = op(x).
template <int BlockSize, class Op, class T>
status launch_apply(const char* op_name, Op op, tensor_view<T, 2> y,
                    identity_t<tensor_view<const T, 2>> x, stream_ref stream) {
  if (status s = checks::all(checks::output(op_name, "y", y), checks::view(op_name, "x", x),
                             checks::same_extents(op_name, "x", x, y));
      !s) {
    return s;
  }
  return launch_elementwise<1, BlockSize>(op_name, op, y, x, {}, stream);
}

/// Checks, then y = op(a, b), where `a_name` and `b_name` are what the caller knows them as.
template <int BlockSize, class Op, class T>
status launch_combine(const char* op_name, Op op, tensor_view<T, 2> y,
                      identity_t<tensor_view<const T, 2>> a, identity_t<tensor_view<const T, 2>> b,
                      stream_ref stream, const char* a_name = "gate", const char* b_name = "up") {
  if (status s =
          checks::all(checks::output(op_name, "y", y), checks::view(op_name, a_name, a),
                      checks::view(op_name, b_name, b), checks::same_extents(op_name, a_name, a, y),
                      checks::same_extents(op_name, b_name, b, y));
      !s) {
    return s;
  }
  return launch_elementwise<2, BlockSize>(op_name, op, y, a, b, stream);
}

/// Checks, then y = op(gate, up) of the first and the second half of each row.
template <int BlockSize, class Op, class T>
status launch_halves(const char* op_name, Op op, tensor_view<T, 2> y,
                     identity_t<tensor_view<const T, 2>> gate_up, stream_ref stream) {
  const int ffn_dim = y.extent[1];
  if (status s = checks::all(
          checks::output(op_name, "y", y), checks::view(op_name, "gate_up", gate_up),
          checks::extent(op_name, "gate_up", 0, gate_up.extent[0], y.extent[0]),
          checks::extent(op_name, "gate_up", 1, gate_up.extent[1], std::int64_t{2} * ffn_dim));
      !s) {
    return s;
  }
  return launch_elementwise<2, BlockSize>(op_name, op, y, sub_view<1>(gate_up, 0, ffn_dim),
                                          sub_view<1>(gate_up, ffn_dim, 2 * ffn_dim), stream);
}

}  // namespace kernels

/// The gated activation of a feed-forward layer: y = silu(gate) * up, elementwise,
/// with silu(x) = x / (1 + e^-x).
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y     [num_rows, ffn_dim]  output; may be `gate` or `up` itself
/// @param gate  [num_rows, ffn_dim]
/// @param up    [num_rows, ffn_dim]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size, class Gate = const T, class Up = const T>
[[nodiscard]] status swiglu(tensor_view<T, 2> y, tensor_view<Gate, 2> gate, tensor_view<Up, 2> up,
                            stream_ref stream = {}) {
  static_assert(same_elements<Gate, T>, "swiglu: gate must have the element type of y");
  static_assert(same_elements<Up, T>, "swiglu: up must have the element type of y");
  return kernels::launch_combine<BlockSize>("swiglu", activations::gated<activations::silu>{}, y,
                                            elements_as<const T>(gate), elements_as<const T>(up),
                                            stream);
}

/// The same of one tensor with gate and up as the halves of its rows, [num_rows, 2 * ffn_dim]; `y`
/// may be the first or the second half.
template <class T, int BlockSize = default_block_size, class GateUp = const T>
[[nodiscard]] status swiglu(tensor_view<T, 2> y, tensor_view<GateUp, 2> gate_up,
                            stream_ref stream = {}) {
  static_assert(same_elements<GateUp, T>, "swiglu: gate_up must have the element type of y");
  return kernels::launch_halves<BlockSize>("swiglu", activations::gated<activations::silu>{}, y,
                                           elements_as<const T>(gate_up), stream);
}

/// y = gelu(gate) * up, elementwise.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y     [num_rows, ffn_dim]  output; may be `gate` or `up` itself
/// @param gate  [num_rows, ffn_dim]
/// @param up    [num_rows, ffn_dim]
/// @param form  which GELU
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size, class Gate = const T, class Up = const T>
[[nodiscard]] status geglu(tensor_view<T, 2> y, tensor_view<Gate, 2> gate, tensor_view<Up, 2> up,
                           gelu_form form = gelu_form::tanh, stream_ref stream = {}) {
  static_assert(same_elements<Gate, T>, "geglu: gate must have the element type of y");
  static_assert(same_elements<Up, T>, "geglu: up must have the element type of y");
  if (form == gelu_form::erf)
    return kernels::launch_combine<BlockSize>("geglu", activations::gated<activations::gelu_erf>{},
                                              y, elements_as<const T>(gate),
                                              elements_as<const T>(up), stream);
  return kernels::launch_combine<BlockSize>("geglu", activations::gated<activations::gelu_tanh>{},
                                            y, elements_as<const T>(gate), elements_as<const T>(up),
                                            stream);
}

/// The same of one tensor with gate and up as the halves of its rows, [num_rows, 2 * ffn_dim]; `y`
/// may be the first or the second half.
template <class T, int BlockSize = default_block_size, class GateUp = const T>
[[nodiscard]] status geglu(tensor_view<T, 2> y, tensor_view<GateUp, 2> gate_up,
                           gelu_form form = gelu_form::tanh, stream_ref stream = {}) {
  static_assert(same_elements<GateUp, T>, "geglu: gate_up must have the element type of y");
  if (form == gelu_form::erf)
    return kernels::launch_halves<BlockSize>("geglu", activations::gated<activations::gelu_erf>{},
                                             y, elements_as<const T>(gate_up), stream);
  return kernels::launch_halves<BlockSize>("geglu", activations::gated<activations::gelu_tanh>{}, y,
                                           elements_as<const T>(gate_up), stream);
}

/// y = max(gate, 0) * up, elementwise.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y     [num_rows, ffn_dim]  output; may be `gate` or `up` itself
/// @param gate  [num_rows, ffn_dim]
/// @param up    [num_rows, ffn_dim]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size, class Gate = const T, class Up = const T>
[[nodiscard]] status reglu(tensor_view<T, 2> y, tensor_view<Gate, 2> gate, tensor_view<Up, 2> up,
                           stream_ref stream = {}) {
  static_assert(same_elements<Gate, T>, "reglu: gate must have the element type of y");
  static_assert(same_elements<Up, T>, "reglu: up must have the element type of y");
  return kernels::launch_combine<BlockSize>("reglu", activations::gated<activations::relu>{}, y,
                                            elements_as<const T>(gate), elements_as<const T>(up),
                                            stream);
}

/// The same of one tensor with gate and up as the halves of its rows, [num_rows, 2 * ffn_dim]; `y`
/// may be the first or the second half.
template <class T, int BlockSize = default_block_size, class GateUp = const T>
[[nodiscard]] status reglu(tensor_view<T, 2> y, tensor_view<GateUp, 2> gate_up,
                           stream_ref stream = {}) {
  static_assert(same_elements<GateUp, T>, "reglu: gate_up must have the element type of y");
  return kernels::launch_halves<BlockSize>("reglu", activations::gated<activations::relu>{}, y,
                                           elements_as<const T>(gate_up), stream);
}

/// The gated activation of gpt-oss: y = g / (1 + e^(-alpha g)) * (u + 1), elementwise, where g is
/// the gate clamped to at most `limit` and u is `up` clamped to [-limit, limit].
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y        [num_rows, ffn_dim]  output; may be `gate` or `up` itself
/// @param gate     [num_rows, ffn_dim]
/// @param up       [num_rows, ffn_dim]
/// @param options  see clamped_swiglu_options
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
/// invalid_argument for an alpha that is not finite or a limit not above 0
template <class T, int BlockSize = default_block_size, class Gate = const T, class Up = const T>
[[nodiscard]] status clamped_swiglu(tensor_view<T, 2> y, tensor_view<Gate, 2> gate,
                                    tensor_view<Up, 2> up,
                                    const clamped_swiglu_options& options = {},
                                    stream_ref stream = {}) {
  static_assert(same_elements<Gate, T>, "clamped_swiglu: gate must have the element type of y");
  static_assert(same_elements<Up, T>, "clamped_swiglu: up must have the element type of y");
  if (status s = checks::clamped_swiglu(options); !s) return s;
  return kernels::launch_combine<BlockSize>(
      "clamped_swiglu", activations::clamped_gate{options.alpha, options.limit}, y,
      elements_as<const T>(gate), elements_as<const T>(up), stream);
}

/// The same of one tensor with gate and up as the halves of its rows, [num_rows, 2 * ffn_dim]; `y`
/// may be the first or the second half.
template <class T, int BlockSize = default_block_size, class GateUp = const T>
[[nodiscard]] status clamped_swiglu(tensor_view<T, 2> y, tensor_view<GateUp, 2> gate_up,
                                    const clamped_swiglu_options& options = {},
                                    stream_ref stream = {}) {
  static_assert(same_elements<GateUp, T>,
                "clamped_swiglu: gate_up must have the element type of y");
  if (status s = checks::clamped_swiglu(options); !s) return s;
  return kernels::launch_halves<BlockSize>("clamped_swiglu",
                                           activations::clamped_gate{options.alpha, options.limit},
                                           y, elements_as<const T>(gate_up), stream);
}

/// y = x / (1 + e^-x), elementwise. Asynchronous on `stream`; allocates nothing.
///
/// @param y  [num_rows, dim]  output; may be `x` itself
/// @param x  [num_rows, dim]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status silu(tensor_view<T, 2> y, tensor_view<X, 2> x, stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "silu: x must have the element type of y");
  return kernels::launch_apply<BlockSize>("silu", activations::silu{}, y, elements_as<const T>(x),
                                          stream);
}

/// y = x (1 + erf(x / sqrt 2)) / 2, or its approximation with tanh, elementwise. Asynchronous on
/// `stream`; allocates nothing.
///
/// @param y     [num_rows, dim]  output; may be `x` itself
/// @param x     [num_rows, dim]
/// @param form  which GELU
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status gelu(tensor_view<T, 2> y, tensor_view<X, 2> x,
                          gelu_form form = gelu_form::tanh, stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "gelu: x must have the element type of y");
  if (form == gelu_form::erf)
    return kernels::launch_apply<BlockSize>("gelu", activations::gelu_erf{}, y,
                                            elements_as<const T>(x), stream);
  return kernels::launch_apply<BlockSize>("gelu", activations::gelu_tanh{}, y,
                                          elements_as<const T>(x), stream);
}

/// y = x / (1 + e^(-1.702 x)), elementwise. Asynchronous on `stream`; allocates nothing.
///
/// @param y  [num_rows, dim]  output; may be `x` itself
/// @param x  [num_rows, dim]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status quick_gelu(tensor_view<T, 2> y, tensor_view<X, 2> x, stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "quick_gelu: x must have the element type of y");
  return kernels::launch_apply<BlockSize>("quick_gelu", activations::quick_gelu{}, y,
                                          elements_as<const T>(x), stream);
}

/// y = cap * tanh(x / cap), elementwise: values beyond +-cap are squeezed into the range.
/// Asynchronous on `stream`; allocates nothing. Gemma Team, "Gemma 2", 2024.
///
/// @param y    [num_rows, dim]  output; may be `x` itself
/// @param x    [num_rows, dim]
/// @param cap  finite and above 0
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
/// invalid_argument for a cap out of range
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status soft_cap(tensor_view<T, 2> y, tensor_view<X, 2> x, float cap,
                              stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "soft_cap: x must have the element type of y");
  if (!(cap > 0) || !std::isfinite(cap)) {
    return {status_code::invalid_argument, "soft_cap", "cap", "must be finite and above 0", {}};
  }
  return kernels::launch_apply<BlockSize>("soft_cap", activations::soft_cap{cap}, y,
                                          elements_as<const T>(x), stream);
}

/// y = factor * x, elementwise. Asynchronous on `stream`; allocates nothing.
///
/// @param y       [num_rows, dim]  output; may be `x` itself
/// @param x       [num_rows, dim]
/// @param factor  finite
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
/// invalid_argument for a factor that is not finite
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status scale(tensor_view<T, 2> y, tensor_view<X, 2> x, float factor,
                           stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "scale: x must have the element type of y");
  if (!std::isfinite(factor))
    return {status_code::invalid_argument, "scale", "factor", "must be finite", {}};
  return kernels::launch_apply<BlockSize>("scale", activations::scale{factor}, y,
                                          elements_as<const T>(x), stream);
}

/// y = max(x, 0), elementwise. Asynchronous on `stream`; allocates nothing.
///
/// @param y  [num_rows, dim]  output; may be `x` itself
/// @param x  [num_rows, dim]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status relu(tensor_view<T, 2> y, tensor_view<X, 2> x, stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "relu: x must have the element type of y");
  return kernels::launch_apply<BlockSize>("relu", activations::relu{}, y, elements_as<const T>(x),
                                          stream);
}

/// y = max(x, 0)^2, elementwise. Asynchronous on `stream`; allocates nothing.
///
/// @param y  [num_rows, dim]  output; may be `x` itself
/// @param x  [num_rows, dim]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status relu_squared(tensor_view<T, 2> y, tensor_view<X, 2> x,
                                  stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "relu_squared: x must have the element type of y");
  return kernels::launch_apply<BlockSize>("relu_squared", activations::relu_squared{}, y,
                                          elements_as<const T>(x), stream);
}

/// y = x + residual, elementwise, rounded once to T.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y         [num_rows, dim]  output; may be `x` or `residual` itself
/// @param x         [num_rows, dim]
/// @param residual  [num_rows, dim]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size, class X = const T, class Residual = const T>
[[nodiscard]] status add(tensor_view<T, 2> y, tensor_view<X, 2> x,
                         tensor_view<Residual, 2> residual, stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "add: x must have the element type of y");
  static_assert(same_elements<Residual, T>, "add: residual must have the element type of y");
  return kernels::launch_combine<BlockSize>("add", activations::sum{}, y, elements_as<const T>(x),
                                            elements_as<const T>(residual), stream, "x",
                                            "residual");
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
