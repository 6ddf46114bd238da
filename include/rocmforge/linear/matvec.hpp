// y = x W^T for a few tokens: the weights are read once from memory and that is what it costs, so
// they are decoded in registers and multiplied at once.
#pragma once

#include "rocmforge/block/dot.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Rows of W that a wave works on at once (loads in flight), and how many times it does so.
struct matvec_tile {
  int rows;
  int repeats;
};
constexpr matvec_tile matvec_tile_for(int wave_size) {
  // Host: four rows hide the latency of the multiply-adds; 16 rows a block are enough work to hand
  // out.
  return wave_size == 1 ? matvec_tile{4, 4} : matvec_tile{2, 1};
}

namespace kernels {

/// Each wave computes the products of its rows of W with `Tokens` rows of x: lanes stride along the
/// row, then add up. Tokens and rows beyond the end are computed from the last one and dropped.
template <class T, class Type, int Tokens, int BlockSize, int WaveSize>
struct matvec {
  static_assert(BlockSize % WaveSize == 0, "matvec: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr matvec_tile tile = matvec_tile_for(WaveSize);
  static constexpr int rows_per_block = BlockSize / WaveSize * tile.rows * tile.repeats;
  static constexpr int packet_elements =
      packet_size<float, WaveSize> < 16 ? packet_size<float, WaveSize> : 16;
  // The sums, and a weight_pair of each token.
  static constexpr int lane_accumulators = Tokens * (tile.rows + 2 * packet_elements);
  static_assert(lane_accumulators <= max_lane_registers(BlockSize, WaveSize),
                "matvec: so many Tokens at once are more sums and operands than a lane has "
                "registers; take fewer Tokens, or kernels::linear");
  struct shared_storage {};

  tensor_view<T, 2> y;                // [num_tokens, out_dim]
  tensor_view<const T, 2> x;          // [num_tokens, in_dim]
  tensor_view<const Type, 2> weight;  // [out_dim, in_dim / elements]
  tensor_view<const float, 1> bias;   // [out_dim] or empty

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const int first_token = block.index.y * Tokens;
    const T* tokens[Tokens];
    ROCMFORGE_UNROLL
    for (int t = 0; t < Tokens; ++t)
      tokens[t] = slice(x, first_row(first_token + t, x.extent[0])).data;
    for (int repeat = 0; repeat < tile.repeats; ++repeat) {
      const int wave = block.wave() + BlockSize / WaveSize * repeat;
      const int first = block.index.x * rows_per_block + wave * tile.rows;
      if (first < y.extent[1]) multiply_rows(block, first, first_token, tokens);
    }
  }

 private:
  ROCMFORGE_DEVICE static int first_row(int row, int num_rows) {
    return row < num_rows ? row : num_rows - 1;
  }

  ROCMFORGE_DEVICE void multiply_rows(block_context<BlockSize, WaveSize> block, int first,
                                      int first_token, const T* const (&tokens)[Tokens]) const {
    constexpr int parts = num_parts<packet_elements>;
    constexpr int lanes_per_group = parts < WaveSize ? parts : WaveSize;
    constexpr int groups_per_step = WaveSize / lanes_per_group;
    const int in_dim = x.extent[1];
    const Type* rows[tile.rows];
    ROCMFORGE_UNROLL
    for (int r = 0; r < tile.rows; ++r)
      rows[r] = slice(weight, first_row(first + r, y.extent[1])).data;

    const std::int64_t ahead =
        tile.rows * weight.stride[0];  // the rows that come next, for a host's caches

    dot_accumulator<packet_elements, WaveSize> sums[tile.rows][Tokens];
    ROCMFORGE_UNROLL
    for (int r = 0; r < tile.rows; ++r) {
      ROCMFORGE_UNROLL
      for (int t = 0; t < Tokens; ++t) sums[r][t] = 0.0f;
    }
    // `weights_of(r)` are those of row r in the group and part.
    const auto multiply = [&](int group, int part, int count, auto weights_of) {
      weight_pair<packet_elements> values[Tokens];
      ROCMFORGE_UNROLL
      for (int t = 0; t < Tokens; ++t)
        values[t] =
            block_traits<T>::template decode<packet_elements>(tokens[t], group, part, count);
      ROCMFORGE_UNROLL
      for (int r = 0; r < tile.rows; ++r) {
        const auto weights = weights_of(r);
        ROCMFORGE_UNROLL
        for (int t = 0; t < Tokens; ++t) {
          sums[r][t] = dot_add(weights.high, values[t].high,
                               dot_add(weights.low, values[t].low, sums[r][t]));
        }
      }
    };
    using traits = block_traits<Type>;
    if constexpr (WaveSize == 1 && traits::elements > group_elements) {
      // A block at a time: its scales are unpacked once, and where each group lies in it is known
      // to the compiler.
      constexpr int groups = traits::elements / group_elements;
      for (int index = 0; index < in_dim / traits::elements; ++index) {
        typename traits::scales scales[tile.rows];
        ROCMFORGE_UNROLL
        for (int r = 0; r < tile.rows; ++r) {
          prefetch_block(rows[r] + ahead + index);
          scales[r] = traits::scales_of(rows[r][index]);
          hold_in_memory(scales[r]);
        }
        ROCMFORGE_UNROLL
        for (int i = 0; i < groups * parts; ++i) {
          const int group = i / parts, part = i % parts;
          multiply(index * groups + group, part, group_elements, [&](int r) {
            return traits::template decode<packet_elements>(rows[r][index], scales[r], group, part);
          });
        }
      }
    } else {
      const auto multiply_group = [&](int group, int part, int count) {
        multiply(group, part, count, [&](int r) {
          prefetch(rows[r] + ahead + group * (group_elements / traits::elements));
          return traits::template decode<packet_elements>(rows[r], group, part, count);
        });
      };
      const int whole_groups = in_dim / group_elements;
      for (int group = block.lane() / lanes_per_group; group < whole_groups;
           group += groups_per_step) {
        ROCMFORGE_UNROLL
        for (int part = block.lane() % lanes_per_group; part < parts; part += lanes_per_group) {
          multiply_group(group, part, group_elements);
        }
      }
      const int rest = in_dim - whole_groups * group_elements;
      if (rest > 0 && block.lane() < lanes_per_group) {
        for (int part = block.lane(); part < parts; part += lanes_per_group)
          multiply_group(whole_groups, part, rest);
      }
    }

    ROCMFORGE_UNROLL
    for (int r = 0; r < tile.rows; ++r) {
      const float offset = bias.data != nullptr ? bias(first_row(first + r, y.extent[1])) : 0.0f;
      ROCMFORGE_UNROLL
      for (int t = 0; t < Tokens; ++t) {
        const float sum = reduce_lanes<WaveSize>(dot_fold(sums[r][t]), add_op{}, block) + offset;
        if (block.lane() == 0 && first + r < y.extent[1] && first_token + t < y.extent[0]) {
          y(first_token + t, first + r) = T(sum);
        }
      }
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
