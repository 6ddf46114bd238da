#include "bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <rocmforge/error.hpp>
#include <span>
#include <vector>

#include "generate.hpp"
#include "stopwatch.hpp"

namespace decoder {

timing measure(engine& model, int prompt_tokens, int steps) {
  const std::int64_t total = std::int64_t{prompt_tokens} + steps;
  if (total > model.context()) {
    throw rocmforge::error(
        fmt::format("--bench {},{}: {} tokens, expected at most the context of {}", prompt_tokens,
                    steps, total, model.context()));
  }
  std::vector<int> tokens(static_cast<std::size_t>(total));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<int>(i * 97 % static_cast<std::size_t>(model.vocab_size()));
  }
  const auto all = std::span<const int>(tokens);
  const token_choice greedy{.sampling = {.temperature = 0}, .num_choices = model.vocab_size()};

  const auto round = [&](int num_steps) {
    model.truncate(0);
    timing times;
    const stopwatch prompt_time;
    append_prompt(model, all.first(static_cast<std::size_t>(prompt_tokens)), model.vocab_size());
    times.prompt_seconds = prompt_time.seconds();
    times.prompt_tokens = static_cast<std::size_t>(prompt_tokens);
    const stopwatch step_time;
    for (const int& token : all.subspan(times.prompt_tokens, static_cast<std::size_t>(num_steps))) {
      model.append(std::span(&token, 1));
      model.choose(greedy);
    }
    times.step_seconds = step_time.seconds();
    times.steps = num_steps;
    times.generated_tokens = static_cast<std::size_t>(num_steps);
    return times;
  };
  round(std::min(steps, 4));
  return round(steps);
}

}  // namespace decoder
