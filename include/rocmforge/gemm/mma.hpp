// C = epilogue(alpha A B) with matrix instructions: a block stages tiles of A and B in shared
// memory, and each wave keeps a tile of sums in registers. The instruction is a template parameter,
// used only through its description (platform/mma.hpp).
#pragma once

#include "rocmforge/gemm/epilogue.hpp"
#include "rocmforge/gemm/operand.hpp"
#include "rocmforge/gemm/pipeline.hpp"
#include "rocmforge/gemm/staged.hpp"
#include "rocmforge/platform/mma.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Default tile of kernels::gemm_mma: two rows of waves.
constexpr gemm_tile gemm_mma_tile_for(int block_size, int wave_size) {
  const int num_waves = block_size / wave_size, waves_m = num_waves > 1 ? 2 : 1;
  // 64 sums a lane: with the operands, room for six waves or more on a SIMD.
  const int n = wave_size == 64 ? 64 : 32;
  return {64 * waves_m, num_waves / waves_m * n, 32, 64, n};
}

namespace kernels {
using namespace device;

template <mma::instruction Instruction, class TC, class Epilogue, gemm_tile Tile, int BlockSize,
          int WaveSize>
struct gemm_mma {
  static_assert(Instruction::lanes == WaveSize, "gemm_mma: the instruction's lanes are a wave");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr gemm_tile tile = Tile;
  // With registers for a single wave, clang would keep the sums of MFMA in the half of the file
  // that nothing else reaches, and copy them there and back.
  static constexpr int min_waves = 2;
  using T = typename Instruction::a_element;
  static_assert(sizeof(T) == 2 && std::is_same_v<T, typename Instruction::b_element> &&
                    std::is_same_v<float, typename Instruction::c_element>,
                "gemm_mma: the instruction multiplies 16-bit elements and adds up in float");

  static constexpr int waves_m = Tile.block_m / Tile.m, waves_n = Tile.block_n / Tile.n;
  static_assert(waves_m * Tile.m == Tile.block_m && waves_n * Tile.n == Tile.block_n &&
                    waves_m * waves_n * WaveSize == BlockSize,
                "gemm_mma: the waves' tiles must cover the block's tile");
  // Of instructions.
  static constexpr int tiles_m = Tile.m / Instruction::m, tiles_n = Tile.n / Instruction::n;
  static_assert(tiles_m * Instruction::m == Tile.m && tiles_n * Instruction::n == Tile.n,
                "gemm_mma: a wave's tile must be a whole number of the instruction's");

  using order = gemm_detail::staged_order<Instruction, Tile.block_k>;
  using a_layout = typename order::a_layout;
  using b_layout = typename order::b_layout;
  static constexpr int turns = order::turns;
  static_assert(tiles_m * tiles_n * Instruction::c_elements +
                        (tiles_m * Instruction::a_elements + tiles_n * Instruction::b_elements) *
                            turns / 2 <=
                    max_lane_registers(BlockSize, WaveSize),
                "gemm_mma: this tile keeps more in a lane than a lane has registers; take a "
                "smaller tile or more waves");

  struct staged {
    alignas(16) T a[order::template size<Tile.block_m>];
    alignas(16) T b[order::template size<Tile.block_n>];
  };
  static constexpr int slab_width = Tile.n + 16;
  union shared_storage {
    staged operands;
    // For the epilogue: one row of tiles per wave, read back as rows of C.
    alignas(16) float slab[BlockSize / WaveSize][Instruction::m][slab_width];
  };

  tensor_view<TC, 3> c;       // [batch, m, n]
  tensor_view<const T, 3> a;  // [batch, m, k]
  tensor_view<const T, 3> b;  // [batch, k, n]
  float alpha;
  Epilogue epilogue;

  // Grid: x over the blocks of all matrices.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    typename Instruction::c_registers sums[tiles_m][tiles_n];
    if constexpr (Instruction::available) {
      const int m = c.extent[1], n = c.extent[2], k = a.extent[2];
      const auto place = gemm_detail::place_of(block.index.x, Tile, m, n);
      multiply(block, shared.operands, sums, place, k);
      finish(block, shared, sums, place);
    } else {
      Instruction::multiply(sums[0][0], {}, {});  // which traps
    }
  }

 private:
  /// The packets of a tile that one lane loads, in the layout of memory.
  template <int Extent>
  struct in_flight {
    static constexpr int size = 8;
    static constexpr int count = Extent * Tile.block_k / (size * BlockSize);
    static_assert(count % 2 == 0 && count * size * BlockSize == Extent * Tile.block_k &&
                      Extent % 32 == 0,
                  "gemm_mma: the lanes must bring the same even number of packets of a tile");
    raw_packet<T, size> held[count];

    /// Tiles that are contiguous across k: two packets of a lane are neighbors along k; lanes go
    /// four packets along a line, then down k. So a wave reads 64 contiguous bytes and writes each
    /// bank of shared memory once.
    ROCMFORGE_DEVICE static gemm_detail::staged_place of(int i, int thread, bool along_k) {
      if (along_k) {
        const int index = thread + i * BlockSize;
        return {index / (Tile.block_k / size), index % (Tile.block_k / size) * size};
      }
      const int index = thread + i / 2 * BlockSize;
      return {(index % 4 + index / (2 * Tile.block_k) * 4) * size,
              index / 4 % (Tile.block_k / 2) * 2 + i % 2};
    }
    ROCMFORGE_DEVICE void load(const gemm_detail::operand<T>& from, int first, int k, int thread) {
      from.load_tile(held, first, Extent, k, Tile.block_k,
                     [&](int i) { return of(i, thread, from.along_k); });
    }
    ROCMFORGE_DEVICE void store(T* to, bool along_k, int thread) const {
      if (along_k) {
        ROCMFORGE_UNROLL
        for (int i = 0; i < count; ++i) {
          const auto at = of(i, thread, true);
          store_aligned(to + order::offset(at.outer, at.k), held[i]);
        }
      } else {
        ROCMFORGE_UNROLL
        for (int i = 0; i < count; i += 2) {
          const auto at = of(i, thread, false);
          ROCMFORGE_UNROLL
          for (int word = 0; word < size / 2; ++word) {
            const unsigned upper = held[i].word[word], lower = held[i + 1].word[word];
            const raw_packet<T, 2> even{{(upper & 0xffffu) | lower << 16}},
                odd{{upper >> 16 | (lower & 0xffff0000u)}};
            store_aligned(to + order::offset(at.outer + 2 * word, at.k), even);
            store_aligned(to + order::offset(at.outer + 2 * word + 1, at.k), odd);
          }
        }
      }
    }
  };

  ROCMFORGE_DEVICE void multiply(block_context<BlockSize, WaveSize> block, staged& shared,
                                 typename Instruction::c_registers (&sums)[tiles_m][tiles_n],
                                 gemm_detail::block_place place, int k) const {
    const gemm_detail::operand<T> left(a, place.batch, 1), right(b, place.batch, 2);
    const int first_row = block.wave() / waves_n * Tile.m,
              first_column = block.wave() % waves_n * Tile.n;
    ROCMFORGE_UNROLL
    for (int i = 0; i < tiles_m; ++i) {
      ROCMFORGE_UNROLL
      for (int j = 0; j < tiles_n; ++j) sums[i][j] = {};
    }
    gemm_detail::staged_pipeline<in_flight<Tile.block_m>, in_flight<Tile.block_n>, Tile.block_k>(
        block, shared, left, right, place, k, [&] {
          ROCMFORGE_UNROLL
          for (int step = 0; step < order::steps; ++step)
            multiply_step(block.lane(), shared, sums, first_row, first_column, step);
        });
  }

  /// `turns` instructions for each tile.
  ROCMFORGE_DEVICE static void multiply_step(
      int lane, const staged& shared, typename Instruction::c_registers (&sums)[tiles_m][tiles_n],
      int first_row, int first_column, int step) {
    typename Instruction::b_registers right[tiles_n][turns];
    ROCMFORGE_UNROLL
    for (int j = 0; j < tiles_n; ++j)
      order::template read<b_layout>(right[j], shared.b, first_column + j * Instruction::n, lane,
                                     step);
    ROCMFORGE_UNROLL
    for (int i = 0; i < tiles_m; ++i) {
      typename Instruction::a_registers left[turns];
      order::template read<a_layout>(left, shared.a, first_row + i * Instruction::m, lane, step);
      ROCMFORGE_UNROLL
      for (int turn = 0; turn < turns; ++turn) {
        ROCMFORGE_UNROLL
        for (int j = 0; j < tiles_n; ++j)
          Instruction::multiply(sums[i][j], left[turn], right[j][turn]);
      }
    }
  }

  /// Stores the sums, one row of tiles at a time, through shared memory, so that rows of C are
  /// stored in packets whatever the instruction's layout is.
  ROCMFORGE_DEVICE void finish(block_context<BlockSize, WaveSize> block, shared_storage& shared,
                               const typename Instruction::c_registers (&sums)[tiles_m][tiles_n],
                               gemm_detail::block_place place) const {
    constexpr int size = packet_size<TC, WaveSize>;
    constexpr int packets = Tile.n / size;
    auto& slab = shared.slab[block.wave()];
    const int first_row = place.first_row + block.wave() / waves_n * Tile.m,
              first_column = place.first_column + block.wave() % waves_n * Tile.n;
    ROCMFORGE_UNROLL
    for (int i = 0; i < tiles_m; ++i) {
      ROCMFORGE_UNROLL
      for (int j = 0; j < tiles_n; ++j) {
        mma::store_c<Instruction>(block.lane(), sums[i][j], [&](int row, int column, float value) {
          slab[row][j * Instruction::n + column] = value;
        });
      }
      block.barrier();
      for (int p = block.lane(); p < Instruction::m * packets; p += WaveSize) {
        const int row = first_row + i * Instruction::m + p / packets, column = p % packets * size;
        if (row >= c.extent[1]) break;
        gemm_detail::store(
            c, {place.batch, row, first_column + column, c.extent[2] - first_column - column},
            load_packet<size>(&slab[p / packets][column]), alpha, epilogue);
      }
      block.barrier();
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
