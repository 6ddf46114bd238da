// Attention for a few queries, as in generation: each key and value is read once for all queries of
// its group of heads, and the keys are split across the lanes of a block. Online softmax: Milakov
// and Gimelshein, 2018; the merge at the end as in Dao et al., "Flash-Decoding", 2023.
#pragma once

#include <type_traits>

#include "rocmforge/attention/plan.hpp"
#include "rocmforge/attention/problem.hpp"
#include "rocmforge/attention/rows.hpp"
#include "rocmforge/attention/scoring.hpp"
#include "rocmforge/block/dot.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace kernels {
using namespace device;

/// A key is split across `lanes_per_key` lanes (a team). Each team processes `keys_at_once` keys
/// per step with its own running max, sum and output; the partial results are merged through LDS at
/// the end. A block takes one chunk of a sequence's keys; where there are several, its result goes
/// to `chunks`, for kernels::merge_states.
template <class Problem, int HeadDim, int BlockSize, int WaveSize>
struct attention_decode {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int num_rows = attention_decode_rows;
  using cache_element = typename Problem::cache_element;
  static constexpr int packet_elements =
      attention_rows::row_packet<cache_element, WaveSize> < HeadDim
          ? attention_rows::row_packet<cache_element, WaveSize>
          : HeadDim;
  static constexpr int packets = HeadDim / packet_elements;
  static constexpr int lanes_per_key = packets < WaveSize ? packets : WaveSize;
  static constexpr int lane_packets = packets / lanes_per_key;
  static constexpr int num_teams = BlockSize / lanes_per_key;
  static constexpr int keys_at_once = WaveSize == 1
                                          ? packet_size<float, WaveSize>
                                          : 4;  // on the host one full register of exponentials
  /// On a GPU the keys and values of a step are loaded before any of them is used: as many loads
  /// are in flight. Blocks are decoded as they are read.
  static constexpr bool loads_ahead = WaveSize > 1 && floating_dtype<cache_element>;
  // Per row: query, output, keys_at_once scores, maximum and sum.
  static constexpr int lane_accumulators =
      num_rows * (2 * lane_packets * packet_elements + keys_at_once + 2);
  static_assert(lane_accumulators <= max_lane_registers(BlockSize, WaveSize),
                "attention_decode: this HeadDim keeps more of the queries and their output in a "
                "lane than a lane has registers; take a smaller HeadDim or BlockSize");

  struct shared_storage {
    alignas(64) float output[num_teams][num_rows][HeadDim];
    float maximum[num_teams][num_rows];
    float sum[num_teams][num_rows];
  };

  /// Whether every packet of keys and values is all there and can be loaded at once. (Asked for on
  /// the host: the strides would take scalar registers, of which gfx9 has too few.)
  static bool has_whole_packets(const Problem& problem) {
    return problem.head_dim() % packet_elements == 0 &&
           problem.v_head_dim() % packet_elements == 0 && problem.is_aligned();
  }

  Problem problem;
  attention_scoring scoring;
  attention_chunks chunks{};
  bool whole_packets = false;  // as has_whole_packets says; false is right for any problem

  // Grid: x over the rows of a group of heads (head by head within a query) and, innermost, over
  // chunks of keys, y over kv heads, z over sequences.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    using attention_rows::minus_infinity;
    const int sequence = block.index.z, kv_head = block.index.y;
    const int group = problem.num_heads() / problem.num_kv_heads();
    const int q_len = problem.q_len(sequence), kv_len = problem.kv_len(sequence),
              head_dim = problem.head_dim(), v_head_dim = problem.v_head_dim();
    const int chunk = block.index.x % chunks.num_chunks;
    const int first_row = block.index.x / chunks.num_chunks * num_rows,
              rows_left = group * q_len - first_row;
    if (rows_left <= 0) return;  // uniform across the block
    const auto [chunk_begin, chunk_end] = chunks.of(chunk, scoring.mask.begin(0, q_len, kv_len),
                                                    scoring.mask.end(q_len - 1, q_len, kv_len));
    // The first chunk has the sink, and is written even if there is no key at all.
    if (chunk > 0 && chunk_begin == chunk_end) {
      mark_unseen(block, sequence, kv_head, chunk);
      return;
    }
    const int team = block.thread / lanes_per_key, lane = block.thread % lanes_per_key;
    const bool has_sink = team == 0 && chunk == 0;  // in one sum of all

    packet<float, packet_elements> query[num_rows][lane_packets], output[num_rows][lane_packets];
    float maximum[num_rows], sum[num_rows];
    int begin[num_rows], end[num_rows];
    int first_key = kv_len, last_key = 0;       // keys that some row sees; one after the last
    int common_begin = 0, common_end = kv_len;  // keys that every row sees; one after the last
    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < num_rows; ++r) {
      const int row =
          first_row + (r < rows_left ? r : rows_left - 1);  // rows beyond the end repeat the last
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < lane_packets; ++i) {
        query[r][i] = attention_rows::load<packet_elements>(
                          problem.query(sequence, kv_head * group + row % group, row / group),
                          element(lane, i), head_dim) *
                      scoring.query_scale;
        output[r][i] = packet<float, packet_elements>(0.0f);
      }
      maximum[r] = has_sink ? scoring.first_maximum(kv_head * group + row % group) : minus_infinity;
      sum[r] = has_sink ? scoring.first_sum() : 0.0f;
      begin[r] = larger(scoring.mask.begin(row / group, q_len, kv_len), chunk_begin);
      end[r] = smaller(scoring.mask.end(row / group, q_len, kv_len), chunk_end);
      first_key = smaller(begin[r], first_key);
      last_key = larger(end[r], last_key);
      common_begin = larger(begin[r], common_begin);
      common_end = smaller(end[r], common_end);
      begin[r] = in_each_lane(begin[r]);
      end[r] = in_each_lane(end[r]);
    }
    // Others of the sequence's rows see the chunk, none of these.
    if (first_key >= last_key) last_key = 0;

    constexpr int step = num_teams * keys_at_once;
    for (int base = larger(first_key / step * step, chunk_begin); base < last_key; base += step) {
      // Reloaded in every step: kept live through the loop, the views spill scalar registers on
      // gfx9.
      const attention_decode& held = reloaded(*this);
      rows_ahead keys, values;
      if constexpr (loads_ahead) {
        if (whole_packets) {
          const auto nearest = [&](int c) {
            return seen(base + c * num_teams + team, first_key, last_key);
          };
          ROCMFORGE_UNROLL
          for (int c = 0; c < keys_at_once; ++c)
            keys.load(c, held.problem.key(sequence, kv_head, nearest(c)), lane, head_dim);
          ROCMFORGE_UNROLL
          for (int c = 0; c < keys_at_once; ++c)
            values.load(c, held.problem.value(sequence, kv_head, nearest(c)), lane, v_head_dim);
        }
      }
      // Packet i of the step's row c, loaded before or now.
      const auto packet_of = [&](const rows_ahead& ahead, int c, const cache_element* row, int i,
                                 int size) {
        if constexpr (loads_ahead) {
          if (whole_packets) return ahead.packet_of(c, i, lane, size);
        }
        return attention_rows::load<packet_elements>(row, element(lane, i), size);
      };
      dot_accumulator<packet_elements, WaveSize> dot[num_rows][keys_at_once];
      for_each_key([&](int c) {
        const int position = base + c * num_teams + team;
        const int nearest = seen(position, first_key, last_key);
        const cache_element* key = held.problem.key(sequence, kv_head, nearest);
        prefetch_row(held.problem.value(sequence, kv_head, nearest));
        dot_accumulator<packet_elements, WaveSize> sums[num_rows];
        ROCMFORGE_UNROLL
        for (int r = 0; r < num_rows; ++r) sums[r] = 0.0f;
        ROCMFORGE_UNROLL_ON_GPU
        for (int i = 0; i < lane_packets; ++i) {
          const auto part = packet_of(keys, c, key, i, head_dim);
          ROCMFORGE_UNROLL
          for (int r = 0; r < num_rows; ++r) sums[r] = dot_add(query[r][i], part, sums[r]);
        }
        ROCMFORGE_UNROLL
        for (int r = 0; r < num_rows; ++r) dot[r][c] = sums[r];
      });
      packet<float, keys_at_once> score[num_rows];
      ROCMFORGE_UNROLL_ON_GPU
      for (int r = 0; r < num_rows; ++r) {
        score[r] = held.scoring.exponent(whole_scores(dot[r], block));
        score[r] = keep_first(score[r], keys_before(end[r] - base - team), minus_infinity);
        if (base < common_begin)
          score[r] = drop_first(score[r], keys_before(begin[r] - base - team), minus_infinity);
      }
      ROCMFORGE_UNROLL_ON_GPU
      for (int r = 0; r < num_rows; ++r) {
        const float new_maximum = maximum_of(maximum[r], horizontal_maximum(score[r]));
        const float reference = attention_rows::finite_maximum(new_maximum);
        const float keep = exp2_of(maximum[r] - reference);
        score[r] = exp2_of(score[r] - packet<float, keys_at_once>(reference));
        sum[r] = sum[r] * keep + horizontal_sum(score[r]);
        maximum[r] = new_maximum;
        ROCMFORGE_UNROLL_ON_GPU
        for (int i = 0; i < lane_packets; ++i) output[r][i] = output[r][i] * keep;
      }
      if (base >= common_begin && base + step <= common_end) {
        for_each_key([&](int c) {
          const int position = base + c * num_teams + team;
          const cache_element* value = held.problem.value(sequence, kv_head, position);
          if (position + step < last_key)
            prefetch_row(held.problem.key(sequence, kv_head, position + step));
          packet<float, packet_elements> weights[num_rows];
          ROCMFORGE_UNROLL
          for (int r = 0; r < num_rows; ++r)
            weights[r] = packet<float, packet_elements>(score[r][c]);
          ROCMFORGE_UNROLL_ON_GPU
          for (int i = 0; i < lane_packets; ++i) {
            const auto part = packet_of(values, c, value, i, v_head_dim);
            ROCMFORGE_UNROLL
            for (int r = 0; r < num_rows; ++r) output[r][i] = fma(weights[r], part, output[r][i]);
          }
        });
        continue;
      }
      // The edge of a mask: each row takes only the keys that it sees, whose weights alone are not
      // 0. The others may be NaN or infinite, and 0 * NaN is NaN.
      for_each_key([&](int c) {
        const int position = seen(base + c * num_teams + team, first_key, last_key);
        const cache_element* value = held.problem.value(sequence, kv_head, position);
        ROCMFORGE_UNROLL_ON_GPU
        for (int i = 0; i < lane_packets; ++i) {
          const auto part = packet_of(values, c, value, i, v_head_dim);
          ROCMFORGE_UNROLL_ON_GPU
          for (int r = 0; r < num_rows; ++r) {
            if (score[r][c] == 0) continue;
            output[r][i] = fma(packet<float, packet_elements>(score[r][c]), part, output[r][i]);
          }
        }
      });
    }

    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < num_rows; ++r) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < lane_packets; ++i)
        store_packet(&shared.output[team][r][element(lane, i)], output[r][i]);
      if (lane == 0) {
        shared.maximum[team][r] = maximum[r];
        shared.sum[team][r] = sum[r];
      }
    }
    block.barrier();
    reloaded(*this).merge_teams(block, shared, sequence, kv_head, chunk);
  }

 private:
  struct no_rows_ahead {};
  /// A lane's part of the rows of a step, as they lie in memory.
  struct held_rows {
    raw_packet<std::conditional_t<loads_ahead, cache_element, float>, packet_elements>
        raw[keys_at_once][lane_packets];

    /// Lanes beyond the end of the row read its begin: where a load depends on the lane, the
    /// compiler waits for it before the next.
    ROCMFORGE_DEVICE void load(int c, const cache_element* row, int lane, int size) {
      ROCMFORGE_UNROLL
      for (int i = 0; i < lane_packets; ++i) {
        const int first = element(lane, i);
        raw[c][i] = load_raw<packet_elements>(global_memory(row + (first < size ? first : 0)));
      }
    }
    ROCMFORGE_DEVICE packet<float, packet_elements> packet_of(int c, int i, int lane,
                                                              int size) const {
      if (size < HeadDim && element(lane, i) >= size) return packet<float, packet_elements>(0.0f);
      return to_float(as_loaded(raw[c][i]));
    }
  };
  using rows_ahead = std::conditional_t<loads_ahead, held_rows, no_rows_ahead>;

  /// The complete dot products of the keys, from the partial sums of a team's lanes.
  ROCMFORGE_DEVICE static packet<float, keys_at_once> whole_scores(
      const dot_accumulator<packet_elements, WaveSize> (&dot)[keys_at_once],
      block_context<BlockSize, WaveSize> block) {
    if constexpr (WaveSize == 1) {
      return fold_all(dot);
    } else {
      packet<float, keys_at_once> score(0.0f);
      ROCMFORGE_UNROLL
      for (int c = 0; c < keys_at_once; ++c)
        score.set(c, reduce_lanes<lanes_per_key>(dot[c], add_op{}, block));
      return score;
    }
  }

  /// Prefetches a row that is needed after the current keys. Host only: its hardware prefetcher
  /// does not follow the pages.
  ROCMFORGE_DEVICE static void prefetch_row(const cache_element* row) {
    if constexpr (WaveSize == 1) {
      constexpr int line = 64;
      constexpr int row_bytes =
          HeadDim / block_traits<cache_element>::elements * static_cast<int>(sizeof(cache_element));
      for (int i = 0; i < row_bytes; i += line) prefetch(reinterpret_cast<const char*>(row) + i);
    }
  }

  /// Loop over the keys of a step: unrolled on a GPU, where scores must stay in registers; a real
  /// loop on the host.
  template <class F>
  ROCMFORGE_DEVICE static void for_each_key(F&& f) {
    if constexpr (WaveSize == 1) {
      for (int c = 0; c < keys_at_once; ++c) f(c);
    } else {
      ROCMFORGE_UNROLL
      for (int c = 0; c < keys_at_once; ++c) f(c);
    }
  }

  ROCMFORGE_DEVICE static float maximum_of(float a, float b) { return a > b ? a : b; }
  ROCMFORGE_DEVICE static int larger(int a, int b) { return a > b ? a : b; }
  ROCMFORGE_DEVICE static int smaller(int a, int b) { return a < b ? a : b; }
  /// The position, clamped to the keys that some row sees: other keys may not exist in memory.
  ROCMFORGE_DEVICE static int seen(int position, int first_key, int last_key) {
    return position < first_key ? first_key : position < last_key ? position : last_key - 1;
  }
  /// How many of a team's keys in a step are among the `count` positions that start at its first
  /// one.
  ROCMFORGE_DEVICE static int keys_before(int count) { return (count + num_teams - 1) / num_teams; }
  /// First element of packet i of a lane.
  ROCMFORGE_DEVICE static int element(int lane, int i) {
    return (i * lanes_per_key + lane) * packet_elements;
  }

  /// The rows of a block: queries of the heads of one group.
  struct block_rows {
    int first, count, first_head, group;
    ROCMFORGE_DEVICE int head(int r) const { return first_head + (first + r) % group; }
    ROCMFORGE_DEVICE int query(int r) const { return (first + r) / group; }
  };
  ROCMFORGE_DEVICE block_rows rows_of(block_context<BlockSize, WaveSize> block, int sequence,
                                      int kv_head) const {
    const int group = problem.num_heads() / problem.num_kv_heads();
    const int first = block.index.x / chunks.num_chunks * num_rows;
    return {first, smaller(group * problem.q_len(sequence) - first, num_rows), kv_head * group,
            group};
  }

  /// Says that no row of the block has seen a key of the chunk.
  ROCMFORGE_DEVICE void mark_unseen(block_context<BlockSize, WaveSize> block, int sequence,
                                    int kv_head, int chunk) const {
    const block_rows rows = rows_of(block, sequence, kv_head);
    for (int r = block.thread; r < rows.count; r += BlockSize)
      chunks.lse(chunk, sequence, rows.head(r), rows.query(r)) = attention_rows::minus_infinity;
  }

  ROCMFORGE_DEVICE void merge_teams(block_context<BlockSize, WaveSize> block,
                                    const shared_storage& shared, int sequence, int kv_head,
                                    int chunk) const {
    const block_rows rows = rows_of(block, sequence, kv_head);
    const int v_head_dim = problem.v_head_dim();
    for (int i = block.thread; i < rows.count * packets; i += BlockSize) {
      const int r = i / packets, first = i % packets * packet_elements;
      const int head = rows.head(r), row = rows.query(r);
      float maximum = attention_rows::minus_infinity;
      for (int team = 0; team < num_teams; ++team)
        maximum = maximum_of(maximum, shared.maximum[team][r]);
      const float reference = attention_rows::finite_maximum(maximum);
      packet<float, packet_elements> output(0.0f);
      float sum = 0;
      for (int team = 0; team < num_teams; ++team) {
        const float weight = exp2_of(shared.maximum[team][r] - reference);
        sum += shared.sum[team][r] * weight;
        output += load_packet<packet_elements>(&shared.output[team][r][first]) * weight;
      }
      output = output * (sum != 0 ? 1.0f / sum : 0.0f);
      const bool whole = chunks.num_chunks == 1;
      if (first < v_head_dim && whole)
        attention_rows::store(problem.output(sequence, head, row), first, v_head_dim, output);
      if (first < v_head_dim && !whole) {
        attention_rows::store(slice(chunks.states, chunk, sequence, head, row).data, first,
                              v_head_dim, output);
      }
      float* const lse =
          whole ? problem.lse_at(sequence, head, row) : &chunks.lse(chunk, sequence, head, row);
      if (lse != nullptr && first == 0) *lse = attention_rows::log_sum_exp(maximum, sum);
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
