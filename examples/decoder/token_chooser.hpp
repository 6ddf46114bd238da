// Chooses the tokens of a text, one after the other: what an engine needs to know besides the
// logits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <rocmforge/error.hpp>
#include <span>
#include <utility>
#include <vector>

#include "engine.hpp"

namespace decoder {

struct choice_options {
  rocmforge::sampling_options sampling = {};
  float repeat_penalty = 1.0f;  ///< above 0; 1: off
  int repeat_last_n = 64;       ///< tokens that the penalty looks back at; 0: none, -1: all
  std::uint32_t seed = 0;
};

class token_chooser {
 public:
  /// @param suppressed  ids that are never chosen
  explicit token_chooser(const choice_options& options, std::vector<int> suppressed = {})
      : options_(options), suppressed_(std::move(suppressed)) {}

  /// Adds `tokens` to the history that the repeat penalty looks back at.
  void accept(std::span<const int> tokens) {
    history_.insert(history_.end(), tokens.begin(), tokens.end());
  }

  /// Clears the history. The random numbers continue.
  void forget() { history_.clear(); }

  /// Chooses among the first `num_choices` tokens of the vocabulary, given the logits after the
  /// last token that `model` holds.
  /// @throws rocmforge::error if all of these logits are NaN or -infinity
  int choose(engine& model, int num_choices) {
    const std::vector<int> repeated = recent_ids();
    const int token = model.choose({options_.sampling,
                                    suppressed_,
                                    options_.repeat_penalty,
                                    repeated,
                                    {options_.seed, 0, num_draws_++},
                                    num_choices});
    if (token < 0) {
      throw rocmforge::error(
          "logits: all are NaN or -infinity, expected numbers: the model's weights are damaged");
    }
    return token;
  }

 private:
  /// The ids in the last `repeat_last_n` tokens, each once: the penalty counts a token once, and
  /// its cost grows with the square of their number.
  [[nodiscard]] std::vector<int> recent_ids() const {
    if (options_.repeat_penalty == 1.0f) return {};
    const auto wanted = static_cast<std::size_t>(options_.repeat_last_n);  // -1: the largest size
    const auto count = std::min(history_.size(), wanted);
    std::vector<int> ids(history_.end() - static_cast<std::ptrdiff_t>(count), history_.end());
    std::ranges::sort(ids);
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  }

  choice_options options_;
  std::vector<int> suppressed_;
  std::vector<int> history_;
  std::uint32_t num_draws_ = 0;
};

}  // namespace decoder
