// Logits of listed tokens: penalties for repetition (Keskar et al., "CTRL", 2019), a bias, and
// log-probabilities.
#pragma once

#include <cstdint>

#include "rocmforge/platform/platform.hpp"
#include "rocmforge/sampling/fixed_point.hpp"
#include "rocmforge/sampling/options.hpp"
#include "rocmforge/sampling/row_search.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {
using namespace device;

/// One block per row. The lane with the first occurrence of a token looks for the others: as many
/// comparisons as the square of the list's length, and no memory. In double, where the products of
/// two floats are exact: whether a compiler contracts them with the sum makes no difference.
template <class T, int BlockSize, int WaveSize>
struct apply_penalties {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {};

  tensor_view<T, 2> logits;           // [num_rows, vocab_size]
  tensor_view<const int, 2> history;  // [num_rows, num_tokens]
  penalty_options penalty;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const int row = block.index.x, num_tokens = history.extent[1];
    const int* list = slice(history, row).data;
    for (int i = block.thread; i < num_tokens; i += BlockSize) {
      const int token = list[i];
      if (token < 0 || token >= logits.extent[1]) continue;
      int count = 0, first = i;
      for (int j = 0; j < num_tokens && first == i; ++j) {
        if (list[j] != token) continue;
        if (j < i) first = j;
        ++count;
      }
      if (first < i) continue;
      double logit = static_cast<float>(logits(row, token));
      logit = logit <= 0 ? logit * penalty.repeat : logit / penalty.repeat;
      logit -= static_cast<double>(count) * penalty.frequency + penalty.presence;
      logits(row, token) = T(static_cast<float>(logit));
    }
  }
};

/// One block per row, which shares its list as apply_penalties does.
template <class T, int BlockSize, int WaveSize>
struct add_logit_bias {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {};

  tensor_view<T, 2> logits;            // [num_rows, vocab_size]
  tensor_view<const int, 2> tokens;    // [num_rows, num_biases]
  tensor_view<const float, 2> biases;  // [num_rows, num_biases]

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const int row = block.index.x, num_biases = tokens.extent[1];
    const int* list = slice(tokens, row).data;
    for (int i = block.thread; i < num_biases; i += BlockSize) {
      const int token = list[i];
      if (token < 0 || token >= logits.extent[1]) continue;
      bool first = true;
      for (int j = 0; j < i && first; ++j) first = list[j] != token;
      if (!first) continue;
      double logit = static_cast<float>(logits(row, token));
      for (int j = i; j < num_biases; ++j) {
        if (list[j] == token) logit += biases(row, j);
      }
      logits(row, token) = T(static_cast<float>(logit));
    }
  }
};

/// One block per row, which is read twice: for its maximum and for the sum of its powers.
template <class T, int BlockSize, int WaveSize>
struct log_probabilities {
  static_assert(BlockSize % WaveSize == 0,
                "log_probabilities: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  using search_of_row = row_search<T, BlockSize, WaveSize>;
  using shared_storage = typename search_of_row::storage;

  tensor_view<float, 2> log_p;       // [num_rows, num_tokens]
  tensor_view<const T, 2> logits;    // [num_rows, vocab_size]
  tensor_view<const int, 2> tokens;  // [num_rows, num_tokens]

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int row = block.index.x;
    const T* from = slice(logits, row).data;
    const search_of_row search{block, from, logits.extent[1], shared};
    const float maximum = search.maximum();
    const auto distance = [&](float logit) { return logit == maximum ? 0.0f : maximum - logit; };
    const std::uint64_t total = search.total([&](float logit, std::uint32_t key, int) {
      return key != 0 ? fixed_point::weight(distance(logit), fixed_point::unit_scale)
                      : std::uint64_t{0};
    });
    constexpr float unit = 1.0f / (std::uint64_t{1} << fixed_point::weight_bits),
                    ln2 = 0.693147181f;
    const float log_sum = log2f(static_cast<float>(total) * unit) * ln2;
    for (int i = block.thread; i < tokens.extent[1]; i += BlockSize) {
      const int token = tokens(row, i);
      float result = search_of_row::lowest;
      if (token >= 0 && token < logits.extent[1] && maximum > result) {
        const float logit = static_cast<float>(from[token]);
        if (fixed_point::order_key(logit) != 0) result = -(distance(logit) + log_sum);
      }
      log_p(row, i) = result;
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
