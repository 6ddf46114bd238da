// y = x W^T for a few tokens, on the host: a block is one task, whose packets of sums are folded
// once at the end of a row.
#pragma once

#include "rocmforge/linear/matvec.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {
using namespace device;

/// A block multiplies its rows of W by `Tokens` rows of x. Tokens and rows beyond the end repeat
/// the last one and are not stored.
template <class T, class Type, int Tokens, int BlockSize, class TX>
struct matvec<T, Type, Tokens, BlockSize, 1, TX> {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = 1;
  static constexpr int tile_rows = 4;        // hide the latency of the multiply-adds
  static constexpr int rows_per_block = 16;  // enough work for a task
  static constexpr int packet_elements = packet_size<float, 1> < 16 ? packet_size<float, 1> : 16;
  struct shared_storage {};

  tensor_view<T, 2> y;                // [num_tokens, out_dim]
  tensor_view<const TX, 2> x;         // [num_tokens, in_dim]
  tensor_view<const Type, 2> weight;  // [out_dim, in_dim / elements]
  tensor_view<const float, 1> bias;   // [out_dim] or empty

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, 1> block, shared_storage&) const {
    const int first_token = block.index.y * Tokens;
    const TX* tokens[Tokens];
    ROCMFORGE_UNROLL
    for (int t = 0; t < Tokens; ++t)
      tokens[t] = slice(x, existing(first_token + t, x.extent[0])).data;
    for (int i = 0; i < rows_per_block; i += tile_rows) {
      const int first = block.index.x * rows_per_block + i;
      if (first < y.extent[1]) multiply_rows(first, first_token, tokens);
    }
  }

 private:
  using traits = block_traits<Type>;

  ROCMFORGE_DEVICE static int existing(int row, int num_rows) {
    return row < num_rows ? row : num_rows - 1;
  }

  ROCMFORGE_DEVICE void multiply_rows(int first, int first_token,
                                      const TX* const (&tokens)[Tokens]) const {
    constexpr int parts = num_parts<packet_elements>;
    const int in_dim = x.extent[1];
    const Type* rows[tile_rows];
    ROCMFORGE_UNROLL
    for (int r = 0; r < tile_rows; ++r)
      rows[r] = slice(weight, existing(first + r, y.extent[1])).data;
    const std::int64_t ahead = tile_rows * weight.stride[0];  // from a row to the one to prefetch

    packet<float, packet_elements> sums[tile_rows][Tokens];
    ROCMFORGE_UNROLL
    for (int r = 0; r < tile_rows; ++r) {
      ROCMFORGE_UNROLL
      for (int t = 0; t < Tokens; ++t) sums[r][t] = 0.0f;
    }
    // `weights_of(r)` returns the weight_pair of row r in this group and part.
    const auto multiply = [&](int group, int part, int count, auto weights_of) {
      weight_pair<packet_elements> values[Tokens];
      ROCMFORGE_UNROLL
      for (int t = 0; t < Tokens; ++t)
        values[t] =
            block_traits<TX>::template decode<packet_elements>(tokens[t], group, part, count);
      ROCMFORGE_UNROLL
      for (int r = 0; r < tile_rows; ++r) {
        const auto weights = weights_of(r);
        ROCMFORGE_UNROLL
        for (int t = 0; t < Tokens; ++t) {
          sums[r][t] = dot_add(weights.high, values[t].high,
                               dot_add(weights.low, values[t].low, sums[r][t]));
        }
      }
    };
    if constexpr (traits::elements > group_elements) {
      // One block at a time: its scales are unpacked once, and the position of each group in it is
      // a compile-time constant.
      constexpr int groups = traits::elements / group_elements;
      for (int index = 0; index < in_dim / traits::elements; ++index) {
        typename traits::scales scales[tile_rows];
        ROCMFORGE_UNROLL
        for (int r = 0; r < tile_rows; ++r) {
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
      const int whole_groups = in_dim / group_elements, rest = in_dim % group_elements;
      for (int group = 0; group < whole_groups; ++group) {
        ROCMFORGE_UNROLL
        for (int part = 0; part < parts; ++part) multiply_group(group, part, group_elements);
      }
      for (int part = 0; part < parts && rest > 0; ++part) multiply_group(whole_groups, part, rest);
    }

    ROCMFORGE_UNROLL
    for (int r = 0; r < tile_rows; ++r) {
      const float offset = bias.data != nullptr ? bias(existing(first + r, y.extent[1])) : 0.0f;
      ROCMFORGE_UNROLL
      for (int t = 0; t < Tokens; ++t) {
        if (first + r < y.extent[1] && first_token + t < y.extent[0])
          y(first_token + t, first + r) = T(horizontal_sum(sums[r][t]) + offset);
      }
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
