// Softmax over the last axis: y = e^(scale * x) / sum(e^(scale * x)).
// Computed as powers of two of (x - max) * scale * log2 e; online: Milakov and Gimelshein, 2018.
#pragma once

#include <cmath>
#include <limits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Row policy of kernels::softmax. A policy provides num_rows(), row_size() and, per row, `from`,
/// `to`, logits(...) and sink(): input, output, the logits of a loaded packet, and one more logit
/// that joins the sum (-infinity for none). Logits are multiplied by `exponent_scale`, which must
/// be above 0, after the maximum is subtracted.
template <class T>
struct softmax_rows {
  using element = T;
  tensor_view<T, 2> y;        // [num_rows, row_size]
  tensor_view<const T, 2> x;  // [num_rows, row_size]
  float exponent_scale;       // scale * log2 e

  struct row {
    const T* from;
    T* to;
    template <int N>
    ROCMFORGE_DEVICE packet<float, N> logits(const packet<float, N>& loaded, int /*first*/,
                                             int /*size*/) const {
      return loaded;
    }
    ROCMFORGE_DEVICE float sink() const { return -__builtin_huge_valf(); }
  };
  ROCMFORGE_DEVICE int num_rows() const { return x.extent[0]; }
  ROCMFORGE_DEVICE int row_size() const { return x.extent[1]; }
  ROCMFORGE_DEVICE row operator[](int index) const {
    return {slice(x, index).data, slice(y, index).data};
  }
};

namespace kernels {
using namespace device;

/// One block per row (on the host, one for several short rows). Lanes hold one chunk of the row at
/// a time, in registers or the host's first-level cache, as powers relative to the largest logit so
/// far. A row of one chunk is read once and its powers are computed once; a longer row is read a
/// second time when the result is written.
template <class Rows, int BlockSize, int WaveSize>
struct softmax {
  static_assert(BlockSize % WaveSize == 0, "softmax: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  using element = typename Rows::element;
  static constexpr int packet_elements = packet_size<element, WaveSize>;
  /// Packets of a chunk that a lane holds: 32 registers of a GPU, 16 KiB of the host.
  static constexpr int chunk_packets = (WaveSize == 1 ? 4096 : 32) / packet_elements;
  static constexpr int chunk = BlockSize * chunk_packets * packet_elements;
  using row_reduce = block_reduce<BlockSize, WaveSize>;
  using shared_storage = typename row_reduce::storage;

  Rows rows;
  int num_block_rows;  // rows that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    for_each_row(block, num_block_rows, rows.num_rows(), [&](int index) {
      const auto row = rows[index];
      const int size = rows.row_size();
      const values scale(rows.exponent_scale);
      values held[chunk_packets], maxima(lowest), sums(0.0f);
      for (int begin = 0; begin < size; begin += chunk) {
        values largest = maxima;
        for_each_packet_of_chunk(block, begin, size, [&](int i, int first) {
          held[i] = logits(row, first, size);
          largest = maximum(held[i], largest);
        });
        // A sum of its own for each chunk: one long chain of additions would lose digits.
        values chunk_sums(0.0f);
        for_each_packet_of_chunk(block, begin, size, [&](int i, int) {
          held[i] = exp2_of((held[i] - largest) * scale);
          chunk_sums += held[i];
        });
        sums = fma(sums, exp2_of((maxima - largest) * scale), chunk_sums);
        maxima = largest;
      }
      const float largest = maximum(
          row.sink(), row_reduce::reduce(horizontal_maximum(maxima), max_op{}, block, shared));
      const values to_largest = exp2_of((maxima - values(largest)) * scale);
      const float sum =
          row_reduce::reduce(horizontal_sum(sums * to_largest), add_op{}, block, shared) +
          exp2_of((row.sink() - largest) * rows.exponent_scale);
      const values inverse(sum == 0 ? 0.0f : 1.0f / sum);
      if (size <= chunk) {
        const values factor = to_largest * inverse;
        for_each_packet_of_chunk(
            block, 0, size, [&](int i, int first) { store(row, first, size, held[i] * factor); });
        return;
      }
      for (int begin = 0; begin < size; begin += chunk) {
        for_each_packet_of_chunk(block, begin, size, [&](int, int first) {
          const values power = exp2_of((logits(row, first, size) - values(largest)) * scale);
          store(row, first, size, power * inverse);
        });
      }
    });
  }

 private:
  using values = packet<float, packet_elements>;
  /// Initial maximum: finite, because -infinity - -infinity would be NaN.
  static constexpr float lowest = -std::numeric_limits<float>::max();

  /// Calls `f(i, first)` for each of the lane's packets of a chunk that are in the row: packet i
  /// starts at element `first`.
  template <class F>
  ROCMFORGE_DEVICE static void for_each_packet_of_chunk(block_context<BlockSize, WaveSize> block,
                                                        int begin, int size, F&& f) {
    const auto visit = [&](int i) {
      const int first = begin + (i * BlockSize + block.thread) * packet_elements;
      if (first < size) f(i, first);
    };
    if constexpr (WaveSize == 1) {
      const int left = divide_up(size - begin, packet_elements);
      for (int i = 0; i < (left < chunk_packets ? left : chunk_packets); ++i) visit(i);
    } else {  // unrolled, to keep the packets in registers
      ROCMFORGE_UNROLL
      for (int i = 0; i < chunk_packets; ++i) visit(i);
    }
  }

  /// Logits from `first` on; those beyond the row are -infinity.
  template <class Row>
  ROCMFORGE_DEVICE static values logits(const Row& row, int first, int size) {
    if (first + packet_elements <= size)
      return row.logits(load_packet<packet_elements>(row.from + first), first, size);
    return keep_first(
        row.logits(load_packet<packet_elements>(row.from + first, size - first), first, size),
        size - first, -__builtin_huge_valf());
  }

  template <class Row>
  ROCMFORGE_DEVICE static void store(const Row& row, int first, int size, const values& value) {
    if (first + packet_elements <= size) {
      store_packet(row.to + first, value);
    } else {
      store_packet(row.to + first, value, size - first);
    }
  }
};

}  // namespace kernels

/// The softmax of each row of scale * x. Elements of -infinity get 0; a row of only -infinity gets
/// zeros. A row that contains NaN or +infinity becomes NaN.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y      [num_rows, row_size]  output; may be `x` itself
/// @param x      [num_rows, row_size]
/// @param scale  finite and above 0
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument for a scale out of range
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status softmax(tensor_view<T, 2> y, tensor_view<X, 2> x, float scale = 1.0f,
                             stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "softmax: x must have the element type of y");
  constexpr const char* op = "softmax";
  if (status s = checks::all(checks::output(op, "y", y), checks::view(op, "x", x),
                             checks::same_extents(op, "x", x, y));
      !s) {
    return s;
  }
  if (!(scale > 0) || !std::isfinite(scale)) {
    return {status_code::invalid_argument, op, "scale", "must be finite and above 0", {}};
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::softmax<softmax_rows<T>, block_threads<BlockSize, wave>, wave>;
    const int rows = device::rows_per_block<wave>(x.extent[1]);
    return launch(op, kernel{{y, elements_as<const T>(x), scale * device::log2_e}, rows},
                  {device::divide_up(x.extent[0], rows)}, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
