// Attention for many queries: a block holds a tile of queries and walks over tiles of keys and
// values with an online softmax, so that no row of scores is ever in memory. Dao et al.,
// "FlashAttention", 2022, and "FlashAttention-2", 2023.
#pragma once

#include "rocmforge/attention/problem.hpp"
#include "rocmforge/attention/rows.hpp"
#include "rocmforge/attention/scoring.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {

/// Shape of the work of one block of kernels::attention.
struct attention_config {
  int head_dim;  // upper limit for keys and values; shorter rows are padded with zeros
  int block_q;   // queries per block
  int block_kv;  // keys per step
  friend constexpr bool operator==(const attention_config&, const attention_config&) = default;
};

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

constexpr attention_config attention_config_for(int head_dim, int block_size, int wave_size) {
  if (wave_size == 1)
    return {head_dim, 64, 64};  // a tile of keys and the queries stay in a first-level cache
  // Queries, one tile of keys or values, and weights as floats in 64 KiB of shared memory.
  attention_config config = head_dim <= 64    ? attention_config{head_dim, 64, 64}
                            : head_dim <= 128 ? attention_config{head_dim, 32, 32}
                                              : attention_config{head_dim, 16, 32};
  // A smaller block takes fewer queries: the registers of 16 lanes hold four.
  if (config.block_q > block_size / 4) config.block_q = block_size / 4;
  // Each of the rows of 16 lanes gets as many queries as the others.
  const int rows = block_size / 16;
  if (config.block_q > rows) config.block_q -= config.block_q % rows;
  return config;
}

namespace kernels {
using namespace device;

/// Lanes form a grid: `lanes_kv` along keys (and, for the output, along head_dim), the rest along
/// queries. A lane computes `lane_q` rows of scores at a time, packets of neighboring keys each,
/// as outer products over head_dim from a transposed tile of keys.
template <class Problem, attention_config Config, int BlockSize, int WaveSize>
struct attention {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int lanes_kv = WaveSize == 1 ? 1 : 16;
  static constexpr int lanes_q = BlockSize / lanes_kv;
  static constexpr int lane_q = Config.block_q / lanes_q < 4 ? Config.block_q / lanes_q : 4;
  static constexpr int rounds = Config.block_q / (lanes_q * lane_q);
  static constexpr int score_elements =
      attention_rows::widest_packet<WaveSize>(Config.block_kv / lanes_kv);
  static constexpr int score_packets = Config.block_kv / (lanes_kv * score_elements);
  static constexpr int output_elements =
      attention_rows::widest_packet<WaveSize>(Config.head_dim / lanes_kv);
  static constexpr int output_packets = Config.head_dim / (lanes_kv * output_elements);
  // Packets of output that are in registers while values are added.
  static constexpr int columns_at_once = output_packets % 4 == 0   ? 4
                                         : output_packets % 3 == 0 ? 3
                                         : output_packets % 2 == 0 ? 2
                                                                   : 1;
  static constexpr int pad = 4;  // puts neighboring rows into different banks
  static_assert(BlockSize % lanes_kv == 0 && lane_q > 0 &&
                    rounds * lanes_q * lane_q == Config.block_q,
                "attention: block_q must be a multiple of BlockSize / 16");
  static_assert(Config.block_kv > 0 && Config.block_kv % 16 == 0,
                "attention: block_kv must be a multiple of 16");
  static_assert(Config.head_dim > 0 && Config.head_dim % 16 == 0,
                "attention: head_dim must be a multiple of 16");
  // Output, maximum and sum of all of a lane's queries, and the scores of one round.
  static constexpr int lane_accumulators =
      rounds * lane_q * (Config.head_dim / lanes_kv + 2) + lane_q * (Config.block_kv / lanes_kv);
  static_assert(lane_accumulators <= max_lane_registers(BlockSize, WaveSize),
                "attention: this block_q x head_dim keeps more accumulators in a lane than a lane "
                "has registers; take a smaller block_q or more lanes");

  struct shared_storage {
    alignas(64) float query[Config.block_q][Config.head_dim + pad];
    union {  // keys are no longer needed when the values are staged
      alignas(64) float key[Config.head_dim][Config.block_kv + pad];  // transposed
      alignas(64) float value[Config.block_kv][Config.head_dim + pad];
    };
    alignas(64) float weight[Config.block_q][Config.block_kv + pad];
  };

  Problem problem;
  attention_scoring scoring;

  // Grid: x over tiles of queries, y over heads, z over sequences.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int sequence = block.index.z, head = block.index.y;
    const int kv_head = head / (problem.num_heads() / problem.num_kv_heads());
    const int q_len = problem.q_len(sequence), kv_len = problem.kv_len(sequence),
              head_dim = problem.head_dim(), v_head_dim = problem.v_head_dim();
    const int first_query = block.index.x * Config.block_q;
    if (first_query >= q_len) return;  // uniform across the block
    const int lane_kv = block.thread % lanes_kv, lane_row = block.thread / lanes_kv * lane_q;

    stage_queries(block, shared, sequence, head, first_query, q_len, head_dim);

    float maximum[rounds][lane_q], sum[rounds][lane_q];
    packet<float, output_elements> output[rounds][lane_q][output_packets];
    for (int round = 0; round < rounds; ++round) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int r = 0; r < lane_q; ++r) {
        maximum[round][r] = scoring.first_maximum(head);
        sum[round][r] = scoring.first_sum();
        ROCMFORGE_UNROLL_ON_GPU
        for (int c = 0; c < output_packets; ++c)
          output[round][r][c] = packet<float, output_elements>(0.0f);
      }
    }

    const int last_query =
        first_query + Config.block_q <= q_len ? first_query + Config.block_q - 1 : q_len - 1;
    const attention_mask mask = scoring.mask;
    const int end = mask.end(last_query, q_len, kv_len);
    // Tiles start at multiples of their size, so that a query's sums do not depend on the others'.
    const int begin = mask.begin(first_query, q_len, kv_len);
    // The keys that every query of the block sees.
    const int common_begin = mask.begin(last_query, q_len, kv_len),
              common_end = mask.end(first_query, q_len, kv_len);
    const attention& held = reloaded(*this);  // keys and values
    for (int first_key = begin / Config.block_kv * Config.block_kv; first_key < end;
         first_key += Config.block_kv) {
      held.stage_keys(block, shared, sequence, kv_head, first_key, begin, end, head_dim);
      block.barrier();
      for (int round = 0; round < rounds; ++round) {
        const int row = lane_row + round * lanes_q * lane_q;
        if (first_query + row >= q_len && lanes_kv == 1) break;
        score_rows(block, shared, row, lane_kv, first_query, first_key, q_len, kv_len,
                   maximum[round], sum[round], output[round]);
      }
      block.barrier();
      held.stage_values(block, shared, sequence, kv_head, first_key, begin, end, v_head_dim);
      block.barrier();
      for (int round = 0; round < rounds; ++round) {
        const int row = lane_row + round * lanes_q * lane_q;
        if (first_query + row >= q_len && lanes_kv == 1) break;
        if (first_key < common_begin || first_key + Config.block_kv > common_end) {
          add_values<true>(shared, row, lane_kv, first_query, first_key, q_len, kv_len,
                           output[round]);
        } else {
          add_values<false>(shared, row, lane_kv, first_query, first_key, q_len, kv_len,
                            output[round]);
        }
      }
      block.barrier();
    }

    const Problem& after = reloaded(*this).problem;
    const int end_of_row = after.v_head_dim();
    for (int round = 0; round < rounds; ++round) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int r = 0; r < lane_q; ++r) {
        const int query = first_query + lane_row + round * lanes_q * lane_q + r;
        if (query >= q_len) continue;
        const float inverse = sum[round][r] > 0 ? 1.0f / sum[round][r] : 0.0f;
        for (int c = 0; c < output_packets; ++c) {
          const int first = (c * lanes_kv + lane_kv) * output_elements;
          if (first < end_of_row) {
            attention_rows::store(after.output(sequence, head, query), first, end_of_row,
                                  output[round][r][c] * inverse);
          }
        }
        if (float* lse = after.lse_at(sequence, head, query); lse != nullptr && lane_kv == 0) {
          *lse = attention_rows::log_sum_exp(maximum[round][r], sum[round][r]);
        }
      }
    }
  }

 private:
  /// Packet size of staging: 16 bytes in memory, or one host register.
  template <class T>
  static constexpr int staged = attention_rows::row_packet<T, WaveSize>;

  ROCMFORGE_DEVICE void stage_queries(block_context<BlockSize, WaveSize> block,
                                      shared_storage& shared, int sequence, int head,
                                      int first_query, int q_len, int head_dim) const {
    constexpr int n = staged<typename Problem::element>;
    constexpr int row_packets = Config.head_dim / n;
    for (int i = block.thread; i < Config.block_q * row_packets; i += BlockSize) {
      const int row = i / row_packets, first = i % row_packets * n;
      const int query = first_query + row < q_len
                            ? first_query + row
                            : q_len - 1;  // rows beyond the end repeat the last
      store_packet(&shared.query[row][first],
                   attention_rows::load<n>(problem.query(sequence, head, query), first, head_dim) *
                       scoring.query_scale);
    }
  }

  ROCMFORGE_DEVICE void stage_keys(block_context<BlockSize, WaveSize> block, shared_storage& shared,
                                   int sequence, int kv_head, int first_key, int begin, int end,
                                   int head_dim) const {
    constexpr int n = staged<typename Problem::cache_element>;
    for (int i = block.thread; i < Config.block_kv * (Config.head_dim / n); i += BlockSize) {
      const int key = i % Config.block_kv, first = i / Config.block_kv * n;
      packet<float, n> values(0.0f);
      if (first_key + key >= begin && first_key + key < end)
        values = attention_rows::load<n>(problem.key(sequence, kv_head, first_key + key), first,
                                         head_dim);
      ROCMFORGE_UNROLL
      for (int d = 0; d < n; ++d) shared.key[first + d][key] = values[d];
    }
  }

  ROCMFORGE_DEVICE void stage_values(block_context<BlockSize, WaveSize> block,
                                     shared_storage& shared, int sequence, int kv_head,
                                     int first_key, int begin, int end, int v_head_dim) const {
    constexpr int n = staged<typename Problem::cache_element>;
    constexpr int row_packets = Config.head_dim / n;
    for (int i = block.thread; i < Config.block_kv * row_packets; i += BlockSize) {
      const int key = i / row_packets, first = i % row_packets * n;
      // No row reads the values of other keys, see add_values.
      if (first_key + key < begin || first_key + key >= end) continue;
      store_packet(&shared.value[key][first],
                   attention_rows::load<n>(problem.value(sequence, kv_head, first_key + key), first,
                                           v_head_dim));
    }
  }

  /// Computes the scores of `lane_q` rows with the tile's keys, stores their weights to shared
  /// memory, and updates the online softmax.
  ROCMFORGE_DEVICE void score_rows(
      block_context<BlockSize, WaveSize> block, shared_storage& shared, int row, int lane_kv,
      int first_query, int first_key, int q_len, int kv_len, float (&maximum)[lane_q],
      float (&sum)[lane_q],
      packet<float, output_elements> (&output)[lane_q][output_packets]) const {
    using scores = packet<float, score_elements>;
    scores score[lane_q][score_packets];
    ROCMFORGE_UNROLL
    for (int r = 0; r < lane_q; ++r) {
      ROCMFORGE_UNROLL
      for (int c = 0; c < score_packets; ++c) score[r][c] = scores(0.0f);
    }
    for (int d = 0; d < Config.head_dim; ++d) {
      scores key[score_packets];
      ROCMFORGE_UNROLL
      for (int c = 0; c < score_packets; ++c)
        key[c] =
            load_packet<score_elements>(&shared.key[d][(c * lanes_kv + lane_kv) * score_elements]);
      ROCMFORGE_UNROLL
      for (int r = 0; r < lane_q; ++r) {
        const scores query(shared.query[row + r][d]);
        ROCMFORGE_UNROLL
        for (int c = 0; c < score_packets; ++c) score[r][c] = fma(query, key[c], score[r][c]);
      }
    }
    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < lane_q; ++r) {
      const int query = first_query + row + r < q_len ? first_query + row + r : q_len - 1;
      const int begin = scoring.mask.begin(query, q_len, kv_len) - first_key,
                end = scoring.mask.end(query, q_len, kv_len) - first_key;
      ROCMFORGE_UNROLL_ON_GPU
      for (int c = 0; c < score_packets; ++c) {
        const int first = (c * lanes_kv + lane_kv) * score_elements;
        score[r][c] = scoring.exponent(score[r][c]);
        if (end < Config.block_kv)
          score[r][c] = keep_first(score[r][c], end - first, attention_rows::minus_infinity);
        if (begin > 0)
          score[r][c] = drop_first(score[r][c], begin - first, attention_rows::minus_infinity);
      }
      scores largest = score[r][0];
      ROCMFORGE_UNROLL
      for (int c = 1; c < score_packets; ++c) largest = device::maximum(largest, score[r][c]);
      const float tile_maximum =
          reduce_lanes<lanes_kv>(horizontal_maximum(largest), max_op{}, block);
      const float new_maximum = device::maximum(maximum[r], tile_maximum);
      const float reference = attention_rows::finite_maximum(new_maximum);
      const float keep = exp2_of(maximum[r] - reference);
      scores total(0.0f);
      ROCMFORGE_UNROLL_ON_GPU
      for (int c = 0; c < score_packets; ++c) {
        const scores weight = exp2_of(score[r][c] - scores(reference));
        total += weight;
        store_packet(&shared.weight[row + r][(c * lanes_kv + lane_kv) * score_elements], weight);
      }
      sum[r] = sum[r] * keep + reduce_lanes<lanes_kv>(horizontal_sum(total), add_op{}, block);
      maximum[r] = new_maximum;
      for (int c = 0; c < output_packets; ++c) output[r][c] = output[r][c] * keep;
    }
  }

  /// Adds the tile's values, times their weights, to the output of `lane_q` rows. With `Masked` a
  /// row skips the keys that it does not see, whose values may be NaN or infinite: their weight is
  /// 0, but 0 * NaN is NaN.
  template <bool Masked>
  ROCMFORGE_DEVICE void add_values(
      const shared_storage& shared, int row, int lane_kv, int first_query, int first_key, int q_len,
      int kv_len, packet<float, output_elements> (&output)[lane_q][output_packets]) const {
    int begin[lane_q], end[lane_q], first_seen = 0, last_seen = Config.block_kv;  // one after it
    if constexpr (Masked) {
      ROCMFORGE_UNROLL
      for (int r = 0; r < lane_q; ++r) {
        begin[r] = scoring.mask.begin(first_query + row + r, q_len, kv_len) - first_key;
        end[r] = scoring.mask.end(first_query + row + r, q_len, kv_len) - first_key;
      }
      if (begin[0] > first_seen) first_seen = begin[0];  // both grow from row to row
      if (end[lane_q - 1] < last_seen) last_seen = end[lane_q - 1];
    }
    using values = packet<float, output_elements>;
    for (int first = 0; first < output_packets; first += columns_at_once) {
      values total[lane_q][columns_at_once];
      ROCMFORGE_UNROLL
      for (int r = 0; r < lane_q; ++r) {
        ROCMFORGE_UNROLL
        for (int c = 0; c < columns_at_once; ++c) total[r][c] = output[r][first + c];
      }
      for (int key = first_seen; key < last_seen; ++key) {
        values value[columns_at_once];
        ROCMFORGE_UNROLL
        for (int c = 0; c < columns_at_once; ++c) {
          value[c] = load_packet<output_elements>(
              &shared.value[key][((first + c) * lanes_kv + lane_kv) * output_elements]);
        }
        ROCMFORGE_UNROLL
        for (int r = 0; r < lane_q; ++r) {
          if constexpr (Masked) {
            if (key < begin[r] || key >= end[r]) continue;
          }
          const values weight(shared.weight[row + r][key]);
          ROCMFORGE_UNROLL
          for (int c = 0; c < columns_at_once; ++c)
            total[r][c] = fma(weight, value[c], total[r][c]);
        }
      }
      ROCMFORGE_UNROLL
      for (int r = 0; r < lane_q; ++r) {
        ROCMFORGE_UNROLL
        for (int c = 0; c < columns_at_once; ++c) output[r][first + c] = total[r][c];
      }
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
