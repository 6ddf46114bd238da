// Which way round attention may hold its scores: how the C of one product becomes an operand of the
// next, found only from the coordinate maps.
#pragma once

#include <numeric>

#include "rocmforge/platform/mma/description.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace mma {

enum class operand { a, b };

/// How C is read: element (row, col) of the operand is (row, col) of C, or (col, row).
enum class orientation { as_is, transposed };

/// What it takes to bring the elements to the lanes that need them, cheapest first.
enum class route {
  own_registers,  // each lane holds all that it needs
  lane_swap,      // each lane needs its own and those of one other lane, the same registers of both
  memory          // anything else
};

/// Where an element of the operand is: C tile (row, col) of a grid of them, lane, register.
struct source {
  int tile_row;
  int tile_col;
  int lane;
  int index;
};

/// How the C tiles of Producer serve as `Which` operand tiles of Consumer. Where the shapes differ
/// an operand tile is made from several C tiles, or a C tile serves several operand tiles.
template <instruction Producer, instruction Consumer, operand Which, orientation Read>
struct c_reuse {
  static constexpr int rows = Which == operand::a ? Consumer::m : Consumer::k;
  static constexpr int cols = Which == operand::a ? Consumer::k : Consumer::n;
  static constexpr int elements = Which == operand::a ? Consumer::a_elements : Consumer::b_elements;

  // C as it is read.
  static constexpr int c_rows = Read == orientation::as_is ? Producer::m : Producer::n;
  static constexpr int c_cols = Read == orientation::as_is ? Producer::n : Producer::m;

  /// Operand tiles, one below the other and side by side, until the edges of both kinds of tile
  /// meet again.
  static constexpr int tile_rows = std::lcm(rows, c_rows) / rows;
  static constexpr int tile_cols = std::lcm(cols, c_cols) / cols;

  /// Where register `i` of `lane` finds its element, for operand tile (`tile_row`, `tile_col`). In
  /// device code it is for constant expressions; lane 0 stands for all where the way is
  /// own_registers.
  static constexpr source source_of(int tile_row, int tile_col, int lane, int i) {
    const coord in_tile =
        Which == operand::a ? Consumer::a_coord(lane, i) : Consumer::b_coord(lane, i);
    const int row = rows * tile_row + in_tile.row;
    const int col = cols * tile_col + in_tile.col;
    const auto& [c_lane, c_index] = held.at[row % c_rows][col % c_cols];
    return {row / c_rows, col / c_cols, c_lane, c_index};
  }

 private:
  struct place {
    int lane;
    int index;
  };
  struct place_table {
    place at[c_rows][c_cols];
  };

  static constexpr place_table find_places() {
    place_table places{};
    for (int lane = 0; lane < Producer::lanes; ++lane) {
      for (int i = 0; i < Producer::c_elements; ++i) {
        const coord c = Producer::c_coord(lane, i);
        const bool as_is = Read == orientation::as_is;
        places.at[as_is ? c.row : c.col][as_is ? c.col : c.row] = {lane, i};
      }
    }
    return places;
  }

  static constexpr place_table held = find_places();

  struct finding {
    route way;
    int lane_mask;
  };

  static constexpr finding find_route() {
    if (Producer::lanes != Consumer::lanes) return {route::memory, 0};
    int only_mask = 0;
    for (int tile = 0; tile < tile_rows * tile_cols; ++tile) {
      for (int i = 0; i < elements; ++i) {
        const source first = source_of(tile / tile_cols, tile % tile_cols, 0, i);
        for (int lane = 0; lane < Consumer::lanes; ++lane) {
          const source from = source_of(tile / tile_cols, tile % tile_cols, lane, i);
          // A register that depends on the lane cannot be named in an instruction.
          const bool same_register = from.tile_row == first.tile_row &&
                                     from.tile_col == first.tile_col && from.index == first.index;
          const int mask = from.lane ^ lane;
          if (only_mask == 0) only_mask = mask;
          if (!same_register || (mask != 0 && mask != only_mask)) return {route::memory, 0};
        }
      }
    }
    return {only_mask == 0 ? route::own_registers : route::lane_swap, only_mask};
  }

  static constexpr finding found = find_route();

 public:
  static constexpr route way = found.way;

  /// With route::lane_swap the other lane is `lane ^ lane_mask`; otherwise 0.
  static constexpr int lane_mask = found.lane_mask;
};

/// How attention may best hold its scores between S = Q K^T and O = P V, P being the A operand of
/// the second product.
struct score_layout {
  orientation read;  // as_is: compute S = Q K^T; transposed: compute S^T = K Q^T
  route way;
  int lane_mask;
};

/// The cheapest way; S as it is where both ways cost the same. `Scores` multiplies Q and K,
/// `Output` P and V.
template <instruction Scores, instruction Output = Scores>
inline constexpr score_layout best_score_layout = [] {
  using as_is = c_reuse<Scores, Output, operand::a, orientation::as_is>;
  using transposed = c_reuse<Scores, Output, operand::a, orientation::transposed>;
  return transposed::way < as_is::way
             ? score_layout{orientation::transposed, transposed::way, transposed::lane_mask}
             : score_layout{orientation::as_is, as_is::way, as_is::lane_mask};
}();

}  // namespace mma
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
