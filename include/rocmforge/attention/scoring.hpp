// From the product of a query and a key to the exponent of its weight, as a power of two: scale,
// soft cap, mask and sink, the same in all attention kernels.
#pragma once

#include <cmath>

#include "rocmforge/attention/mask.hpp"
#include "rocmforge/attention/options.hpp"
#include "rocmforge/block/tanh.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Final: kernels take it by value, so that the functions of a derived struct would be cut off.
struct attention_scoring final {
  float query_scale;  // factor of the queries: softmax_scale * log2(e) (/ soft_cap)
  float soft_cap;     // logits_soft_cap * log2(e); 0: none
  attention_mask mask;
  tensor_view<const float, 1> sink;  // [num_heads] or empty

  /// Exponents from products of scaled queries with keys.
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> exponent(const packet<float, N>& product) const {
    return soft_cap != 0 ? tanh_of(product) * soft_cap : product;
  }
  /// Initial maximum of the online softmax of a head: its sink, or -infinity.
  ROCMFORGE_DEVICE float first_maximum(int head) const {
    return sink.data != nullptr ? sink(head) * device::log2_e : -__builtin_huge_valf();
  }
  ROCMFORGE_DEVICE float first_sum() const { return sink.data != nullptr ? 1.0f : 0.0f; }
};

/// @param head_dim  of queries and keys, for the default scale
inline attention_scoring scoring_of(const attention_options& options, int head_dim) {
  const float scale = options.softmax_scale != 0 ? options.softmax_scale
                                                 : 1.0f / std::sqrt(static_cast<float>(head_dim));
  const float cap = options.logits_soft_cap;
  return {cap != 0 ? scale / cap : scale * device::log2_e,
          cap * device::log2_e,
          {options.causal, options.sliding_window},
          options.sink};
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
