// Sorting rows with the platform's device-wide sort (platform/sort.hpp), and top_k by it. An
// element is sorted as one number of 64 bits: its row, a key in the order of the values, its place
// in the row. Apart from sampling.hpp, because the vendors' sorts take long to compile.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/sort.hpp"
#include "rocmforge/sampling.hpp"
#include "rocmforge/sort/rows.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

/// How rows are sorted.
struct sort_options {
  bool descending = false;  ///< the largest first; NaN is last in any case
};

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace sort_launch {

/// How many rows are sorted at a time, and what that needs. A row is never divided.
struct plan {
  int rows_per_sort;
  int index_bits;
  std::size_t numbers_bytes;  // of a buffer of numbers; there are two
  std::size_t sort_bytes;     // what the platform's sort needs beside them

  plan(int num_rows, int row_size) {
    rows_per_sort = std::clamp(platform_sort::elements_per_sort / row_size, 1, num_rows);
    index_bits = std::bit_width(static_cast<unsigned>(row_size - 1));
    // The last sort may have fewer rows, for which a platform may choose another algorithm.
    const int rows_of_last = (num_rows - 1) % rows_per_sort + 1;
    const auto sort_bytes_of = [&](int rows) {
      return platform_sort::keys_bytes<std::uint64_t>(rows * row_size, index_bits, end_bit(rows));
    };
    sort_bytes = std::max(sort_bytes_of(rows_per_sort), sort_bytes_of(rows_of_last));
    const auto numbers = static_cast<std::size_t>(rows_per_sort * row_size);
    numbers_bytes = (numbers * sizeof(std::uint64_t) + 255) / 256 * 256;
  }
  [[nodiscard]] int end_bit(int rows) const {
    return index_bits + sort_format::key_bits + std::bit_width(static_cast<unsigned>(rows - 1));
  }
  [[nodiscard]] std::size_t bytes() const { return 2 * numbers_bytes + sort_bytes; }
};

inline std::size_t workspace_bytes(int num_rows, int row_size) {
  if (num_rows <= 0 || row_size <= 0) return 0;
  return plan(num_rows, row_size).bytes();
}

/// Bits of a key that differ between values of T, counted from its highest bit.
template <class T>
inline constexpr int significant_key_bits = std::is_same_v<T, float>  ? 32
                                            : std::is_same_v<T, half> ? 19   // sign, 8, 10
                                                                      : 16;  // bfloat16

/// Rows `first` to `first` + `count` - 1.
template <class T>
tensor_view<T, 2> rows_of(tensor_view<T, 2> view, int first, int count) {
  view.data += first * view.stride[0];
  view.extent[0] = count;
  return view;
}

/// Sorts as many rows at a time as the plan says, and calls `write(first_row, num_rows, numbers,
/// format)` with the result, which returns a status.
template <int BlockSize, int WaveSize, class T, class Write>
status sort(const char* op, tensor_view<const T, 2> x, bool descending,
            std::span<std::byte> workspace, stream_ref stream, Write&& write) {
  using kernel = kernels::sort_numbers<T, BlockSize, WaveSize>;
  const int row_size = x.extent[1], num_parts = device::divide_up(row_size, kernel::part_columns);
  const plan p(x.extent[0], row_size);
  const sort_format format{p.index_bits, descending};
  auto* const unsorted = reinterpret_cast<std::uint64_t*>(workspace.data());
  auto* const sorted = reinterpret_cast<std::uint64_t*>(workspace.data() + p.numbers_bytes);
  for (int first = 0; first < x.extent[0]; first += p.rows_per_sort) {
    const int rows = std::min(p.rows_per_sort, x.extent[0] - first);
    if (status s = launch(op, kernel{unsorted, rows_of(x, first, rows), format, num_parts},
                          {rows * num_parts}, stream);
        !s) {
      return s;
    }
    const int begin_bit = p.index_bits + sort_format::key_bits - significant_key_bits<T>;
    if (status s = platform_sort::sort_keys<std::uint64_t>(
            op, workspace.subspan(2 * p.numbers_bytes), unsorted, sorted, rows * row_size,
            begin_bit, p.end_bit(rows), stream);
        !s) {
      return s;
    }
    if (status s = write(first, rows, sorted, format); !s) return s;
  }
  return {};
}

/// `top_k` by sorting all rows, whatever k is. Arguments have been checked.
template <int BlockSize, int WaveSize, class T>
status top_k_by_sort(const char* op, tensor_view<float, 2> values, tensor_view<int, 2> tokens,
                     tensor_view<const T, 2> logits, std::span<std::byte> workspace,
                     stream_ref stream) {
  using kernel = kernels::sorted_top_k<T, BlockSize, WaveSize>;
  const int num_parts = device::divide_up(tokens.extent[1], kernel::part_columns);
  return sort<BlockSize, WaveSize>(
      op, logits, true, workspace, stream,
      [&](int first, int rows, const std::uint64_t* numbers, sort_format format) {
        return launch(op,
                      kernel{rows_of(values, first, rows), rows_of(tokens, first, rows),
                             rows_of(logits, first, rows), numbers, format, num_parts},
                      {rows * num_parts}, stream);
      });
}

}  // namespace sort_launch

/// Bytes of workspace that `sort_rows` needs on the calling thread's device: about 24 for each
/// element of the rows that are sorted at a time, which are at most 2^23 elements or one row.
inline std::size_t sort_rows_workspace_bytes(int num_rows, int row_size) {
  return sort_launch::workspace_bytes(num_rows, row_size);
}

/// Sorts each row: values[r, i] = x[r, indices[r, i]] in ascending or descending order. Stable: of
/// equal values the lowest index comes first. NaN comes last in either order, and -0 equals +0;
/// values are copied as they are, with sign and payload.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param values     [num_rows, row_size]  output; must not overlap `x`
/// @param indices    [num_rows, row_size]  output
/// @param x          [num_rows, row_size]
/// @param workspace  device memory, aligned to 16 bytes, of sort_rows_workspace_bytes(num_rows,
///                   row_size)
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument if the workspace is too small or not aligned
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status sort_rows(tensor_view<T, 2> values, tensor_view<int, 2> indices,
                               tensor_view<X, 2> x, std::span<std::byte> workspace,
                               const sort_options& options = {}, stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "sort_rows: x must have the element type of values");
  constexpr const char* op = "sort_rows";
  if (status s =
          checks::all(checks::output(op, "values", values), checks::output(op, "indices", indices),
                      checks::view(op, "x", x), checks::same_extents(op, "values", values, x),
                      checks::same_extents(op, "indices", indices, x));
      !s) {
    return s;
  }
  if (x.size() == 0) return {};
  const std::size_t needed = sort_rows_workspace_bytes(x.extent[0], x.extent[1]);
  if (status s = checks::workspace(op, workspace, needed); !s) return s;
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    constexpr int threads = block_threads<BlockSize, wave>;
    using kernel = kernels::sorted_rows<T, threads, wave>;
    const auto from = elements_as<const T>(x);
    const int num_parts = device::divide_up(x.extent[1], kernel::part_columns);
    return sort_launch::sort<threads, wave>(
        op, from, options.descending, workspace, stream,
        [&](int first, int rows, const std::uint64_t* numbers, sort_format format) {
          return launch(op,
                        kernel{sort_launch::rows_of(values, first, rows),
                               sort_launch::rows_of(indices, first, rows),
                               sort_launch::rows_of(from, first, rows), numbers, format, num_parts},
                        {rows * num_parts}, stream);
        });
  });
}

/// Bytes of workspace that `top_k` needs on the calling thread's device: none for a small k, for
/// which nothing is sorted but the k largest.
inline std::size_t top_k_workspace_bytes(int num_rows, int vocab_size, int k) {
  return k < platform_sort::min_top_k ? 0 : sort_launch::workspace_bytes(num_rows, vocab_size);
}

/// The same result as `top_k` of sampling.hpp, bit for bit. For a large k, from which on depends on
/// the platform, it sorts all rows instead of starting a block for each 2048 ranks.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param values     [num_rows, k]  output
/// @param tokens     [num_rows, k]  output
/// @param logits     [num_rows, vocab_size]
/// @param workspace  device memory, aligned to 16 bytes, of top_k_workspace_bytes(num_rows,
///                   vocab_size, k)
/// @return invalid_shape if the extents disagree or the vocabulary is empty, unsupported if it has
///         more than 2^23 tokens, invalid_layout if a last axis is not contiguous, invalid_argument
///         if the workspace is too small or not aligned
template <class T, int BlockSize = 1024>
[[nodiscard]] status top_k(tensor_view<float, 2> values, tensor_view<int, 2> tokens,
                           tensor_view<T, 2> logits, std::span<std::byte> workspace,
                           stream_ref stream = {}) {
  constexpr const char* op = "top_k";
  if (tokens.extent[1] < platform_sort::min_top_k)
    return top_k<T, BlockSize>(values, tokens, logits, stream);
  if (status s = checks::sampling::top_k(op, values, tokens, logits); !s) return s;
  if (logits.extent[0] == 0) return {};
  const std::size_t needed =
      top_k_workspace_bytes(logits.extent[0], logits.extent[1], tokens.extent[1]);
  if (status s = checks::workspace(op, workspace, needed); !s) return s;
  return dispatch_wave_size<default_block_size>(op, stream, [&](auto wave) {
    constexpr int threads = block_threads<default_block_size, wave>;
    return sort_launch::top_k_by_sort<threads, wave, std::remove_const_t<T>>(
        op, values, tokens, logits, workspace, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
