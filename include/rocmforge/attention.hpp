// Attention: out = softmax(scale * Q K^T) V, each head on its own, keys and values shared by groups
// of heads (GQA). Vaswani et al., "Attention Is All You Need", 2017; Ainslie et al., "GQA", 2023;
// soft caps: Gemma 2; sinks: Xiao et al., "Attention Sinks", 2023, learned as in gpt-oss.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rocmforge/attention/decode.hpp"
#include "rocmforge/attention/problem.hpp"
#include "rocmforge/attention/scoring.hpp"
#include "rocmforge/attention/tiled.hpp"
#include "rocmforge/block/checks.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/quant/simple.hpp"
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

/// Up to this many queries a sequence, kernels::attention_decode; above, kernels::attention.
constexpr int max_decode_queries = 4;

namespace attention_launch {

inline status check_heads(const char* op, int num_heads, int num_kv_heads) {
  if (num_kv_heads > 0 && num_heads % num_kv_heads == 0) return {};
  return {status_code::invalid_shape,
          op,
          "k",
          "{0} heads do not share {1} kv heads evenly",
          {num_heads, num_kv_heads}};
}

/// The first `count` extents are those of `expected`.
template <class A, int RankA, class B, int RankB>
status check_extents(const char* op, const char* argument, const tensor_view<A, RankA>& actual,
                     const tensor_view<B, RankB>& expected, int count) {
  for (int axis = 0; axis < count; ++axis) {
    if (status s = checks::extent(op, argument, axis, actual.extent[axis], expected.extent[axis]);
        !s)
      return s;
  }
  return {};
}

/// One lse for each row of `q`.
template <class T, int Rank>
status check_lse(const char* op, const tensor_view<float, Rank>& lse,
                 const tensor_view<T, Rank + 1>& q) {
  if (lse.data == nullptr) return {};
  return checks::all(check_extents(op, "lse", lse, q, Rank), checks::view(op, "lse", lse));
}

/// Extents of keys and values, [.., num_kv_heads, .., row] in elements of the cache's type.
template <class TCache, int Rank, class T>
status check_cache(const char* op, const char* k_name, const char* v_name,
                   const tensor_view<TCache, 4>& k, const tensor_view<TCache, 4>& v,
                   const tensor_view<const T, Rank>& q, const tensor_view<T, Rank>& out) {
  constexpr std::int64_t elements = block_traits<std::remove_const_t<TCache>>::elements;
  return checks::all(checks::view(op, "out", out), checks::view(op, "q", q),
                     checks::view(op, k_name, k), checks::view(op, v_name, v),
                     check_extents(op, "q", q, out, Rank - 1),
                     checks::extent(op, k_name, 3, k.extent[3] * elements, q.extent[Rank - 1]),
                     check_extents(op, v_name, v, k, 3),
                     checks::extent(op, v_name, 3, v.extent[3] * elements, out.extent[Rank - 1]));
}

inline status check_options(const char* op, const attention_options& options, int num_heads,
                            int head_dim, int v_head_dim) {
  if (head_dim < 1)
    return {status_code::invalid_shape, op, "q", "head_dim is {0}, expected 1 or more", {head_dim}};
  if (v_head_dim < 1)
    return {
        status_code::invalid_shape, op, "out", "head_dim is {0}, expected 1 or more", {v_head_dim}};
  if (!(options.logits_soft_cap >= 0) || !std::isfinite(options.logits_soft_cap))
    return {
        status_code::invalid_argument, op, "logits_soft_cap", "must be finite and 0 or above", {}};
  if (!std::isfinite(scoring_of(options, head_dim).query_scale))
    return {status_code::invalid_argument, op, "softmax_scale", "must be finite", {}};
  if (options.sliding_window < 0)
    return {status_code::invalid_argument,
            op,
            "sliding_window",
            "is {0}, expected 0 or more",
            {options.sliding_window}};
  if (options.sink.data == nullptr) return {};
  return checks::all(checks::view(op, "sink", options.sink),
                     checks::extent(op, "sink", 0, options.sink.extent[0], num_heads));
}

template <int BlockSize, class Problem>
status run(const char* op, const Problem& problem, int batch, int max_q_len, int num_heads,
           int num_kv_heads, int head_dim, int v_head_dim, const attention_options& options,
           stream_ref stream) {
  if (status s = check_options(op, options, num_heads, head_dim, v_head_dim); !s) return s;
  const attention_scoring scoring = scoring_of(options, head_dim);
  const auto tiles = [](int size, int tile) { return (size + tile - 1) / tile; };
  return dispatch(
      attention_head_dims{}, padded_head_dim(head_dim > v_head_dim ? head_dim : v_head_dim), op,
      head_dim > 256 ? "q" : "v", "head_dim {0} is too large; up to 256 are supported",
      [&](auto padded) {
        return dispatch_wave_size(op, stream, [&](auto wave) {
          constexpr int block_lanes = block_threads<BlockSize, wave>;
          if (max_q_len <= max_decode_queries) {
            using kernel = kernels::attention_decode<Problem, padded, block_lanes, wave>;
            return launch(op, kernel{problem, scoring},
                          {tiles(num_heads / num_kv_heads * max_q_len, attention_decode_rows),
                           num_kv_heads, batch},
                          stream);
          }
          constexpr attention_config config = attention_config_for(padded, block_lanes, wave);
          using kernel = kernels::attention<Problem, config, block_lanes, wave>;
          return launch(op, kernel{problem, scoring},
                        {tiles(max_q_len, config.block_q), num_heads, batch}, stream);
        });
      });
}

}  // namespace attention_launch

/// out = softmax(soft_cap(softmax_scale * q k^T)) v over the keys that a query sees, with online
/// softmax; accumulates in float. Head h uses kv head h / (num_heads / num_kv_heads). A query that
/// sees no key gives zeros and lse = -inf (with a sink, lse = sink). Asynchronous on `stream`;
/// allocates nothing.
///
/// @param out      [batch, num_heads, q_len, v_head_dim]  output; not any of the inputs
/// @param q        [batch, num_heads, q_len, head_dim]
/// @param k        [batch, num_kv_heads, kv_len, head_dim], float, half or bfloat16; or blocks of
///                 q8_0 or q4_0, with head_dim / 32 of them a row
/// @param v        [batch, num_kv_heads, kv_len, v_head_dim], of the type of k
/// @param options  scale, soft cap, mask and sinks
/// @param lse      [batch, num_heads, q_len]  output: log of the sum of e^score; or an empty view
/// @return invalid_shape if extents disagree, num_heads is no multiple of num_kv_heads or rows of
///         blocks are no whole number of them, invalid_layout if a last axis is not contiguous,
///         invalid_argument for an option out of range, unsupported for a head_dim over 256
template <class T, class TCache, int BlockSize = default_block_size>
[[nodiscard]] status attention(tensor_view<T, 4> out, identity_t<tensor_view<const T, 4>> q,
                               tensor_view<TCache, 4> k, tensor_view<TCache, 4> v,
                               const attention_options& options = {},
                               tensor_view<float, 3> lse = {}, stream_ref stream = {}) {
  constexpr const char* op = "attention";
  using cache_element = std::remove_const_t<TCache>;
  if (status s = checks::all(checks::extent(op, "k", 0, k.extent[0], q.extent[0]),
                             attention_launch::check_cache(op, "k", "v", k, v, q, out),
                             attention_launch::check_lse(op, lse, q),
                             attention_launch::check_heads(op, q.extent[1], k.extent[1]));
      !s) {
    return s;
  }
  const attention_problem::contiguous<T, cache_element> problem{out, q, k, v, lse};
  return attention_launch::run<BlockSize>(op, problem, q.extent[0], q.extent[2], q.extent[1],
                                          k.extent[1], q.extent[3], out.extent[3], options, stream);
}

/// The same for several sequences of different lengths whose keys and values lie in pages
/// (kv_cache.hpp).
///
/// @param out      [num_tokens, num_heads, v_head_dim]  output
/// @param q        [num_tokens, num_heads, head_dim]
/// @param k_pages  [num_pages, num_kv_heads, page_size, head_dim], of a type that k may have
/// @param v_pages  [num_pages, num_kv_heads, page_size, v_head_dim], of the type of k_pages
/// @param batch    which tokens and which pages belong to which sequence
/// @param options  scale, soft cap, mask and sinks
/// @param lse      [num_tokens, num_heads]  output; or an empty view
/// @return as `attention`
template <class T, class TCache, int BlockSize = default_block_size>
[[nodiscard]] status paged_attention(tensor_view<T, 3> out, identity_t<tensor_view<const T, 3>> q,
                                     tensor_view<TCache, 4> k_pages, tensor_view<TCache, 4> v_pages,
                                     const paged_batch& batch,
                                     const attention_options& options = {},
                                     tensor_view<float, 2> lse = {}, stream_ref stream = {}) {
  constexpr const char* op = "paged_attention";
  using cache_element = std::remove_const_t<TCache>;
  if (status s = checks::all(
          attention_launch::check_cache(op, "k_pages", "v_pages", k_pages, v_pages, q, out),
          checks::view(op, "q_begin", batch.q_begin), checks::view(op, "kv_len", batch.kv_len),
          checks::view(op, "page_table", batch.page_table),
          checks::extent(op, "q_begin", 0, batch.q_begin.extent[0],
                         std::int64_t{batch.kv_len.extent[0]} + 1),
          checks::extent(op, "page_table", 0, batch.page_table.extent[0], batch.kv_len.extent[0]),
          attention_launch::check_lse(op, lse, q),
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
  const attention_problem::paged<T, cache_element> problem{out, q, k_pages, v_pages, batch, lse};
  return attention_launch::run<BlockSize>(op, problem, batch.kv_len.extent[0], batch.max_q_len,
                                          q.extent[1], k_pages.extent[1], q.extent[2],
                                          out.extent[2], options, stream);
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
