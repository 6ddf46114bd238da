// C = epilogue(alpha A B) by plain multiply-adds: a block stages tiles of A and B as floats, and
// each lane keeps a tile of sums in registers, to which it adds one outer product after the other.
// Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008.
#pragma once

#include "rocmforge/gemm/epilogue.hpp"
#include "rocmforge/gemm/operand.hpp"
#include "rocmforge/platform/packet_pairs.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// The tile of kernels::gemm where the caller does not say.
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

template <class T, class TC, class Epilogue, gemm_tile Tile, int BlockSize, int WaveSize>
struct gemm {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr gemm_tile tile = Tile;
  static constexpr bool serial = WaveSize == 1;
  // Sums of neighboring columns, and how many packets of them a lane has in a row of its tile.
  static constexpr int packet_elements = serial ? packet_size<float, 1> : 4;
  static constexpr int tile_packets = Tile.n / packet_elements;
  // Rows of a lane's tile that are neighbors.
  static constexpr int run = serial ? Tile.m : packet_elements;
  static constexpr int lanes_n = serial ? 1 : 16;
  static constexpr int lanes_m = BlockSize / lanes_n;
  static constexpr int rounds_m = Tile.block_m / (lanes_m * Tile.m);
  static constexpr int rounds_n = Tile.block_n / (lanes_n * Tile.n);
  static_assert(BlockSize % lanes_n == 0 && rounds_m * lanes_m * Tile.m == Tile.block_m &&
                    rounds_n * lanes_n * Tile.n == Tile.block_n,
                "gemm: the lanes' tiles must cover the block's tile");
  static_assert(Tile.n % packet_elements == 0 && Tile.m % run == 0,
                "gemm: a lane's tile must be a whole number of packets wide");
  static_assert(rounds_m * rounds_n * Tile.m * Tile.n + 2 * (Tile.m + Tile.n) <=
                    max_lane_registers(BlockSize, WaveSize),
                "gemm: this tile keeps more sums in a lane than a lane has registers; take a "
                "smaller tile or more lanes");
  using sums_of_lane = packet<float, packet_elements>[Tile.m][tile_packets];

  /// Element (k, i) of a staged tile of `Extent` rows or columns. On the host a packet's number of
  /// them lie together, for all k, which is how they are read; on a GPU all do, and another packet
  /// keeps the writes of neighboring k from the same bank.
  template <int Extent>
  ROCMFORGE_DEVICE static constexpr int offset(int k, int i) {
    return serial ? (i / packet_elements * Tile.block_k + k) * packet_elements + i % packet_elements
                  : k * (Extent + packet_elements) + i;
  }
  template <int Extent>
  static constexpr int staged_size = Tile.block_k*(Extent + (serial ? 0 : packet_elements));
  static_assert(!serial || (Tile.block_m % packet_elements == 0 &&
                            Tile.block_k % packet_elements == 0 && packet_elements % Tile.m == 0),
                "gemm: the host's tile must be a whole number of packets");

  struct shared_storage {
    alignas(64) float a[staged_size<Tile.block_m>];
    alignas(64) float b[staged_size<Tile.block_n>];
    // A host's lane has too many sums for its stack; it comes back to each tile for every block_k.
    alignas(64) float sums[serial ? Tile.block_m * Tile.block_n : 1];
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
    if constexpr (serial) {
      multiply_serially(shared, left, right, place, m, n, k);
    } else {
      multiply_together(block, shared, left, right, place, k);
    }
  }

 private:
  // ---- a GPU's block ----

  /// The packets that a lane brings of a tile, as they lie in memory.
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

  ROCMFORGE_DEVICE void multiply_together(block_context<BlockSize, WaveSize> block,
                                          shared_storage& shared,
                                          const gemm_detail::operand<T>& left,
                                          const gemm_detail::operand<T>& right,
                                          gemm_detail::block_place place, int k) const {
    static_assert(serial || rounds_m * rounds_n == 1, "gemm: a GPU's lane has one tile");
    const int lane_row = block.thread / lanes_n, lane_column = block.thread % lanes_n;
    sums_of_lane sums;
    clear(sums);
    in_flight<Tile.block_m> next_a;
    in_flight<Tile.block_n> next_b;
    next_a.load(left, place.first_row, 0, block.thread);
    next_b.load(right, place.first_column, 0, block.thread);
    for (int first_k = 0; first_k < k; first_k += Tile.block_k) {
      next_a.store(shared.a, left.along_k, block.thread);
      next_b.store(shared.b, right.along_k, block.thread);
      block.barrier();
      if (first_k + Tile.block_k < k) {  // on their way while these are multiplied
        next_a.load(left, place.first_row, first_k + Tile.block_k, block.thread);
        next_b.load(right, place.first_column, first_k + Tile.block_k, block.thread);
      }
      multiply(shared, sums, lane_row, lane_column, 0, 0, Tile.block_k);
      block.barrier();
    }
    finish(sums, place, lane_row, lane_column, 0, 0);
  }

  // ---- a host's block ----

  ROCMFORGE_DEVICE void multiply_serially(shared_storage& shared,
                                          const gemm_detail::operand<T>& left,
                                          const gemm_detail::operand<T>& right,
                                          gemm_detail::block_place place, int m, int n,
                                          int k) const {
    const auto for_each_tile = [&](auto&& work) {
      for (int column = 0; column < rounds_n && place.first_column + column * Tile.n < n;
           ++column) {
        for (int row = 0; row < rounds_m && place.first_row + row * Tile.m < m; ++row)
          work(row, column, shared.sums + (column * rounds_m + row) * Tile.m * Tile.n);
      }
    };
    int first_k = 0;
    do {  // once for k = 0, too
      const int count = k - first_k < Tile.block_k ? k - first_k : Tile.block_k;
      const bool is_last = first_k + Tile.block_k >= k;
      stage<Tile.block_m>(shared.a, left, place.first_row, first_k);
      stage<Tile.block_n>(shared.b, right, place.first_column, first_k);
      for_each_tile([&](int row, int column, float* memory) {
        sums_of_lane sums;
        read_back(sums, memory, first_k > 0);
        multiply(shared, sums, 0, 0, row, column, count);
        if (is_last) return finish(sums, place, 0, 0, row, column);
        ROCMFORGE_UNROLL
        for (int i = 0; i < Tile.m; ++i) {
          ROCMFORGE_UNROLL
          for (int p = 0; p < tile_packets; ++p)
            store_packet(memory + (i * tile_packets + p) * packet_elements, sums[i][p]);
        }
      });
      first_k += Tile.block_k;
    } while (first_k < k);
  }

  /// The sums of a tile so far, if there are `any`.
  ROCMFORGE_DEVICE static void read_back(sums_of_lane& sums, const float* memory, bool any) {
    clear(sums);
    if (!any) return;
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m; ++i) {
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p)
        sums[i][p] =
            load_packet<packet_elements>(memory + (i * tile_packets + p) * packet_elements);
    }
  }

  /// What there is of a tile, in squares of packets. Rows (columns) up to a whole packet are 0.
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
          store_packet(to + offset<Extent>(k + j, i), square[j]);
      }
    }
  }

  // ---- a lane ----

  ROCMFORGE_DEVICE static void clear(sums_of_lane& sums) {
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m; ++i) {
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p) sums[i][p] = packet<float, packet_elements>(0.0f);
    }
  }
  /// Row `i` and the first column of packet `p` of a lane's tile within the block's.
  ROCMFORGE_DEVICE static int row_of(int i, int lane_row, int round) {
    return ((round * (Tile.m / run) + i / run) * lanes_m + lane_row) * run + i % run;
  }
  ROCMFORGE_DEVICE static int column_of(int p, int lane_column, int round) {
    return ((round * tile_packets + p) * lanes_n + lane_column) * packet_elements;
  }

  /// Adds `count` outer products to a tile of sums.
  ROCMFORGE_DEVICE static void multiply(const shared_storage& shared, sums_of_lane& sums,
                                        int lane_row, int lane_column, int round_m, int round_n,
                                        int count) {
    const float* rows[Tile.m / run];
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m / run; ++i)
      rows[i] = shared.a + offset<Tile.block_m>(0, row_of(i * run, lane_row, round_m));
    const float* columns[tile_packets];
    ROCMFORGE_UNROLL
    for (int p = 0; p < tile_packets; ++p)
      columns[p] = shared.b + offset<Tile.block_n>(0, column_of(p, lane_column, round_n));
    if constexpr (serial) {
      for (int k = 0; k < count; ++k) add_product(sums, rows, columns, k);
    } else {
      ROCMFORGE_UNROLL
      for (int k = 0; k < Tile.block_k; ++k) add_product(sums, rows, columns, k);
    }
  }
  /// The product of column k of the rows and row k of the columns. (No lambda that captures the
  /// sums: g++ would keep them in memory.)
  ROCMFORGE_DEVICE static void add_product(sums_of_lane& sums,
                                           const float* const (&rows)[Tile.m / run],
                                           const float* const (&columns)[tile_packets], int k) {
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

  /// The last of a lane's tile: to memory, by way of the epilogue.
  ROCMFORGE_DEVICE void finish(const sums_of_lane& sums, gemm_detail::block_place place,
                               int lane_row, int lane_column, int round_m, int round_n) const {
    ROCMFORGE_UNROLL
    for (int i = 0; i < Tile.m; ++i) {
      const int row = place.first_row + row_of(i, lane_row, round_m);
      if (row >= c.extent[1]) break;
      ROCMFORGE_UNROLL
      for (int p = 0; p < tile_packets; ++p) {
        const int column = place.first_column + column_of(p, lane_column, round_n);
        gemm_detail::store(c, {place.batch, row, column, c.extent[2] - column}, sums[i][p], alpha,
                           epilogue);
      }
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
