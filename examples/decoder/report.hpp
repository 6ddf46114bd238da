// What the program tells about a run: the JSON object for scripts, the speed line and the notes for
// people.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "generate.hpp"
#include "options.hpp"

namespace decoder {

/// How long the tokens of a prompt and the steps after it took. The first generated token comes
/// with the prompt's logits and the last is not appended, so that there is a step less than tokens.
struct timing {
  std::size_t prompt_tokens = 0;
  double prompt_seconds = 0;
  std::size_t generated_tokens = 0;
  int steps = 0;
  double step_seconds = 0;

  /// Tokens a second; nothing if there were none.
  [[nodiscard]] std::optional<double> prefill_rate() const;
  [[nodiscard]] std::optional<double> decode_rate() const;
};

/// One line: both rates, the card if there is one, and the seed if it decided the text.
std::string speed_line(const timing& times, const engine& model, const sampling_options& sampling);

/// What to say about a text that the context cut short.
std::string context_full_line(const engine& model);

/// {"prompt_tokens": [...]}
std::string tokens_json(std::span<const int> prompt);

/// The object of --json.
/// @param score  null: without `top_logits` and `mean_nll`
std::string completion_json(std::span<const int> prompt, const completion& result,
                            const timing& times, std::uint32_t seed, const prompt_score* score);

/// The two rates.
std::string bench_json(const timing& times);

}  // namespace decoder
