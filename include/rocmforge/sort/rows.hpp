// What is sorted, and the kernels before and after a sort.
#pragma once

#include <cstdint>
#include <limits>

#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/sampling/fixed_point.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// How the numbers that are sorted hold an element: from the lowest bit on its place in the row,
/// the key, and its row.
struct sort_format {
  static constexpr int key_bits = 32;
  int index_bits;
  bool descending;

  /// Keys ascend in the order of the sort: equal ones for equal values, and NaN last.
  ROCMFORGE_HOST_DEVICE std::uint32_t key_of(float value) const {
    const std::uint32_t order = fixed_point::order_key(value);  // 0 for NaN
    return descending || order == 0 ? ~order : order;
  }
  ROCMFORGE_HOST_DEVICE std::uint64_t number_of(int row, float value, int index) const {
    return (static_cast<std::uint64_t>(row) << key_bits | key_of(value)) << index_bits |
           static_cast<std::uint64_t>(index);
  }
  ROCMFORGE_HOST_DEVICE int index_of(std::uint64_t number) const {
    return static_cast<int>(number & ((std::uint64_t{1} << index_bits) - 1));
  }
};

namespace kernels {

/// Writes the numbers that stand for the elements of the rows. Grid: x over rows and, within a row,
/// over parts of `part_columns`; the two kernels below have the same.
template <class T, int BlockSize, int WaveSize>
struct sort_numbers {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  static constexpr int part_columns =
      device::columns_per_block<BlockSize, WaveSize, packet_elements>();
  struct shared_storage {};

  std::uint64_t* numbers;     // [num_rows, row_size]
  tensor_view<const T, 2> x;  // [num_rows, row_size]
  sort_format format;
  int num_parts;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& /*shared*/) const {
    const int row = block.index.x / num_parts;
    const int first = block.index.x % num_parts * part_columns, size = x.extent[1];
    const T* const from = slice(x, row).data + first;
    std::uint64_t* const to = numbers + std::int64_t{row} * size + first;
    const int count = size - first < part_columns ? size - first : part_columns;
    for_each_packet<packet_elements>(block, count, [&](auto at) {
      const auto values = load(from, at);
      ROCMFORGE_UNROLL
      for (int i = 0; i < packet_elements; ++i) {
        if (i < at.count) to[at.index + i] = format.number_of(row, values[i], first + at.index + i);
      }
    });
  }
};

/// Writes the sorted rows.
template <class T, int BlockSize, int WaveSize>
struct sorted_rows {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int part_columns = device::columns_per_block<BlockSize, WaveSize, 4>();
  struct shared_storage {};

  tensor_view<T, 2> values;      // [num_rows, row_size]
  tensor_view<int, 2> indices;   // [num_rows, row_size]
  tensor_view<const T, 2> x;     // [num_rows, row_size]
  const std::uint64_t* numbers;  // [num_rows, row_size]
  sort_format format;
  int num_parts;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& /*shared*/) const {
    const int row = block.index.x / num_parts;
    const int first = block.index.x % num_parts * part_columns, size = x.extent[1];
    const int end = size - first < part_columns ? size : first + part_columns;
    const std::uint64_t* const from = numbers + std::int64_t{row} * size;
    for (int i = first + block.thread; i < end; i += BlockSize) {
      const int index = format.index_of(from[i]);
      indices(row, i) = index;
      values(row, i) = x(row, index);
    }
  }
};

/// Writes the first k of the rows sorted in descending order: in place of NaN, and of what is
/// beyond the row, -infinity and token -1.
template <class T, int BlockSize, int WaveSize>
struct sorted_top_k {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int part_columns = device::columns_per_block<BlockSize, WaveSize, 4>();
  static constexpr float lowest = -std::numeric_limits<float>::infinity();
  struct shared_storage {};

  tensor_view<float, 2> values;    // [num_rows, k]
  tensor_view<int, 2> tokens;      // [num_rows, k]
  tensor_view<const T, 2> logits;  // [num_rows, row_size]
  const std::uint64_t* numbers;    // [num_rows, row_size]
  sort_format format;
  int num_parts;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& /*shared*/) const {
    const int row = block.index.x / num_parts, row_size = logits.extent[1];
    const int first = block.index.x % num_parts * part_columns, k = tokens.extent[1];
    const int end = k - first < part_columns ? k : first + part_columns;
    const std::uint64_t* const from = numbers + std::int64_t{row} * row_size;
    for (int i = first + block.thread; i < end; i += BlockSize) {
      int token = -1;
      float value = lowest;
      if (i < row_size) {
        token = format.index_of(from[i]);
        value = static_cast<float>(logits(row, token));
        if (value != value) {
          token = -1;
          value = lowest;
        }
      }
      tokens(row, i) = token;
      values(row, i) = value == 0 ? 0.0f : value;  // never -0, as in the search
    }
  }
};

}  // namespace kernels

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
