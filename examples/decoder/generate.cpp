#include "generate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <rocmforge/error.hpp>

#include "stop_filter.hpp"
#include "stopwatch.hpp"
#include "terminal.hpp"

namespace decoder {
namespace {

constexpr std::size_t prompt_chunk = 512;
constexpr std::size_t scored_chunk = 64;  // a row of logits per token: 12 MB for 50,000 tokens

void check_fit(const engine& model, std::size_t num_tokens) {
  if (num_tokens == 0) throw rocmforge::error("prompt: no tokens, expected at least one");
  const auto room = static_cast<std::size_t>(model.context() - model.length());
  if (num_tokens <= room) return;
  const std::string held =
      model.length() == 0 ? "" : fmt::format(", of which {} are taken", model.length());
  throw rocmforge::error(fmt::format("prompt: {} tokens, expected at most the context of {}{}",
                                     num_tokens, model.context(), held));
}

/// The negative log-likelihood of `token` in nats.
double nll(std::span<const float> logits, int token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum) - logits[token];
}

/// The `count` largest logits in descending order, the lowest id first among equals.
std::vector<std::pair<int, float>> largest_logits(std::span<const float> logits, int count) {
  std::vector<std::pair<int, float>> all;
  for (const float logit : logits) all.emplace_back(static_cast<int>(all.size()), logit);
  std::ranges::partial_sort(all, all.begin() + count, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  all.resize(static_cast<std::size_t>(count));
  return all;
}

/// @param logits  [num_rows, vocab_size]
void check_finite(std::span<const float> logits, std::size_t vocab_size) {
  const auto wrong = std::ranges::find_if_not(logits, [](float x) { return std::isfinite(x); });
  if (wrong == logits.end()) return;
  throw rocmforge::error(fmt::format(
      "logits: {} at token {}, expected a finite number: the model's weights are damaged",
      std::isnan(*wrong) ? "NaN" : "infinity",
      static_cast<std::size_t>(wrong - logits.begin()) % vocab_size));
}

/// Damaged output weights make only some logits NaN, which a choice leaves out; they do so after
/// every token, so that it is enough to check the logits after the prompt.
void check_last_logits(engine& model, int num_choices) {
  std::vector<float> logits(static_cast<std::size_t>(num_choices));
  model.read_logits(logits);
  check_finite(logits, logits.size());
}

}  // namespace

int num_choices_of(const engine& model, const rocmforge::tokenizer& tokenizer) {
  return std::min(model.vocab_size(), tokenizer.vocab_size());
}

bool append_prompt(engine& model, std::span<const int> tokens, int num_choices) {
  check_fit(model, tokens.size());
  while (!tokens.empty()) {
    if (interrupted()) return false;
    const auto chunk = tokens.first(std::min(tokens.size(), prompt_chunk));
    model.append(chunk);
    tokens = tokens.subspan(chunk.size());
  }
  check_last_logits(model, num_choices);
  return true;
}

bool append_scored_prompt(engine& model, std::span<const int> tokens, int num_top_logits,
                          prompt_score& score) {
  check_fit(model, tokens.size());
  const auto vocab_size = static_cast<std::size_t>(model.vocab_size());
  if (static_cast<std::size_t>(num_top_logits) > vocab_size) {
    throw rocmforge::error(fmt::format("--logits {}: expected at most the vocabulary's {}",
                                       num_top_logits, vocab_size));
  }
  std::vector<float> rows(std::min(tokens.size(), scored_chunk) * vocab_size);
  double sum = 0;
  std::size_t next = 1;  // index of the token that the next row predicts
  for (std::size_t first = 0; first < tokens.size(); first += scored_chunk) {
    if (interrupted()) return false;
    const auto chunk = tokens.subspan(first, std::min(tokens.size() - first, scored_chunk));
    const auto used = std::span(rows).first(chunk.size() * vocab_size);
    model.append(chunk, used);
    check_finite(used, vocab_size);
    for (std::size_t i = 0; i < chunk.size() && next < tokens.size(); ++i, ++next) {
      sum += nll(used.subspan(i * vocab_size, vocab_size), tokens[next]);
    }
    if (next == tokens.size())
      score.top_logits = largest_logits(used.last(vocab_size), num_top_logits);
  }
  if (tokens.size() > 1) score.mean_nll = sum / static_cast<double>(tokens.size() - 1);
  return true;
}

completion complete(engine& model, const rocmforge::tokenizer& tokenizer, token_chooser& chooser,
                    const completion_limits& limits,
                    const std::function<void(std::string_view)>& on_text) {
  const int num_choices = num_choices_of(model, tokenizer);
  completion result;
  rocmforge::stream_decoder decode(tokenizer, rocmforge::control_tokens::hide, /*continues=*/true);
  stop_filter stop(limits.stops);
  const auto show = [&](const std::string& text) {
    if (text.empty()) return;
    result.text += text;
    on_text(text);
  };
  const auto run = [&] {
    while (static_cast<int>(result.tokens.size()) < limits.max_tokens) {
      if (interrupted()) return finish_reason::interrupted;
      stopwatch step;
      if (!result.tokens.empty()) {
        if (model.length() == model.context()) return finish_reason::context_full;
        model.append(std::span(&result.tokens.back(), 1));
        ++result.num_steps;
      }
      const int token = chooser.choose(model, num_choices);
      if (result.num_steps > 0) result.seconds += step.seconds();
      if (tokenizer.is_end_of_generation(token)) return finish_reason::end_of_text;
      chooser.accept(std::span(&token, 1));
      result.tokens.push_back(token);
      show(stop.push(decode.push(token)));
      if (stop.found()) return finish_reason::stop_text;
    }
    return finish_reason::token_limit;
  };
  result.reason = run();
  show(stop.push(decode.finish()));
  show(stop.finish());
  if (stop.found()) result.reason = finish_reason::stop_text;
  return result;
}

}  // namespace decoder
