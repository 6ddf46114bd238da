// Attention in parts, each a kernel of its own, with the scores in memory between them:
// attention_scores, attention_softmax, attention_weighted_sum. (Masks are in mask.hpp.)
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "rocmforge/attention.hpp"
#include "rocmforge/mask.hpp"
#include "rocmforge/softmax.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Operands of kernels::attention_product: for each head a matrix A of `rows` x `depth` and a
/// matrix B of `depth` x `columns`. Rows of A are contiguous; the contiguous lines of B are its
/// columns if `b_lines_are_columns`, otherwise its rows.
namespace attention_operands {
using namespace device;

template <class T, class TCache>
struct scores {
  static constexpr bool b_lines_are_columns = true;
  tensor_view<float, 4> out;       // [batch, num_heads, q_len, kv_len]
  tensor_view<const T, 4> a;       // [batch, num_heads, q_len, head_dim]
  tensor_view<const TCache, 4> b;  // [batch, num_kv_heads, kv_len, head_dim]
  float scale;
};

template <class T, class TCache>
struct weighted_sum {
  static constexpr bool b_lines_are_columns = false;
  tensor_view<T, 4> out;           // [batch, num_heads, q_len, v_head_dim]
  tensor_view<const float, 4> a;   // [batch, num_heads, q_len, kv_len]
  tensor_view<const TCache, 4> b;  // [batch, num_kv_heads, kv_len, v_head_dim]
  float scale;
};

}  // namespace attention_operands

namespace kernels {
using namespace device;

/// A block computes a tile of 64 x 64 as outer products over panels of A and B in shared memory.
/// Lanes form a grid as in kernels::attention: 16 along columns, the others along rows.
template <class Operands, int BlockSize, int WaveSize>
struct attention_product {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int tile = 64, panel = 32;
  static constexpr int lanes_columns = WaveSize == 1 ? 1 : 16;
  static constexpr int lanes_rows = BlockSize / lanes_columns;
  static constexpr int lane_rows = tile / lanes_rows < 4 ? tile / lanes_rows : 4;
  static constexpr int rounds = tile / (lanes_rows * lane_rows);
  static constexpr int packet_elements =
      attention_rows::widest_packet<WaveSize>(tile / lanes_columns);
  static constexpr int lane_packets = tile / (lanes_columns * packet_elements);
  static constexpr int pad = 4;  // puts neighboring rows into different banks
  static_assert(BlockSize % lanes_columns == 0 && lane_rows > 0 &&
                    rounds * lanes_rows * lane_rows == tile,
                "attention_product: a block has 16, 32, 64, ... 1024 lanes");
  static constexpr int lane_accumulators = rounds * lane_rows * tile / lanes_columns;
  static_assert(
      lane_accumulators <= max_lane_registers(BlockSize, WaveSize),
      "attention_product: a lane has no registers for its part of the tile; take a larger "
      "BlockSize");

  struct shared_storage {
    alignas(64) float a[tile][panel + pad];
    alignas(64) float b[panel][tile + pad];
  };

  Operands operands;

  // Grid: x over tiles, row by row, y over heads, z over sequences.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int batch = block.index.z, head = block.index.y;
    const int num_rows = operands.out.extent[2], num_columns = operands.out.extent[3];
    const int column_tiles = divide_up(num_columns, tile), depth = operands.a.extent[3];
    const int first_row = block.index.x / column_tiles * tile,
              first_column = block.index.x % column_tiles * tile;
    const int lane_column = block.thread % lanes_columns,
              lane_row = block.thread / lanes_columns * lane_rows;
    const auto a = slice(operands.a, batch, head);
    const auto b = slice(operands.b, batch,
                         head / (operands.a.extent[1] / operands.b.extent[1]));  // of its group

    values sum[rounds][lane_rows][lane_packets];
    for (int round = 0; round < rounds; ++round) {
      ROCMFORGE_UNROLL
      for (int r = 0; r < lane_rows; ++r) {
        ROCMFORGE_UNROLL
        for (int c = 0; c < lane_packets; ++c) sum[round][r][c] = values(0.0f);
      }
    }
    for (int k = 0; k < depth; k += panel) {
      const int left = depth - k < panel ? depth - k : panel;
      for_each_packet_of_lines<tile, panel>(block, a, first_row, k, num_rows, depth,
                                            [&](int row, int column, const auto& loaded) {
                                              store_packet(&shared.a[row][column], loaded);
                                            });
      if constexpr (Operands::b_lines_are_columns) {
        for_each_packet_of_lines<tile, panel>(block, b, first_column, k, num_columns, depth,
                                              [&](int row, int column, const auto& loaded) {
                                                ROCMFORGE_UNROLL
                                                for (int i = 0; i < loaded.size; ++i)
                                                  shared.b[column + i][row] = loaded[i];
                                              });
      } else {
        for_each_packet_of_lines<panel, tile>(block, b, k, first_column, depth, num_columns,
                                              [&](int row, int column, const auto& loaded) {
                                                store_packet(&shared.b[row][column], loaded);
                                              });
      }
      block.barrier();
      for (int round = 0; round < rounds; ++round) {
        multiply(shared, lane_row + round * lanes_rows * lane_rows, lane_column, left, sum[round]);
      }
      block.barrier();
    }
    for (int round = 0; round < rounds; ++round) {
      ROCMFORGE_UNROLL
      for (int r = 0; r < lane_rows; ++r) {
        const int row = first_row + lane_row + round * lanes_rows * lane_rows + r;
        if (row >= num_rows) continue;
        ROCMFORGE_UNROLL
        for (int c = 0; c < lane_packets; ++c) {
          const int column = first_column + (c * lanes_columns + lane_column) * packet_elements;
          if (column >= num_columns) continue;
          values result = sum[round][r][c];
          if constexpr (!Operands::b_lines_are_columns) {
            // NaN may come from 0 times a value that is not finite. Such rows are rare: the product
            // need not look for them.
            if (horizontal_sum(result - result) != 0)
              result = sum_without_zeros(a, b, row, column, depth, num_columns);
          }
          attention_rows::store(slice(operands.out, batch, head, row).data, column, num_columns,
                                result * operands.scale);
        }
      }
    }
  }

 private:
  using values = packet<float, packet_elements>;

  /// Calls `f(line, element, packet)` for the lane's packets of the `Lines` x `Elements` panel that
  /// starts at line `first_line` and element `first`; elements beyond the matrix are 0.
  template <int Lines, int Elements, class T, class F>
  ROCMFORGE_DEVICE static void for_each_packet_of_lines(block_context<BlockSize, WaveSize> block,
                                                        const tensor_view<const T, 2>& matrix,
                                                        int first_line, int first, int num_lines,
                                                        int num_elements, F&& f) {
    constexpr int n = packet_size<T, WaveSize> < Elements ? packet_size<T, WaveSize> : Elements;
    constexpr int line_packets = Elements / n;
    for (int i = block.thread; i < Lines * line_packets; i += BlockSize) {
      const int line = i / line_packets, element = i % line_packets * n;
      packet<float, n> loaded(0.0f);
      if (first_line + line < num_lines && first + element < num_elements) {
        loaded = attention_rows::load<n>(slice(matrix, first_line + line).data, first + element,
                                         num_elements);
      }
      f(line, element, loaded);
    }
  }

  /// The product again, for a packet of columns of one row, without the rows of B whose factor is
  /// 0: a key that is not seen has no influence even where its value is NaN or infinite.
  template <class A, class B>
  ROCMFORGE_DEVICE static values sum_without_zeros(const A& a, const B& b, int row, int column,
                                                   int depth, int num_columns) {
    values sum(0.0f);
    for (int k = 0; k < depth; ++k) {
      const float factor = a(row, k);
      if (factor == 0) continue;
      const auto line =
          attention_rows::load<packet_elements>(slice(b, k).data, column, num_columns);
      sum = fma(values(factor), line, sum);
    }
    return sum;
  }

  ROCMFORGE_DEVICE static void multiply(const shared_storage& shared, int row, int lane_column,
                                        int depth, values (&sum)[lane_rows][lane_packets]) {
    for (int k = 0; k < depth; ++k) {
      values b[lane_packets];
      ROCMFORGE_UNROLL
      for (int c = 0; c < lane_packets; ++c) {
        b[c] = load_packet<packet_elements>(
            &shared.b[k][(c * lanes_columns + lane_column) * packet_elements]);
      }
      ROCMFORGE_UNROLL
      for (int r = 0; r < lane_rows; ++r) {
        const values a(shared.a[row + r][k]);
        ROCMFORGE_UNROLL
        for (int c = 0; c < lane_packets; ++c) sum[r][c] = fma(a, b[c], sum[r][c]);
      }
    }
  }
};

}  // namespace kernels

/// Row policy of kernels::softmax that applies scale, soft cap, mask and sink to the scores.
template <class T>
struct attention_softmax_rows {
  using element = T;
  static constexpr float exponent_scale = 1;  // logits are exponents of 2 already
  tensor_view<T, 4> weights;                  // [batch, num_heads, q_len, kv_len]
  tensor_view<const T, 4> scores;             // [batch, num_heads, q_len, kv_len]
  attention_scoring scoring;
  tensor_view<const float, 4> mask;  // [batch, num_heads, q_len, kv_len] or empty

  struct row {
    const T* from;
    T* to;
    const attention_scoring& scoring;
    const float* mask;
    int head, begin, end;

    template <int N>
    ROCMFORGE_DEVICE packet<float, N> logits(const packet<float, N>& loaded, int first,
                                             int size) const {
      constexpr float minus_infinity = -__builtin_huge_valf();
      constexpr float lowest = -0x1.fffffep127f;  // the lowest finite float
      packet<float, N> exponent = scoring.exponent(loaded * scoring.query_scale);
      if (mask != nullptr) {
        // -infinity hides any score: NaN + -infinity would be NaN.
        const packet<float, N> added = attention_rows::load<N>(mask, first, size) * device::log2_e;
        exponent = select_less(added, packet<float, N>(lowest), packet<float, N>(minus_infinity),
                               exponent + added);
      }
      if (end < first + N) exponent = keep_first(exponent, end - first, minus_infinity);
      if (begin > first) exponent = drop_first(exponent, begin - first, minus_infinity);
      return exponent;
    }
    ROCMFORGE_DEVICE float sink() const { return scoring.first_maximum(head); }
  };
  ROCMFORGE_DEVICE int num_rows() const {
    return scores.extent[0] * scores.extent[1] * scores.extent[2];
  }
  ROCMFORGE_DEVICE int row_size() const { return scores.extent[3]; }
  ROCMFORGE_DEVICE row operator[](int index) const {
    const int q_len = scores.extent[2], kv_len = scores.extent[3];
    const int query = index % q_len, head = index / q_len % scores.extent[1],
              batch = index / q_len / scores.extent[1];
    return {slice(scores, batch, head, query).data,
            slice(weights, batch, head, query).data,
            scoring,
            mask.data != nullptr ? slice(mask, batch, head, query).data : nullptr,
            head,
            scoring.mask.begin(query, q_len, kv_len),
            scoring.mask.end(query, q_len, kv_len)};
  }
};

namespace attention_launch {

template <int BlockSize, class Operands>
status run_product(const char* op, const Operands& operands, stream_ref stream) {
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) -> status {
    using kernel = kernels::attention_product<Operands, block_threads<BlockSize, wave>, wave>;
    const auto& out = operands.out;
    const int row_tiles = device::divide_up(out.extent[2], kernel::tile),
              column_tiles = device::divide_up(out.extent[3], kernel::tile);
    if (status s = checks::countable(op, "", "{0} x {1} tiles of the output are more than 2^30",
                                     row_tiles, column_tiles);
        !s) {
      return s;
    }
    return launch(op, kernel{operands}, {row_tiles * column_tiles, out.extent[1], out.extent[0]},
                  stream);
  });
}

}  // namespace attention_launch

/// scores = softmax_scale * q k^T, of each query with every key; nothing is masked. Head h uses kv
/// head h / (num_heads / num_kv_heads).
///
/// @param scores         [batch, num_heads, q_len, kv_len]  output
/// @param q              [batch, num_heads, q_len, head_dim]  of any head_dim
/// @param k              [batch, num_kv_heads, kv_len, head_dim]
/// @param softmax_scale  0: 1 / sqrt(head_dim)
/// @return as `attention`
template <class T, class TCache, int BlockSize = default_block_size>
[[nodiscard]] status attention_scores(tensor_view<float, 4> scores, tensor_view<T, 4> q,
                                      tensor_view<TCache, 4> k, float softmax_scale = 0,
                                      stream_ref stream = {}) {
  constexpr const char* op = "attention_scores";
  if (status s = checks::all(checks::output(op, "scores", scores), checks::view(op, "q", q),
                             checks::view(op, "k", k), checks::first_extents(op, "q", q, scores, 3),
                             checks::extent(op, "k", 0, k.extent[0], q.extent[0]),
                             checks::extent(op, "k", 2, k.extent[2], scores.extent[3]),
                             checks::extent(op, "k", 3, k.extent[3], q.extent[3]),
                             checks::attention::heads(op, q.extent[1], k.extent[1]),
                             checks::attention::options(op, {.softmax_scale = softmax_scale},
                                                        q.extent[1], q.extent[3], 1));
      !s) {
    return s;
  }
  const float scale =
      softmax_scale != 0 ? softmax_scale : 1.0f / std::sqrt(static_cast<float>(q.extent[3]));
  using operands = attention_operands::scores<std::remove_const_t<T>, std::remove_const_t<TCache>>;
  return attention_launch::run_product<BlockSize>(op, operands{scores, q, k, scale}, stream);
}

/// weights = softmax of the scores of each query over the keys that it sees, 0 elsewhere:
/// e^s / sum(e^s) with s = soft_cap(softmax_scale * score) + mask. A query that sees no key gets
/// zeros. A key that is not seen, or whose mask is -infinity, gets 0 whatever its score is, NaN
/// included.
///
/// @param weights  [batch, num_heads, q_len, kv_len]  output; may be `scores` itself
/// @param scores   [batch, num_heads, q_len, kv_len]  of at most 2^30 rows
/// @param options  as of `attention`, but that a softmax_scale of 0 stands for 1: attention_scores
///                 has scaled already
/// @param mask     [batch, num_heads, q_len, kv_len]  added to the scores, or an empty view; a mask
///                 that all sequences or heads share has stride 0 there
/// @return as `attention`
template <class T, int BlockSize = default_block_size, class Scores = const T>
[[nodiscard]] status attention_softmax(tensor_view<T, 4> weights, tensor_view<Scores, 4> scores,
                                       const attention_options& options = {},
                                       tensor_view<const float, 4> mask = {},
                                       stream_ref stream = {}) {
  static_assert(same_elements<Scores, T>,
                "attention_softmax: scores must have the element type of weights");
  constexpr const char* op = "attention_softmax";
  if (status s = checks::all(
          checks::output(op, "weights", weights), checks::view(op, "scores", scores),
          checks::same_extents(op, "scores", scores, weights),
          mask.data != nullptr ? checks::all(checks::same_extents(op, "mask", mask, scores),
                                             checks::view(op, "mask", mask))
                               : status{},
          checks::attention::options(op, options, scores.extent[1], 1, 1));
      !s) {
    return s;
  }
  if (status s = checks::countable(op, "scores", "{0} x {1} x {2} rows are more than 2^30",
                                   scores.extent[0], scores.extent[1], scores.extent[2]);
      !s) {
    return s;
  }
  const int num_rows = checks::product(scores.extent[0], scores.extent[1], scores.extent[2]);
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel =
        kernels::softmax<attention_softmax_rows<T>, block_threads<BlockSize, wave>, wave>;
    const int rows = device::rows_per_block<wave>(scores.extent[3]);
    return launch(
        op, kernel{{weights, elements_as<const T>(scores), scoring_of(options, 1), mask}, rows},
        {device::divide_up(num_rows, rows)}, stream);
  });
}

/// out = weights v, where a weight of 0 leaves its value out, which may be NaN or infinite. Head h
/// uses kv head h / (num_heads / num_kv_heads).
///
/// @param out      [batch, num_heads, q_len, v_head_dim]  output
/// @param weights  [batch, num_heads, q_len, kv_len]
/// @param v        [batch, num_kv_heads, kv_len, v_head_dim]  of any v_head_dim
/// @return as `attention`
template <class T, class TCache, int BlockSize = default_block_size>
[[nodiscard]] status attention_weighted_sum(tensor_view<T, 4> out,
                                            tensor_view<const float, 4> weights,
                                            tensor_view<TCache, 4> v, stream_ref stream = {}) {
  constexpr const char* op = "attention_weighted_sum";
  if (status s = checks::all(checks::output(op, "out", out), checks::view(op, "weights", weights),
                             checks::view(op, "v", v),
                             checks::first_extents(op, "weights", weights, out, 3),
                             checks::extent(op, "v", 0, v.extent[0], out.extent[0]),
                             checks::extent(op, "v", 2, v.extent[2], weights.extent[3]),
                             checks::extent(op, "v", 3, v.extent[3], out.extent[3]),
                             checks::attention::heads(op, out.extent[1], v.extent[1]));
      !s) {
    return s;
  }
  using operands = attention_operands::weighted_sum<T, std::remove_const_t<TCache>>;
  return attention_launch::run_product<BlockSize>(op, operands{out, weights, v, 1.0f}, stream);
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
