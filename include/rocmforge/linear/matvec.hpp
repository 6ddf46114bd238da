// y = x W^T for a few tokens, on a GPU. Reading the weights is the whole cost, so each is read
// once, decoded in registers and multiplied there. matvec_host.hpp is the host's.
#pragma once

#include "rocmforge/block/dot.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace kernels {
using namespace device;

/// Each wave multiplies its rows of W by `Tokens` rows of x: lanes stride along the row, then add
/// up their sums. Tokens and rows beyond the end repeat the last one and are not stored. The host's
/// kernel is the specialization for waves of 1.
template <class T, class Type, int Tokens, int BlockSize, int WaveSize, class TX = T>
struct matvec {
  static_assert(WaveSize > 1, "matvec: include rocmforge/linear/matvec_host.hpp for the host");
  static_assert(BlockSize % WaveSize == 0, "matvec: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int wave_rows = 2;  // rows of W that a wave multiplies together: loads in flight
  static constexpr int rows_per_block = BlockSize / WaveSize * wave_rows;
  // Two packets of so many elements share the scale of a group, which is decoded for them. Floats
  // of 16 neighbors would be read with gaps between lanes that cost more than the scale.
  static constexpr int packet_elements = has_block_scales<Type> && sizeof(TX) == 2 ? 16 : 8;
  // The sums, and a weight_pair of each token.
  static constexpr int lane_accumulators = Tokens * (wave_rows + 2 * packet_elements);
  static_assert(lane_accumulators <= max_lane_registers(BlockSize, WaveSize),
                "matvec: so many Tokens at once are more sums and operands than a lane has "
                "registers; take fewer Tokens, or kernels::linear");
  struct shared_storage {};

  tensor_view<T, 2> y;                // [num_tokens, out_dim]
  tensor_view<const TX, 2> x;         // [num_tokens, in_dim]
  tensor_view<const Type, 2> weight;  // [out_dim, in_dim / elements]
  tensor_view<const float, 1> bias;   // [out_dim] or empty

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const int first_token = block.index.y * Tokens;
    const int first = block.index.x * rows_per_block + block.wave() * wave_rows;
    if (first >= y.extent[1]) return;
    const TX* tokens[Tokens];
    ROCMFORGE_UNROLL
    for (int t = 0; t < Tokens; ++t)
      tokens[t] = slice(x, existing(first_token + t, x.extent[0])).data;
    const Type* rows[wave_rows];
    ROCMFORGE_UNROLL
    for (int r = 0; r < wave_rows; ++r)
      rows[r] = slice(weight, existing(first + r, y.extent[1])).data;

    float sums[wave_rows][Tokens];
    ROCMFORGE_UNROLL
    for (int r = 0; r < wave_rows; ++r) {
      ROCMFORGE_UNROLL
      for (int t = 0; t < Tokens; ++t) sums[r][t] = 0.0f;
    }
    const auto multiply = [&](int group, int part, int count) {
      weight_pair<packet_elements> values[Tokens];
      ROCMFORGE_UNROLL
      for (int t = 0; t < Tokens; ++t)
        values[t] =
            block_traits<TX>::template decode<packet_elements>(tokens[t], group, part, count);
      ROCMFORGE_UNROLL
      for (int r = 0; r < wave_rows; ++r) {
        const auto weights =
            block_traits<Type>::template decode<packet_elements>(rows[r], group, part, count);
        ROCMFORGE_UNROLL
        for (int t = 0; t < Tokens; ++t) {
          sums[r][t] = dot_add(weights.high, values[t].high,
                               dot_add(weights.low, values[t].low, sums[r][t]));
        }
      }
    };
    constexpr int parts = num_parts<packet_elements>;
    constexpr int groups_per_step = WaveSize / parts;
    const int in_dim = x.extent[1], whole_groups = in_dim / group_elements;
    for (int group = block.lane() / parts; group < whole_groups; group += groups_per_step)
      multiply(group, block.lane() % parts, group_elements);
    if constexpr (dense_weight<Type>) {  // a row of blocks is a whole number of groups
      const int rest = in_dim - whole_groups * group_elements;
      if (rest > 0 && block.lane() < parts) multiply(whole_groups, block.lane(), rest);
    }

    ROCMFORGE_UNROLL
    for (int r = 0; r < wave_rows; ++r) {
      const float offset = bias.data != nullptr ? bias(existing(first + r, y.extent[1])) : 0.0f;
      ROCMFORGE_UNROLL
      for (int t = 0; t < Tokens; ++t) {
        const float sum = reduce_lanes<WaveSize>(sums[r][t], add_op{}, block) + offset;
        if (block.lane() == 0 && first + r < y.extent[1] && first_token + t < y.extent[0])
          y(first_token + t, first + r) = T(sum);
      }
    }
  }

 private:
  ROCMFORGE_DEVICE static int existing(int row, int num_rows) {
    return row < num_rows ? row : num_rows - 1;
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
