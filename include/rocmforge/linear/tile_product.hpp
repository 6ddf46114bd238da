// How a wave multiplies a tile of decoded weights by the columns of x: with matrix instructions, or
// with packed dot products where those execute fewer instructions.
#pragma once

#include <type_traits>

#include "rocmforge/platform/half_pairs.hpp"
#include "rocmforge/platform/mma.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/quant/block.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Policies of kernels::matvec_tile. A lane has four of each 16 weights of two rows, as two pairs
/// of halves each (`left[row][pair]`), and the same elements of x. A policy has
/// - `tile_rows` and `columns`: rows of W and columns of x that are multiplied together;
/// - `blocks_beside`: blocks for which a compute unit has registers at least;
/// - `groups_at_once` of a span whose operands a lane has registers for, and `for_each<Count>(f)`:
///   f(0) to f(Count - 1), over so many groups each;
/// - `sums`, with `start`: what a lane keeps of the tile;
/// - `operand`, with `load(to, lane, used_columns, x)`: the lane's elements of a group of 32, where
///   x(column) are those of a column, and columns from `used_columns` on may be anything;
/// - `multiply(sums, left, right, half)`: adds the products of half a group;
/// - `add_scaled(sums, part, factors)`: adds part * d of each row;
/// - `add_scaled(sums, part, factors, lane, x_sums)`: also x_sums[column] * m;
/// - `store(block, sums, f)`: f(row, column, sum) for each sum of the tile, once.
namespace tile_product {
using namespace device;

/// Whether devices of this platform multiply few tokens by matrix instructions. Those of AMD
/// execute fewer instructions with dot products: a tile of 16 x 16 is mostly empty columns.
inline constexpr bool multiplies_by_matrix =
    std::is_same_v<mma::product_instructions<half>,
                   mma::instruction_list<mma::mma_f32_16x8x16_f16>>;

struct alignas(8) two_pairs {
  half_pair pair[2];
};
struct alignas(16) four_pairs {
  half_pair pair[4];
};

/// mma.sync: a tile of 16 rows, `Instructions` times 8 columns.
template <class Instruction, int Instructions>
struct matrix {
  static_assert(Instruction::m == 16 && Instruction::n == 8 && Instruction::k == 16 &&
                Instruction::lanes == 32);
  // A quad of lanes has rows r and r + 8 of A, column r of B, and of C columns 2 p and 2 p + 1 for
  // its lane p.
  static_assert(Instruction::a_coord(5, 2).row == 9 && Instruction::b_coord(5, 0).col == 1 &&
                Instruction::c_coord(5, 3) == mma::coord{9, 3});
  static constexpr int tile_rows = Instruction::m;
  static constexpr int columns = Instructions * Instruction::n;
  static constexpr int blocks_beside = 2;
  static constexpr int groups_at_once = 4;

  using c_registers = typename Instruction::c_registers;
  struct sums {
    c_registers c[Instructions];
  };
  struct operand {
    four_pairs b[Instructions];
  };

  template <int Count, class F>
  ROCMFORGE_DEVICE static void for_each(F&& f) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int i = 0; i < Count; ++i) f(i);
  }
  ROCMFORGE_DEVICE static void start(sums& to) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int n = 0; n < Instructions; ++n) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < 4; ++i) to.c[n][i] = 0;
    }
  }
  template <class X>
  ROCMFORGE_DEVICE static void load(operand& to, int lane, int used_columns, X&& x) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int n = 0; n < Instructions; ++n) {
      const int column = n * Instruction::n + lane / 4;
      to.b[n] = x(column < used_columns ? column : used_columns - 1);
    }
  }
  ROCMFORGE_DEVICE static void multiply(sums& to, const half_pair (&left)[2][2],
                                        const operand& right, int half) {
    // The order of k is free, as long as A and B agree.
    const four_pairs words{{left[0][0], left[1][0], left[0][1], left[1][1]}};
    const auto a = __builtin_bit_cast(typename Instruction::a_registers, words);
    ROCMFORGE_UNROLL_ON_GPU
    for (int n = 0; n < Instructions; ++n) {
      const two_pairs b{{right.b[n].pair[2 * half], right.b[n].pair[2 * half + 1]}};
      Instruction::multiply(to.c[n], a, __builtin_bit_cast(typename Instruction::b_registers, b));
    }
  }
  ROCMFORGE_DEVICE static void add_scaled(sums& to, const sums& part, const float (&d)[2]) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int n = 0; n < Instructions; ++n) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < 4; ++i) to.c[n][i] = fma(part.c[n][i], d[i / 2], to.c[n][i]);
    }
  }
  ROCMFORGE_DEVICE static void add_scaled(sums& to, const sums& part, const affine (&f)[2],
                                          int lane, const float* x_sums) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int n = 0; n < Instructions; ++n) {
      const packet<float, 2> both =
          to_float(load_aligned<2>(x_sums + n * Instruction::n + 2 * (lane % 4)));
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < 4; ++i)
        to.c[n][i] = fma(part.c[n][i], f[i / 2].d, fma(both[i % 2], f[i / 2].m, to.c[n][i]));
    }
  }
  template <class Block, class F>
  ROCMFORGE_DEVICE static void store(Block block, const sums& from, F&& f) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int n = 0; n < Instructions; ++n) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < 4; ++i) {
        const mma::coord at = Instruction::c_coord(block.lane(), i);
        f(at.row, n * Instruction::n + at.col, from.c[n][i]);
      }
    }
  }
};

/// Dot products of pairs: each lane keeps its own sums, and lanes of a row add up theirs in the
/// end.
template <int WaveSize, int Columns>
struct dot {
  static constexpr int tile_rows = WaveSize / 8;  // two for each quad; a wave has four spans
  static constexpr int columns = Columns;
  static constexpr int blocks_beside = 4;
  static constexpr int groups_at_once = Columns <= 4 ? 4 : 1;

  struct sums {
    float s[2][Columns];
  };
  struct operand {
    four_pairs b[Columns];
  };

  /// Not unrolled: clang reads the operands of all turns first, which takes all registers.
  template <int Count, class F>
  ROCMFORGE_DEVICE static void for_each(F&& f) {
    ROCMFORGE_NO_UNROLL
    for (int i = 0; i < Count; ++i) f(i);
  }
  ROCMFORGE_DEVICE static void start(sums& to) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < 2; ++r) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int c = 0; c < Columns; ++c) to.s[r][c] = 0;
    }
  }
  template <class X>
  ROCMFORGE_DEVICE static void load(operand& to, int /*lane*/, int used_columns, X&& x) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int c = 0; c < Columns; ++c) to.b[c] = x(c < used_columns ? c : used_columns - 1);
  }
  ROCMFORGE_DEVICE static void multiply(sums& to, const half_pair (&left)[2][2],
                                        const operand& right, int half) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < 2; ++r) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int c = 0; c < Columns; ++c) {
        to.s[r][c] = dot_add(left[r][0], right.b[c].pair[2 * half],
                             dot_add(left[r][1], right.b[c].pair[2 * half + 1], to.s[r][c]));
      }
    }
  }
  ROCMFORGE_DEVICE static void add_scaled(sums& to, const sums& part, const float (&d)[2]) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < 2; ++r) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int c = 0; c < Columns; ++c) to.s[r][c] = fma(part.s[r][c], d[r], to.s[r][c]);
    }
  }
  ROCMFORGE_DEVICE static void add_scaled(sums& to, const sums& part, const affine (&f)[2],
                                          int lane, const float* x_sums) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < 2; ++r) {
      const float m = lane % 4 == 0 ? f[r].m : 0.0f;  // the sum is of all lanes of the quad
      ROCMFORGE_UNROLL_ON_GPU
      for (int c = 0; c < Columns; ++c)
        to.s[r][c] = fma(part.s[r][c], f[r].d, fma(x_sums[c], m, to.s[r][c]));
    }
  }
  template <class Block, class F>
  ROCMFORGE_DEVICE static void store(Block block, const sums& from, F&& f) {
    constexpr int row_lanes = 4 * (tile_rows / 2);  // the quads of a span
    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < 2; ++r) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int c = 0; c < Columns; ++c) {
        float sum = from.s[r][c];
        sum += block.template shuffle_xor<1>(sum);
        sum += block.template shuffle_xor<2>(sum);
        sum += block.template shuffle_xor<row_lanes>(sum);
        sum += block.template shuffle_xor<2 * row_lanes>(sum);
        const int quad = block.lane() / 4;
        if (block.lane() % 4 == 0 && quad < tile_rows / 2) f(quad + r * (tile_rows / 2), c, sum);
      }
    }
  }
};

}  // namespace tile_product
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
