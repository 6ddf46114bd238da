#include "report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace decoder {
namespace {

using json = nlohmann::ordered_json;

std::optional<double> rate(double count, double seconds) {
  if (count == 0 || seconds <= 0) return std::nullopt;
  return count / seconds;
}

json or_null(const std::optional<double>& number) {
  return number ? json(*number) : json(nullptr);
}

void add_rates(json& object, const timing& times) {
  object["prefill_tokens_per_second"] = or_null(times.prefill_rate());
  object["decode_tokens_per_second"] = or_null(times.decode_rate());
}

const char* name_of(finish_reason reason) {
  switch (reason) {
    case finish_reason::end_of_text:
      return "end_of_text";
    case finish_reason::stop_text:
      return "stop_text";
    case finish_reason::token_limit:
      return "token_limit";
    case finish_reason::context_full:
      return "context_full";
    case finish_reason::interrupted:
      return "interrupted";
  }
  return "";
}

std::string rate_text(const std::optional<double>& number) {
  return number ? fmt::format("{:.1f} tokens/s", *number) : "-";
}

std::string line_of(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::optional<double> timing::prefill_rate() const {
  return rate(static_cast<double>(prompt_tokens), prompt_seconds);
}

std::optional<double> timing::decode_rate() const {
  return rate(steps, step_seconds);
}

std::string speed_line(const timing& times, const engine& model, const choice_options& choice) {
  const std::string card = model.card().empty() ? "" : "; on " + model.card();
  const std::string seed =
      choice.sampling.temperature > 0 ? fmt::format("; seed {}", choice.seed) : std::string();
  return fmt::format("prompt: {} tokens, {}; generation: {} tokens, {}{}{}\n", times.prompt_tokens,
                     rate_text(times.prefill_rate()), times.generated_tokens,
                     rate_text(times.decode_rate()), card, seed);
}

std::string context_full_line(const engine& model) {
  return fmt::format("the context of {} tokens is full: the text ends here\n", model.context());
}

std::string assumptions_line(const rocmforge::tokenizer& tokenizer) {
  if (!tokenizer.vocab().pre_is_assumed) return {};
  return "the file names no pre-tokenizer (tokenizer.ggml.pre): took \"" + tokenizer.vocab().pre +
         "\", which may cut words otherwise than the model learned them\n";
}

std::string tokens_json(std::span<const int> prompt) {
  return line_of({{"prompt_tokens", std::vector<int>(prompt.begin(), prompt.end())}});
}

std::string completion_json(std::span<const int> prompt, const completion& result,
                            const timing& times, std::uint32_t seed, const prompt_score* score) {
  json object;
  object["prompt_tokens"] = std::vector<int>(prompt.begin(), prompt.end());
  object["tokens"] = result.tokens;
  object["text"] = result.text;
  object["finish_reason"] = name_of(result.reason);
  object["seed"] = seed;
  add_rates(object, times);
  if (score != nullptr) {
    object["top_logits"] = score->top_logits;
    object["mean_nll"] = prompt.size() > 1 ? json(score->mean_nll) : json(nullptr);
  }
  return line_of(object);
}

std::string bench_json(const timing& times) {
  json object;
  add_rates(object, times);
  return line_of(object);
}

}  // namespace decoder
