// Context extension: from a model's numbers to what rope_options takes, in double on the host. A
// method that changes the frequencies pair by pair becomes an array of divisors, [rotary_dim / 2],
// to be put on the device as rope_options::frequency_factors; linear scaling is position_scale
// alone, and LongRoPE's divisors are in the model itself (the long ones for sequences beyond the
// original context).
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// The base of NTK-aware scaling by `factor`: the pair that turns slowest turns `factor` times
/// slower, the first one as before. bloc97, "NTK-Aware Scaled RoPE", 2023.
inline double ntk_theta(double theta, int rotary_dim, double factor) {
  return theta * std::pow(factor, static_cast<double>(rotary_dim) / (rotary_dim - 2));
}

/// The base of dynamic NTK-aware scaling for a sequence of `seq_len` tokens: unchanged up to the
/// original context.
inline double dynamic_ntk_theta(double theta, int rotary_dim, double factor, double seq_len,
                                double original_context) {
  if (seq_len <= original_context) return theta;
  return ntk_theta(theta, rotary_dim, factor * seq_len / original_context - (factor - 1));
}

struct yarn_scaling {
  double factor = 1;            // the new context over the original one
  double original_context = 0;  // in tokens
  double beta_fast = 32;  // pairs that turn more often in the original context stay as they are
  double beta_slow = 1;   // those that turn less often turn `factor` times slower
};

/// The divisors of YaRN: between the two limits they follow a straight line in the frequency. Peng
/// et al., "YaRN: Efficient Context Window Extension of Large Language Models", 2023.
inline std::vector<float> yarn_frequency_factors(double theta, int rotary_dim,
                                                 const yarn_scaling& scaling) {
  const double two_pi = 2 * std::acos(-1.0);
  // The pair, as a fraction, that turns `turns` times in the original context.
  const auto pair_of = [&](double turns) {
    return rotary_dim * std::log(scaling.original_context / (turns * two_pi)) /
           (2 * std::log(theta));
  };
  const double first = std::max(0.0, std::floor(pair_of(scaling.beta_fast)));
  const double last = std::min(rotary_dim - 1.0, std::ceil(pair_of(scaling.beta_slow)));
  std::vector<float> divisors;
  for (int pair = 0; pair < rotary_dim / 2; ++pair) {
    const double slowed = std::clamp((pair - first) / std::max(0.001, last - first), 0.0, 1.0);
    divisors.push_back(static_cast<float>(1 / (slowed / scaling.factor + (1 - slowed))));
  }
  return divisors;
}

/// What YaRN multiplies cosines and sines by, rope_options::attention_factor. `weight` is 1, but
/// for models that say otherwise (mscale; the quotient of two such factors where there are two).
inline double yarn_attention_factor(double factor, double weight = 1) {
  return factor <= 1 ? 1 : 0.1 * weight * std::log(factor) + 1;
}

struct llama3_scaling {
  double factor = 8;
  double low_frequency_factor = 1;
  double high_frequency_factor = 4;
  double original_context = 8192;  // in tokens
};

/// The divisors of Llama 3.1 and later, which GGUF files hold as rope_freqs.weight: pairs that turn
/// more than high_frequency_factor times in the original context stay as they are, those that turn
/// less than low_frequency_factor times turn `factor` times slower, and between them frequencies
/// are mixed. Grattafiori et al., "The Llama 3 Herd of Models", 2024, and Meta's reference code.
inline std::vector<float> llama3_frequency_factors(double theta, int rotary_dim,
                                                   const llama3_scaling& scaling = {}) {
  const double two_pi = 2 * std::acos(-1.0);
  std::vector<float> divisors;
  for (int pair = 0; pair < rotary_dim / 2; ++pair) {
    const double turns =
        scaling.original_context / two_pi * std::pow(theta, -2.0 * pair / rotary_dim);
    const double kept =
        std::clamp((turns - scaling.low_frequency_factor) /
                       (scaling.high_frequency_factor - scaling.low_frequency_factor),
                   0.0, 1.0);
    divisors.push_back(static_cast<float>(1 / ((1 - kept) / scaling.factor + kept)));
  }
  return divisors;
}

/// What LongRoPE multiplies cosines and sines by, rope_options::attention_factor, for a context of
/// `context` tokens: 1 within the original one. Ding et al., "LongRoPE: Extending LLM Context
/// Window Beyond 2 Million Tokens", 2024.
inline double longrope_attention_factor(double context, double original_context) {
  if (context <= original_context) return 1;
  return std::sqrt(1 + std::log(context / original_context) / std::log(original_context));
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
