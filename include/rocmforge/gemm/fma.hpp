// C = epilogue(alpha A B) by plain multiply-adds, on a GPU: a block stages tiles of A and B as
// floats, and each lane keeps a tile of sums in registers, to which it adds one outer product after
// the other. fma_host.hpp is the host's.
#pragma once

#include "rocmforge/gemm/epilogue.hpp"
#include "rocmforge/gemm/operand.hpp"
#include "rocmforge/gemm/pipeline.hpp"
#include "rocmforge/platform/packet_pairs.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Default tile of kernels::gemm.
constexpr gemm_tile gemm_tile_for(int block_size, int wave_size) {
  if (wave_size == 1) {
    // Half a packet's number of rows by three packets are 24 packets of sums in 32 registers (12 in
    // 16), and their operands fit beside them. The staged A stays in a second-level cache of
    // 512 KiB, three packets' columns of B in the first-level cache for all of A's rows.
    constexpr int packet = packet_size<float, 1>;
    return {192, 192, 384, packet / 2, 3 * packet};
  }
  // 16 lanes along n, the others along m, 8 x 8 sums a lane: one wide read of shared memory for 16
  // multiply-adds.
  return {block_size / 16 * 8, 128, 16, 8, 8};
}

namespace kernels {
using namespace device;

/// One lane holds one tile of sums: 16 lanes along n, the others along m. The host's kernel is the
/// specialization for waves of 1.
template <class T, class TC, class Epilogue, gemm_tile Tile, int BlockSize, int WaveSize>
struct gemm {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr gemm_tile tile = Tile;
  // Elements of a packet of sums of neighboring columns, and packets per row of a lane's tile.
  static constexpr int packet_elements = 4;
  static constexpr int tile_packets = Tile.n / packet_elements;
  static constexpr int run = packet_elements;  // neighboring rows of a lane's tile
  static constexpr int lanes_n = 16;
  static constexpr int lanes_m = BlockSize / lanes_n;
  static_assert(WaveSize > 1, "gemm: include rocmforge/gemm/fma_host.hpp for the host");
  static_assert(BlockSize % lanes_n == 0 && lanes_m * Tile.m == Tile.block_m &&
                    lanes_n * Tile.n == Tile.block_n,
                "gemm: the lanes' tiles must cover the block's tile");
  static_assert(Tile.n % packet_elements == 0 && Tile.m % run == 0,
                "gemm: a lane's tile must be a whole number of packets wide");
  static_assert(Tile.m * Tile.n + 2 * (Tile.m + Tile.n) <= max_lane_registers(BlockSize, WaveSize),
                "gemm: this tile keeps more sums in a lane than a lane has registers; take a "
                "smaller tile or more lanes");
  using sums_of_lane = packet<float, packet_elements>[Tile.m][tile_packets];

  /// Offset of element (k, i) of a staged tile of `Extent` rows or columns: neighbors of one k are
  /// contiguous, and a packet of padding avoids bank conflicts of neighboring k.
  template <int Extent>
  ROCMFORGE_DEVICE static constexpr int offset(int k, int i) {
    return k * (Extent + packet_elements) + i;
  }

  struct shared_storage {
    alignas(64) float a[Tile.block_k * (Tile.block_m + packet_elements)];
    alignas(64) float b[Tile.block_k * (Tile.block_n + packet_elements)];
  };

  tensor_view<TC, 3> c;       // [batch, m, n]
  tensor_view<const T, 3> a;  // [batch, m, k]
  tensor_view<const T, 3> b;  // [batch, k, n]
  float alpha;
  Epilogue epilogue;

  // Grid: x over the blocks of all matrices.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int m = c.extent[1], n = c.extent[2], k = a.extent[2];
    const auto place = gemm_detail::place_of(block.index.x, Tile, m, n);
    const gemm_detail::operand<T> left(a, place.batch, 1), right(b, place.batch, 2);
    const int lane_row = block.thread / lanes_n, lane_column = block.thread % lanes_n;
    sums_of_lane sums;
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m; ++i) {
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p) sums[i][p] = packet<float, packet_elements>(0.0f);
    }
    gemm_detail::staged_pipeline<in_flight<Tile.block_m>, in_flight<Tile.block_n>, Tile.block_k>(
        block, shared, left, right, place, k,
        [&] { multiply(shared, sums, lane_row, lane_column); });
    finish(sums, place, lane_row, lane_column);
  }

 private:
  /// The packets of a tile that one lane loads, in the layout of memory.
  template <int Extent>
  struct in_flight {
    static constexpr int size = packet_size<T, WaveSize>;
    static constexpr int count = Extent * Tile.block_k / (size * BlockSize);
    static_assert(count * size * BlockSize == Extent * Tile.block_k,
                  "gemm: the lanes must bring the same number of packets of a tile each");
    raw_packet<T, size> held[count];

    ROCMFORGE_DEVICE static gemm_detail::staged_place of(int index, bool along_k) {
      if (along_k) return {index / (Tile.block_k / size), index % (Tile.block_k / size) * size};
      return {index % (Extent / size) * size, index / (Extent / size)};
    }
    ROCMFORGE_DEVICE void load(const gemm_detail::operand<T>& from, int first, int k, int thread) {
      from.load_tile(held, first, Extent, k, Tile.block_k,
                     [&](int i) { return of(thread + i * BlockSize, from.along_k); });
    }
    ROCMFORGE_DEVICE void store(float* to, bool along_k, int thread) const {
      ROCMFORGE_UNROLL
      for (int i = 0; i < count; ++i) {
        const auto at = of(thread + i * BlockSize, along_k);
        const auto values = to_float(held[i]);
        if (along_k) {
          ROCMFORGE_UNROLL
          for (int j = 0; j < size; ++j) to[offset<Extent>(at.k + j, at.outer)] = values[j];
        } else {
          store_packet(to + offset<Extent>(at.k, at.outer), values);
        }
      }
    }
  };

  /// Row `i` and the first column of packet `p` of a lane's tile within the block's.
  ROCMFORGE_DEVICE static int row_of(int i, int lane_row) {
    return (i / run * lanes_m + lane_row) * run + i % run;
  }
  ROCMFORGE_DEVICE static int column_of(int p, int lane_column) {
    return (p * lanes_n + lane_column) * packet_elements;
  }

  /// Adds the outer products of the staged tiles to a tile of sums.
  ROCMFORGE_DEVICE static void multiply(const shared_storage& shared, sums_of_lane& sums,
                                        int lane_row, int lane_column) {
    const float* rows[Tile.m / run];
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m / run; ++i)
      rows[i] = shared.a + offset<Tile.block_m>(0, row_of(i * run, lane_row));
    const float* columns[tile_packets];
    ROCMFORGE_UNROLL
    for (int p = 0; p < tile_packets; ++p)
      columns[p] = shared.b + offset<Tile.block_n>(0, column_of(p, lane_column));
    ROCMFORGE_UNROLL
    for (int k = 0; k < Tile.block_k; ++k) {
      packet<float, packet_elements> right[tile_packets];
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p) {
        auto loaded = load_packet<packet_elements>(columns[p] + offset<Tile.block_n>(k, 0));
        hold(loaded);
        right[p] = loaded;
      }
      ROCMFORGE_UNROLL
      for (int i = 0; i < Tile.m; ++i) {
        const packet<float, packet_elements> left(
            rows[i / run][offset<Tile.block_m>(k, 0) + i % run]);
        ROCMFORGE_UNROLL
        for (int p = 0; p < tile_packets; ++p) sums[i][p] = fma(left, right[p], sums[i][p]);
      }
    }
  }

  /// Applies the epilogue to a lane's tile and stores it.
  ROCMFORGE_DEVICE void finish(const sums_of_lane& sums, gemm_detail::block_place place,
                               int lane_row, int lane_column) const {
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m; ++i) {
      const int row = place.first_row + row_of(i, lane_row);
      if (row >= c.extent[1]) break;
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p) {
        const int column = place.first_column + column_of(p, lane_column);
        gemm_detail::store(c, {place.batch, row, column, c.extent[2] - column}, sums[i][p], alpha,
                           epilogue);
      }
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
