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

/// Policies of kernels::matvec_tile have
/// - `by_matrix`: whether it is `matrix`;
/// - `tile_rows` and `columns`: rows of W and columns of x that are multiplied together;
/// - `wave_spans`: how many times 256 weights of each row a wave multiplies at a time;
/// - `blocks_beside`: how many blocks to start for each compute unit at most;
/// - `groups_at_once` of a lane whose operands it has registers for, and `for_each<Count>(f)`:
///   f(0) to f(Count - 1), over so many groups each;
/// - `sums`, with `start`: what a lane keeps of the tile;
/// - `operand`, with `load(to, lane, used_columns, x)`: the lane's elements of x, where x(column)
/// are
///   those of a column, and columns from `used_columns` on may be anything;
/// - `multiply`: adds products;
/// - `add_scaled(sums, part, factors, ...)`: adds part * d of each row, and what is due of m;
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

/// mma.sync: a tile of 16 rows, `Instructions` times 8 columns. A lane has four of each 16 weights
/// of two rows, as two pairs of halves each (`left[row][pair]`), and the same elements of x.
template <class Instruction, int Instructions>
struct matrix {
  static_assert(Instruction::m == 16 && Instruction::n == 8 && Instruction::k == 16 &&
                Instruction::lanes == 32);
  // A quad of lanes has rows r and r + 8 of A, column r of B, and of C columns 2 p and 2 p + 1 for
  // its lane p.
  static_assert(Instruction::a_coord(5, 2).row == 9 && Instruction::b_coord(5, 0).col == 1 &&
                Instruction::c_coord(5, 3) == mma::coord{9, 3});
  static constexpr bool by_matrix = true;
  static constexpr int tile_rows = Instruction::m;
  static constexpr int wave_spans = 1;
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
/// end. A lane has 8 of each 16 weights of four rows, or of two: so what is there once for each
/// element of x, or once for each lane, is shared by many weights.
template <int WaveSize, int Columns>
struct dot {
  static constexpr bool by_matrix = false;
  // The more columns, the fewer rows: a lane has registers for so many sums.
  static constexpr int lane_rows = Columns <= 4 ? 4 : 2;
  // The more columns, the fewer spans of x at a time: all have to fit into shared memory.
  static constexpr int wave_spans = Columns <= 2 ? 8 : 16 / Columns;
  static constexpr int row_lanes = 4 * wave_spans;  // that share rows
  static constexpr int tile_rows = WaveSize / row_lanes * lane_rows;
  static constexpr int columns = Columns;
  static constexpr int blocks_beside = 8;
  static constexpr int groups_at_once = Columns <= 2 ? 4 : 1;

  struct sums {
    float s[lane_rows][Columns];
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
    for (int r = 0; r < lane_rows; ++r) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int c = 0; c < Columns; ++c) to.s[r][c] = 0;
    }
  }
  template <class X>
  ROCMFORGE_DEVICE static void load(operand& to, int used_columns, X&& x) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int c = 0; c < Columns; ++c) to.b[c] = x(c < used_columns ? c : used_columns - 1);
  }
  ROCMFORGE_DEVICE static void multiply(sums& to, int row, const four_pairs& left,
                                        const operand& right) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int c = 0; c < Columns; ++c) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < 4; ++i)
        to.s[row][c] = dot_add(left.pair[i], right.b[c].pair[i], to.s[row][c]);
    }
  }
  ROCMFORGE_DEVICE static void add_scaled(sums& to, const sums& part, const float (&d)[lane_rows]) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < lane_rows; ++r) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int c = 0; c < Columns; ++c) to.s[r][c] = fma(part.s[r][c], d[r], to.s[r][c]);
    }
  }
  ROCMFORGE_DEVICE static void add_scaled(sums& to, const sums& part, const affine (&f)[lane_rows],
                                          const float (&x_sums)[Columns]) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < lane_rows; ++r) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int c = 0; c < Columns; ++c)
        to.s[r][c] = fma(part.s[r][c], f[r].d, fma(x_sums[c], f[r].m, to.s[r][c]));
    }
  }
  template <class Block, class F>
  ROCMFORGE_DEVICE static void store(Block block, const sums& from, F&& f) {
    // Of two rows a lane keeps one and gives the other away: after two such steps each lane of a
    // quad has another row. So there are half as many additions as with all rows in all lanes.
    const bool odd = block.lane() % 2 == 1, upper = block.lane() / 2 % 2 == 1;
    const int row = block.lane() / row_lanes * lane_rows + block.lane() % lane_rows;
    ROCMFORGE_UNROLL_ON_GPU
    for (int c = 0; c < Columns; ++c) {
      const auto one_of = [&](float first, float second, bool takes_second, auto mask) {
        const float kept = takes_second ? second : first, given = takes_second ? first : second;
        return kept + block.template shuffle_xor<mask>(given);
      };
      constexpr std::integral_constant<int, 1> beside;
      constexpr std::integral_constant<int, 2> opposite;
      float sum = one_of(from.s[0][c], from.s[1][c], odd, beside);
      if constexpr (lane_rows == 4) {
        sum = one_of(sum, one_of(from.s[2][c], from.s[3][c], odd, beside), upper, opposite);
      } else {
        sum += block.template shuffle_xor<2>(sum);
      }
      sum += block.template shuffle_xor<4>(sum);
      if constexpr (row_lanes > 8) sum += block.template shuffle_xor<8>(sum);
      if constexpr (row_lanes > 16) sum += block.template shuffle_xor<16>(sum);
      if (block.lane() % row_lanes < lane_rows) f(row, c, sum);
    }
  }
};

}  // namespace tile_product
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
