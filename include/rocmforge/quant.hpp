// Weight formats: dense (floats and integers) and every block-quantized one of ggml, and the ops
// that decode and encode them. A further format is one struct with its `block_format`.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/quant/block.hpp"
#include "rocmforge/quant/encode.hpp"
#include "rocmforge/quant/encode_k.hpp"
#include "rocmforge/quant/grid_quants.hpp"
#include "rocmforge/quant/k_quants.hpp"
#include "rocmforge/quant/nonlinear.hpp"
#include "rocmforge/quant/simple.hpp"
#include "rocmforge/quant/ternary.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

/// Calls `f(Type{})` for every block format: those of files, and q8_1 and q8_k, which are of
/// activations.
template <class F>
void for_each_block_format(F&& f) {
  f(q4_0{}), f(q4_1{}), f(q5_0{}), f(q5_1{}), f(q8_0{}), f(q8_1{}), f(q1_0{}), f(q2_0{});
  f(q2_k{}), f(q3_k{}), f(q4_k{}), f(q5_k{}), f(q6_k{}), f(q8_k{});
  f(iq4_nl{}), f(iq4_xs{}), f(mxfp4{}), f(nvfp4{}), f(tq1_0{}), f(tq2_0{});
  f(iq1_s{}), f(iq1_m{}), f(iq2_xxs{}), f(iq2_xs{}), f(iq2_s{}), f(iq3_xxs{}), f(iq3_s{});
}

/// Calls `f(Type{})` for every format that `quantize` writes.
template <class F>
void for_each_encoded_format(F&& f) {
  f(q4_0{}), f(q4_1{}), f(q5_0{}), f(q5_1{}), f(q8_0{}), f(q8_1{});
  f(q2_k{}), f(q3_k{}), f(q4_k{}), f(q5_k{}), f(q6_k{}), f(q8_k{});
}

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {
using namespace device;

/// Each lane decodes weight_pairs of a part of a row (on the host, of several short rows).
template <class Type, class T, int BlockSize, int WaveSize>
struct dequantize {
  static_assert(BlockSize % WaveSize == 0, "dequantize: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements =
      packet_size<T, WaveSize> < 16 ? packet_size<T, WaveSize> : 16;
  static constexpr int columns = 2 * columns_per_block<BlockSize, WaveSize, packet_elements>();
  static_assert(columns % group_elements == 0, "dequantize: a block decodes whole groups");
  struct shared_storage {};

  tensor_view<T, 2> y;           // [num_rows, row_size]
  tensor_view<const Type, 2> x;  // [num_rows, row_size / block_traits<Type>::elements]
  int num_block_rows;            // rows that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    constexpr int parts = num_parts<packet_elements>;
    const int row_size = y.extent[1], first = block.index.y * columns;
    const int end = row_size - first < columns ? row_size : first + columns;
    for_each_row(block, num_block_rows, y.extent[0], [&](int row) {
      const Type* from = slice(x, row).data;
      T* to = slice(y, row).data;
      const int first_group = first / group_elements;
      const int num_fragments = divide_up(end - first, group_elements) * parts;
      for (int i = block.thread; i < num_fragments; i += BlockSize) {
        const int group = first_group + i / parts, part = i % parts;
        const int begin = group * group_elements, count = row_size - begin;
        const auto values =
            block_traits<Type>::template decode<packet_elements>(from, group, part, count);
        const int low = begin + part * packet_elements;
        if (count >= group_elements) {
          store_packet(to + low, values.low);
          store_packet(to + low + 16, values.high);
        } else {
          store_packet(to + low, values.low, count - part * packet_elements);
          store_packet(to + low + 16, values.high, count - part * packet_elements - 16);
        }
      }
    });
  }
};

/// Each lane encodes blocks of 32, or a group of a block of 256, whose lanes share it.
template <class Type, class T, int BlockSize, int WaveSize>
struct quantize {
  static_assert(BlockSize % WaveSize == 0, "quantize: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  using encoder = block_encoder<Type>;
  static constexpr int elements = block_traits<Type>::elements;
  static constexpr bool shared = elements == 256;
  static constexpr int group_size = [] {
    if constexpr (shared) return encoder::group_size;
    return elements;
  }();
  static constexpr int groups = elements / group_size;
  static_assert(BlockSize % groups == 0 || WaveSize == 1,
                "quantize: BlockSize must be a multiple of the groups of a block");
  /// Blocks that are encoded at once, and rounds.
  static constexpr int num_slots = WaveSize == 1 ? 1 : BlockSize / groups;
  static constexpr int num_turns = WaveSize == 1 ? divide_up(8192, elements) : 1;
  struct shared_storage {
    block_in_progress blocks[shared ? num_slots : 1];
  };

  tensor_view<Type, 2> y;     // [num_rows, row_size / elements]
  tensor_view<const T, 2> x;  // [num_rows, row_size]

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& storage) const {
    const std::int64_t first = std::int64_t{block.index.x} * (num_slots * num_turns);
    for (int turn = 0; turn < num_turns; ++turn) {
      const std::int64_t begin = first + turn * num_slots;
      if constexpr (!shared) {
        for_each_group(block, begin, [&](int, int, Type& to, const T* from) {
          float values[group_size];
          load_group(values, from);
          encoder::encode(to, [&](int i) { return values[i]; });
        });
      } else {
        for_each_group(block, begin, [&](int slot, int group, Type&, const T* from) {
          float values[group_size];
          load_group(values, from);
          const affine fit = encoder::fit(values);
          storage.blocks[slot].d[group] = fit.d;
          storage.blocks[slot].m[group] = fit.m;
        });
        block.barrier();
        for_each_group(block, begin, [&](int slot, int group, Type&, const T* from) {
          float values[group_size];
          load_group(values, from);
          encoder::round(storage.blocks[slot], group, values);
        });
        block.barrier();
        for_each_group(block, begin, [&](int slot, int group, Type& to, const T*) {
          encoder::pack(to, storage.blocks[slot], group);
        });
      }
    }
  }

 private:
  /// f(slot, group, block, numbers of the group) for the groups of `num_slots` blocks from block
  /// `begin` that are the lane's.
  template <class F>
  ROCMFORGE_DEVICE void for_each_group(block_context<BlockSize, WaveSize> block, std::int64_t begin,
                                       F&& f) const {
    for (int i = block.thread; i < num_slots * groups; i += BlockSize) {
      const std::int64_t index = begin + i / groups;
      if (index >= y.size()) return;
      const int row = static_cast<int>(index / y.extent[1]);
      const int column = static_cast<int>(index % y.extent[1]), group = i % groups;
      f(i / groups, group, slice(y, row).data[column],
        slice(x, row).data + std::int64_t{column} * elements + group * group_size);
    }
  }
  ROCMFORGE_DEVICE static void load_group(float (&values)[group_size], const T* from) {
    constexpr int N = packet_size<T, WaveSize> < 16 ? packet_size<T, WaveSize> : 16;
    ROCMFORGE_UNROLL
    for (int first = 0; first < group_size; first += N)
      store_packet(values + first, packet<float, N>(load_packet<N>(from + first)));
  }
};

}  // namespace kernels

/// The values of weights in any format, rounded once to T: exact in float (each is a product of a
/// few short numbers, or one rounding of such a product less another).
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @tparam Type  how x is stored: any block format, float, half, bfloat16, double or an integer
/// @param y      [num_rows, row_size]  output
/// @param x      [num_rows, row_size / block_traits<Type>::elements]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class Type, class T, int BlockSize = default_block_size, class X = const Type>
[[nodiscard]] status dequantize(tensor_view<T, 2> y, tensor_view<X, 2> x, stream_ref stream = {}) {
  static_assert(same_elements<X, Type>,
                "dequantize: x must have the element type that the call names");
  constexpr const char* op = "dequantize";
  if (status s =
          checks::all(checks::output(op, "y", y), checks::view(op, "x", x),
                      checks::extent(op, "x", 0, x.extent[0], y.extent[0]),
                      checks::extent(op, "y", 1, y.extent[1],
                                     std::int64_t{x.extent[1]} * block_traits<Type>::elements));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::dequantize<Type, T, block_threads<BlockSize, wave>, wave>;
    const int rows = device::rows_per_block<wave>(y.extent[1]);
    return launch(
        op, kernel{y, elements_as<const Type>(x), rows},
        {device::divide_up(y.extent[0], rows), device::divide_up(y.extent[1], kernel::columns)},
        stream);
  });
}

/// Numbers as blocks. q4_0, q4_1, q5_0, q5_1, q8_0, q8_1 and q8_k become the blocks of ggml's
/// reference encoder, bit for bit; the K formats blocks with a small squared error (docs/quant.md
/// has it beside ggml's), the same on every platform that has a fused multiply-add.
///
/// Numbers must be finite and small enough that a block's scale is: a half holds up to 65504.
/// Asynchronous on `stream`; allocates nothing.
///
/// @tparam Type  one of `for_each_encoded_format`
/// @param y      [num_rows, row_size / block_traits<Type>::elements]  output
/// @param x      [num_rows, row_size]
/// @return invalid_shape if the extents disagree or there are too many blocks for one launch,
///         invalid_layout if a last axis is not contiguous
template <class Type, class T, int BlockSize = default_block_size, class Y = Type>
[[nodiscard]] status quantize(tensor_view<Y, 2> y, tensor_view<T, 2> x, stream_ref stream = {}) {
  static_assert(same_elements<Y, Type>,
                "quantize: y must have the element type that the call names");
  constexpr const char* op = "quantize";
  if (status s =
          checks::all(checks::output(op, "y", y), checks::view(op, "x", x),
                      checks::extent(op, "x", 0, x.extent[0], y.extent[0]),
                      checks::extent(op, "x", 1, x.extent[1],
                                     std::int64_t{y.extent[1]} * block_traits<Type>::elements));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) -> status {
    using kernel =
        kernels::quantize<Type, std::remove_const_t<T>, block_threads<BlockSize, wave>, wave>;
    constexpr std::int64_t together = kernel::num_slots * kernel::num_turns;
    const std::int64_t launches = device::divide_up(y.size(), together);
    if (launches > 2147483647) {
      return {status_code::invalid_shape,
              op,
              "y",
              "there are {0} blocks, expected at most {1} for one launch",
              {y.size(), 2147483647 * together}};
    }
    return launch(op, kernel{elements_as<Type>(y), x}, {static_cast<int>(launches)}, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
