// Tiles of the operands of matrix instructions in shared memory: the order of their elements, and
// how a lane reads its own.
#pragma once

#include <type_traits>

#include "rocmforge/gemm/operand.hpp"
#include "rocmforge/platform/mma.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace gemm_detail {
using namespace device;

/// Positions of a lane's elements of an operand along k: `num_runs` runs of `run` neighbors, each
/// of which starts at a multiple of `run`. `place(lane, i)` is (outer, k).
template <mma::instruction I, mma::operand Which>
struct fragment_layout {
  static constexpr bool is_a = Which == mma::operand::a;
  static constexpr int elements = is_a ? I::a_elements : I::b_elements;
  using registers = std::conditional_t<is_a, typename I::a_registers, typename I::b_registers>;

  ROCMFORGE_HOST_DEVICE static constexpr staged_place at(int lane, int i) {
    const mma::coord found = is_a ? I::a_coord(lane, i) : I::b_coord(lane, i);
    return is_a ? staged_place{found.row, found.col} : staged_place{found.col, found.row};
  }
  static constexpr bool has_runs_of(int size) {
    if (elements % size != 0) return false;
    for (int lane = 0; lane < I::lanes; ++lane) {
      for (int i = 0; i < elements; ++i) {
        const staged_place first = at(lane, i / size * size), here = at(lane, i);
        if (first.k % size != 0 || here.outer != first.outer || here.k != first.k + i % size)
          return false;
      }
    }
    return true;
  }
  static constexpr int run = [] {
    int size = 1;
    while (2 * size <= I::k && has_runs_of(2 * size)) size *= 2;
    return size;
  }();
  static constexpr int num_runs = elements / run;
};

/// k may be permuted as long as A and B use the same order. The k values that one lane needs for
/// `turns` consecutive instructions are stored contiguously, so that one read of up to 16 bytes
/// feeds all of them; together they are `together` neighbors along k, at most MaxTogether.
template <mma::instruction I, int BlockK, int MaxTogether = BlockK>
struct staged_order {
  using T = typename I::a_element;
  using a_layout = fragment_layout<I, mma::operand::a>;
  using b_layout = fragment_layout<I, mma::operand::b>;
  static constexpr int run = a_layout::run;
  static_assert(run == b_layout::run && run % 2 == 0,
                "gemm_mma: A and B must be held in equal runs of k, of whole words");
  static constexpr int turns = [] {
    int count = 1;
    while (2 * count * run * int{sizeof(T)} <= 16 && 2 * count * I::k <= MaxTogether &&
           BlockK % (2 * count * I::k) == 0)
      count *= 2;
    return count;
  }();
  static constexpr int together = turns * I::k;
  static constexpr int steps = BlockK / together;
  static_assert(steps * together == BlockK,
                "gemm_mma: block_k must be a multiple of the instruction's k");

  /// Offset of element (row, k) of a staged tile. The row stride is a multiple of the bank cycle
  /// plus 16 bytes, so that 16-byte reads of the rows of an instruction hit different banks. Eight
  /// rows are followed by 32 bytes of padding, so that writes of columns from four places of a row
  /// do so too.
  static constexpr int pad = run * turns * int{sizeof(T)} >= 16 ? 8 : 16;
  ROCMFORGE_DEVICE static constexpr int offset(int row, int k) {
    return row * (BlockK + pad) + row / 8 * 16 + k;
  }
  template <int Extent>
  static constexpr int size = Extent*(BlockK + pad) + Extent / 8 * 16;

  /// A lane's elements for `turns` instructions. Element k of instruction t is at offset
  /// (k / run * turns + t) * run + k % run.
  template <class Layout>
  ROCMFORGE_DEVICE static void read(typename Layout::registers (&held)[turns], const T* from,
                                    int first, int lane, int step) {
    struct words {
      unsigned word[Layout::elements / 2];
    } of_turn[turns];
    ROCMFORGE_UNROLL
    for (int r = 0; r < Layout::num_runs; ++r) {
      const auto at = Layout::at(lane, r * run);
      const auto all = load_aligned<run * turns>(
          from + offset(first + at.outer, step * together + at.k * turns));
      ROCMFORGE_UNROLL
      for (int i = 0; i < turns * run / 2; ++i)
        of_turn[i / (run / 2)].word[r * run / 2 + i % (run / 2)] = all.word[i];
    }
    ROCMFORGE_UNROLL
    for (int turn = 0; turn < turns; ++turn)
      held[turn] = __builtin_bit_cast(typename Layout::registers, of_turn[turn]);
  }
};

}  // namespace gemm_detail
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
