// y = x W^T for many tokens and quantized W, with matrix instructions: a block stages the numbers
// of its weights and its part of x as halves in shared memory, and each wave keeps a tile of sums
// in registers. Weights are whole numbers times a scale that 16 or 32 of them share: the products
// of so many are added up first and then scaled, so that nothing is rounded on the way.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/block/reduce.hpp"
#include "rocmforge/gemm/staged.hpp"
#include "rocmforge/linear/half_limbs.hpp"
#include "rocmforge/platform/half_pairs.hpp"
#include "rocmforge/platform/mma.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Default tile of kernels::linear_mma: m tokens by n rows of W. Two rows of waves.
constexpr gemm_tile linear_mma_tile_for(int block_size, int wave_size) {
  const int num_waves = block_size / wave_size, waves_m = num_waves > 1 ? 2 : 1;
  return {32 * waves_m, 32 * (num_waves / waves_m), 64, 32, 32};
}

namespace kernels {
using namespace device;

/// A is x (its rows are tokens), B is W transposed (its columns are rows of W).
template <class T, class Type, mma::instruction Instruction, gemm_tile Tile, int BlockSize,
          int WaveSize, class TX = T>
struct linear_mma {
  static_assert(Instruction::lanes == WaveSize, "linear_mma: the instruction's lanes are a wave");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr gemm_tile tile = Tile;
  static_assert(std::is_same_v<half, typename Instruction::a_element> &&
                    std::is_same_v<float, typename Instruction::c_element>,
                "linear_mma: the instruction multiplies halves and adds up in float");

  static constexpr int num_waves = BlockSize / WaveSize;
  static constexpr int waves_m = Tile.block_m / Tile.m, waves_n = Tile.block_n / Tile.n;
  static_assert(waves_m * Tile.m == Tile.block_m && waves_n * Tile.n == Tile.block_n &&
                    waves_m * waves_n == num_waves && num_waves * WaveSize == BlockSize,
                "linear_mma: the waves' tiles must cover the block's tile");
  // Of instructions.
  static constexpr int tiles_m = Tile.m / Instruction::m, tiles_n = Tile.n / Instruction::n;
  static_assert(tiles_m * Instruction::m == Tile.m && tiles_n * Instruction::n == Tile.n,
                "linear_mma: a wave's tile must be a whole number of the instruction's");

  using format = block_format<Type>;
  static constexpr int limbs = half_limbs::count<TX>;
  /// Weights that share a scale, and how many such ranges the tiles have along k.
  static constexpr int range = group_elements / scales_per_group<Type>;
  static constexpr int ranges = Tile.block_k / range;
  static constexpr int groups = Tile.block_k / group_elements;
  using order = gemm_detail::staged_order<Instruction, Tile.block_k, range>;
  using a_layout = typename order::a_layout;
  using b_layout = typename order::b_layout;
  static constexpr int turns = order::turns;
  static constexpr int range_steps = range / order::together;
  static_assert(range_steps * order::together == range);
  using factor = product_factor<Type>;

  struct shared_storage {
    alignas(16) half x[limbs][order::template size<Tile.block_m>];
    alignas(16) half w[order::template size<Tile.block_n>];
    factor factors[ranges][Tile.block_n];
    float sums[has_zero<Type> ? 1 : ranges][Tile.block_m];  // of x over a range
    float scale[Tile.block_m];                              // of a token
  };

  /// As gemm_mma's, where shared memory leaves room for a second block.
  static constexpr int min_waves = sizeof(shared_storage) <= 32768 ? 2 : 1;

  tensor_view<T, 2> y;                // [num_tokens, out_dim]
  tensor_view<const TX, 2> x;         // [num_tokens, in_dim]
  tensor_view<const Type, 2> weight;  // [out_dim, in_dim / elements]
  tensor_view<const float, 1> bias;   // [out_dim] or empty

  // Grid: x over the tiles of y.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    sums_of_wave sums;
    if constexpr (Instruction::available) {
      const auto place = gemm_detail::place_of(block.index.x, Tile, y.extent[0], y.extent[1]);
      const int in_dim = x.extent[1];
      x_in_flight next;
      next.load(*this, block.thread, place.first_row, 0);
      if constexpr (half_limbs::are_scaled<TX>) {
        find_scales(block, shared, place.first_row);
        block.barrier();
      }
      ROCMFORGE_UNROLL
      for (int i = 0; i < tiles_m; ++i) {
        ROCMFORGE_UNROLL
        for (int j = 0; j < tiles_n; ++j) sums[i][j] = {};
      }
      for (int k = 0; k < in_dim; k += Tile.block_k) {
        next.store(block, shared);
        stage_weights(block.thread, shared, place.first_column, k);
        block.barrier();
        if (k + Tile.block_k < in_dim)
          next.load(*this, block.thread, place.first_row, k + Tile.block_k);
        ROCMFORGE_UNROLL
        for (int r = 0; r < ranges; ++r) multiply_range(block, shared, sums, r);
        block.barrier();
      }
      finish(block, shared, sums, place);
    } else {
      Instruction::multiply(sums[0][0], {}, {});  // which traps
    }
  }

 private:
  using sums_of_wave = typename Instruction::c_registers[tiles_m][tiles_n];
  static constexpr int octet = 8;  // elements of x that a lane brings together
  static constexpr int row_octets = Tile.block_k / octet;

  /// The octets of x that a lane brings to a tile: the lanes of a wave have neighboring ones.
  struct x_in_flight {
    static constexpr int count = Tile.block_m * row_octets / BlockSize;
    static_assert(count * BlockSize == Tile.block_m * row_octets);
    using halves = half_pair[octet / 2];
    using held_octet = std::conditional_t<std::is_same_v<TX, half>, halves, packet<float, octet>>;
    held_octet held[count];

    /// Tokens beyond the last repeat it; columns beyond the last are 0.
    ROCMFORGE_DEVICE void load(const linear_mma& from, int thread, int first_token, int first_k) {
      ROCMFORGE_UNROLL
      for (int i = 0; i < count; ++i) {
        const int index = thread + i * BlockSize;
        const int token = first_token + index / row_octets, last = from.x.extent[0] - 1;
        const int k = first_k + index % row_octets * octet;
        const TX* const at = slice(from.x, token < last ? token : last).data + k;
        const bool exists = k < from.x.extent[1];
        if constexpr (std::is_same_v<TX, half>) {
          ROCMFORGE_UNROLL
          for (int pair = 0; pair < octet / 2; ++pair) held[i][pair] = 0;
          if (exists) load_half_pairs(held[i], at);
        } else {
          held[i] = packet<float, octet>(0.0f);
          if (exists) held[i] = load_packet<octet>(at);
        }
      }
    }

    ROCMFORGE_DEVICE void store(block_context<BlockSize, WaveSize> block,
                                shared_storage& shared) const {
      ROCMFORGE_UNROLL
      for (int i = 0; i < count; ++i) {
        const int index = block.thread + i * BlockSize;
        const int row = index / row_octets, k = index % row_octets * octet;
        raw_packet<half, octet> rounded;
        float sum = 0;
        if constexpr (std::is_same_v<TX, half>) {
          ROCMFORGE_UNROLL
          for (int pair = 0; pair < octet / 2; ++pair) {
            rounded.word[pair] = held[i][pair];
            if constexpr (!has_zero<Type>) sum = dot_add(held[i][pair], ones, sum);
          }
        } else {
          const packet<float, octet> values = held[i] * shared.scale[row];
          raw_packet<half, octet> rest;
          ROCMFORGE_UNROLL
          for (int pair = 0; pair < octet / 2; ++pair) {
            const float a = values[2 * pair], b = values[2 * pair + 1];
            rounded.word[pair] = make_half_pair(a, b);
            if constexpr (limbs == 2)
              rest.word[pair] = half_limbs::rest_of(a, b, rounded.word[pair]);
          }
          if constexpr (limbs == 2) store_aligned(shared.x[1] + order::offset(row, k), rest);
          if constexpr (!has_zero<Type>) sum = horizontal_sum(values);
        }
        store_aligned(shared.x[0] + order::offset(row, k), rounded);
        if constexpr (!has_zero<Type>) {
          constexpr int lanes = range / octet;
          static_assert(lanes == 2 || lanes == 4);
          sum += block.template shuffle_xor<1>(sum);
          if constexpr (lanes == 4) sum += block.template shuffle_xor<2>(sum);
          if (block.thread % lanes == 0) shared.sums[k / range][row] = sum;
        }
      }
    }
    static constexpr half_pair ones = 0x3c003c00u;
  };

  /// The scale of each token's row of x.
  ROCMFORGE_DEVICE void find_scales(block_context<BlockSize, WaveSize> block,
                                    shared_storage& shared, int first_token) const {
    for (int row = block.wave(); row < Tile.block_m; row += num_waves) {
      const int token = first_token + row;
      float maximum = 0;
      if (token < x.extent[0]) {
        const TX* const from = slice(x, token).data;
        for (int k = block.lane() * octet; k < x.extent[1]; k += WaveSize * octet) {
          const packet<float, octet> values = load_packet<octet>(from + k);
          ROCMFORGE_UNROLL
          for (int i = 0; i < octet; ++i)
            maximum = __builtin_fmaxf(maximum, __builtin_fabsf(values[i]));
        }
      }
      maximum = reduce_lanes<WaveSize>(maximum, max_op{}, block);
      if (block.lane() == 0) shared.scale[row] = half_limbs::scale_for(maximum);
    }
  }

  /// Decodes the block's rows of W from column `first_k` on. Rows and groups beyond the last repeat
  /// it: x is 0 there.
  ROCMFORGE_DEVICE void stage_weights(int thread, shared_storage& shared, int first_row,
                                      int first_k) const {
    // 2 N weights of a group at a time.
    constexpr int most = 16 * Tile.block_n * groups / BlockSize;
    constexpr int N = most > 16 ? 16 : most < 4 ? 4 : most;
    constexpr int parts = num_parts<N>;
    constexpr int groups_of_block = format::elements / group_elements;
    const int num_groups = x.extent[1] / group_elements;
    ROCMFORGE_UNROLL_ON_GPU
    for (int first = 0; first < Tile.block_n * groups * parts; first += BlockSize) {
      const int index = first + thread;
      if (Tile.block_n * groups * parts % BlockSize != 0 && index >= Tile.block_n * groups * parts)
        break;
      const int part = index % parts, group = index / parts % groups, row = index / parts / groups;
      const int wanted = first_k / group_elements + group;
      const int found = wanted < num_groups ? wanted : num_groups - 1;
      const int out = first_row + row, last = y.extent[1] - 1;
      const Type& block = slice(weight, out < last ? out : last).data[found / groups_of_block];
      const int within = found % groups_of_block;
      half* const to = shared.w + order::offset(row, group * group_elements + part * N);
      store_numbers(to, format::template numbers<N, 0>(block, within, part));
      store_numbers(to + 16, format::template numbers<N, 1>(block, within, part));
      if (part != 0) continue;
      ROCMFORGE_UNROLL
      for (int i = 0; i < scales_per_group<Type>; ++i) {
        shared.factors[group * scales_per_group<Type> + i][row] =
            product_factor_of<Type>(factors_of(block, within, i));
      }
    }
  }
  ROCMFORGE_DEVICE static affine factors_of(const Type& block, int group, int half) {
    if constexpr (has_half_factors<Type>) {
      return format::scale(block, group, half);
    } else {
      return format::factors(block, group, half);
    }
  }
  static constexpr int zero = subtracted_zero<Type>;
  template <int N>
  ROCMFORGE_DEVICE static void store_numbers(half* to, const byte_packet<N>& bytes) {
    constexpr int size = N < 8 ? N : 8;  // of a store
    ROCMFORGE_UNROLL
    for (int first = 0; first < N; first += size) {
      raw_packet<half, size> numbers;
      ROCMFORGE_UNROLL
      for (int i = 0; i < size / 4; ++i) {
        const unsigned word = bytes.words[first / 4 + i];
        numbers.word[2 * i] = bytes_to_halves<0, zero>(word);
        numbers.word[2 * i + 1] = bytes_to_halves<2, zero>(word);
      }
      store_aligned(to + first, numbers);
    }
  }

  /// Adds the products of one range of k, scaled.
  ROCMFORGE_DEVICE static void multiply_range(block_context<BlockSize, WaveSize> block,
                                              const shared_storage& shared, sums_of_wave& sums,
                                              int r) {
    const int lane = block.lane(), first_row = block.wave() / waves_n * Tile.m,
              first_column = block.wave() % waves_n * Tile.n;
    block.wave_barrier();  // keeps clang from reading the operands of all ranges first
    typename Instruction::b_registers right[range_steps][tiles_n][turns];
    ROCMFORGE_UNROLL
    for (int step = 0; step < range_steps; ++step) {
      ROCMFORGE_UNROLL
      for (int j = 0; j < tiles_n; ++j) {
        order::template read<b_layout>(right[step][j], shared.w, first_column + j * Instruction::n,
                                       lane, r * range_steps + step);
      }
    }
    ROCMFORGE_UNROLL
    for (int i = 0; i < tiles_m; ++i) {
      const int row = first_row + i * Instruction::m;
      typename Instruction::c_registers part[tiles_n];
      ROCMFORGE_UNROLL
      for (int j = 0; j < tiles_n; ++j) part[j] = {};
      ROCMFORGE_UNROLL
      for (int step = 0; step < range_steps; ++step) {
        ROCMFORGE_UNROLL
        for (int limb = 0; limb < limbs; ++limb) {
          typename Instruction::a_registers left[turns];
          order::template read<a_layout>(left, shared.x[limb], row, lane, r * range_steps + step);
          ROCMFORGE_UNROLL
          for (int turn = 0; turn < turns; ++turn) {
            ROCMFORGE_UNROLL
            for (int j = 0; j < tiles_n; ++j)
              Instruction::multiply(part[j], left[turn], right[step][j][turn]);
          }
        }
      }
      ROCMFORGE_UNROLL
      for (int j = 0; j < tiles_n; ++j) {
        ROCMFORGE_UNROLL
        for (int e = 0; e < Instruction::c_elements; ++e) {
          const mma::coord at = Instruction::c_coord(lane, e);
          const factor f = shared.factors[r][first_column + j * Instruction::n + at.col];
          float& sum = sums[i][j][e];
          if constexpr (has_zero<Type>) {
            sum = fma(part[j][e], f, sum);
          } else {
            sum = fma(part[j][e], f.d, fma(shared.sums[r][row + at.row], f.m, sum));
          }
        }
      }
    }
  }

  ROCMFORGE_DEVICE void finish(block_context<BlockSize, WaveSize> block,
                               const shared_storage& shared, const sums_of_wave& sums,
                               gemm_detail::block_place place) const {
    const int first_row = block.wave() / waves_n * Tile.m,
              first_column = place.first_column + block.wave() % waves_n * Tile.n;
    const auto at = [&](int e) { return Instruction::c_coord(block.lane(), e); };
    ROCMFORGE_UNROLL
    for (int i = 0; i < tiles_m; ++i) {
      ROCMFORGE_UNROLL
      for (int e = 0; e < Instruction::c_elements; ++e) {
        const int of_tile = first_row + i * Instruction::m + at(e).row;
        const int token = place.first_row + of_tile;
        if (token >= y.extent[0]) continue;
        float inverse = 1;
        if constexpr (half_limbs::are_scaled<TX>)
          inverse = half_limbs::inverse_of(shared.scale[of_tile]);
        T* const to = slice(y, token).data;
        ROCMFORGE_UNROLL
        for (int j = 0; j < tiles_n; ++j) {
          const int out = first_column + j * Instruction::n + at(e).col;
          if (out >= y.extent[1]) continue;
          const float sum = sums[i][j][e] * inverse;
          to[out] = T(bias.data != nullptr ? sum + bias(out) : sum);
        }
      }
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
