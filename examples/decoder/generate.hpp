// Evaluates prompts and continues them.
#pragma once

#include <functional>
#include <rocmforge/tokenizer.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine.hpp"
#include "sampler.hpp"

namespace decoder {

enum class finish_reason { end_of_text, stop_text, token_limit, context_full, interrupted };

/// Appends `tokens` to what the model holds, in chunks of at most 512.
/// @param logits  [vocab_size] of the last token
/// @return false if Ctrl-C came in between; the model then holds a part of them
/// @throws rocmforge::error with both numbers if they do not fit in the context
bool append_prompt(engine& model, std::span<const int> tokens, std::span<float> logits);

struct prompt_score {
  std::vector<std::pair<int, float>> top_logits;  // after the last token, descending
  double mean_nll = 0;                            // nats, over the tokens 2 to last
};

/// As `append_prompt`, and looks at the logits of every token on the way.
/// @param num_top_logits  1 to vocab_size
/// @param score           `mean_nll` is 0 for a prompt of one token
bool append_scored_prompt(engine& model, std::span<const int> tokens, int num_top_logits,
                          std::span<float> logits, prompt_score& score);

struct completion {
  std::vector<int> tokens;  // without the one that ended the text
  std::string text;         // what was shown: without the stop text
  finish_reason reason = finish_reason::token_limit;
  int num_steps = 0;   // of `tokens`, how many were appended to the model
  double seconds = 0;  // that these steps took
};

struct completion_limits {
  int max_tokens;
  std::span<const std::string> stops;
};

/// Chooses tokens and appends them until the text ends or a limit is reached.
/// @param logits   [vocab_size] after the last token that the model holds; overwritten
/// @param on_text  called with each new piece of the text, whole UTF-8 sequences
completion complete(engine& model, const rocmforge::tokenizer& tokenizer, sampler& choose,
                    std::span<float> logits, const completion_limits& limits,
                    const std::function<void(std::string_view)>& on_text);

}  // namespace decoder
