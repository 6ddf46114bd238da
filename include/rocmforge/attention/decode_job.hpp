// What the blocks of attention_decode have in common on all platforms: which queries and keys are a
// block's, and where its result goes.
#pragma once

#include "rocmforge/attention/plan.hpp"
#include "rocmforge/attention/problem.hpp"
#include "rocmforge/attention/rows.hpp"
#include "rocmforge/attention/scoring.hpp"
#include "rocmforge/block/divisor.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace kernels {
using namespace device;

/// Grid: x over the rows of a group of heads (head by head within a query) and, innermost, over
/// chunks of keys, y over kv heads, z over sequences.
template <class Problem>
struct attention_decode_job {
  static constexpr int num_rows = attention_decode_rows;

  Problem problem;
  attention_scoring scoring;
  attention_chunks chunks{};
  divisor group{}, num_chunks{};  // heads of a group; chunks of a sequence
  bool whole_packets = false;     // as has_whole_packets of the kernel says; false is always right

  /// A block: which rows of a group of heads it has, of which sequence, and which of their keys.
  struct block_rows {
    int sequence, kv_head, chunk;
    int first, count;  // rows; none if count is not above 0
    divisor group;

    ROCMFORGE_DEVICE int query(int r) const { return group.quotient(first + r); }
    ROCMFORGE_DEVICE int head(int r) const {
      return kv_head * group.value + group.remainder(first + r);
    }
    /// Rows beyond the end repeat the last.
    ROCMFORGE_DEVICE int existing(int r) const { return smaller(r, count - 1); }
  };
  ROCMFORGE_DEVICE block_rows rows_of(grid_size index) const {
    const int row_group = num_chunks.quotient(index.x);
    const int first = row_group * num_rows;
    const int rows_left = group.value * problem.q_len(index.z) - first;
    return {index.z,
            index.y,
            index.x - row_group * num_chunks.value,
            first,
            rows_left < num_rows ? rows_left : num_rows,
            group};
  }

  /// The keys of a block's chunk that its rows see. Later queries see neither earlier nor fewer
  /// last keys, so that the first and the last of them say it.
  struct block_keys {
    bool is_empty;                 // the chunk has none, whatever the rows
    int begin, end;                // the chunk
    int first, last;               // keys that some row sees; one after the last
    int common_begin, common_end;  // keys that every row sees; one after the last
  };
  ROCMFORGE_DEVICE block_keys keys_of(const block_rows& rows, int q_len, int kv_len) const {
    const auto chunk = chunks.of(rows.chunk, scoring.mask.begin(0, q_len, kv_len),
                                 scoring.mask.end(q_len - 1, q_len, kv_len));
    const int first_query = rows.query(0), last_query = rows.query(rows.count - 1);
    block_keys keys{chunk.begin == chunk.end,
                    chunk.begin,
                    chunk.end,
                    larger(scoring.mask.begin(first_query, q_len, kv_len), chunk.begin),
                    smaller(scoring.mask.end(last_query, q_len, kv_len), chunk.end),
                    scoring.mask.begin(last_query, q_len, kv_len),
                    smaller(scoring.mask.end(first_query, q_len, kv_len), chunk.end)};
    // Others of the sequence's rows see the chunk, none of these.
    if (keys.first >= keys.last) keys.last = 0;
    return keys;
  }

  /// Says that no row of the block has seen a key of the chunk.
  template <class Block>
  ROCMFORGE_DEVICE void mark_unseen(Block block, const block_rows& rows) const {
    for (int r = block.thread; r < rows.count; r += Block::block_size) {
      chunks.lse(rows.chunk, rows.sequence, rows.head(r), rows.query(r)) =
          attention_rows::minus_infinity;
    }
  }

  /// Stores elements `first` and on of row r of the block.
  template <int N>
  ROCMFORGE_DEVICE void store_row(const block_rows& rows, int r, int first,
                                  const packet<float, N>& output) const {
    const int v_head_dim = problem.v_head_dim();
    if (first >= v_head_dim) return;
    const int head = rows.head(r), row = rows.query(r);
    if (chunks.num_chunks == 1) {
      attention_rows::store(problem.output(rows.sequence, head, row), first, v_head_dim, output);
    } else {
      attention_rows::store(slice(chunks.states, rows.chunk, rows.sequence, head, row).data, first,
                            v_head_dim, output);
    }
  }
  /// Stores the logarithm of the sum of row r over the block's keys.
  ROCMFORGE_DEVICE void store_lse(const block_rows& rows, int r, float maximum, float sum) const {
    const int head = rows.head(r), row = rows.query(r);
    float* const lse = chunks.num_chunks == 1 ? problem.lse_at(rows.sequence, head, row)
                                              : &chunks.lse(rows.chunk, rows.sequence, head, row);
    if (lse != nullptr) *lse = attention_rows::log_sum_exp(maximum, sum);
  }

  ROCMFORGE_DEVICE static int larger(int a, int b) { return a > b ? a : b; }
  ROCMFORGE_DEVICE static int smaller(int a, int b) { return a < b ? a : b; }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
