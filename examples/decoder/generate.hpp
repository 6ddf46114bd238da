// Evaluates a prompt and generates text.
#pragma once

#include <functional>
#include <rocmforge/tokenizer.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine.hpp"
#include "token_chooser.hpp"

namespace decoder {

enum class finish_reason { end_of_text, stop_text, token_limit, context_full, interrupted };

/// The ids that may be chosen are those below this number: the embedding may be padded with rows
/// that belong to no token.
int num_choices_of(const engine& model, const rocmforge::tokenizer& tokenizer);

/// Appends `tokens` to the sequence, in chunks of at most 512.
/// @return false if Ctrl-C was pressed; the sequence then has a part of the tokens
/// @throws rocmforge::error with both numbers if they do not fit in the context, and if one of the
///         first `num_choices` logits after the last token is NaN or infinite
bool append_prompt(engine& model, std::span<const int> tokens, int num_choices);

struct prompt_score {
  std::vector<std::pair<int, float>> top_logits;  // [id, logit] after the last token, descending
  double mean_nll = 0;                            // in nats, over the second to the last token
};

/// As `append_prompt`, and evaluates the logits after every token.
/// @param num_top_logits  1 to vocab_size
/// @param score           `mean_nll` is 0 for a prompt of one token
bool append_scored_prompt(engine& model, std::span<const int> tokens, int num_top_logits,
                          prompt_score& score);

struct completion {
  std::vector<int> tokens;  // without the token that ended the text
  std::string text;         // as shown: without the stop text
  finish_reason reason = finish_reason::token_limit;
  int num_steps = 0;   // the number of `tokens` that were appended to the sequence
  double seconds = 0;  // duration of these steps
};

struct completion_limits {
  int max_tokens;
  std::span<const std::string> stops;
};

/// Chooses tokens and appends them until the text ends or a limit is reached.
/// @param on_text  called with each new piece of the text, which is complete UTF-8
completion complete(engine& model, const rocmforge::tokenizer& tokenizer, token_chooser& chooser,
                    const completion_limits& limits,
                    const std::function<void(std::string_view)>& on_text);

}  // namespace decoder
