// A matrix product of plain multiplications and additions: the register tile of the host, and the
// tile of any wave size for a device without matrix instructions.
#pragma once

#include <numeric>
#include <type_traits>

#include "rocmforge/platform/mma/description.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace mma {

/// D += A B, with no exchange between lanes: a lane owns a block of C and holds every row of A and
/// column of B that its block needs. With one lane that is the whole tile. A is held by rows, B by
/// rows, C by rows.
template <class T, class Accumulator, int M, int N, int K, int Lanes = 1>
struct host_tile
    : tile_shape<T, Accumulator, M, N, K, Lanes, std::gcd(N, Lanes), Lanes / std::gcd(N, Lanes)> {
  static constexpr int lane_cols = std::gcd(N, Lanes);
  static constexpr int lane_rows = Lanes / lane_cols;
  static_assert(M % lane_rows == 0, "host_tile: the lanes do not divide the tile evenly");
  static constexpr int block_rows = M / lane_rows;
  static constexpr int block_cols = N / lane_cols;

  using shape = tile_shape<T, Accumulator, M, N, K, Lanes, lane_cols, lane_rows>;
  using typename shape::a_registers;
  using typename shape::b_registers;
  using typename shape::c_registers;

  static constexpr const char* name = "host_tile";
  static constexpr bool available = true;
  static constexpr bool runs_on(std::string_view) { return true; }

  ROCMFORGE_HOST_DEVICE static constexpr coord a_coord(int lane, int i) {
    return {block_rows * (lane / lane_cols) + i / K, i % K};
  }
  ROCMFORGE_HOST_DEVICE static constexpr coord b_coord(int lane, int i) {
    return {i / block_cols, block_cols * (lane % lane_cols) + i % block_cols};
  }
  ROCMFORGE_HOST_DEVICE static constexpr coord c_coord(int lane, int i) {
    return {block_rows * (lane / lane_cols) + i / block_cols,
            block_cols * (lane % lane_cols) + i % block_cols};
  }

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
    ROCMFORGE_UNROLL
    for (int k = 0; k < K; ++k) {
      ROCMFORGE_UNROLL
      for (int col = 0; col < block_cols; col += piece_size) {
        const piece right = load(&b[k * block_cols + col]);
        ROCMFORGE_UNROLL
        for (int row = 0; row < block_rows; ++row) {
          Accumulator* const sums = &d[row * block_cols + col];
          const piece sum = load(sums) + static_cast<Accumulator>(a[row * K + k]) * right;
          __builtin_memcpy(sums, &sum, sizeof(piece));
        }
      }
    }
  }

 private:
  // Compilers do not find the vectors in these loops by themselves: a row of the block is cut into
  // registers here.
#if defined(ROCMFORGE_PLATFORM_HOST)
  static constexpr int piece_size =
      std::gcd(block_cols, arch::vector_bytes / int{sizeof(Accumulator)});
  typedef Accumulator piece __attribute__((vector_size(piece_size * sizeof(Accumulator))));
#else
  static constexpr int piece_size = 1;
  using piece = Accumulator;
#endif

  template <class From>
  ROCMFORGE_DEVICE static piece load(const From* from) {
    piece values;
    if constexpr (std::is_same_v<From, Accumulator>) {
      __builtin_memcpy(&values, from, sizeof(piece));
    } else if constexpr (std::is_same_v<piece, Accumulator>) {
      values = static_cast<Accumulator>(*from);
    } else {
      for (int i = 0; i < piece_size; ++i) values[i] = static_cast<Accumulator>(from[i]);
    }
    return values;
  }
};

}  // namespace mma
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
