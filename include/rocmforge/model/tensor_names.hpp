// The names of tensors in GGUF files: the current names, `blk.0.attn_q.weight`, and an older scheme
// that keeps the names of the training framework, `model.layers.0.self_attn.q_proj.weight`.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "rocmforge/gguf.hpp"

namespace rocmforge {

/// Translates current names to the names in a file.
class tensor_names {
 public:
  /// Uses the older scheme if the file has the first layer's query matrix under its older name.
  explicit tensor_names(const gguf::index& file) : file_(file) {
    for (const std::string_view prefix : {"transformer.", "model."}) {
      const std::string layer = std::string(prefix) + "layers.0.";
      if (prefix_.empty() && file.find_tensor(layer + "self_attn.q_proj.weight") != nullptr) {
        prefix_ = prefix;
        input_norm_ = file.find_tensor(layer + "input_layernorm.weight") != nullptr;
      }
    }
  }

  /// @param name  such as "blk.0.attn_q.weight"
  [[nodiscard]] std::string in_file(const std::string& name) const {
    if (prefix_.empty()) return name;
    if (name.starts_with("blk.")) {
      const std::size_t layer_end = name.find('.', 4);
      const std::string layer = name.substr(4, layer_end - 4), part = name.substr(layer_end + 1);
      const std::size_t dot = part.rfind('.');
      for (const auto& [today, older] : parts()) {
        if (part.substr(0, dot) == today)
          return prefix_ + "layers." + layer + "." + std::string(older) + part.substr(dot);
      }
      return name;
    }
    // Some of these files keep GGUF names outside the layers.
    for (const auto& [today, older] : globals) {
      const std::string renamed = (today == "output.weight" ? "" : prefix_) + std::string(older);
      if (name == today && file_.find_tensor(name) == nullptr) return renamed;
    }
    return name;
  }

  /// The tensor with this current name, or nullptr.
  [[nodiscard]] const gguf::tensor_info* find(const std::string& name) const {
    return file_.find_tensor(in_file(name));
  }

 private:
  using pair = std::pair<std::string_view, std::string_view>;

  /// If the file has an input_layernorm, that is attn_norm, and post_attention_layernorm is
  /// ffn_norm, as in the framework. If not, post_attention_layernorm is attn_norm, and
  /// post_ffn_layernorm is ffn_norm.
  [[nodiscard]] std::array<pair, 11> parts() const {
    return {{{"attn_q", "self_attn.q_proj"},
             {"attn_k", "self_attn.k_proj"},
             {"attn_v", "self_attn.v_proj"},
             {"attn_output", "self_attn.o_proj"},
             {"attn_q_norm", "self_attn.q_norm"},
             {"attn_k_norm", "self_attn.k_norm"},
             {"ffn_gate", "mlp.gate_proj"},
             {"ffn_up", "mlp.up_proj"},
             {"ffn_down", "mlp.down_proj"},
             {"attn_norm", input_norm_ ? "input_layernorm" : "post_attention_layernorm"},
             {"ffn_norm", input_norm_ ? "post_attention_layernorm" : "post_ffn_layernorm"}}};
  }
  static constexpr std::array<pair, 3> globals = {{{"token_embd.weight", "embed_tokens.weight"},
                                                   {"output_norm.weight", "norm.weight"},
                                                   {"output.weight", "lm_head.weight"}}};

  const gguf::index& file_;
  std::string prefix_;  // empty: the file has the current names
  bool input_norm_ = false;
};

}  // namespace rocmforge
