// The engine, in terms of whatever platform the including source is compiled for: engine_host.cpp
// and engine_card.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <rocmforge/model.hpp>
#include <rocmforge/model/weight_kernels.hpp>
#include <string>
#include <vector>

#include "engine.hpp"

namespace decoder {
namespace {

using namespace rocmforge;

constexpr int max_tokens = 512;  // of a step
constexpr int max_logits = 64;   // rows of a step

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
        sequence_(cache_, model_.options().max_length) {}

  std::string card() const override { return card_; }
  int vocab_size() const override { return model_.config().vocab_size; }
  int context() const override { return sequence_.max_length(); }
  int length() const override { return sequence_.length(); }
  void truncate(int length) override { sequence_.truncate(length); }

  void append(std::span<const int> tokens, logits_of which, std::span<float> logits) override {
    const auto vocabulary = static_cast<std::size_t>(vocab_size());
    while (!tokens.empty()) {
      const bool all = which == logits_of::all;
      const auto part =
          tokens.first(std::min<std::size_t>(tokens.size(), all ? max_logits : max_tokens));
      const sequence_step step{&sequence_, part, all};
      const auto rows = model_.step(cache_, {&step, 1});
      tokens = tokens.subspan(part.size());
      if (all || tokens.empty()) {
        const std::size_t count = static_cast<std::size_t>(rows.extent[0]) * vocabulary;
        platform_memory::download(logits.data(), rows.data, count * sizeof(float), {});
        stream_ref{}.synchronize();
        check_cache(logits.first(count));
        logits = logits.subspan(count);
      }
    }
  }

 private:
  /// Throws rocmforge::error where logits are NaN because the cache's type is too small.
  void check_cache(std::span<const float> logits) const {
    // Infinite keys or values make every logit of a token NaN.
    const auto vocabulary = static_cast<std::size_t>(vocab_size());
    for (std::size_t i = 0; i < logits.size(); i += vocabulary) {
      if (!std::isnan(logits[i])) continue;
      const std::string why = sequence_.overflow();
      if (!why.empty()) throw error(why + ": take --cache-type f32 or bf16");
      return;
    }
  }

  std::string card_;
  transformer model_;
  paged_cache cache_;
  cached_sequence sequence_;
};

}  // namespace
}  // namespace decoder
