// Attention for a few queries on the serial host: a block is one lane, which takes as many keys at
// a time as a register has exponentials. Online softmax: Milakov and Gimelshein, 2018.
#pragma once

#include "rocmforge/attention/decode_job.hpp"
#include "rocmforge/attention/rows.hpp"
#include "rocmforge/block/dot.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace kernels {
using namespace device;

template <class Problem, int HeadDim, int BlockSize, int WaveSize>
struct attention_decode;

template <class Problem, int HeadDim>
struct attention_decode<Problem, HeadDim, 1, 1> : attention_decode_job<Problem> {
  using job = attention_decode_job<Problem>;
  using job::num_rows, job::problem, job::scoring, job::larger, job::smaller;
  static constexpr int block_size = 1;
  static constexpr int wave_size = 1;
  using cache_element = typename Problem::cache_element;
  static constexpr int packet_elements = attention_rows::row_packet<cache_element, 1> < HeadDim
                                             ? attention_rows::row_packet<cache_element, 1>
                                             : HeadDim;
  static constexpr int packets = HeadDim / packet_elements;
  static constexpr int keys_at_once = packet_size<float, 1>;
  // Per row: query, output, keys_at_once scores, maximum and sum.
  static constexpr int lane_accumulators =
      num_rows * (2 * packets * packet_elements + keys_at_once + 2);
  static_assert(lane_accumulators <= max_lane_registers(1, 1),
                "attention_decode: this HeadDim keeps more of the queries and their output in a "
                "lane than a lane has registers; take a smaller HeadDim");

  struct shared_storage {};

  static attention_decode make(const Problem& problem, const attention_scoring& scoring,
                               const attention_chunks& chunks) {
    return {{problem, scoring, chunks, divisor::of(problem.num_heads() / problem.num_kv_heads()),
             divisor::of(chunks.num_chunks)}};
  }

  ROCMFORGE_DEVICE void operator()(block_context<1, 1> block, shared_storage&) const {
    using attention_rows::minus_infinity;
    const auto rows = this->rows_of(block.index);
    if (rows.count <= 0) return;
    const int q_len = problem.q_len(rows.sequence), kv_len = problem.kv_len(rows.sequence),
              head_dim = problem.head_dim(), v_head_dim = problem.v_head_dim();
    const auto keys = this->keys_of(rows, q_len, kv_len);
    // The first chunk has the sink, and is written even if there is no key at all.
    if (rows.chunk > 0 && keys.is_empty) {
      this->mark_unseen(block, rows);
      return;
    }
    const bool has_sink = rows.chunk == 0;  // in one sum of all

    packet<float, packet_elements> query[num_rows][packets], output[num_rows][packets];
    float maximum[num_rows], sum[num_rows];
    int begin[num_rows], end[num_rows];
    for (int r = 0; r < num_rows; ++r) {
      const int head = rows.head(rows.existing(r)), row = rows.query(rows.existing(r));
      for (int i = 0; i < packets; ++i) {
        query[r][i] = attention_rows::load<packet_elements>(problem.query(rows.sequence, head, row),
                                                            i * packet_elements, head_dim) *
                      scoring.query_scale;
        output[r][i] = packet<float, packet_elements>(0.0f);
      }
      maximum[r] = has_sink ? scoring.first_maximum(head) : minus_infinity;
      sum[r] = has_sink ? scoring.first_sum() : 0.0f;
      begin[r] = larger(scoring.mask.begin(row, q_len, kv_len), keys.begin);
      end[r] = smaller(scoring.mask.end(row, q_len, kv_len), keys.end);
    }

    constexpr int step = keys_at_once;
    for (int base = larger(keys.first / step * step, keys.begin); base < keys.last; base += step) {
      const auto key_of = [&](int c) {
        return problem.key(rows.sequence, rows.kv_head, seen(base + c, keys));
      };
      const auto value_of = [&](int c) {
        return problem.value(rows.sequence, rows.kv_head, seen(base + c, keys));
      };
      dot_accumulator<packet_elements, 1> dot[num_rows][keys_at_once];
      for (int c = 0; c < keys_at_once; ++c) {
        const cache_element* key = key_of(c);
        prefetch_row(value_of(c));
        dot_accumulator<packet_elements, 1> sums[num_rows];
        ROCMFORGE_UNROLL
        for (int r = 0; r < num_rows; ++r) sums[r] = 0.0f;
        ROCMFORGE_UNROLL_ON_GPU
        for (int i = 0; i < packets; ++i) {
          const auto part =
              attention_rows::load<packet_elements>(key, i * packet_elements, head_dim);
          ROCMFORGE_UNROLL
          for (int r = 0; r < num_rows; ++r) sums[r] = dot_add(query[r][i], part, sums[r]);
        }
        ROCMFORGE_UNROLL
        for (int r = 0; r < num_rows; ++r) dot[r][c] = sums[r];
      }
      packet<float, keys_at_once> score[num_rows];
      ROCMFORGE_UNROLL_ON_GPU
      for (int r = 0; r < num_rows; ++r) {
        score[r] = scoring.exponent(fold_all(dot[r]));
        score[r] = keep_first(score[r], end[r] - base, minus_infinity);
        if (base < keys.common_begin)
          score[r] = drop_first(score[r], begin[r] - base, minus_infinity);
      }
      ROCMFORGE_UNROLL_ON_GPU
      for (int r = 0; r < num_rows; ++r) {
        const float new_maximum = device::maximum(maximum[r], horizontal_maximum(score[r]));
        const float reference = attention_rows::finite_maximum(new_maximum);
        const float keep = exp2_of(maximum[r] - reference);
        score[r] = exp2_of(score[r] - packet<float, keys_at_once>(reference));
        sum[r] = sum[r] * keep + horizontal_sum(score[r]);
        maximum[r] = new_maximum;
        ROCMFORGE_UNROLL_ON_GPU
        for (int i = 0; i < packets; ++i) output[r][i] = output[r][i] * keep;
      }
      if (base >= keys.common_begin && base + step <= keys.common_end) {
        for (int c = 0; c < keys_at_once; ++c) {
          const cache_element* value = problem.value(rows.sequence, rows.kv_head, base + c);
          if (base + c + step < keys.last)
            prefetch_row(problem.key(rows.sequence, rows.kv_head, base + c + step));
          packet<float, packet_elements> weights[num_rows];
          ROCMFORGE_UNROLL
          for (int r = 0; r < num_rows; ++r)
            weights[r] = packet<float, packet_elements>(score[r][c]);
          ROCMFORGE_UNROLL_ON_GPU
          for (int i = 0; i < packets; ++i) {
            const auto part =
                attention_rows::load<packet_elements>(value, i * packet_elements, v_head_dim);
            ROCMFORGE_UNROLL
            for (int r = 0; r < num_rows; ++r) output[r][i] = fma(weights[r], part, output[r][i]);
          }
        }
        continue;
      }
      // The edge of a mask: each row takes only the keys that it sees, whose weights alone are not
      // 0. The others may be NaN or infinite, and 0 * NaN is NaN.
      for (int c = 0; c < keys_at_once; ++c) {
        const cache_element* value = value_of(c);
        ROCMFORGE_UNROLL_ON_GPU
        for (int i = 0; i < packets; ++i) {
          const auto part =
              attention_rows::load<packet_elements>(value, i * packet_elements, v_head_dim);
          ROCMFORGE_UNROLL_ON_GPU
          for (int r = 0; r < num_rows; ++r) {
            if (score[r][c] == 0) continue;
            output[r][i] = fma(packet<float, packet_elements>(score[r][c]), part, output[r][i]);
          }
        }
      }
    }
    for (int r = 0; r < rows.count; ++r) {
      const float inverse = sum[r] != 0 ? 1.0f / sum[r] : 0.0f;
      for (int i = 0; i < packets; ++i)
        this->store_row(rows, r, i * packet_elements, output[r][i] * inverse);
      this->store_lse(rows, r, maximum[r], sum[r]);
    }
  }

 private:
  /// Prefetches a row that is needed after the current keys: a processor's own prefetcher does not
  /// follow the pages.
  ROCMFORGE_DEVICE static void prefetch_row(const cache_element* row) {
    constexpr int line = 64;
    constexpr int row_bytes =
        HeadDim / block_traits<cache_element>::elements * static_cast<int>(sizeof(cache_element));
    for (int i = 0; i < row_bytes; i += line) prefetch(reinterpret_cast<const char*>(row) + i);
  }

  /// The position, clamped to the keys that some row sees: other keys may not exist in memory.
  ROCMFORGE_DEVICE static int seen(int position, const typename job::block_keys& keys) {
    return position < keys.first ? keys.first : position < keys.last ? position : keys.last - 1;
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
