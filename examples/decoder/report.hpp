// Reports on a run: the JSON object for scripts, the speed line, and notes on standard error.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "generate.hpp"
#include "options.hpp"

namespace decoder {

/// The durations of a prompt and of the steps after it. The logits of the prompt give the first
/// generated token, and the last token is not appended: there is one step fewer than tokens.
struct timing {
  std::size_t prompt_tokens = 0;
  double prompt_seconds = 0;
  std::size_t generated_tokens = 0;
  int steps = 0;
  double step_seconds = 0;

  /// Tokens per second; nothing if there were none.
  [[nodiscard]] std::optional<double> prefill_rate() const;
  [[nodiscard]] std::optional<double> decode_rate() const;
};

/// One line: both rates, the card if one was used, and the seed if tokens were sampled.
std::string speed_line(const timing& times, const engine& model, const choice_options& choice);

/// The note on a text that ended because the context was full.
std::string context_full_line(const engine& model);

/// One line about what the file does not say and was assumed; empty if there is nothing.
std::string assumptions_line(const rocmforge::tokenizer& tokenizer);

/// {"prompt_tokens": [...]}
std::string tokens_json(std::span<const int> prompt);

/// The JSON object of --json.
/// @param score  may be null: then without `top_logits` and `mean_nll`
std::string completion_json(std::span<const int> prompt, const completion& result,
                            const timing& times, std::uint32_t seed, const prompt_score* score);

/// The JSON object of --bench: the two rates.
std::string bench_json(const timing& times);

}  // namespace decoder
