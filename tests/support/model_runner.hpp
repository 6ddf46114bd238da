// A model on the device with a cache, and its logits on the host.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <rocmforge/model.hpp>
#include <rocmforge/model/weight_kernels.hpp>
#include <span>
#include <vector>

namespace rocmforge::testing {

/// The largest difference; infinite where a number is none, or where there are more of one than of
/// the other.
template <class T>
double difference(std::span<const float> actual, std::span<const T> expected) {
  double largest = actual.size() == expected.size() ? 0 : std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < std::min(actual.size(), expected.size()); ++i) {
    const double distance = std::fabs(double(actual[i]) - double(expected[i]));
    largest = std::isnan(distance) ? std::numeric_limits<double>::infinity()
                                   : std::max(largest, distance);
  }
  return largest;
}
template <class T>
double difference(const std::vector<float>& actual, const std::vector<T>& expected) {
  return difference(std::span<const float>(actual), std::span<const T>(expected));
}

/// The token with the largest logit.
inline int likeliest(std::span<const float> logits) {
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// Row `index` of [num_rows, vocab_size].
inline std::span<const float> row_of(const std::vector<float>& logits, int vocab_size,
                                     std::size_t index) {
  const auto size = static_cast<std::size_t>(vocab_size);
  return std::span(logits).subspan(index * size, size);
}

struct model_runner {
  model_runner(const gguf::file& file, const transformer_options& options,
               dtype cache_type = dtype::f32, int num_sequences = 1, int page_size = 32)
      : model(file, options), cache(model.cache_options(cache_type, num_sequences, page_size)) {}

  cached_sequence sequence() { return cached_sequence(cache, model.options().max_length); }

  /// One step; its logits, row by row.
  std::vector<float> step(std::span<const sequence_step> steps) {
    const auto rows = model.step(cache, steps);
    std::vector<float> logits(static_cast<std::size_t>(rows.size()));
    platform_memory::download(logits.data(), rows.data, logits.size() * sizeof(float), {});
    stream_ref{}.synchronize();
    return logits;
  }
  std::vector<float> step(cached_sequence& text, std::span<const int> tokens,
                          bool all_logits = false) {
    const sequence_step one{&text, tokens, all_logits};
    return step({&one, 1});
  }

  /// The last token's logits after all tokens in steps of up to `chunk`.
  std::vector<float> in_chunks(cached_sequence& text, std::span<const int> tokens,
                               std::size_t chunk) {
    std::vector<float> logits;
    for (; !tokens.empty(); tokens = tokens.subspan(std::min(chunk, tokens.size()))) {
      logits = step(text, tokens.first(std::min(chunk, tokens.size())));
    }
    return logits;
  }
  /// The last token's logits in a sequence of its own.
  std::vector<float> alone(std::span<const int> tokens) {
    cached_sequence text = sequence();
    return step(text, tokens);
  }

  transformer model;
  paged_cache cache;
};

}  // namespace rocmforge::testing
