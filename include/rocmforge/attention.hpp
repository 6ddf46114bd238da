// Attention: out = softmax(scale * Q K^T) V, each head on its own, keys and values shared by groups
// of heads (GQA). Vaswani et al., "Attention Is All You Need", 2017; Ainslie et al., "GQA", 2023.
#pragma once

#include <cmath>

#include "rocmforge/attention/problem.hpp"
#include "rocmforge/attention/tiled.hpp"
#include "rocmforge/attention/vector.hpp"
#include "rocmforge/block/checks.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Largest head_dim that each instance takes; a smaller one is filled up with zeros.
using attention_head_dims = int_list<32, 64, 128, 256>;
constexpr int padded_head_dim(int head_dim) {
  return head_dim <= 32    ? 32
         : head_dim <= 64  ? 64
         : head_dim <= 128 ? 128
         : head_dim <= 256 ? 256
                           : head_dim;
}

/// Up to this many queries a sequence, kernels::attention_vector; above, kernels::attention.
constexpr int max_vector_queries = 4;

namespace attention_launch {

inline status check_heads(const char* op, int num_heads, int num_kv_heads) {
  if (num_kv_heads > 0 && num_heads % num_kv_heads == 0) return {};
  return {status_code::invalid_shape,
          op,
          "k",
          "{0} heads do not share {1} kv heads evenly",
          {num_heads, num_kv_heads}};
}

template <class T>
status check_lse(const char* op, const tensor_view<float, 3>& lse, const tensor_view<T, 4>& q) {
  if (lse.data == nullptr) return {};
  for (int axis = 0; axis < 3; ++axis) {
    if (status s = checks::extent(op, "lse", axis, lse.extent[axis], q.extent[axis]); !s) return s;
  }
  return checks::view(op, "lse", lse);
}

template <int BlockSize, class Problem>
status run(const char* op, const Problem& problem, int batch, int max_q_len, int num_heads,
           int num_kv_heads, int head_dim, const attention_options& options, stream_ref stream) {
  if (head_dim < 1)
    return {status_code::invalid_shape, op, "q", "head_dim is {0}, expected 1 or more", {head_dim}};
  const float scale = options.softmax_scale != 0 ? options.softmax_scale
                                                 : 1.0f / std::sqrt(static_cast<float>(head_dim));
  if (!std::isfinite(scale))
    return {status_code::invalid_argument, op, "softmax_scale", "must be finite", {}};
  const auto tiles = [](int size, int tile) { return (size + tile - 1) / tile; };
  return dispatch(
      attention_head_dims{}, padded_head_dim(head_dim), op, "q",
      "head_dim {0} is too large; up to 256 are supported", [&](auto padded) {
        return dispatch_wave_size(op, stream, [&](auto wave) {
          constexpr int block_lanes = lanes<BlockSize, wave>;
          if (max_q_len <= max_vector_queries) {
            using kernel = kernels::attention_vector<Problem, padded, block_lanes, wave>;
            return launch(op, kernel{problem, scale * log2_e, options.causal},
                          {tiles(num_heads / num_kv_heads * max_q_len, attention_vector_rows),
                           num_kv_heads, batch},
                          stream);
          }
          constexpr attention_config config = attention_config_for(padded, block_lanes, wave);
          using kernel = kernels::attention<Problem, config, block_lanes, wave>;
          return launch(op, kernel{problem, scale * log2_e, options.causal},
                        {tiles(max_q_len, config.block_q), num_heads, batch}, stream);
        });
      });
}

}  // namespace attention_launch

/// out = softmax(softmax_scale * q k^T) v with online softmax; accumulates in float. Head h uses kv
/// head h / (num_heads / num_kv_heads). A query that sees no key gives zeros and lse = -inf.
/// Asynchronous on `stream`; allocates nothing.
///
/// @param out      [batch, num_heads, q_len, head_dim]  output; not any of the inputs
/// @param q        [batch, num_heads, q_len, head_dim]
/// @param k        [batch, num_kv_heads, kv_len, head_dim], float, half or bfloat16
/// @param v        [batch, num_kv_heads, kv_len, head_dim], as k
/// @param options  scale and mask
/// @param lse      [batch, num_heads, q_len]  output: log of the sum of e^score; or an empty view
/// @return invalid_shape if extents disagree or num_heads is no multiple of num_kv_heads,
/// invalid_layout if a last axis is not
///         contiguous, unsupported for a head_dim over 256
template <class T, class TCache, int BlockSize = default_block_size>
[[nodiscard]] status attention(tensor_view<T, 4> out, identity_t<tensor_view<const T, 4>> q,
                               tensor_view<TCache, 4> k, tensor_view<TCache, 4> v,
                               const attention_options& options = {},
                               tensor_view<float, 3> lse = {}, stream_ref stream = {}) {
  constexpr const char* op = "attention";
  using cache_element = std::remove_const_t<TCache>;
  if (status s = checks::all(
          checks::view(op, "out", out), checks::view(op, "q", q), checks::view(op, "k", k),
          checks::view(op, "v", v), checks::same_extents(op, "q", q, out),
          checks::extent(op, "k", 0, k.extent[0], q.extent[0]),
          checks::extent(op, "k", 3, k.extent[3], q.extent[3]), checks::same_extents(op, "v", v, k),
          attention_launch::check_lse(op, lse, q),
          attention_launch::check_heads(op, q.extent[1], k.extent[1]));
      !s) {
    return s;
  }
  const attention_problem::contiguous<T, cache_element> problem{out, q, k, v, lse};
  return attention_launch::run<BlockSize>(op, problem, q.extent[0], q.extent[2], q.extent[1],
                                          k.extent[1], q.extent[3], options, stream);
}

/// The same for several sequences of different lengths whose keys and values lie in pages
/// (kv_cache.hpp).
///
/// @param out      [num_tokens, num_heads, head_dim]  output
/// @param q        [num_tokens, num_heads, head_dim]
/// @param k_pages  [num_pages, num_kv_heads, page_size, head_dim], float, half or bfloat16
/// @param v_pages  as k_pages
/// @param batch    which tokens and which pages belong to which sequence
/// @param options  scale and mask
/// @return as `attention`
template <class T, class TCache, int BlockSize = default_block_size>
[[nodiscard]] status paged_attention(tensor_view<T, 3> out, identity_t<tensor_view<const T, 3>> q,
                                     tensor_view<TCache, 4> k_pages, tensor_view<TCache, 4> v_pages,
                                     const paged_batch& batch,
                                     const attention_options& options = {},
                                     stream_ref stream = {}) {
  constexpr const char* op = "paged_attention";
  using cache_element = std::remove_const_t<TCache>;
  if (status s = checks::all(
          checks::view(op, "out", out), checks::view(op, "q", q),
          checks::view(op, "k_pages", k_pages), checks::view(op, "v_pages", v_pages),
          checks::view(op, "q_begin", batch.q_begin), checks::view(op, "kv_len", batch.kv_len),
          checks::view(op, "page_table", batch.page_table), checks::same_extents(op, "q", q, out),
          checks::extent(op, "k_pages", 3, k_pages.extent[3], q.extent[2]),
          checks::same_extents(op, "v_pages", v_pages, k_pages),
          checks::extent(op, "q_begin", 0, batch.q_begin.extent[0],
                         std::int64_t{batch.kv_len.extent[0]} + 1),
          checks::extent(op, "page_table", 0, batch.page_table.extent[0], batch.kv_len.extent[0]),
          attention_launch::check_heads(op, q.extent[1], k_pages.extent[1]));
      !s) {
    return s;
  }
  if (k_pages.extent[2] < 1) {
    return {status_code::invalid_shape,
            op,
            "k_pages",
            "page_size is {0}, expected 1 or more",
            {k_pages.extent[2]}};
  }
  if (batch.max_q_len < 0)
    return {status_code::invalid_argument,
            op,
            "max_q_len",
            "is {0}, expected 0 or more",
            {batch.max_q_len}};
  const attention_problem::paged<T, cache_element> problem{out, q, k_pages, v_pages, batch};
  return attention_launch::run<BlockSize>(op, problem, batch.kv_len.extent[0], batch.max_q_len,
                                          q.extent[1], k_pages.extent[1], q.extent[2], options,
                                          stream);
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
