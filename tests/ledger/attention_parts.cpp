// Attention in parts, and the masks of scores.
#include <rocmforge/attention/parts.hpp>

#include "every_type.hpp"

namespace rocmforge::ledger {

void compile_attention_parts() {
  const tensor_view<T, 4> heads{};
  compile(attention_scores({}, heads, heads));
  compile(attention_softmax(heads, {}));
  compile(attention_weighted_sum(heads, {}, heads));
  compile(scale_scores(heads, {}, 1));
  compile(add_mask(heads, {}, {}));
  compile(mask_scores(heads, {}));
  compile(causal_mask(tensor_view<T, 2>{}, 0));
}

}  // namespace rocmforge::ledger
