// The hyper-parameters of a model, read from the file's metadata and checked once.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "rocmforge/error.hpp"
#include "rocmforge/gguf.hpp"
#include "rocmforge/model/tensor_names.hpp"

namespace rocmforge {

/// Differences between the architectures of the llama family.
struct architecture_traits {
  std::string_view name;        // general.architecture
  bool rope_half_split = true;  // pairs (i, i + rotary_dim / 2), not (2i, 2i + 1)
  bool requires_qkv_bias = false;
  bool qk_norm = false;           // queries and keys are normalized head by head
  bool gelu = false;              // GeGLU (tanh), not SwiGLU
  bool scales_embedding = false;  // by sqrt(hidden_dim)
  bool post_norms = false;        // outputs of attention and feed-forward are normalized
  bool joined_gate_up = false;    // both in ffn_up.weight
  int global_every = 0;           // every n-th layer has no sliding window; 0: all have one
  int default_window = 0;         // where the file has no attention.sliding_window
  float local_rope_theta = 0;     // of layers with a window, unscaled; 0: as the others
};

inline constexpr architecture_traits architectures[] = {
    {.name = "llama", .rope_half_split = false},  // also Mistral's models
    {.name = "qwen2", .requires_qkv_bias = true},
    {.name = "qwen3", .qk_norm = true},
    {.name = "gemma", .gelu = true, .scales_embedding = true},
    {.name = "gemma2",
     .gelu = true,
     .scales_embedding = true,
     .post_norms = true,
     .global_every = 2,
     .default_window = 4096},
    {.name = "gemma3",
     .qk_norm = true,
     .gelu = true,
     .scales_embedding = true,
     .post_norms = true,
     .global_every = 6,
     .local_rope_theta = 10000},
    {.name = "phi3", .joined_gate_up = true},
};

/// Hyper-parameters of a decoder of the llama family. Every extent is checked against the others
/// and against sane limits.
struct model_config {
  architecture_traits architecture = architectures[0];
  int num_layers = 0;
  int hidden_dim = 0;
  int ffn_dim = 0;
  int num_heads = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
  int vocab_size = 0;      // rows of the embedding matrix
  int context_length = 0;  // longest sequence that the model was trained for, in tokens
  float epsilon = 0;       // of RMSNorm
  float rope_theta = 10000;
  float position_scale = 1;         // linear rope scaling: 1 / factor
  float rope_attention_factor = 1;  // factor of the cosines and sines
  float yarn_factor = 0;            // YaRN's scaling factor; 0: not YaRN
  float yarn_beta_fast = 32, yarn_beta_slow = 1;
  int original_context = 0;  // context length before it was extended, in tokens
  int rotary_dim = 0;
  float softmax_scale = 0;
  float attention_soft_cap = 0;  // of the attention scores; 0: none
  float logits_soft_cap = 0;     // 0: none
  int sliding_window = 0;        // of the layers that have a sliding window; 0: none has
  int global_every = 0;          // every n-th layer has none; 0: all have one
  float local_rope_theta = 0;    // of layers with a window, unscaled; 0: as the others

  /// Whether a layer attends only to the last sliding_window tokens.
  [[nodiscard]] bool is_local(int layer) const {
    return sliding_window != 0 && (global_every == 0 || layer % global_every != global_every - 1);
  }
  [[nodiscard]] int q_dim() const { return num_heads * head_dim; }
  [[nodiscard]] int kv_dim() const { return num_kv_heads * head_dim; }
};

namespace model_config_reader {

class reader {
 public:
  explicit reader(const gguf::index& file)
      : file_(file), architecture_(file.get<std::string_view>("general.architecture")) {}

  [[nodiscard]] model_config read() const {
    model_config config;
    config.architecture = traits();
    if (integer("expert_count", 0, 1 << 20, 0) != 0)
      fail(key("expert_count") + " is not 0: mixtures of experts are not supported");

    config.num_layers = integer("block_count", 1, 512);
    config.hidden_dim = integer("embedding_length", 1, 1 << 20);
    config.ffn_dim = integer("feed_forward_length", 1, 1 << 22);
    config.num_heads = integer("attention.head_count", 1, 1024);
    config.num_kv_heads = integer("attention.head_count_kv", 1, config.num_heads, config.num_heads);
    if (config.num_heads % config.num_kv_heads != 0) {
      fail(key("attention.head_count") + " is " + std::to_string(config.num_heads) +
           ", expected a multiple of head_count_kv, " + std::to_string(config.num_kv_heads));
    }
    config.head_dim = integer("attention.key_length", 2, 256, config.hidden_dim / config.num_heads);
    if (config.head_dim < 2 || config.head_dim > 256 || config.head_dim % 2 != 0) {
      fail("head_dim is " + std::to_string(config.head_dim) +
           ", expected an even number from 2 to 256");
    }
    if (integer("attention.value_length", 1, 1024, config.head_dim) != config.head_dim) {
      fail(key("attention.value_length") + " differs from the keys' length, " +
           std::to_string(config.head_dim) + "; they must be equal");
    }
    config.context_length = integer("context_length", 1, 1 << 24);
    read_window(config);
    config.epsilon = number("attention.layer_norm_rms_epsilon", 0, 1, std::nullopt);
    if (config.epsilon == 0) fail(key("attention.layer_norm_rms_epsilon") + " is 0, expected more");
    read_rope(config);
    config.softmax_scale = number("attention.scale", 0, 1e6, 0.0f);
    if (config.softmax_scale == 0) config.softmax_scale = default_softmax_scale(config);
    config.attention_soft_cap = number("attn_logit_softcapping", 0, 1e6, 0.0f);
    config.logits_soft_cap = number("final_logit_softcapping", 0, 1e6, 0.0f);

    const gguf::tensor_info& embedding =
        file_.tensor(tensor_names(file_).in_file("token_embd.weight"));
    if (embedding.rank != 2 || embedding.extent[0] != config.hidden_dim ||
        embedding.extent[1] < 1 || embedding.extent[1] > (1 << 24)) {
      fail("token_embd.weight has shape " + std::to_string(embedding.extent[0]) + " x " +
           std::to_string(embedding.extent[1]) + ", expected " + std::to_string(config.hidden_dim) +
           " (" + key("embedding_length") + ") x vocabulary");
    }
    config.vocab_size = static_cast<int>(embedding.extent[1]);
    check_vocabulary(config.vocab_size);
    return config;
  }

 private:
  /// A vocabulary may be shorter than the embedding, whose rows are often padded, but not longer:
  /// some tokens would have no row.
  void check_vocabulary(int num_rows) const {
    const std::string rows = ", but token_embd.weight has " + std::to_string(num_rows) + " rows";
    if (integer("vocab_size", 1, 1 << 24, num_rows) != num_rows)
      fail(key("vocab_size") + " is another number" + rows);
    for (const gguf::metadata_entry& entry : file_.metadata()) {
      if (entry.key == "tokenizer.ggml.tokens" &&
          entry.count > static_cast<std::uint64_t>(num_rows)) {
        fail("tokenizer.ggml.tokens has " + std::to_string(entry.count) + " tokens" + rows);
      }
    }
  }

  [[nodiscard]] const architecture_traits& traits() const {
    std::string known;
    for (const architecture_traits& a : architectures) {
      if (a.name == architecture_) return a;
      known += (known.empty() ? "" : ", ") + std::string(a.name);
    }
    fail("general.architecture is '" + printable(architecture_) + "', expected one of " + known);
  }

  /// The scale of the attention scores is not in the file. The largest Gemma 2 and 3 (27B),
  /// recognized by their numbers of layers, divide by the square root of hidden_dim / num_heads
  /// instead of head_dim.
  [[nodiscard]] static float default_softmax_scale(const model_config& config) {
    const bool largest = (config.architecture.name == "gemma2" && config.num_layers == 46) ||
                         (config.architecture.name == "gemma3" && config.num_layers == 62);
    const int divisor = largest ? config.hidden_dim / config.num_heads : config.head_dim;
    return 1.0f / std::sqrt(static_cast<float>(divisor));
  }

  void read_window(model_config& config) const {
    const architecture_traits& a = config.architecture;
    config.sliding_window =
        integer("attention.sliding_window", 0, std::numeric_limits<int>::max(), a.default_window);
    config.global_every = integer("attention.sliding_window_pattern", 0, 512, a.global_every);
    if (a.global_every == 0) config.global_every = 0;
    if (a.global_every != 0 && config.global_every == 0) config.sliding_window = 0;
    config.local_rope_theta = number("rope.freq_base_swa", 0, 1e12, a.local_rope_theta);
  }

  void read_rope(model_config& config) const {
    config.rotary_dim = integer("rope.dimension_count", 2, config.head_dim, config.head_dim);
    if (config.rotary_dim % 2 != 0) fail(key("rope.dimension_count") + " is odd");
    config.rope_theta = number("rope.freq_base", 0, 1e12, 10000.0f);
    if (config.rope_theta <= 0) fail(key("rope.freq_base") + " is 0, expected more");
    config.original_context =
        integer("rope.scaling.original_context_length", 1, 1 << 24, config.context_length);
    config.rope_attention_factor = number("rope.scaling.attn_factor", 1e-6, 1e6, 1.0f);
    const auto scaling = file_.find<std::string_view>(key("rope.scaling.type")).value_or("linear");
    const float factor =
        number("rope.scaling.factor", 0, 1e6, number("rope.scale_linear", 0, 1e6, 0.0f));
    if (scaling == "linear") {
      if (factor != 0) config.position_scale = 1 / factor;
      if (!std::isfinite(config.position_scale)) fail(key("rope.scaling.factor") + " is too small");
    } else if (scaling == "yarn") {
      if (factor < 1) fail(key("rope.scaling.factor") + " is below 1, which YaRN cannot be");
      config.yarn_factor = factor;
      config.yarn_beta_fast = number("rope.scaling.yarn_beta_fast", 1e-3, 1e6, 32.0f);
      config.yarn_beta_slow = number("rope.scaling.yarn_beta_slow", 1e-3, 1e6, 1.0f);
    } else if (scaling != "none" && scaling != "longrope") {
      // LongRoPE's divisors are tensors, which weights.hpp reads.
      fail(key("rope.scaling.type") + " is '" + printable(scaling) +
           "', expected 'none', 'linear', 'yarn' or 'longrope'");
    }
  }

  [[nodiscard]] std::string key(std::string_view name) const {
    return architecture_ + "." + std::string(name);
  }

  [[nodiscard]] int integer(std::string_view name, std::int64_t low, std::int64_t high,
                            std::optional<std::int64_t> absent = std::nullopt) const {
    const auto found = file_.find<std::int64_t>(key(name));
    if (!found && !absent) fail("has no " + key(name) + ", which the architecture needs");
    const std::int64_t value = found ? *found : *absent;
    if (found && (value < low || value > high)) {
      fail(key(name) + " is " + std::to_string(value) + ", expected " + std::to_string(low) +
           " to " + std::to_string(high));
    }
    return static_cast<int>(value);
  }
  [[nodiscard]] float number(std::string_view name, double low, double high,
                             std::optional<float> absent) const {
    const auto found = file_.find<float>(key(name));
    if (!found && !absent) fail("has no " + key(name) + ", which the architecture needs");
    const float value = found ? *found : *absent;
    if (!(value >= low && value <= high)) {
      fail(key(name) + " is " + std::to_string(value) + ", expected " + std::to_string(low) +
           " to " + std::to_string(high));
    }
    return value;
  }
  [[noreturn]] void fail(const std::string& message) const {
    throw error(file_.path(), error::no_offset, message);
  }

  const gguf::index& file_;
  std::string architecture_;
};

}  // namespace model_config_reader

/// Reads and checks the hyper-parameters. @throws error with the key, its value and what was
/// expected
inline model_config read_model_config(const gguf::index& file) {
  return model_config_reader::reader(file).read();
}

}  // namespace rocmforge
