// Attention: out = softmax(scale * Q K^T) V, each head on its own, keys and values shared by groups
// of heads (GQA). Vaswani et al., "Attention Is All You Need", 2017; Ainslie et al., "GQA", 2023;
// soft caps: Gemma 2; sinks: Xiao et al., "Attention Sinks", 2023, learned as in gpt-oss.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rocmforge/attention/checks.hpp"
#include "rocmforge/attention/decode.hpp"
#include "rocmforge/attention/merge.hpp"
#include "rocmforge/attention/mma.hpp"
#include "rocmforge/attention/options.hpp"
#include "rocmforge/attention/plan.hpp"
#include "rocmforge/attention/problem.hpp"
#include "rocmforge/attention/scoring.hpp"
#include "rocmforge/attention/tiled.hpp"
#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/rows.hpp"
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

/// Up to this many queries a sequence, kernels::attention_decode; above, kernels::attention_mma or
/// kernels::attention.
constexpr int max_decode_queries = 4;

namespace attention_launch {

/// Largest head_dim for whose queries and output a lane of kernels::attention_mma has registers.
inline constexpr int max_mma_head_dim = 128;

/// Starts kernels::attention_mma with the instruction of the list that waves of this size have on
/// the stream's device; false if there is none, or if rows cannot be read in whole packets.
template <int HeadDim, int BlockSize, int WaveSize, class Instructions, class Problem>
bool many_queries(Instructions instructions, status& launched, const char* op,
                  const Problem& problem, const attention_scoring& scoring, int batch,
                  int max_q_len, int num_heads, stream_ref stream) {
  const device_properties& device = devices()[static_cast<std::size_t>(stream.device())];
  return mma::with_instruction<WaveSize>(
      instructions, device.architecture, [&]<class Instruction>(Instruction) {
        // Few waves leave shared memory for several blocks on a compute unit.
        constexpr int lanes = mma::lanes_of_few_waves(BlockSize, WaveSize);
        constexpr attention_config config = attention_mma_config_for(HeadDim, lanes, WaveSize);
        using kernel = kernels::attention_mma<Problem, Instruction, config, lanes, WaveSize>;
        if (!kernel::takes(problem)) return false;
        launched = launch(op, kernel{problem, scoring},
                          {device::divide_up(max_q_len, config.block_q), num_heads, batch}, stream);
        return true;
      });
}

template <int BlockSize, class Problem>
status run(const char* op, const Problem& problem, int batch, int max_q_len, int num_heads,
           int num_kv_heads, int head_dim, int v_head_dim, const attention_options& options,
           stream_ref stream) {
  if (status s = checks::attention::options(op, options, num_heads, head_dim, v_head_dim); !s)
    return s;
  const attention_scoring scoring = scoring_of(options, head_dim);
  const int group = num_heads / num_kv_heads;
  const bool decodes = max_q_len <= max_decode_queries;
  attention_chunks chunks;
  if (decodes) {
    status s = checks::all(
        checks::countable(op, "q", "{0} heads of a group times {1} queries are more than 2^30",
                          group, max_q_len),
        checks::attention::split(op, options.split, batch, num_heads, max_q_len, v_head_dim),
        checks::countable(op, "q", "{0} x {1} queries in {2} chunks are more than 2^30", group,
                          max_q_len, options.split.plan.num_chunks));
    if (!s) return s;
    chunks = chunks_of(options.split, batch, num_heads, max_q_len, v_head_dim);
  }
  const status launched = dispatch(
      attention_head_dims{}, padded_head_dim(head_dim > v_head_dim ? head_dim : v_head_dim), op,
      head_dim > 256 ? "q" : "v", "head_dim {0} is too large; up to 256 are supported",
      [&](auto padded) {
        return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
          constexpr int block_lanes = block_threads<BlockSize, wave>;
          if (decodes) {
            const int row_groups = device::divide_up(group * max_q_len, attention_decode_rows);
            const grid_size grid{row_groups * chunks.num_chunks, num_kv_heads, batch};
            using kernel = kernels::attention_decode<Problem, padded, block_lanes, wave>;
            if (chunks.num_chunks == 1)
              return launch(op, kernel::make(problem, scoring, chunks), grid, stream);
            constexpr int split_lanes = split_block_waves * wave;
            constexpr int lanes = block_lanes < split_lanes ? block_lanes : split_lanes;
            using split_kernel = kernels::attention_decode<Problem, padded, lanes, wave>;
            return launch(op, split_kernel::make(problem, scoring, chunks), grid, stream);
          }
          using element = typename Problem::element;
          if constexpr (wave > 1 && padded <= max_mma_head_dim && sizeof(element) == 2 &&
                        std::is_same_v<element, typename Problem::cache_element>) {
            status by_matrix;
            if (many_queries<padded, block_lanes, wave>(mma::product_instructions<element>{},
                                                        by_matrix, op, problem, scoring, batch,
                                                        max_q_len, num_heads, stream)) {
              return by_matrix;
            }
          }
          constexpr attention_config config = attention_config_for(padded, block_lanes, wave);
          using kernel = kernels::attention<Problem, config, block_lanes, wave>;
          return launch(op, kernel{problem, scoring},
                        {device::divide_up(max_q_len, config.block_q), num_heads, batch}, stream);
        });
      });
  if (!launched.ok() || chunks.num_chunks == 1) return launched;
  return merge<BlockSize>(op, problem.results(), tensor_view<const float, 5>(chunks.states),
                          chunks.lse, stream);
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
/// @param options  scale, soft cap, mask, sinks, and how keys are split over blocks
/// @param lse      [batch, num_heads, q_len]  output: log of the sum of e^score; or an empty view
/// @return invalid_shape if extents disagree, num_heads is not a multiple of num_kv_heads or rows
///         of blocks are not a whole number of them, invalid_layout if a last axis is not
///         contiguous, invalid_argument for an option out of range or a workspace that is too
///         small, unsupported for a head_dim over 256
template <class T, class TCache, int BlockSize = default_block_size, class Q = const T,
          class V = TCache>
[[nodiscard]] status attention(tensor_view<T, 4> out, tensor_view<Q, 4> q, tensor_view<TCache, 4> k,
                               tensor_view<V, 4> v, const attention_options& options = {},
                               tensor_view<float, 3> lse = {}, stream_ref stream = {}) {
  static_assert(same_elements<Q, T>, "attention: q must have the element type of out");
  static_assert(same_elements<V, TCache>, "attention: v must have the element type of k");
  constexpr const char* op = "attention";
  using cache_element = std::remove_const_t<TCache>;
  if (status s = checks::all(checks::extent(op, "k", 0, k.extent[0], q.extent[0]),
                             checks::attention::cache(op, "k", "v", k, v, q, out),
                             checks::attention::lse(op, lse, q),
                             checks::attention::heads(op, q.extent[1], k.extent[1]));
      !s) {
    return s;
  }
  const attention_problem::contiguous<T, cache_element> problem{
      out, elements_as<const T>(q), k, elements_as<const cache_element>(v), lse};
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
/// @param options  scale, soft cap, mask, sinks, and how keys are split over blocks
/// @param lse      [num_tokens, num_heads]  output; or an empty view
/// @return as `attention`
template <class T, class TCache, int BlockSize = default_block_size, class Q = const T,
          class V = TCache>
[[nodiscard]] status paged_attention(tensor_view<T, 3> out, tensor_view<Q, 3> q,
                                     tensor_view<TCache, 4> k_pages, tensor_view<V, 4> v_pages,
                                     const paged_batch& batch,
                                     const attention_options& options = {},
                                     tensor_view<float, 2> lse = {}, stream_ref stream = {}) {
  static_assert(same_elements<Q, T>, "paged_attention: q must have the element type of out");
  static_assert(same_elements<V, TCache>,
                "paged_attention: v_pages must have the element type of k_pages");
  constexpr const char* op = "paged_attention";
  using cache_element = std::remove_const_t<TCache>;
  if (status s = checks::all(
          checks::attention::cache(op, "k_pages", "v_pages", k_pages, v_pages, q, out),
          checks::view(op, "q_begin", batch.q_begin), checks::view(op, "kv_len", batch.kv_len),
          checks::view(op, "page_table", batch.page_table),
          checks::extent(op, "q_begin", 0, batch.q_begin.extent[0],
                         std::int64_t{batch.kv_len.extent[0]} + 1),
          checks::extent(op, "page_table", 0, batch.page_table.extent[0], batch.kv_len.extent[0]),
          checks::attention::lse(op, lse, q),
          checks::attention::heads(op, q.extent[1], k_pages.extent[1], "k_pages"));
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
  const attention_problem::paged<T, cache_element> problem{
      out, elements_as<const T>(q), k_pages, elements_as<const cache_element>(v_pages), batch, lse};
  // No sequence has more queries than there are tokens. The kernel is chosen by what the caller
  // says, so that a sequence has the same bits alone and in a batch.
  int max_q_len = std::min(batch.max_q_len, q.extent[0]);
  if (batch.max_q_len > max_decode_queries) max_q_len = std::max(max_q_len, max_decode_queries + 1);
  return attention_launch::run<BlockSize>(op, problem, batch.kv_len.extent[0], max_q_len,
                                          q.extent[1], k_pages.extent[1], q.extent[2],
                                          out.extent[2], options, stream);
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
