// Random models of two small layers: as a GGUF file, and as the double reference has them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <rocmforge/gguf.hpp>
#include <rocmforge/model/config.hpp>
#include <rocmforge/quant.hpp>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "reference/quant.hpp"
#include "reference/transformer.hpp"
#include "support/gguf_fixture.hpp"
#include "support/gguf_writer.hpp"

namespace rocmforge::testing {

/// What a tiny model is like. The heads together are wider than the stream of the layers, so that
/// one is not taken for the other.
struct tiny_model_options {
  std::string architecture = "llama";
  int num_layers = 2, hidden_dim = 64, ffn_dim = 96, vocab_size = 70;
  int num_heads = 3, num_kv_heads = 1, head_dim = 32;
  int context_length = 64;
  int rotary_dim = 32;
  double position_scale = 1, softmax_scale = 0;
  bool tied = true;           // no output.weight
  bool fused_qkv = false;     // one tensor for the three
  bool rope_factors = false;  // rope_freqs.weight
  int window = 0;             // attention.sliding_window
  double attention_soft_cap = 0, logits_soft_cap = 0;
  std::set<std::string> biased = {};  // "attn_q", ...: matrices of each layer that have a bias
  /// Type of the tensor with this name; norms, biases and factors are f32 unless it says otherwise.
  std::function<gguf::tensor_type(const std::string&)> type_of = [](const std::string&) {
    return gguf::tensor_type::f32;
  };
  /// Size of the elements of the matrix with this name, relative to what is usual.
  std::function<double(const std::string&)> size_of = [](const std::string&) { return 1.0; };
};

class tiny_model {
 public:
  explicit tiny_model(const tiny_model_options& options)
      : options_(options), traits_(traits_of(options.architecture)) {
    const auto& o = options_;
    matrix("token_embd", o.vocab_size, o.hidden_dim);
    const int q_dim = o.num_heads * o.head_dim, kv_dim = o.num_kv_heads * o.head_dim;
    for (int layer = 0; layer < o.num_layers; ++layer) {
      const std::string block = "blk." + std::to_string(layer) + ".";
      vector(block + "attn_norm.weight", o.hidden_dim, 0.5, 1.5);
      const std::size_t first = tensors_.size();
      matrix(block + "attn_q", q_dim, o.hidden_dim);
      matrix(block + "attn_k", kv_dim, o.hidden_dim);
      matrix(block + "attn_v", kv_dim, o.hidden_dim);
      if (o.fused_qkv) fuse(first, block + "attn_qkv.weight", q_dim + 2 * kv_dim);
      if (traits_.qk_norm) {
        vector(block + "attn_q_norm.weight", o.head_dim, 0.5, 1.5);
        vector(block + "attn_k_norm.weight", o.head_dim, 0.5, 1.5);
      }
      matrix(block + "attn_output", o.hidden_dim, q_dim);
      vector(block + "ffn_norm.weight", o.hidden_dim, 0.5, 1.5);
      const std::size_t gate = tensors_.size();
      matrix(block + "ffn_gate", o.ffn_dim, o.hidden_dim);
      matrix(block + "ffn_up", o.ffn_dim, o.hidden_dim);
      if (traits_.joined_gate_up) fuse(gate, block + "ffn_up.weight", 2 * o.ffn_dim);
      matrix(block + "ffn_down", o.hidden_dim, o.ffn_dim);
      if (traits_.post_norms) {
        vector(block + "post_attention_norm.weight", o.hidden_dim, 0.5, 1.5);
        vector(block + "post_ffw_norm.weight", o.hidden_dim, 0.5, 1.5);
      }
      for (const std::string& name : o.biased) {
        const int size = name == "attn_q"                         ? q_dim
                         : name == "attn_k" || name == "attn_v"   ? kv_dim
                         : name == "ffn_gate" || name == "ffn_up" ? o.ffn_dim
                                                                  : o.hidden_dim;
        vector(block + name + ".bias", size, -0.5, 0.5);
      }
    }
    vector("output_norm.weight", o.hidden_dim, 0.5, 1.5);
    if (!o.tied) matrix("output", o.vocab_size, o.hidden_dim);
    if (o.rope_factors) vector("rope_freqs.weight", o.rotary_dim / 2, 1, 8);
  }

  const tiny_model_options& options() const { return options_; }

  /// The file, without some keys and tensors.
  gguf_writer writer(const std::set<std::string>& without = {}) const {
    const auto& o = options_;
    gguf_writer result;
    const auto key = [&](const std::string& name, auto value) {
      if (!without.contains(name)) result.add(name, value);
    };
    const auto number = [&](const std::string& name, int value) {
      key(o.architecture + "." + name, static_cast<std::uint32_t>(value));
    };
    key("general.architecture", o.architecture);
    number("block_count", o.num_layers);
    number("context_length", o.context_length);
    number("embedding_length", o.hidden_dim);
    number("feed_forward_length", o.ffn_dim);
    number("attention.head_count", o.num_heads);
    number("attention.head_count_kv", o.num_kv_heads);
    number("attention.key_length", o.head_dim);
    number("rope.dimension_count", o.rotary_dim);
    key(o.architecture + ".attention.layer_norm_rms_epsilon", 1e-5f);
    key(o.architecture + ".rope.freq_base", 5000.0f);
    if (o.window != 0) number("attention.sliding_window", o.window);
    if (o.attention_soft_cap != 0)
      key(o.architecture + ".attn_logit_softcapping", float(o.attention_soft_cap));
    if (o.logits_soft_cap != 0)
      key(o.architecture + ".final_logit_softcapping", float(o.logits_soft_cap));
    if (o.softmax_scale != 0) key(o.architecture + ".attention.scale", float(o.softmax_scale));
    if (o.position_scale != 1) {
      key(o.architecture + ".rope.scaling.factor", float(1 / o.position_scale));
    }
    for (const tensor& t : tensors_) {
      if (!without.contains(t.name)) result.add_tensor(t.name, t.type, t.extent, t.bytes);
    }
    return result;
  }

  /// What the model's logits are, [num_tokens, vocab_size].
  std::vector<double> logits(const std::vector<int>& tokens) const {
    const auto& o = options_;
    return reference::transformer({o.num_layers,
                                   o.hidden_dim,
                                   o.ffn_dim,
                                   o.num_heads,
                                   o.num_kv_heads,
                                   o.head_dim,
                                   o.vocab_size,
                                   1e-5,
                                   o.rotary_dim,
                                   5000,
                                   o.position_scale,
                                   o.architecture != "llama",
                                   o.softmax_scale,
                                   traits_.gelu,
                                   traits_.scales_embedding ? std::sqrt(double(o.hidden_dim)) : 1.0,
                                   o.attention_soft_cap,
                                   o.logits_soft_cap,
                                   o.window,
                                   traits_.global_every,
                                   traits_.local_rope_theta},
                                  weights_, tokens);
  }

 private:
  struct tensor {
    std::string name;
    gguf::tensor_type type;
    std::vector<std::int64_t> extent;
    byte_vector bytes;
  };

  /// A matrix whose products with numbers of size 1 are of size 1; rows of the embedding are of
  /// size 1 themselves.
  void matrix(const std::string& name, int out_dim, int in_dim) {
    const double size =
        options_.size_of(name) * (name == "token_embd" ? 1 : 1 / std::sqrt(double(in_dim)));
    add(name + ".weight", {in_dim, out_dim}, [&]<class Type>(Type) {
      return random<Type>(std::size_t(out_dim) * std::size_t(in_dim), size);
    });
  }

  void vector(const std::string& name, int size, double low, double high) {
    add(name, {size}, [&]<class Type>(Type) {
      if constexpr (reference::is_quantized<Type>) {
        return std::vector<Type>();  // the writer refuses it
      } else {
        std::vector<Type> values;
        for (int i = 0; i < size; ++i) {
          values.push_back(Type(float(std::uniform_real_distribution(low, high)(engine_))));
        }
        return values;
      }
    });
  }

  /// @param make  from a weight's type to its elements or blocks
  template <class Make>
  void add(const std::string& name, const std::vector<std::int64_t>& extent, const Make& make) {
    const gguf::tensor_type type = options_.type_of(name);
    const auto store = [&](const auto& values) {
      const auto bytes = std::as_bytes(std::span(values));
      tensors_.push_back({name, type, extent, {bytes.begin(), bytes.end()}});
      weights_[name] = reference::decode(values);
    };
    bool known = false;
    const auto store_as = [&]<class Type>(gguf::tensor_type id, Type zero) {
      if (type != id) return;
      known = true;
      store(make(zero));
    };
    store_as(gguf::tensor_type::f32, float{});
    store_as(gguf::tensor_type::f16, half{});
    store_as(gguf::tensor_type::bf16, bfloat16{});
    for_each_block_format([&]<class Type>(Type zero) {
      if constexpr (!std::is_same_v<Type, q8_1> && !std::is_same_v<Type, q8_k>)
        store_as(gguf::tensor_type{reference::format<Type>::id}, zero);
    });
    if (!known) throw std::invalid_argument("tiny_model: no such type");
  }

  /// Numbers with the standard deviation `size`.
  template <class Type>
  std::vector<Type> random(std::size_t count, double size) {
    std::uniform_real_distribution<double> uniform(-1.7, 1.7);
    if constexpr (!reference::is_quantized<Type>) {
      std::vector<Type> values(count);
      for (Type& value : values) value = Type(float(size * uniform(engine_)));
      return values;
    } else {
      return reference::blocks_of_size<Type>(count, size, static_cast<unsigned>(engine_()));
    }
  }

  /// Replaces the tensors from `first` on by one.
  void fuse(std::size_t first, const std::string& name, int out_dim) {
    tensor fused{name, tensors_[first].type, {options_.hidden_dim, out_dim}, {}};
    for (std::size_t i = first; i < tensors_.size(); ++i) append(fused.bytes, tensors_[i].bytes);
    tensors_.resize(first);
    tensors_.push_back(fused);
  }

  /// Those of the architecture; an unknown one is like llama.
  static architecture_traits traits_of(const std::string& name) {
    for (const architecture_traits& a : architectures) {
      if (a.name == name) return a;
    }
    return architectures[0];
  }

  tiny_model_options options_;
  architecture_traits traits_;
  std::mt19937 engine_{7};
  std::vector<tensor> tensors_;
  reference::transformer_weights weights_;
};

/// Opens what a writer writes. The file is deleted at once; its contents stay mapped.
inline gguf::file open(const gguf_writer& writer) {
  const temporary_path path("tiny_model.gguf");
  writer.write(path.string());
  return gguf::file(path.string());
}

}  // namespace rocmforge::testing
