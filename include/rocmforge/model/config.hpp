// The hyper-parameters of a model, read from the file's metadata and checked once.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rocmforge/error.hpp"
#include "rocmforge/gguf.hpp"
#include "rocmforge/model/tensor_names.hpp"

namespace rocmforge {

/// Differences between the architectures of the llama family.
struct architecture_traits {
  std::string_view name;          // general.architecture
  bool rope_half_split = true;    // pairs (i, i + rotary_dim / 2), not (2i, 2i + 1)
  bool qk_norm = false;           // queries and keys are normalized head by head
  bool gelu = false;              // GeGLU (tanh), not SwiGLU
  bool scales_embedding = false;  // by sqrt(hidden_dim)
  bool post_norms = false;        // outputs of attention and feed-forward are normalized
  bool joined_gate_up = false;    // both in ffn_up.weight
  int global_every = 0;           // every n-th layer has no sliding window; 0: all have one
  int default_window = 0;         // where the file has no attention.sliding_window
  float local_rope_theta = 0;     // of layers with a window, unscaled; 0: as the others
  float attention_soft_cap = 0;   // where the file has no attn_logit_softcapping; 0: none
  float logits_soft_cap = 0;      // where the file has no final_logit_softcapping; 0: none
};

inline constexpr architecture_traits architectures[] = {
    {.name = "llama", .rope_half_split = false},  // also Mistral's models
    {.name = "qwen2"},
    {.name = "qwen3", .qk_norm = true},
    {.name = "gemma", .gelu = true, .scales_embedding = true},
    {.name = "gemma2",
     .gelu = true,
     .scales_embedding = true,
     .post_norms = true,
     .global_every = 2,
     .default_window = 4096,
     .attention_soft_cap = 50,
     .logits_soft_cap = 30},
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
  float attention_soft_cap = 0;    // of the attention scores; 0: none
  float logits_soft_cap = 0;       // 0: none
  int sliding_window = 0;          // of the layers that have a sliding window; 0: none has
  int global_every = 0;            // every n-th layer has none; 0: all have one
  std::vector<bool> local_layers;  // which ones have one, where the file says it of each layer;
                                   // empty: see global_every
  float local_rope_theta = 0;      // of layers with a window, unscaled; 0: as the others

  /// Whether a layer attends only to the last sliding_window tokens.
  [[nodiscard]] bool is_local(int layer) const {
    if (sliding_window == 0) return false;
    if (!local_layers.empty()) return local_layers[static_cast<std::size_t>(layer)];
    return global_every == 0 || layer % global_every != global_every - 1;
  }
  [[nodiscard]] int q_dim() const { return num_heads * head_dim; }
  [[nodiscard]] int kv_dim() const { return num_kv_heads * head_dim; }
};

namespace model_config_reader {

/// A key of a model that changes its results and is not implemented, and the value with which it
/// changes nothing.
struct neutral_key {
  std::string_view name;  // without the architecture's
  double value;           // 0 and 1 are also false and true
};
inline constexpr neutral_key neutral_keys[] = {
    {"attention.causal", 1},
    {"attention.clamp_kqv", 0},
    {"attention.max_alibi_bias", 0},
    {"attention.output_scale", 1},
    {"attention.shared_kv_layers", 0},
    {"attention.temperature_scale", 0},
    {"attention.value_scale", 1},
    {"embedding_length_per_layer_input", 0},
    {"embedding_scale", 1},
    {"expert_chunk_feed_forward_length", 0},
    {"expert_count", 0},
    {"expert_feed_forward_length", 0},
    {"expert_group_count", 0},
    {"expert_group_used_count", 0},
    {"expert_shared_count", 0},
    {"expert_shared_feed_forward_length", 0},
    {"expert_used_count", 0},
    {"interleave_moe_layer_step", 0},
    {"logit_scale", 1},
    {"moe_every_n_layers", 0},
    {"nextn_predict_layers", 0},
    {"num_loops", 1},
    {"residual_scale", 1},
    {"rope.dimension_sections", 0},
    {"rope.scaling.alpha", 0},
    {"rope.scaling.yarn_attn_factor", 1},
    {"rope.scaling.yarn_ext_factor", 1},
    {"rope.scaling.yarn_log_multiplier", 0},
    {"swin_norm", 0},
    {"use_parallel_residual", 0},
};

/// Keys with one of these in their names are refused unless they are read, or listed here: what
/// they ask for would be left out without a word.
inline constexpr std::string_view words_that_matter[] = {
    "attention", "attn", "rope", "expert", "moe", "activation", "hidden_act"};

/// Keys that have such a word and change nothing in the architectures above.
inline constexpr std::string_view harmless_keys[] = {
    "attention.group_norm_epsilon",  // of norms that they do not have
    "attention.group_norm_groups",   //
    "attention.layer_norm_epsilon",  //
    "attention.temperature_length",  // see attention.temperature_scale
    "expert_gating_func",            // there are no experts
    "expert_weights_norm",           //
    "expert_weights_scale",          //
    "rope.scaling.finetuned",        // how the model was made
    "rope.scaling.yarn_beta_fast",   // read for YaRN
    "rope.scaling.yarn_beta_slow",   //
};

class reader {
 public:
  explicit reader(const gguf::index& file)
      : file_(file), architecture_(file.get<std::string_view>("general.architecture")) {}

  [[nodiscard]] model_config read() {
    model_config config;
    config.architecture = traits();
    if (integer("expert_count", 0, 1 << 20, 0) != 0)
      fail(key("expert_count") + " is not 0: mixtures of experts are not supported");

    config.num_layers = integer("block_count", 1, 512);
    num_layers_ = config.num_layers;
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
    for (const char* of_local_layers : {"attention.key_length_swa", "attention.value_length_swa"})
      refuse_another(of_local_layers, config.head_dim);
    config.context_length = integer("context_length", 1, 1 << 24);
    read_window(config);
    config.epsilon = number("attention.layer_norm_rms_epsilon", 0, 1, std::nullopt);
    if (config.epsilon == 0) fail(key("attention.layer_norm_rms_epsilon") + " is 0, expected more");
    read_rope(config);
    config.softmax_scale = number("attention.scale", 0, 1e6, 0.0f);
    if (config.softmax_scale == 0) config.softmax_scale = default_softmax_scale(config);
    config.attention_soft_cap =
        number("attn_logit_softcapping", 0, 1e6, config.architecture.attention_soft_cap);
    config.logits_soft_cap =
        number("final_logit_softcapping", 0, 1e6, config.architecture.logits_soft_cap);
    check_activation(config.architecture);
    config.vocab_size = read_vocab_size(config.hidden_dim);
    refuse_what_is_not_implemented();
    return config;
  }

 private:
  /// The rows of the embedding, whatever the key vocab_size says: some programs write another
  /// number there. A vocabulary may be shorter than the embedding, whose rows are often padded, but
  /// not longer: some tokens would have no row.
  [[nodiscard]] int read_vocab_size(int hidden_dim) const {
    const gguf::tensor_info& embedding =
        file_.tensor(tensor_names(file_).in_file("token_embd.weight"));
    if (embedding.rank < 2 || embedding.extent[0] != hidden_dim ||
        embedding.extent[1] > (1 << 24) || embedding.extent[2] != 1 || embedding.extent[3] != 1) {
      fail("token_embd.weight has shape " + gguf::shape_text(embedding) + ", expected " +
           std::to_string(hidden_dim) + " (" + key("embedding_length") + ") x vocabulary");
    }
    const std::int64_t num_rows = embedding.extent[1];
    for (const gguf::metadata_entry& entry : file_.metadata()) {
      if (entry.key == "tokenizer.ggml.tokens" &&
          entry.count > static_cast<std::uint64_t>(num_rows)) {
        fail("tokenizer.ggml.tokens has " + std::to_string(entry.count) +
             " tokens, but token_embd.weight has " + std::to_string(num_rows) + " rows");
      }
    }
    return static_cast<int>(num_rows);
  }

  /// The architecture decides about the activation; a file that names another one is refused.
  void check_activation(const architecture_traits& a) const {
    const auto name = text("hidden_activation");
    if (!name) return;
    const bool is_gelu = *name == "gelu" || *name == "gelu_new" || *name == "gelu_pytorch_tanh";
    const bool is_silu = *name == "silu" || *name == "swish";
    if (a.gelu ? is_gelu : is_silu) return;
    fail(key("hidden_activation") + " is '" + printable(*name) + "', expected '" +
         (a.gelu ? "gelu_pytorch_tanh" : "silu") + "' for the architecture '" +
         std::string(a.name) + "'");
  }

  /// Refuses keys that would change the results and that nothing here follows.
  void refuse_what_is_not_implemented() const {
    const std::string prefix = key("");
    for (const gguf::metadata_entry& entry : file_.metadata()) {
      if (!entry.key.starts_with(prefix) || read_.contains(entry.key)) continue;
      const std::string_view name = entry.key.substr(prefix.size());
      const auto neutral = std::ranges::find(neutral_keys, name, &neutral_key::name);
      if (neutral != std::ranges::end(neutral_keys)) {
        if (is(entry, neutral->value)) continue;
        const bool is_flag = entry.element_type == gguf::value_type::boolean;
        const int value = static_cast<int>(neutral->value);
        fail(printable(entry.key) + " is not supported, expected " +
             (is_flag ? (value != 0 ? "true" : "false") : std::to_string(value)) +
             ", with which it changes nothing");
      }
      const bool matters = std::ranges::any_of(
          words_that_matter, [&](std::string_view word) { return name.find(word) != name.npos; });
      if (matters && std::ranges::find(harmless_keys, name) == std::ranges::end(harmless_keys))
        fail("the key " + printable(entry.key) + " is not supported: it may change the results");
    }
  }

  /// Whether a number or truth value, or each element of an array, is `value`.
  [[nodiscard]] bool is(const gguf::metadata_entry& entry, double value) const {
    const auto all_are = [&]<class T>(T wanted) {
      if (entry.type != gguf::value_type::array) return file_.get<T>(entry.key) == wanted;
      const std::vector<T> values = file_.get_array<T>(entry.key);
      return std::all_of(values.begin(), values.end(), [&](T v) { return v == wanted; });
    };
    switch (entry.element_type) {
      case gguf::value_type::boolean:
        return all_are(value != 0);
      case gguf::value_type::f32:
      case gguf::value_type::f64:
        return all_are(value);
      case gguf::value_type::string:
        return false;
      default:
        return all_are(static_cast<std::int64_t>(value));
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
    const std::string pattern = "attention.sliding_window_pattern";
    read_.insert(key(pattern));
    const gguf::metadata_entry* const entry = find_entry(pattern);
    if (entry != nullptr && entry->type == gguf::value_type::array) {
      config.local_layers = flags_of_layers(pattern);
    } else {
      config.global_every = integer(pattern, 0, 512, a.global_every);
    }
    config.local_rope_theta = number("rope.freq_base_swa", 0, 1e12, a.local_rope_theta);
  }

  /// An array of truth values, or of numbers, that says of each layer whether it has a window.
  [[nodiscard]] std::vector<bool> flags_of_layers(const std::string& name) const {
    const gguf::metadata_entry& entry = *find_entry(name);
    check_count(name, entry.count);
    std::vector<bool> flags;
    if (entry.element_type == gguf::value_type::boolean) {
      flags = file_.get_array<bool>(key(name));
    } else {
      for (const auto number : file_.get_array<std::int64_t>(key(name)))
        flags.push_back(number != 0);
    }
    return flags;
  }

  void read_rope(model_config& config) const {
    config.rotary_dim = integer("rope.dimension_count", 2, config.head_dim, config.head_dim);
    if (config.rotary_dim % 2 != 0) fail(key("rope.dimension_count") + " is odd");
    refuse_another("rope.dimension_count_swa", config.rotary_dim);
    config.rope_theta = number("rope.freq_base", 0, 1e12, 10000.0f);
    if (config.rope_theta <= 0) fail(key("rope.freq_base") + " is 0, expected more");
    config.original_context =
        integer("rope.scaling.original_context_length", 1, 1 << 24, config.context_length);
    config.rope_attention_factor = number("rope.scaling.attn_factor", 1e-6, 1e6, 1.0f);
    const std::string_view scaling = text("rope.scaling.type").value_or("linear");
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

  [[nodiscard]] const gguf::metadata_entry* find_entry(std::string_view name) const {
    const std::string full = key(name);
    const auto found = std::ranges::find(file_.metadata(), full, &gguf::metadata_entry::key);
    return found == file_.metadata().end() ? nullptr : &*found;
  }

  /// The value of a key; or of an array with one value for each layer, which must then be equal.
  template <class T>
  [[nodiscard]] std::optional<T> find(std::string_view name) const {
    read_.insert(key(name));
    const gguf::metadata_entry* const entry = find_entry(name);
    if (num_layers_ == 0 || entry == nullptr || entry->type != gguf::value_type::array)
      return file_.find<T>(key(name));
    check_count(name, entry->count);
    const std::vector<T> values = file_.get_array<T>(key(name));
    for (const T value : values) {
      if (value != values.front()) {
        fail(key(name) + " is " + std::to_string(values.front()) + " and " + std::to_string(value) +
             ": layers of different shapes are not supported");
      }
    }
    return values.front();
  }
  void check_count(std::string_view name, std::uint64_t count) const {
    if (count == static_cast<std::uint64_t>(num_layers_)) return;
    fail(key(name) + " has " + std::to_string(count) + " values, expected " +
         std::to_string(num_layers_) + ", one for each layer");
  }

  [[nodiscard]] std::optional<std::string_view> text(std::string_view name) const {
    read_.insert(key(name));
    return file_.find<std::string_view>(key(name));
  }
  /// Refuses a key about the layers with a window that says another number than for the others.
  void refuse_another(std::string_view name, int expected) const {
    const int found = integer(name, 0, 1 << 24, expected);
    if (found == expected) return;
    fail(key(name) + " is " + std::to_string(found) + " where other layers have " +
         std::to_string(expected) + ": layers of different shapes are not supported");
  }
  [[nodiscard]] int integer(std::string_view name, std::int64_t low, std::int64_t high,
                            std::optional<std::int64_t> absent = std::nullopt) const {
    const auto found = find<std::int64_t>(name);
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
    const auto found = find<float>(name);
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
  int num_layers_ = 0;                               // 0: not read yet
  mutable std::set<std::string, std::less<>> read_;  // keys that were looked for
};

}  // namespace model_config_reader

/// Reads and checks the hyper-parameters. @throws error with the key, its value and what was
/// expected
inline model_config read_model_config(const gguf::index& file) {
  return model_config_reader::reader(file).read();
}

}  // namespace rocmforge
