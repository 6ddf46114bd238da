// Chooses the next token from one row of logits: repeat penalty, top-k, top-p, min-p, temperature,
// then a draw, in the order and with the edge cases that llama.cpp has, so that settings carry
// over. The draw is the same on every platform.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <rocmforge/error.hpp>
#include <span>
#include <string>
#include <vector>

namespace decoder {

struct sampling_options {
  float temperature = 0.8f;     ///< 0: greedy
  int top_k = 40;               ///< 0: off
  float top_p = 0.95f;          ///< in (0, 1]; 1: off
  float min_p = 0.05f;          ///< in [0, 1]; 0: off
  float repeat_penalty = 1.0f;  ///< above 0; 1: off
  int repeat_last_n = 64;       ///< 0: none, -1: all
  std::uint32_t seed = 0;
};

struct candidate {
  int id;
  float logit;
};

/// The order of candidates: the likeliest first, and the lowest id first among equals.
inline bool likelier(const candidate& a, const candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

/// Uniform doubles in [0, 1) from two draws of a Mersenne twister each.
/// std::uniform_real_distribution would be shorter, but the standard leaves its algorithm open.
class uniform_source {
 public:
  explicit uniform_source(std::uint32_t seed) : engine_(seed) {}

  double operator()() {
    const std::uint64_t low = engine_();
    const std::uint64_t high = engine_();
    const double value = static_cast<double>(low | high << 32) * 0x1p-64;
    return std::min(value, std::nextafter(1.0, 0.0));  // the conversion may round up to 2^64
  }

 private:
  std::mt19937 engine_;
};

/// Makes each token of `recent` less likely, once however often it occurs there. `candidates[i].id`
/// must be i.
inline void apply_repeat_penalty(std::span<candidate> candidates, std::span<const int> recent,
                                 float penalty) {
  if (penalty == 1.0f) return;
  std::vector<int> ids(recent.begin(), recent.end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (const int id : ids) {
    if (static_cast<std::size_t>(id) >= candidates.size())
      continue;  // a padded row of the embedding
    float& logit = candidates[id].logit;
    logit = logit <= 0 ? logit * penalty : logit / penalty;
  }
}

/// Keeps the `k` likeliest, sorted. 0: keeps all as they are.
inline void keep_top_k(std::vector<candidate>& candidates, int k) {
  if (k == 0) return;
  const auto kept = std::min(static_cast<std::size_t>(k), candidates.size());
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(kept),
                    candidates.end(), likelier);
  candidates.resize(kept);
}

/// The largest logit; -inf for none.
inline float max_logit(std::span<const candidate> candidates) {
  float largest = -std::numeric_limits<float>::infinity();
  for (const candidate& c : candidates) largest = std::max(largest, c.logit);
  return largest;
}

/// Keeps the shortest run of the likeliest whose probabilities sum to at least `p`, sorted. 1:
/// keeps all as they are.
inline void keep_top_p(std::vector<candidate>& candidates, float p) {
  if (p >= 1.0f) return;
  std::sort(candidates.begin(), candidates.end(), likelier);
  const float largest = max_logit(candidates);
  float sum = 0;
  for (const candidate& c : candidates) sum += std::exp(c.logit - largest);
  float cumulative = 0;
  std::size_t kept = 0;
  while (kept < candidates.size() && (kept == 0 || cumulative < p)) {
    cumulative += std::exp(candidates[kept++].logit - largest) / sum;
  }
  candidates.resize(kept);
}

/// Keeps those that are at least `p` times as likely as the likeliest. 0: keeps all.
inline void keep_min_p(std::vector<candidate>& candidates, float p) {
  if (p <= 0.0f) return;
  const float least = max_logit(candidates) + std::log(p);
  std::erase_if(candidates, [least](const candidate& c) { return c.logit < least; });
}

/// Divides the logits by `temperature` > 0. The largest becomes 0 first, so that a tiny temperature
/// overflows to -inf, which is right, and never to inf - inf.
inline void apply_temperature(std::span<candidate> candidates, float temperature) {
  const float largest = max_logit(candidates);
  for (candidate& c : candidates) c.logit = (c.logit - largest) / temperature;
}

/// Draws one candidate with its softmax probability. A single one takes no random number.
inline int draw(std::span<const candidate> candidates, uniform_source& uniform) {
  if (candidates.size() == 1) return candidates.front().id;
  const float largest = max_logit(candidates);
  double sum = 0;
  for (const candidate& c : candidates) sum += std::exp(c.logit - largest);
  const double target = uniform() * sum;
  double running = 0;
  for (const candidate& c : candidates) {
    running += std::exp(c.logit - largest);
    if (running >= target) return c.id;
  }
  return candidates.back().id;
}

/// The whole chain, with the tokens so far and the random numbers.
class sampler {
 public:
  explicit sampler(const sampling_options& options) : options_(options), uniform_(options.seed) {}

  /// Counts `tokens`, of the prompt or chosen, as said: the repeat penalty looks back at them.
  void accept(std::span<const int> tokens) {
    history_.insert(history_.end(), tokens.begin(), tokens.end());
  }

  /// Forgets what was said; the random numbers go on.
  void forget() { history_.clear(); }

  /// @param logits  [vocab_size], at least one
  /// @return the chosen token
  /// @throws rocmforge::error for a NaN, or where the largest logit is infinite
  int sample(std::span<const float> logits) {
    candidates_.clear();
    for (const float logit : logits) {
      const int id = static_cast<int>(candidates_.size());
      if (std::isnan(logit)) {
        throw rocmforge::error("logits: NaN at token " + std::to_string(id) +
                               ", expected numbers: the model's weights are damaged");
      }
      candidates_.push_back({id, logit});
    }
    apply_repeat_penalty(candidates_, recent(), options_.repeat_penalty);
    if (!std::isfinite(max_logit(candidates_))) {
      throw rocmforge::error("logits: the largest is infinite, expected a finite number");
    }
    if (options_.temperature == 0) {
      return std::min_element(candidates_.begin(), candidates_.end(), likelier)->id;
    }
    keep_top_k(candidates_, options_.top_k);
    keep_top_p(candidates_, options_.top_p);
    keep_min_p(candidates_, options_.min_p);
    apply_temperature(candidates_, options_.temperature);
    return draw(candidates_, uniform_);
  }

 private:
  std::span<const int> recent() const {
    const auto all = std::span<const int>(history_);
    const auto wanted = static_cast<std::size_t>(options_.repeat_last_n);  // -1 is the largest
    return all.last(std::min(all.size(), wanted));
  }

  sampling_options options_;
  uniform_source uniform_;
  std::vector<int> history_;
  std::vector<candidate> candidates_;
};

}  // namespace decoder
