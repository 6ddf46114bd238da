// The engine, for the platform that the including source is compiled for: engine_host.cpp or
// engine_card.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <rocmforge/model.hpp>
#include <rocmforge/model/weight_kernels.hpp>
#include <string>
#include <vector>

#include "device_choice.hpp"
#include "engine.hpp"

namespace decoder {
namespace {

using namespace rocmforge;

constexpr int max_tokens = 512;  // tokens of a step
constexpr int max_logits = 64;   // rows of logits of a step

dtype type_of(cache_type type) {
  return type == cache_type::f16 ? dtype::f16 : type == cache_type::bf16 ? dtype::bf16 : dtype::f32;
}

int context_of(const gguf::file& file, int wanted) {
  const int trained = read_model_config(file).context_length;
  if (wanted > trained) {
    throw error(file.path(), error::no_offset,
                "--context " + std::to_string(wanted) + " is more than the model's context of " +
                    std::to_string(trained) + " tokens");
  }
  return wanted != 0 ? wanted : std::min(trained, 4096);
}

class platform_engine final : public engine {
 public:
  platform_engine(const gguf::file& file, const engine_options& options,
                  const progress& on_progress)
      : card_(options.card),
        model_(file,
               {.max_tokens = max_tokens,
                .max_sequences = 1,
                .max_logits = max_logits,
                .max_length = context_of(file, options.context)},
               {}, on_progress),
        cache_(model_.cache_options(type_of(options.cache))),
        sequence_(cache_, model_.options().max_length),
        choice_(model_.config().vocab_size) {}

  std::string card() const override { return card_; }
  int vocab_size() const override { return model_.config().vocab_size; }
  int context() const override { return sequence_.max_length(); }
  int length() const override { return sequence_.length(); }
  void truncate(int length) override { sequence_.truncate(length); }

  void append(std::span<const int> tokens) override {
    for_each_part(tokens, max_tokens, [&](std::span<const int> part) { step(part, false); });
  }

  void append(std::span<const int> tokens, std::span<float> logits) override {
    for_each_part(tokens, max_logits, [&](std::span<const int> part) {
      const auto rows = step(part, true);
      const auto count = static_cast<std::size_t>(rows.size());
      download(logits.first(count), rows);
      logits = logits.subspan(count);
    });
  }

  void read_logits(std::span<float> logits) override { download(logits, last_); }

  int choose(const token_choice& choice) override {
    const int token = choice_.choose(last_, choice);
    if (token < 0) require_finite_cache();
    return token;
  }

 private:
  template <class F>
  static void for_each_part(std::span<const int> tokens, std::size_t largest, const F& f) {
    for (std::size_t first = 0; first < tokens.size(); first += largest)
      f(tokens.subspan(first, std::min(largest, tokens.size() - first)));
  }

  tensor_view<float, 2> step(std::span<const int> tokens, bool all_logits) {
    const sequence_step step{&sequence_, tokens, all_logits};
    const auto rows = model_.step(cache_, {&step, 1});
    last_ = sub_view<0>(rows, rows.extent[0] - 1, rows.extent[0]);
    return rows;
  }

  void download(std::span<float> logits, tensor_view<const float, 2> rows) const {
    platform_memory::download(logits.data(), rows.data, logits.size_bytes(), {});
    stream_ref{}.synchronize();
    // Infinite keys or values make every logit of a token NaN.
    for (std::size_t i = 0; i < logits.size(); i += static_cast<std::size_t>(vocab_size()))
      if (std::isnan(logits[i])) return require_finite_cache();
  }

  /// Throws rocmforge::error if keys or values exceed the cache's type.
  void require_finite_cache() const {
    const std::string why = sequence_.overflow();
    if (!why.empty()) throw error(why + ": take --cache-type f32 or bf16");
  }

  std::string card_;
  transformer model_;
  paged_cache cache_;
  cached_sequence sequence_;
  device_choice choice_;
  tensor_view<float, 2> last_;  // [1, vocab_size], the logits after the last token
};

}  // namespace
}  // namespace decoder
