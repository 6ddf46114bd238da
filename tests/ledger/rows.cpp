// The ops that work on the rows of one or two tensors.
#include <rocmforge/activation.hpp>
#include <rocmforge/embedding.hpp>
#include <rocmforge/kv_cache.hpp>
#include <rocmforge/norm.hpp>
#include <rocmforge/rope.hpp>
#include <rocmforge/sampling.hpp>
#include <rocmforge/softmax.hpp>

#include "every_type.hpp"

namespace rocmforge::ledger {

void compile_rows() {
  const tensor_view<T, 2> rows{};
  const tensor_view<T, 3> heads{};
  compile(add(rows, rows, rows));
  compile(add_layer_norm(rows, rows, rows, rows, {}));
  compile(add_logit_bias(rows, {}, {}));
  compile(add_rms_norm(rows, rows, rows, rows, {}));
  compile(apply_penalties(rows, {}, {}));
  compile(argmax({}, rows));
  compile(clamped_swiglu(rows, rows, rows));
  compile(filter_logits(rows, rows));
  compile(geglu(rows, rows, rows));
  compile(gelu(rows, rows));
  compile(l2_norm(rows, rows));
  compile(layer_norm(rows, rows, {}));
  compile(log_probabilities({}, rows, {}));
  compile(
      qk_norm_rope(heads, heads, heads, heads, {}, {}, {}, {.layout = rope_layout::interleaved}));
  compile(quick_gelu(rows, rows));
  compile(reglu(rows, rows, rows));
  compile(relu(rows, rows));
  compile(relu_squared(rows, rows));
  compile(rms_norm(rows, rows, {}));
  if constexpr (!std::is_same_v<T, float>) {  // the weights of files
    const tensor_view<const float, 1> weight{};
    compile(add_layer_norm(rows, rows, rows, rows, weight));
    compile(add_rms_norm(rows, rows, rows, rows, weight));
    compile(layer_norm(rows, rows, weight));
    compile(rms_norm(rows, rows, weight));
  }
  compile(rope(heads, heads, {}, {.layout = rope_layout::interleaved}));
  compile(sample({}, rows, {}));
  compile(silu(rows, rows));
  compile(softmax(rows, rows));
  compile(swiglu(rows, rows, rows));
  compile(top_k({}, {}, rows));
  compile(scale(rows, rows, 1));
  compile(soft_cap(rows, rows, 1));
  for_each_weight_type([&]<class Type>(Type) {
    compile(dequantize<Type>(rows, {}));
    compile(embedding<Type>(rows, {}, {}));
  });
  const auto encode = [&]<class Type>(Type) { compile(quantize<Type>({}, rows)); };
  if constexpr (std::is_same_v<T, float>) {
    for_each_encoded_format(encode);
  } else {
    encode(q4_0{});
    encode(q8_0{});
  }
  for_each_cache_type([&]<class TCache>(TCache) {
    const tensor_view<TCache, 4> pages{};
    compile(kv_append(pages, pages, heads, heads, {}));
    compile(rope_kv_append(heads, pages, pages, heads, heads, heads, {}, {},
                           {.layout = rope_layout::interleaved}));
  });
}

}  // namespace rocmforge::ledger
