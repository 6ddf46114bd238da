// The largest logit of a row.
#pragma once

#include <limits>

#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {
using namespace device;

/// One block per row, which is read once: each lane remembers its largest logit and the first
/// packet that had it. Then the lanes that have the row's largest logit look up where in that
/// packet it is, and the lowest place wins.
template <class T, int BlockSize, int WaveSize>
struct argmax {
  static_assert(BlockSize % WaveSize == 0, "argmax: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  using row_maximum = block_reduce<BlockSize, WaveSize>;
  using row_minimum = block_reduce<BlockSize, WaveSize, int>;
  struct shared_storage {
    typename row_maximum::storage maximum;
    typename row_minimum::storage minimum;
  };
  static constexpr float lowest = -std::numeric_limits<float>::infinity();
  struct min_op {
    ROCMFORGE_DEVICE int operator()(int a, int b) const { return a < b ? a : b; }
  };

  tensor_view<int, 1> tokens;      // [num_rows]
  tensor_view<const T, 2> logits;  // [num_rows, vocab_size]
  tensor_view<float, 1> values;    // [num_rows] or empty

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int row = block.index.x;
    const int vocab_size = logits.extent[1];
    const T* from = slice(logits, row).data;
    float largest = lowest;
    int packet_index = block.thread * packet_elements;
    for_each_packet<packet_elements>(block, vocab_size, [&](auto at) {
      // A comparison with NaN is false, so that the maximum with `lowest` turns NaN into it.
      const float candidate = horizontal_maximum(
          maximum(masked(load(from, at), at, lowest), packet<float, packet_elements>(lowest)));
      if (candidate > largest) {
        largest = candidate;
        packet_index = at.index;
      }
    });
    const float row_largest = row_maximum::reduce(largest, max_op{}, block, shared.maximum);
    int token = vocab_size;
    if (largest == row_largest) {
      // One packet, unless the row has nothing above -infinity: then the first that is no NaN may
      // be further on.
      for (int first = packet_index; first < vocab_size && token == vocab_size;
           first += BlockSize * packet_elements) {
        const int end = vocab_size - first < packet_elements ? vocab_size : first + packet_elements;
        for (int i = first; i < end && token == vocab_size; ++i) {
          if (static_cast<float>(from[i]) == row_largest) token = i;
        }
      }
    }
    token = row_minimum::reduce(token, min_op{}, block, shared.minimum);
    if (block.thread == 0) {
      tokens(row) = token < vocab_size ? token : 0;
      if (values.data != nullptr) values(row) = row_largest;
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
