// Embedding lookup: row t of y is row tokens[t] of the table, decoded to floats.
#pragma once

#include <limits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {
using namespace device;

/// One block per token (on the host, one for several tokens); each lane decodes one weight_pair.
template <class Type, class T, int BlockSize, int WaveSize>
struct embedding {
  static_assert(BlockSize % WaveSize == 0, "embedding: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  static constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
  struct shared_storage {};

  tensor_view<T, 2> y;               // [num_tokens, hidden_dim]
  tensor_view<const Type, 2> table;  // [vocab_size, hidden_dim / block_traits<Type>::elements]
  tensor_view<const int, 1> tokens;  // [num_tokens]
  int num_block_tokens;              // tokens that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    constexpr int parts = num_parts<packet_elements>;
    const int hidden_dim = y.extent[1];
    const int num_fragments = divide_up(hidden_dim, group_elements) * parts;
    for_each_row(block, num_block_tokens, y.extent[0], [&](int row) {
      const int token = tokens(row);
      const bool known = token >= 0 && token < table.extent[0];
      const Type* weights = slice(table, known ? token : 0).data;
      for (int i = block.thread; i < num_fragments; i += BlockSize) {
        const int group = i / parts, part = i % parts;
        const int count = hidden_dim - group * group_elements;  // from the group to the row's end
        weight_pair<packet_elements> values{not_a_number, not_a_number};
        if (known) {
          using decoder = block_traits<Type>;
          values = decoder::template decode<packet_elements>(weights, group, part, count);
        }
        T* to = slice(y, row).data + group * group_elements + part * packet_elements;
        if (count >= group_elements) {
          store_packet(to, values.low);
          store_packet(to + 16, values.high);
        } else {
          store_packet(to, values.low, count - part * packet_elements);
          store_packet(to + 16, values.high, count - part * packet_elements - 16);
        }
      }
    });
  }
};

}  // namespace kernels

/// Looks up the rows of `table` that `tokens` name. `Type` is the table's storage: float, half,
/// bfloat16 or a quantized block of quant.hpp.
///
/// The launcher cannot check the tokens, which are in device memory: a token outside the vocabulary
/// gives a row of NaN, so that the mistake is noticed.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y       [num_tokens, hidden_dim]  output
/// @param table   [vocab_size, hidden_dim / block_traits<Type>::elements]
/// @param tokens  [num_tokens]
/// @return invalid_shape if the extents disagree or hidden_dim is not a whole number of blocks,
///         invalid_layout if a last axis is not contiguous
template <class Type, class T, int BlockSize = default_block_size, class Table = const Type>
[[nodiscard]] status embedding(tensor_view<T, 2> y, tensor_view<Table, 2> table,
                               tensor_view<const int, 1> tokens, stream_ref stream = {}) {
  static_assert(same_elements<Table, Type>,
                "embedding: table must have the element type that the call names");
  constexpr const char* op = "embedding";
  constexpr int elements = block_traits<Type>::elements;
  if (status s = checks::all(checks::output(op, "y", y), checks::view(op, "table", table),
                             checks::view(op, "tokens", tokens));
      !s) {
    return s;
  }
  if (y.extent[1] % elements != 0) {
    return {status_code::invalid_shape,
            op,
            "y",
            "extent 1 is {0}, expected a multiple of {1}, the elements of a block",
            {y.extent[1], elements}};
  }
  if (status s =
          checks::all(checks::extent(op, "table", 1, table.extent[1], y.extent[1] / elements),
                      checks::extent(op, "tokens", 0, tokens.extent[0], y.extent[0]));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::embedding<Type, T, block_threads<BlockSize, wave>, wave>;
    const int rows = device::rows_per_block<wave>(y.extent[1]);
    return launch(op, kernel{y, elements_as<const Type>(table), tokens, rows},
                  {device::divide_up(y.extent[0], rows)}, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
