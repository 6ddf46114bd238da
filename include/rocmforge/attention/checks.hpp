// What the launchers of attention refuse.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rocmforge/attention/mask.hpp"
#include "rocmforge/attention/options.hpp"
#include "rocmforge/attention/plan.hpp"
#include "rocmforge/attention/scoring.hpp"
#include "rocmforge/block/checks.hpp"
#include "rocmforge/quant/block.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace checks::attention {

/// @param k_name  the argument whose axis 1 is num_kv_heads
inline status heads(const char* op, int num_heads, int num_kv_heads, const char* k_name = "k") {
  if (num_kv_heads > 0 && num_heads % num_kv_heads == 0) return {};
  return {status_code::invalid_shape,
          op,
          k_name,
          "extent 1 (num_kv_heads) is {1}, which does not divide the {0} query heads",
          {num_heads, num_kv_heads}};
}

/// One lse for each row of `q`.
template <class T, int Rank>
status lse(const char* op, const tensor_view<float, Rank>& view,
           const tensor_view<T, Rank + 1>& q) {
  if (view.data == nullptr) return {};
  return checks::all(first_extents(op, "lse", view, q, Rank), output(op, "lse", view));
}

/// Extents of keys and values, [.., num_kv_heads, .., row] in elements of the cache's type.
template <class K, class V, class Q, class T, int Rank>
status cache(const char* op, const char* k_name, const char* v_name, const tensor_view<K, 4>& k,
             const tensor_view<V, 4>& v, const tensor_view<Q, Rank>& q,
             const tensor_view<T, Rank>& out) {
  constexpr std::int64_t elements = block_traits<std::remove_const_t<K>>::elements;
  return checks::all(checks::output(op, "out", out), checks::view(op, "q", q),
                     checks::view(op, k_name, k), checks::view(op, v_name, v),
                     first_extents(op, "q", q, out, Rank - 1),
                     checks::extent(op, k_name, 3, k.extent[3] * elements, q.extent[Rank - 1]),
                     first_extents(op, v_name, v, k, 3),
                     checks::extent(op, v_name, 3, v.extent[3] * elements, out.extent[Rank - 1]));
}

inline status head_dim(const char* op, const char* argument, int head_dim) {
  if (head_dim >= 1) return {};
  return {
      status_code::invalid_shape, op, argument, "head_dim is {0}, expected 1 or more", {head_dim}};
}

/// A split that kernels can index, and workspace for it.
inline status split(const char* op, const attention_split& split, int batch, int num_heads,
                    int q_len, int v_head_dim) {
  const attention_plan& plan = split.plan;
  if (plan.num_chunks < 1 || plan.num_chunks > max_attention_chunks) {
    return {status_code::invalid_argument,
            op,
            "split",
            "num_chunks is {0}, expected 1 to {1}",
            {plan.num_chunks, max_attention_chunks}};
  }
  if (plan.min_chunk < 1 || plan.min_chunk > max_extent ||
      (plan.min_chunk & (plan.min_chunk - 1)) != 0) {
    return {status_code::invalid_argument,
            op,
            "split",
            "min_chunk is {0}, expected a power of two",
            {plan.min_chunk}};
  }
  if (plan.num_chunks == 1) return {};
  if (status s = checks::countable(op, "q", "{0} heads of {1} queries are more than 2^30",
                                   num_heads, q_len);
      !s) {
    return s;
  }
  if (attention_launch::workspace_elements(plan, batch, num_heads, q_len, v_head_dim) < 0) {
    return {status_code::invalid_shape,
            op,
            "split",
            "the outputs of {0} chunks have over 2^58 elements",
            {plan.num_chunks}};
  }
  return checks::workspace(op, split.workspace,
                           attention_workspace_bytes(plan, batch, num_heads, q_len, v_head_dim));
}

inline status options(const char* op, const attention_options& o, int num_heads, int head_dim,
                      int v_head_dim) {
  if (status s = checks::all(checks::attention::head_dim(op, "q", head_dim),
                             checks::attention::head_dim(op, "out", v_head_dim));
      !s) {
    return s;
  }
  if (!(o.logits_soft_cap >= 0) || !std::isfinite(o.logits_soft_cap))
    return {
        status_code::invalid_argument, op, "logits_soft_cap", "must be finite and 0 or above", {}};
  if (!std::isfinite(scoring_of(o, head_dim).query_scale))
    return {status_code::invalid_argument, op, "softmax_scale", "must be finite", {}};
  if (status s = checks::mask(op, {o.causal, o.sliding_window}); !s) return s;
  if (o.sink.data == nullptr) return {};
  return checks::all(checks::view(op, "sink", o.sink),
                     checks::extent(op, "sink", 0, o.sink.extent[0], num_heads));
}

}  // namespace checks::attention
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
