// y = x W^T for many tokens: a block decodes a panel of W to floats once and multiplies it by a
// tile of tokens; each lane keeps a small tile of sums in registers.
#pragma once

#include "rocmforge/block/dot.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Shape of the work of one block: tokens (rows of x) by rows (of W), `k` columns at a time; and
/// the tile of one lane.
struct linear_tile {
  int block_tokens, block_rows, block_k;
  int lane_tokens, lane_rows;
};
constexpr linear_tile linear_tile_for(int block_size, int wave_size) {
  if (wave_size == 1) {
    // One lane walks over the block's tile. 4 x 6 sums leave room for their operands in the 32
    // registers that processors with packets of 16 have, 3 x 3 in the 16 of the others. A panel of
    // 24 rows x 2048 columns stays in a second-level cache of 256 KiB or more, for all tokens of a
    // prompt's part.
    return packet_size<float, 1> == 16 ? linear_tile{512, 24, 2048, 4, 6}
                                       : linear_tile{510, 24, 2048, 3, 3};
  }
  // 16 lanes along the rows of W, the others along the tokens, 4 x 4 sums a lane.
  return {block_size / 16 * 4, 64, 32, 4, 4};
}

namespace kernels {
using namespace device;

template <class T, class Type, int BlockSize, int WaveSize, class TX = T>
struct linear {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr linear_tile tile = linear_tile_for(BlockSize, WaveSize);
  static constexpr int packet_elements =
      packet_size<float, WaveSize> < 16 ? packet_size<float, WaveSize> : 16;
  // Lanes along the two axes, and how many lane tiles each lane has. One more packet a row of the
  // panel than is needed puts neighboring rows into different banks.
  static constexpr int lanes_rows = WaveSize == 1 ? 1 : tile.block_rows / tile.lane_rows;
  static constexpr int lanes_tokens = BlockSize / lanes_rows;
  static constexpr int rounds_rows = tile.block_rows / (lanes_rows * tile.lane_rows);
  static constexpr int rounds_tokens = tile.block_tokens / (lanes_tokens * tile.lane_tokens);
  static constexpr int panel_stride = tile.block_k + packet_elements;
  static constexpr bool stages_tokens =
      WaveSize > 1;  // the host reads them in place, through its caches
  static_assert(BlockSize % lanes_rows == 0 &&
                    lanes_tokens * tile.lane_tokens * rounds_tokens == tile.block_tokens,
                "linear: the lanes must cover the block's tile");
  // The sums of all lane tiles, and the operands of one.
  static constexpr int lane_accumulators =
      rounds_tokens * rounds_rows * tile.lane_tokens * tile.lane_rows +
      (tile.lane_tokens + 1) * packet_elements;
  static_assert(lane_accumulators <= max_lane_registers(BlockSize, WaveSize),
                "linear: this block_tokens x block_rows keeps more sums in a lane than a lane has "
                "registers; take a smaller tile or more lanes");

  struct shared_storage {
    alignas(64) float weights[tile.block_rows][panel_stride];
    float tokens[stages_tokens ? tile.block_tokens : 1][panel_stride];
  };

  tensor_view<T, 2> y;                // [num_tokens, out_dim]
  tensor_view<const TX, 2> x;         // [num_tokens, in_dim]
  tensor_view<const Type, 2> weight;  // [out_dim, in_dim / elements]
  tensor_view<const float, 1> bias;   // [out_dim] or empty

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int first_row = block.index.x * tile.block_rows,
              first_token = block.index.y * tile.block_tokens;
    const int lane_row = block.thread % lanes_rows, lane_token = block.thread / lanes_rows;
    const int in_dim = x.extent[1];
    const int tokens_left = y.extent[0] - first_token;

    float sums[rounds_tokens][rounds_rows][tile.lane_tokens][tile.lane_rows] = {};
    for (int k = 0; k < in_dim; k += tile.block_k) {
      const int columns = in_dim - k < tile.block_k ? in_dim - k : tile.block_k;
      stage(block, &shared.weights[0][0], weight, first_row, tile.block_rows, y.extent[1], k,
            columns);
      if constexpr (stages_tokens) {
        stage(block, &shared.tokens[0][0], x, first_token, tile.block_tokens, y.extent[0], k,
              columns);
      }
      block.barrier();
      for (int round = 0; round < rounds_tokens; ++round) {
        if (round * lanes_tokens * tile.lane_tokens >= tokens_left) break;
        for (int round_row = 0; round_row < rounds_rows; ++round_row) {
          multiply(shared, sums[round][round_row], first_token,
                   lane_token + round * lanes_tokens * tile.lane_tokens,
                   lane_row + round_row * lanes_rows * tile.lane_rows, k, columns);
        }
      }
      block.barrier();
    }

    for (int round = 0; round < rounds_tokens; ++round) {
      ROCMFORGE_UNROLL
      for (int i = 0; i < tile.lane_tokens; ++i) {
        const int token = first_token + lane_token + (round * tile.lane_tokens + i) * lanes_tokens;
        if (token >= y.extent[0]) break;
        for (int round_row = 0; round_row < rounds_rows; ++round_row) {
          ROCMFORGE_UNROLL
          for (int j = 0; j < tile.lane_rows; ++j) {
            const int row = first_row + lane_row + (round_row * tile.lane_rows + j) * lanes_rows;
            if (row < y.extent[1]) {
              const float offset = bias.data != nullptr ? bias(row) : 0.0f;
              y(token, row) = T(sums[round][round_row][i][j] + offset);
            }
          }
        }
      }
    }
  }

 private:
  /// Rows `first` to `first + num_rows` of `from`, columns k to k + columns, as floats; rows beyond
  /// the end repeat the last, and columns are filled up with zeros to a whole number of packets.
  template <class From>
  ROCMFORGE_DEVICE static void stage(block_context<BlockSize, WaveSize> block, float* panel,
                                     const tensor_view<const From, 2>& from, int first,
                                     int num_rows, int rows_end, int k, int columns) {
    constexpr int parts = num_parts<packet_elements>;
    const int groups = (columns + group_elements - 1) / group_elements;
    for (int i = block.thread; i < num_rows * groups * parts; i += BlockSize) {
      const int part = i % parts, group = i / parts % groups, row = i / parts / groups;
      const From* data = slice(from, first + row < rows_end ? first + row : rows_end - 1).data;
      const auto values = block_traits<From>::template decode<packet_elements>(
          data, k / group_elements + group, part, columns - group * group_elements);
      float* to = panel + row * panel_stride + group * group_elements + part * packet_elements;
      store_packet(to, values.low);
      store_packet(to + 16, values.high);
    }
  }

  /// Adds the products of `columns` columns to the sums of one lane tile.
  ROCMFORGE_DEVICE void multiply(const shared_storage& shared,
                                 float (&sums)[tile.lane_tokens][tile.lane_rows], int first_token,
                                 int token, int row, int k, int columns) const {
    using accumulator = dot_accumulator<packet_elements, WaveSize>;
    accumulator acc[tile.lane_tokens][tile.lane_rows];
    ROCMFORGE_UNROLL
    for (int i = 0; i < tile.lane_tokens; ++i) {
      ROCMFORGE_UNROLL
      for (int j = 0; j < tile.lane_rows; ++j) acc[i][j] = dot_start<accumulator>(sums[i][j]);
    }
    const TX* direct[tile.lane_tokens];
    ROCMFORGE_UNROLL
    for (int i = 0; i < tile.lane_tokens; ++i) {
      const int wanted = first_token + token + i * lanes_tokens;
      direct[i] = slice(x, wanted < x.extent[0] ? wanted : x.extent[0] - 1).data + k;
    }
    const float* panel = &shared.weights[row][0];
    const auto step = [&](int column, auto load_token) {
      packet<float, packet_elements> values[tile.lane_tokens];
      ROCMFORGE_UNROLL
      for (int i = 0; i < tile.lane_tokens; ++i) values[i] = load_token(i);
      ROCMFORGE_UNROLL
      for (int j = 0; j < tile.lane_rows; ++j) {
        auto weights = load_packet<packet_elements>(panel + j * lanes_rows * panel_stride + column);
        if constexpr (WaveSize == 1) hold(weights);
        ROCMFORGE_UNROLL
        for (int i = 0; i < tile.lane_tokens; ++i)
          acc[i][j] = dot_add(weights, values[i], acc[i][j]);
      }
    };
    if constexpr (stages_tokens) {
      for (int column = 0; column < columns; column += packet_elements) {
        step(column, [&](int i) {
          return load_packet<packet_elements>(&shared.tokens[token + i * lanes_tokens][column]);
        });
      }
    } else {
      int column = 0;
      for (; column + packet_elements <= columns; column += packet_elements) {
        step(column, [&](int i) { return load_packet<packet_elements>(direct[i] + column); });
      }
      if (column < columns) {
        step(column, [&](int i) {
          return load_packet<packet_elements>(direct[i] + column, columns - column);
        });
      }
    }
    ROCMFORGE_UNROLL
    for (int i = 0; i < tile.lane_tokens; ++i) {
      ROCMFORGE_UNROLL
      for (int j = 0; j < tile.lane_rows; ++j) sums[i][j] = dot_fold(acc[i][j]);
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
