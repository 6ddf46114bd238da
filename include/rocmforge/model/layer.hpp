// A transformer layer, composed of the library's public ops: one line for each box of the usual
// figure.
#pragma once

#include "rocmforge/activation.hpp"
#include "rocmforge/attention.hpp"
#include "rocmforge/kv_cache.hpp"
#include "rocmforge/model/config.hpp"
#include "rocmforge/model/paged_cache.hpp"
#include "rocmforge/model/weights.hpp"
#include "rocmforge/norm.hpp"
#include "rocmforge/rope.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Inputs of one step, in device memory.
struct step_inputs {
  tensor_view<const int, 1> positions;  // [num_tokens]
  tensor_view<const int, 1> slots;      // [num_tokens]  cache rows of the tokens' keys and values
  paged_batch batch;                    // the tokens and pages of each sequence
};

/// Activations of one step, in device memory.
struct layer_activations {
  tensor_view<float, 2> residual;  // [num_tokens, hidden_dim]  the residual stream
  tensor_view<float, 2>
      normed;                 // [num_tokens, hidden_dim]  the layer's input; then the next layer's
  tensor_view<float, 2> qkv;  // [num_tokens, q_dim + 2 kv_dim]
  tensor_view<float, 2> attended;   // [num_tokens, q_dim]
  tensor_view<float, 2> projected;  // [num_tokens, hidden_dim]
  tensor_view<float, 2> gate_up;    // [num_tokens, 2 ffn_dim]
  attention_split split = {};       // of the keys, where a sequence has few new tokens
};

/// The columns `first` to `first` + num_heads * head_dim of [num_tokens, columns] as [num_tokens,
/// num_heads, head_dim].
inline tensor_view<float, 3> heads_of(const tensor_view<float, 2>& x, int first, int num_heads,
                                      int head_dim) {
  return {x.data + first, {x.extent[0], num_heads, head_dim}, {x.stride[0], head_dim, 1}};
}

/// Per-layer attention settings: sliding-window layers have a window and their own RoPE parameters.
struct layer_attention {
  rope_options rotation;
  int sliding_window = 0;  // 0: all tokens
};

/// One layer: attention and feed-forward network, each added to the residual stream. Reads
/// `normed`, the output of the layer before, and replaces it by the stream normalized with
/// `next_norm` (the next layer's first norm, or the output's). Asynchronous on `stream`; allocates
/// nothing, copies nothing between host and device.
///
/// @tparam TCache  element type of the cache's pages
/// @throws error with the status of an op that fails
template <class TCache>
void transformer_layer(const layer_activations& a, const layer_weights& w,
                       tensor_view<const float, 1> next_norm, tensor_view<TCache, 4> k_pages,
                       tensor_view<TCache, 4> v_pages, const step_inputs& step,
                       const model_config& config, const layer_attention& attention,
                       stream_ref stream) {
  const int num_heads = config.num_heads, num_kv_heads = config.num_kv_heads,
            head_dim = config.head_dim;
  const auto q = heads_of(a.qkv, 0, num_heads, head_dim);
  const auto k = heads_of(a.qkv, config.q_dim(), num_kv_heads, head_dim);
  const auto v = heads_of(a.qkv, config.q_dim() + config.kv_dim(), num_kv_heads, head_dim);

  check(w.qkv.multiply(a.qkv, a.normed, stream));
  if (config.architecture.qk_norm) {
    check(qk_norm_rope(q, k, q, k, w.q_norm.view(head_dim), w.k_norm.view(head_dim), step.positions,
                       attention.rotation, {.epsilon = config.epsilon}, stream));
    check(kv_append(k_pages, v_pages, k, v, step.slots, stream));
  } else {
    check(rope_kv_append(q, k_pages, v_pages, q, k, v, step.positions, step.slots,
                         attention.rotation, stream));
  }
  check(paged_attention(heads_of(a.attended, 0, num_heads, head_dim), q, k_pages, v_pages,
                        step.batch,
                        {.softmax_scale = config.softmax_scale,
                         .logits_soft_cap = config.attention_soft_cap,
                         .sliding_window = attention.sliding_window,
                         .split = a.split},
                        {}, stream));
  check(w.attention_output.multiply(a.projected, a.attended, stream));
  const auto normalize = [&](const device_buffer<float>& weight) {
    check(
        rms_norm(a.projected, a.projected, weight.view(config.hidden_dim), config.epsilon, stream));
  };
  if (config.architecture.post_norms) normalize(w.post_attention_norm);
  check(add_rms_norm(a.normed, a.residual, a.projected, a.residual,
                     w.ffn_norm.view(config.hidden_dim), config.epsilon, stream));

  const auto gate = sub_view<1>(a.gate_up, 0, config.ffn_dim),
             up = sub_view<1>(a.gate_up, config.ffn_dim, 2 * config.ffn_dim);
  check(w.gate_up.multiply(a.gate_up, a.normed, stream));
  if (config.architecture.gelu) {
    check(geglu(gate, gate, up, gelu_form::tanh, stream));
  } else {
    check(swiglu(gate, gate, up, stream));
  }
  check(w.down.multiply(a.projected, gate, stream));
  if (config.architecture.post_norms) normalize(w.post_ffn_norm);
  check(add_rms_norm(a.normed, a.residual, a.projected, a.residual, next_norm, config.epsilon,
                     stream));
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
