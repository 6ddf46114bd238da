// y = x W^T for a few tokens, on a GPU. Reading the weights is the whole cost, so each is read
// once, decoded in registers and multiplied there. matvec_host.hpp is the host's.
#pragma once

#include <type_traits>

#include "rocmforge/block/dot.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/platform/half_pairs.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace kernels {
using namespace device;

/// Halves by halves are multiplied without becoming floats, where that is one instruction.
template <class Type, class TX>
inline constexpr bool multiplies_pairs =
    has_half_dot&& std::is_same_v<Type, half>&& std::is_same_v<TX, half>;

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
    if constexpr (by_pairs) {
      add_pairs(sums, tokens, rows, block.lane());
    } else {
      add_packets(sums, tokens, rows, block.lane());
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
  static constexpr bool by_pairs = multiplies_pairs<Type, TX>;

  /// Adds this lane's products of pairs: of each 8 * WaveSize elements it has 8 neighbors.
  ROCMFORGE_DEVICE void add_pairs(float (&sums)[wave_rows][Tokens],
                                  const half* const (&tokens)[Tokens],
                                  const half* const (&rows)[wave_rows], int lane) const {
    struct octet {
      half_pair pair[4];
    };
    const auto add = [&](const octet(&x_of)[Tokens], const octet(&weights)[wave_rows]) {
      ROCMFORGE_UNROLL
      for (int r = 0; r < wave_rows; ++r) {
        ROCMFORGE_UNROLL
        for (int t = 0; t < Tokens; ++t) {
          ROCMFORGE_UNROLL
          for (int i = 0; i < 4; ++i)
            sums[r][t] = device::dot_add(weights[r].pair[i], x_of[t].pair[i], sums[r][t]);
        }
      }
    };
    const auto add_octets = [&]<int Count>(std::integral_constant<int, Count>, int k, auto&& load) {
      octet x_of[Count][Tokens], weights[Count][wave_rows];
      ROCMFORGE_UNROLL
      for (int i = 0; i < Count; ++i) {
        const int at = k + i * 8 * WaveSize;
        ROCMFORGE_UNROLL
        for (int t = 0; t < Tokens; ++t) x_of[i][t] = load(tokens[t], at);
        ROCMFORGE_UNROLL
        for (int r = 0; r < wave_rows; ++r) weights[i][r] = load(rows[r], at);
      }
      ROCMFORGE_UNROLL
      for (int i = 0; i < Count; ++i) add(x_of[i], weights[i]);
    };
    const int in_dim = x.extent[1];
    const auto add_row = [&](auto&& load) {
      // Some octets at a time, so that many loads are on their way; then one by one.
      constexpr int at_once = Tokens == 1 ? 4 : 2, step = 8 * WaveSize;
      int k = 0;
      for (; k + at_once * step <= in_dim; k += at_once * step)
        add_octets(std::integral_constant<int, at_once>{}, k, load);
      for (; k < in_dim; k += step) {
        const int left = in_dim - k - 8 * lane;
        add_octets(std::integral_constant<int, 1>{}, k, [&](const half* row, int at) {
          if (left >= 8) return load(row, at);
          octet some{};
          ROCMFORGE_UNROLL
          for (int i = 0; i < 8; ++i) {
            if (i < left)
              some.pair[i / 2] |= static_cast<half_pair>(row[at + 8 * lane + i].bits) << i % 2 * 16;
          }
          return some;
        });
      }
    };
    bool aligned = true;  // for words; the same for all lanes
    ROCMFORGE_UNROLL
    for (int t = 0; t < Tokens; ++t) aligned = aligned && is_aligned(tokens[t]);
    ROCMFORGE_UNROLL
    for (int r = 0; r < wave_rows; ++r) aligned = aligned && is_aligned(rows[r]);
    if (aligned) {
      // The row and k are the same for all lanes, and the lane's part for all k.
      struct __attribute__((may_alias, aligned(4))) words {
        half_pair pair[4];
      };
      add_row([&](const half* row, int k) {
        const auto* const p = reinterpret_cast<const unsigned char*>(row + k) +
                              static_cast<unsigned>(lane) * unsigned{sizeof(octet)};
        return __builtin_bit_cast(octet, *reinterpret_cast<const words*>(p));
      });
    } else {
      add_row([&](const half* row, int k) {
        octet result;
        load_half_pairs(result.pair, row + k + 8 * lane);
        return result;
      });
    }
  }
  ROCMFORGE_DEVICE static bool is_aligned(const half* p) {
    return reinterpret_cast<std::uintptr_t>(p) % 4 == 0;
  }

  ROCMFORGE_DEVICE void add_packets(float (&sums)[wave_rows][Tokens],
                                    const TX* const (&tokens)[Tokens],
                                    const Type* const (&rows)[wave_rows], int lane) const {
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
    for (int group = lane / parts; group < whole_groups; group += groups_per_step)
      multiply(group, lane % parts, group_elements);
    if constexpr (dense_weight<Type>) {  // a row of blocks is a whole number of groups
      const int rest = in_dim - whole_groups * group_elements;
      if (rest > 0 && lane < parts) multiply(whole_groups, lane, rest);
    }
  }

  ROCMFORGE_DEVICE static int existing(int row, int num_rows) {
    return row < num_rows ? row : num_rows - 1;
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
