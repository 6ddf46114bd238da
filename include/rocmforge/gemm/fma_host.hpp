// C = epilogue(alpha A B) on the host: a block is one task, which packs tiles of A and B as floats
// for the caches and multiplies them register tile by register tile. Goto and van de Geijn,
// "Anatomy of High-Performance Matrix Multiplication", 2008.
#pragma once

#include "rocmforge/gemm/fma.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {
using namespace device;

template <class T, class TC, class Epilogue, gemm_tile Tile, int BlockSize>
struct gemm<T, TC, Epilogue, Tile, BlockSize, 1> {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = 1;
  static constexpr gemm_tile tile = Tile;
  // Elements of a packet of sums of neighboring columns, and packets per row of a register tile.
  static constexpr int packet_elements = packet_size<float, 1>;
  static constexpr int tile_packets = Tile.n / packet_elements;
  // Register tiles of a block.
  static constexpr int tiles_m = Tile.block_m / Tile.m, tiles_n = Tile.block_n / Tile.n;
  static_assert(tiles_m * Tile.m == Tile.block_m && tiles_n * Tile.n == Tile.block_n,
                "gemm: the register tiles must cover the block's tile");
  static_assert(Tile.n % packet_elements == 0,
                "gemm: a register tile must be a whole number of packets wide");
  static_assert(Tile.block_m % packet_elements == 0 && Tile.block_k % packet_elements == 0 &&
                    packet_elements % Tile.m == 0,
                "gemm: the host's tile must be a whole number of packets");
  using sums_of_tile = packet<float, packet_elements>[Tile.m][tile_packets];

  struct shared_storage {
    alignas(64) float a[Tile.block_k * Tile.block_m];
    alignas(64) float b[Tile.block_k * Tile.block_n];
    // The sums of all register tiles, each of which is continued for every block_k.
    alignas(64) float sums[Tile.block_m * Tile.block_n];
  };

  tensor_view<TC, 3> c;       // [batch, m, n]
  tensor_view<const T, 3> a;  // [batch, m, k]
  tensor_view<const T, 3> b;  // [batch, k, n]
  float alpha;
  Epilogue epilogue;

  // Grid: x over the blocks of all matrices.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, 1> block,
                                   shared_storage& shared) const {
    const int m = c.extent[1], n = c.extent[2], k = a.extent[2];
    const auto place = gemm_detail::place_of(block.index.x, Tile, m, n);
    const gemm_detail::operand<T> left(a, place.batch, 1), right(b, place.batch, 2);
    int first_k = 0;
    do {  // also once if k is 0
      const int count = k - first_k < Tile.block_k ? k - first_k : Tile.block_k;
      const bool is_last = first_k + Tile.block_k >= k;
      stage<Tile.block_m>(shared.a, left, place.first_row, first_k);
      stage<Tile.block_n>(shared.b, right, place.first_column, first_k);
      for (int column = 0; column < tiles_n && place.first_column + column * Tile.n < n; ++column) {
        for (int row = 0; row < tiles_m && place.first_row + row * Tile.m < m; ++row) {
          float* const memory = shared.sums + (column * tiles_m + row) * Tile.m * Tile.n;
          sums_of_tile sums;
          read_back(sums, memory, first_k > 0);
          multiply(shared, sums, row * Tile.m, column * Tile.n, count);
          if (is_last) {
            finish(sums, place, row * Tile.m, column * Tile.n);
          } else {
            keep(sums, memory);
          }
        }
      }
      first_k += Tile.block_k;
    } while (first_k < k);
  }

 private:
  /// Offset of element (k, i) of a staged tile: panels of one packet of neighbors for all k, in the
  /// order in which they are read.
  ROCMFORGE_DEVICE static constexpr int offset(int k, int i) {
    return (i / packet_elements * Tile.block_k + k) * packet_elements + i % packet_elements;
  }

  /// The sums of a tile so far, if there are `any`.
  ROCMFORGE_DEVICE static void read_back(sums_of_tile& sums, const float* memory, bool any) {
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m; ++i) {
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p) sums[i][p] = packet<float, packet_elements>(0.0f);
    }
    if (!any) return;
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m; ++i) {
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p)
        sums[i][p] =
            load_packet<packet_elements>(memory + (i * tile_packets + p) * packet_elements);
    }
  }

  /// Stores the sums of a tile for the next block_k.
  ROCMFORGE_DEVICE static void keep(const sums_of_tile& sums, float* memory) {
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m; ++i) {
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p)
        store_packet(memory + (i * tile_packets + p) * packet_elements, sums[i][p]);
    }
  }

  /// Packs the part of a tile that is in the matrix, in squares of packets. Rows (columns) up to a
  /// whole packet are 0.
  template <int Extent>
  ROCMFORGE_DEVICE static void stage(float* to, const gemm_detail::operand<T>& from, int first,
                                     int first_k) {
    constexpr int size = packet_elements;
    const int extent = from.outer - first < Extent ? from.outer - first : Extent;
    const int count = from.k - first_k < Tile.block_k ? from.k - first_k : Tile.block_k;
    for (int i = 0; i < extent; i += size) {
      for (int k = 0; k < count; k += size) {
        packet<float, size> square[size];
        for (int j = 0; j < size; ++j) {
          const auto part = from.along_k ? from.at(first + i + j, first_k + k)
                                         : from.at(first + i, first_k + k + j);
          square[j] = part.count >= size ? load_packet<size>(part.data)
                                         : load_packet<size>(part.data, part.count);
        }
        if (from.along_k) transpose(square);
        for (int j = 0; j < size && k + j < count; ++j)
          store_packet(to + offset(k + j, i), square[j]);
      }
    }
  }

  /// Adds `count` outer products to the tile of sums at (row, column) of the block's.
  ROCMFORGE_DEVICE static void multiply(const shared_storage& shared, sums_of_tile& sums, int row,
                                        int column, int count) {
    const float* const rows = shared.a + offset(0, row);
    const float* columns[tile_packets];
    ROCMFORGE_UNROLL
    for (int p = 0; p < tile_packets; ++p)
      columns[p] = shared.b + offset(0, column + p * packet_elements);
    for (int k = 0; k < count; ++k) {
      packet<float, packet_elements> right[tile_packets];
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p) {
        auto loaded = load_packet<packet_elements>(columns[p] + offset(k, 0));
        hold(loaded);
        right[p] = loaded;
      }
      ROCMFORGE_UNROLL
      for (int i = 0; i < Tile.m; ++i) {
        const packet<float, packet_elements> left(rows[offset(k, 0) + i]);
        ROCMFORGE_UNROLL
        for (int p = 0; p < tile_packets; ++p) sums[i][p] = fma(left, right[p], sums[i][p]);
      }
    }
  }

  /// Applies the epilogue to a tile of sums and stores it.
  ROCMFORGE_DEVICE void finish(const sums_of_tile& sums, gemm_detail::block_place place, int row,
                               int column) const {
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m; ++i) {
      if (place.first_row + row + i >= c.extent[1]) break;
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p) {
        const int first = place.first_column + column + p * packet_elements;
        gemm_detail::store(c, {place.batch, place.first_row + row + i, first, c.extent[2] - first},
                           sums[i][p], alpha, epilogue);
      }
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
