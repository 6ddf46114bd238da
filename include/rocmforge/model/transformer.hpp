// A model: weights, and the plan and buffers of a step over one or several sequences.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rocmforge/memory.hpp"
#include "rocmforge/model/config.hpp"
#include "rocmforge/model/layer.hpp"
#include "rocmforge/model/paged_cache.hpp"
#include "rocmforge/model/step_graphs.hpp"
#include "rocmforge/model/weights.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Limits of a step, for which buffers are allocated.
struct transformer_options {
  int max_tokens = 512;   // tokens per step, all sequences together
  int max_sequences = 1;  // sequences per step
  int max_logits = 1;     // rows of logits per step
  int max_length = 0;     // tokens per sequence; 0: the model's context_length
};

/// New tokens of one sequence in a step.
struct sequence_step {
  cached_sequence* sequence;
  std::span<const int> tokens;  // at least one
  bool all_logits = false;      // of every token, not only of the last
};

/// The weights in device memory, and all buffers of a step, allocated once.
class transformer {
 public:
  /// @throws error if the model is not supported, or does not fit in device memory
  explicit transformer(const gguf::file& file, const transformer_options& options = {},
                       stream_ref stream = {}, std::function<void(double)> on_progress = {})
      : config_(read_model_config(file)),
        options_(checked(options, config_)),
        weights_(weight_loader(file, config_, stream, std::move(on_progress)).load()),
        all_tokens_{.rotation = rotation()},
        last_tokens_{.rotation = local_rotation(), .sliding_window = config_.sliding_window} {
    const auto tokens = static_cast<std::size_t>(options_.max_tokens);
    const auto columns = [](int count) { return static_cast<std::size_t>(count); };
    residual_ = device_buffer<float>(tokens * columns(config_.hidden_dim));
    normed_ = device_buffer<float>(tokens * columns(config_.hidden_dim));
    qkv_ = device_buffer<float>(tokens * columns(config_.q_dim() + 2 * config_.kv_dim()));
    attended_ = device_buffer<float>(tokens * columns(config_.q_dim()));
    projected_ = device_buffer<float>(tokens * columns(config_.hidden_dim));
    gate_up_ = device_buffer<float>(tokens * columns(2 * config_.ffn_dim));
    last_ = device_buffer<float>(columns(options_.max_logits) * columns(config_.hidden_dim));
    logits_ = device_buffer<float>(columns(options_.max_logits) * columns(config_.vocab_size));
    const int few_tokens = std::min(options_.max_tokens, max_decode_queries);
    plan_ = plan_attention(devices()[static_cast<std::size_t>(stream.device())],
                           {.num_heads = config_.num_heads,
                            .num_kv_heads = config_.num_kv_heads,
                            .head_dim = config_.head_dim,
                            .max_kv_len = options_.max_length,
                            .max_batch = options_.max_sequences,
                            .max_q_len = few_tokens});
    attention_workspace_ = device_buffer<std::byte>(attention_workspace_bytes(
        plan_, options_.max_sequences, config_.num_heads, few_tokens, config_.head_dim));
  }

  [[nodiscard]] const model_config& config() const { return config_; }
  [[nodiscard]] const transformer_options& options() const { return options_; }
  [[nodiscard]] const model_weights& weights() const { return weights_; }
  /// How the keys of a sequence are split over blocks where it has few new tokens.
  [[nodiscard]] const attention_plan& split_plan() const { return plan_; }
  /// Steps of one token for each sequence that are recorded; on a GPU.
  [[nodiscard]] std::size_t num_graphs() const { return graphs_.size(); }
  /// Attention settings of a layer.
  [[nodiscard]] const layer_attention& attention_of(int layer) const {
    return config_.is_local(layer) ? last_tokens_ : all_tokens_;
  }

  /// Options of a cache that holds `max_length` tokens for each of `num_sequences` sequences.
  /// @throws error if there is no such cache
  [[nodiscard]] paged_cache_options cache_options(dtype type = dtype::f32, int num_sequences = 1,
                                                  int page_size = 32) const {
    if (num_sequences < 1 || page_size < 1 ||
        options_.max_length > std::numeric_limits<int>::max() - page_size ||
        (options_.max_length + page_size - 1) / page_size >
            std::numeric_limits<int>::max() / num_sequences) {
      throw error("transformer: " + std::to_string(num_sequences) + " sequences in pages of " +
                  std::to_string(page_size) +
                  " tokens, expected 1 or more and at most 2^31 - 1 pages");
    }
    return {.num_layers = config_.num_layers,
            .num_kv_heads = config_.num_kv_heads,
            .head_dim = config_.head_dim,
            .page_size = page_size,
            .num_pages = (options_.max_length + page_size - 1) / page_size * num_sequences,
            .type = type};
  }

  /// Appends tokens to sequences of `cache`, side by side, and computes logits of the last token of
  /// each (or of all). A token attends to its own sequence only.
  ///
  /// @return [num_rows, vocab_size] in device memory, row by row in the order of `steps`; valid
  /// until the next step
  /// @throws error if a token is out of range, the step exceeds the options, a sequence is of
  ///         another cache or given twice, the cache is of another model, or a context or the cache
  ///         is full; the sequences are then unchanged
  tensor_view<float, 2> step(paged_cache& cache, std::span<const sequence_step> steps,
                             stream_ref stream = {}) {
    int num_tokens = 0, num_rows = 0;
    check_step(cache, steps, num_tokens, num_rows);
    std::size_t grown = 0;
    try {
      for (; grown < steps.size(); ++grown)
        steps[grown].sequence->grow(static_cast<int>(steps[grown].tokens.size()));
      const inputs in = upload_inputs(steps, num_tokens, num_rows, stream);
      dispatch_dtype(cache.options().type, [&]<class TCache>(TCache) {
        const auto launch = [&](stream_ref to) {
          run<TCache>(cache, in, num_tokens, num_rows, to);
        };
        // A step of one token each is the one that is repeated.
        const bool repeated = in.step.batch.max_q_len == 1;
        if (repeated && devices()[static_cast<std::size_t>(stream.device())].wave_size > 1) {
          graphs_.run(shape_of(cache, cache.keys<TCache>(0).data, in), stream, launch);
        } else {
          launch(stream);
        }
      });
    } catch (...) {
      for (std::size_t i = 0; i < grown; ++i) {
        cached_sequence& sequence = *steps[i].sequence;
        sequence.truncate(sequence.length() - static_cast<int>(steps[i].tokens.size()));
      }
      throw;
    }
    return logits_.view(num_rows, config_.vocab_size);
  }

 private:
  struct inputs {
    tensor_view<const int, 1> tokens, rows;
    step_inputs step;
  };

  static step_shape shape_of(const paged_cache& cache, const void* cache_pages, const inputs& in) {
    return {.inputs = in.tokens.data,
            .cache_pages = cache_pages,
            .cache_type = cache.options().type,
            .num_pages = cache.options().num_pages,
            .page_size = cache.options().page_size,
            .num_sequences = in.step.batch.kv_len.extent[0],
            .table_columns = in.step.batch.page_table.extent[1]};
  }

  static transformer_options checked(transformer_options options, const model_config& config) {
    if (options.max_length == 0) options.max_length = config.context_length;
    if (options.max_tokens < 1 || options.max_sequences < 1 || options.max_logits < 1 ||
        options.max_length < 1) {
      throw error("transformer: every option must be 1 or more");
    }
    return options;
  }

  void check_step(const paged_cache& cache, std::span<const sequence_step> steps, int& num_tokens,
                  int& num_rows) const {
    const paged_cache_options& o = cache.options();
    if (o.num_layers != config_.num_layers || o.num_kv_heads != config_.num_kv_heads ||
        o.head_dim != config_.head_dim) {
      throw error("transformer: a cache for " + std::to_string(o.num_layers) + " layers, " +
                  std::to_string(o.num_kv_heads) + " heads of " + std::to_string(o.head_dim) +
                  " elements, expected " + std::to_string(config_.num_layers) + ", " +
                  std::to_string(config_.num_kv_heads) + " of " + std::to_string(config_.head_dim));
    }
    if (steps.empty() || steps.size() > static_cast<std::size_t>(options_.max_sequences)) {
      throw error("transformer: a step of " + std::to_string(steps.size()) +
                  " sequences, expected 1 to " + std::to_string(options_.max_sequences));
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const sequence_step& s = steps[i];
      if (s.sequence == nullptr || &s.sequence->cache() != &cache)
        throw error("transformer: a sequence of another cache, or none");
      for (const sequence_step& other : steps.first(i)) {
        if (other.sequence == s.sequence)
          throw error("transformer: a sequence twice in a step, expected each once");
      }
      if (s.tokens.empty())
        throw error("transformer: a sequence without new tokens, expected at least one");
      if (s.tokens.size() > static_cast<std::size_t>(options_.max_tokens - num_tokens)) {
        throw error("transformer: a step of more than " + std::to_string(options_.max_tokens) +
                    " tokens; feed them in parts");
      }
      for (const int token : s.tokens) {
        if (token < 0 || token >= config_.vocab_size) {
          throw error("transformer: token " + std::to_string(token) +
                      " is not in the vocabulary, expected 0 to " +
                      std::to_string(config_.vocab_size - 1));
        }
      }
      num_tokens += static_cast<int>(s.tokens.size());
      num_rows += s.all_logits ? static_cast<int>(s.tokens.size()) : 1;
    }
    if (num_rows > options_.max_logits) {
      throw error("transformer: a step with " + std::to_string(num_rows) +
                  " rows of logits, expected at most " + std::to_string(options_.max_logits));
    }
  }

  /// Uploads the inputs of a step in one copy.
  inputs upload_inputs(std::span<const sequence_step> steps, int num_tokens, int num_rows,
                       stream_ref stream) {
    const int batch = static_cast<int>(steps.size());
    std::size_t max_pages = 1;
    for (const sequence_step& s : steps)
      max_pages = std::max(max_pages, s.sequence->pages().size());
    max_pages = std::bit_ceil(max_pages);  // so that growing sequences have few shapes
    std::vector<int> tokens, positions, slots, rows, q_begin{0}, kv_len, pages;
    int max_q_len = 0;
    for (const sequence_step& s : steps) {
      const int count = static_cast<int>(s.tokens.size()), first = s.sequence->length() - count;
      for (int i = 0; i < count; ++i) {
        if (s.all_logits || i + 1 == count) rows.push_back(static_cast<int>(tokens.size()));
        tokens.push_back(s.tokens[static_cast<std::size_t>(i)]);
        positions.push_back(first + i);
        slots.push_back(s.sequence->slot(first + i));
      }
      q_begin.push_back(static_cast<int>(tokens.size()));
      kv_len.push_back(s.sequence->length());
      pages.insert(pages.end(), s.sequence->pages().begin(), s.sequence->pages().end());
      pages.resize(kv_len.size() * max_pages, 0);
      max_q_len = std::max(max_q_len, count);
    }
    std::vector<int> all;
    for (const auto* list : {&tokens, &positions, &slots, &rows, &q_begin, &kv_len, &pages})
      all.insert(all.end(), list->begin(), list->end());
    uploaded_.synchronize();  // the copy before this one may still read the staging buffer
    if (integers_.size() < all.size()) {
      staging_ = pinned_buffer<int>(2 * all.size());
      integers_ = device_buffer<int>(2 * all.size());
    }
    std::copy(all.begin(), all.end(), staging_.data());
    integers_.copy_from_host(std::span<const int>(staging_.data(), all.size()), stream);
    uploaded_.record(stream);

    const int* at = integers_.data();
    const auto next = [&](int count) {
      return tensor_view<const int, 1>(make_view(std::exchange(at, at + count), count));
    };
    inputs in;
    in.tokens = next(num_tokens);
    in.step.positions = next(num_tokens);
    in.step.slots = next(num_tokens);
    in.rows = next(num_rows);
    in.step.batch.q_begin = next(batch + 1);
    in.step.batch.kv_len = next(batch);
    in.step.batch.page_table = make_view(at, batch, static_cast<int>(max_pages));
    in.step.batch.max_q_len = max_q_len;
    return in;
  }

  /// RoPE parameters. LongRoPE has its own divisors, and a factor, for sequences that may grow
  /// beyond the original context.
  [[nodiscard]] rope_options rotation() const {
    const bool extended = options_.max_length > config_.original_context;
    const device_buffer<float>& factors = extended && weights_.long_rope_factors.size() != 0
                                              ? weights_.long_rope_factors
                                              : weights_.rope_factors;
    float attention_factor = config_.rope_attention_factor;
    if (config_.yarn_factor != 0)
      attention_factor *= static_cast<float>(yarn_attention_factor(config_.yarn_factor));
    return {.layout = config_.architecture.rope_half_split ? rope_layout::half_split
                                                           : rope_layout::interleaved,
            .theta = config_.rope_theta,
            .rotary_dim = config_.rotary_dim,
            .position_scale = config_.position_scale,
            .frequency_factors = factors.size() == 0 ? tensor_view<const float, 1>{}
                                                     : factors.view(config_.rotary_dim / 2),
            .attention_factor = attention_factor};
  }
  [[nodiscard]] rope_options local_rotation() const {
    rope_options options = rotation();
    if (config_.local_rope_theta != 0) {
      options.theta = config_.local_rope_theta;
      options.position_scale = 1;
    }
    return options;
  }

  template <class TCache>
  void run(paged_cache& cache, const inputs& in, int num_tokens, int num_rows, stream_ref stream) {
    const model_config& c = config_;
    const layer_activations a{residual_.view(num_tokens, c.hidden_dim),
                              normed_.view(num_tokens, c.hidden_dim),
                              qkv_.view(num_tokens, c.q_dim() + 2 * c.kv_dim()),
                              attended_.view(num_tokens, c.q_dim()),
                              projected_.view(num_tokens, c.hidden_dim),
                              gate_up_.view(num_tokens, 2 * c.ffn_dim),
                              {plan_, {attention_workspace_.data(), attention_workspace_.size()}}};
    check(weights_.embedding.look_up(a.residual, in.tokens, stream));
    if (c.architecture.scales_embedding) {
      check(scale(a.residual, a.residual, std::sqrt(static_cast<float>(c.hidden_dim)), stream));
    }
    check(rms_norm(a.normed, a.residual, weights_.layers.front().attention_norm.view(c.hidden_dim),
                   c.epsilon, stream));
    for (int layer = 0; layer < c.num_layers; ++layer) {
      const auto& next = layer + 1 < c.num_layers
                             ? weights_.layers[static_cast<std::size_t>(layer + 1)].attention_norm
                             : weights_.output_norm;
      transformer_layer<TCache>(a, weights_.layers[static_cast<std::size_t>(layer)],
                                next.view(c.hidden_dim), cache.keys<TCache>(layer),
                                cache.values<TCache>(layer), in.step, c, attention_of(layer),
                                stream);
    }
    const auto wanted = last_.view(num_rows, c.hidden_dim);  // the rows whose logits are wanted
    check(embedding<float>(wanted, tensor_view<const float, 2>(a.normed), in.rows, stream));
    const auto logits = logits_.view(num_rows, c.vocab_size);
    check(weights_.output_or_embedding().multiply(logits, wanted, stream));
    if (c.logits_soft_cap != 0) check(soft_cap(logits, logits, c.logits_soft_cap, stream));
  }

  model_config config_;
  transformer_options options_;
  model_weights weights_;
  layer_attention all_tokens_, last_tokens_;  // layers without and with a sliding window
  device_buffer<float> residual_, normed_, qkv_, attended_, projected_, gate_up_, last_, logits_;
  attention_plan plan_;
  device_buffer<std::byte> attention_workspace_;
  pinned_buffer<int> staging_;
  device_buffer<int> integers_;
  event uploaded_;  // after the copy from staging_ to integers_
  step_graphs graphs_;
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
