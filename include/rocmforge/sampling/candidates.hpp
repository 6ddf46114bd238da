// Which tokens may be drawn, and the draw: top-k, then top-p (nucleus sampling: Holtzman et al.,
// "The Curious Case of Neural Text Degeneration", 2020), then min-p (Nguyen et al., "Turning Up the
// Heat", 2024), then temperature.
#pragma once

#include <cstdint>

#include "rocmforge/platform/platform.hpp"
#include "rocmforge/sampling/fixed_point.hpp"
#include "rocmforge/sampling/philox.hpp"
#include "rocmforge/sampling/row_search.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

/// Where in the stream of random numbers a token is drawn: each seed, sequence and position has a
/// number of its own, whatever else is drawn beside it.
struct draw_counter {
  std::uint64_t seed = 0;
  std::uint32_t sequence = 0;
  std::uint32_t position = 0;
};

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// The rules that choose the candidates of a row, as the kernels take them.
struct candidate_rules {
  int top_k;               // 1 or more
  std::uint64_t top_p;     // in units of 2^-32; 2^32: all
  float largest_distance;  // min-p: of a candidate's logit from the maximum; infinity: all
  float temperature;
  float exponent_scale;  // fixed_point::unit_scale / temperature, finite
};

/// The candidates of a row.
struct candidate_set {
  float maximum;
  float largest_distance;
  likeliest kept;

  ROCMFORGE_DEVICE float distance(float logit) const {
    return logit == maximum ? 0.0f : maximum - logit;  // also of infinite ones
  }
  ROCMFORGE_DEVICE bool contains(float logit, std::uint32_t key, int id) const {
    return kept.contains(key, id) && distance(logit) <= largest_distance;
  }
};

namespace device {

/// Applies top-k to the row, top-p to what is left, min-p to what is left then.
template <class T, int BlockSize, int WaveSize>
ROCMFORGE_DEVICE candidate_set choose_candidates(row_search<T, BlockSize, WaveSize>& search,
                                                 const candidate_rules& rules, float maximum) {
  candidate_set set{maximum, rules.largest_distance, {}};
  if (rules.top_k < search.size) set.kept = search.likeliest_of(rules.top_k);
  constexpr std::uint64_t whole = std::uint64_t{1} << 32;
  if (rules.top_p < whole) {
    const likeliest of_top_k = set.kept;
    const auto weight = [&](float logit, std::uint32_t key, int id) {
      return of_top_k.contains(key, id)
                 ? fixed_point::weight(set.distance(logit), fixed_point::unit_scale)
                 : std::uint64_t{0};
    };
    set.kept = search.reach(weight, [&](std::uint64_t total) {
      // total * top_p, rounded up
      const std::uint64_t target =
          (total >> 32) * rules.top_p + (((total & (whole - 1)) * rules.top_p + (whole - 1)) >> 32);
      return target > 0 ? target : 1;
    });
    if (set.kept.key == of_top_k.key && set.kept.last_id > of_top_k.last_id)
      set.kept.last_id = of_top_k.last_id;
  }
  return set;
}

}  // namespace device

namespace kernels {
using namespace device;

/// One block per row. The row is read for its maximum and twice for top-k, which leaves a list of a
/// few; without it three times for top-p and once for the draw.
template <class T, int BlockSize, int WaveSize>
struct sample {
  static_assert(BlockSize % WaveSize == 0, "sample: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  using search_of_row = row_search<T, BlockSize, WaveSize>;
  using shared_storage = typename search_of_row::storage;

  tensor_view<int, 1> tokens;                   // [num_rows]
  tensor_view<const T, 2> logits;               // [num_rows, vocab_size]
  tensor_view<const draw_counter, 1> counters;  // [num_rows]
  candidate_rules rules;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int row = block.index.x;
    search_of_row search{block, slice(logits, row).data, logits.extent[1], shared};
    const float maximum = search.maximum();
    if (!(maximum > search_of_row::lowest)) {
      if (block.thread == 0) tokens(row) = -1;
      return;
    }
    const candidate_set set = choose_candidates(search, rules, maximum);
    const auto weight = [&](float logit, std::uint32_t key, int id) {
      return set.contains(logit, key, id)
                 ? fixed_point::weight(set.distance(logit), rules.exponent_scale)
                 : std::uint64_t{0};
    };
    const draw_counter at = counters(row);
    const int token = search.locate(weight, [&](std::uint64_t total) {
      const philox_words random = philox4x32({{at.position, at.sequence, 0, 0}}, at.seed);
      const std::uint64_t bits = random.word[0] | std::uint64_t{random.word[1]} << 32;
      return fixed_point::multiply_high(bits, total);
    });
    if (block.thread == 0) tokens(row) = token;
  }
};

/// One block per row, which writes what `sample` would draw from.
template <class T, int BlockSize, int WaveSize>
struct filter_logits {
  static_assert(BlockSize % WaveSize == 0,
                "filter_logits: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  using search_of_row = row_search<T, BlockSize, WaveSize>;
  using shared_storage = typename search_of_row::storage;

  tensor_view<T, 2> filtered;      // [num_rows, vocab_size]
  tensor_view<const T, 2> logits;  // [num_rows, vocab_size]
  candidate_rules rules;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int row = block.index.x;
    search_of_row search{block, slice(logits, row).data, logits.extent[1], shared};
    const float maximum = search.maximum();
    const candidate_set set = choose_candidates(search, rules, maximum);
    T* to = slice(filtered, row).data;
    search.for_each_of_row([&](float logit, std::uint32_t key, int id) {
      to[id] = T(set.contains(logit, key, id) ? logit / rules.temperature : search_of_row::lowest);
    });
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
