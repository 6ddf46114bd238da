// Choosing tokens as plain loops in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

namespace rocmforge::testing::reference {

/// The index of the largest logit, the lowest of equal ones; NaN never wins, and 0 if there is
/// nothing else.
inline int argmax(const std::vector<double>& logits) {
  int best = -1;
  for (int i = 0; i < int(logits.size()); ++i) {
    const double logit = logits[std::size_t(i)];
    if (!std::isnan(logit) && (best < 0 || logit > logits[std::size_t(best)])) best = i;
  }
  return best < 0 ? 0 : best;
}

/// All ids but those of NaN, the largest logit first and of equal ones the lowest id.
inline std::vector<int> ranked(const std::vector<double>& logits) {
  std::vector<int> ids;
  for (int i = 0; i < int(logits.size()); ++i) {
    if (!std::isnan(logits[std::size_t(i)])) ids.push_back(i);
  }
  std::sort(ids.begin(), ids.end(), [&](int a, int b) {
    const double left = logits[std::size_t(a)], right = logits[std::size_t(b)];
    return left != right ? left > right : a < b;
  });
  return ids;
}

struct filters {
  int top_k = 0;
  double top_p = 1;
  double min_p = 0;
};

/// The candidates that are left, in the order of `ranked`. `margin` becomes how far the nearest
/// decision was from going the other way, as a share of the probability.
inline std::vector<int> candidates(const std::vector<double>& logits, const filters& f,
                                   double* margin = nullptr) {
  std::vector<int> ids = ranked(logits);
  if (ids.empty()) return ids;
  if (f.top_k > 0 && std::size_t(f.top_k) < ids.size()) ids.resize(std::size_t(f.top_k));
  const auto power = [&](int id) {
    return std::exp(logits[std::size_t(id)] - logits[std::size_t(ids[0])]);
  };
  double nearest = 1;
  if (f.top_p < 1) {
    double sum = 0, running = 0;
    for (const int id : ids) sum += power(id);
    std::size_t kept = 0;
    while (kept < ids.size() && (kept == 0 || running < f.top_p * sum)) {
      running += power(ids[kept++]);
      nearest = std::min(nearest, std::fabs(running / sum - f.top_p));
    }
    ids.resize(kept);
  }
  if (f.min_p > 0) {
    std::size_t kept = 0;
    while (kept < ids.size() && power(ids[kept]) >= f.min_p) ++kept;
    for (const int id : ids) {
      if (f.min_p < 1) nearest = std::min(nearest, std::fabs(power(id) - f.min_p));
    }
    ids.resize(kept);
  }
  if (margin != nullptr) *margin = nearest;
  return ids;
}

/// The probability of each id: the softmax of logit / temperature over the candidates.
inline std::vector<double> distribution(const std::vector<double>& logits,
                                        const std::vector<int>& ids, double temperature) {
  std::vector<double> p(logits.size());
  double sum = 0;
  for (const int id : ids) {
    const auto at = std::size_t(id);
    sum += p[at] = std::exp((logits[at] - logits[std::size_t(ids[0])]) / temperature);
  }
  for (double& value : p) value /= sum;
  return p;
}

/// The first id whose running sum of probabilities exceeds `u`, from 0 to 1.
inline int draw(const std::vector<double>& probabilities, double u, double* margin = nullptr) {
  double running = 0, nearest = 1;
  int id = -1;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    running += probabilities[i];
    if (probabilities[i] > 0) nearest = std::min(nearest, std::fabs(running - u));
    if (id < 0 && running > u) id = int(i);
  }
  if (margin != nullptr) *margin = nearest;
  return id;
}

/// Philox 4x32-10, from the paper's description: two multipliers and two key increments.
inline std::vector<std::uint32_t> philox(std::vector<std::uint32_t> counter,
                                         std::vector<std::uint32_t> key) {
  const std::uint32_t multipliers[2] = {0xD2511F53u, 0xCD9E8D57u};
  const std::uint32_t increments[2] = {0x9E3779B9u, 0xBB67AE85u};
  for (int round = 0; round < 10; ++round) {
    std::uint32_t high[2], low[2];
    for (int i = 0; i < 2; ++i) {
      const std::uint64_t product =
          std::uint64_t(multipliers[i]) * std::uint64_t(counter[std::size_t(2 * i)]);
      high[i] = std::uint32_t(product >> 32);
      low[i] = std::uint32_t(product & 0xFFFFFFFFu);
    }
    counter = {high[1] ^ counter[1] ^ key[0], low[1], high[0] ^ counter[3] ^ key[1], low[0]};
    for (std::size_t i = 0; i < 2; ++i) key[i] += increments[i];
  }
  return counter;
}

/// From 0 to 1: the number with which `sample` draws.
inline double uniform(std::uint64_t seed, std::uint32_t sequence, std::uint32_t position) {
  const auto words =
      philox({position, sequence, 0, 0}, {std::uint32_t(seed), std::uint32_t(seed >> 32)});
  return (words[0] + words[1] * 4294967296.0) / 18446744073709551616.0;
}

inline void penalize(std::vector<double>& logits, const std::vector<int>& history, double repeat,
                     double frequency, double presence) {
  std::map<int, int> counts;
  for (const int token : history) ++counts[token];
  for (const auto& [token, count] : counts) {
    if (token < 0 || token >= int(logits.size())) continue;
    double& logit = logits[std::size_t(token)];
    logit = (logit > 0 ? logit / repeat : logit * repeat) - count * frequency - presence;
  }
}

/// log of softmax.
inline double log_probability(const std::vector<double>& logits, int token) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const double logit : logits) {
    if (logit > largest) largest = logit;
  }
  if (token < 0 || token >= int(logits.size()) || std::isinf(largest) ||
      std::isnan(logits[std::size_t(token)]))
    return -std::numeric_limits<double>::infinity();
  for (const double logit : logits) {
    if (!std::isnan(logit)) sum += std::exp(logit - largest);
  }
  return logits[std::size_t(token)] - largest - std::log(sum);
}

}  // namespace rocmforge::testing::reference
