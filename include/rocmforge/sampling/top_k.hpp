// The k largest logits of a row in order.
#pragma once

#include <cstdint>

#include "rocmforge/block/sort.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/sampling/fixed_point.hpp"
#include "rocmforge/sampling/row_search.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {
using namespace device;

/// One block per row and `block_ranks` ranks: it looks for the elements of its first and its last
/// rank, gathers what is between them, and sorts that. So k may be anything, and nothing needs more
/// memory than a block has.
template <class T, int BlockSize, int WaveSize>
struct top_k {
  static_assert(BlockSize % WaveSize == 0, "top_k: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  using search_of_row = row_search<T, BlockSize, WaveSize>;
  static constexpr int block_ranks = search_of_row::num_bins;
  struct shared_storage {
    typename search_of_row::storage search;
    std::uint32_t num_gathered;
  };

  tensor_view<float, 2> values;    // [num_rows, k]
  tensor_view<int, 2> tokens;      // [num_rows, k]
  tensor_view<const T, 2> logits;  // [num_rows, vocab_size]

  // Grid: x over rows, y over parts of the ranks.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int row = block.index.x, first = block.index.y * block_ranks;
    const int left = tokens.extent[1] - first, ranks = left < block_ranks ? left : block_ranks;
    search_of_row search{block, slice(logits, row).data, logits.extent[1], shared.search};
    likeliest before{~std::uint32_t{0}, 0}, kept;  // nothing is before the first part
    // One loop, so that the search is compiled once.
    for (int part = first > 0 ? 0 : 1; part < 2; ++part) {
      search.forget_list();
      kept = search.likeliest_of(part == 0 ? first : first + ranks);
      if (part == 0) before = kept;
    }

    if (block.thread == 0) shared.num_gathered = 0;
    block.barrier();
    std::uint64_t* const gathered = shared.search.bin;
    search.for_each([&](float, std::uint32_t key, int id) {
      if (!kept.contains(key, id) || before.contains(key, id)) return;
      gathered[block.atomic_add(shared.num_gathered, std::uint32_t{1})] = entry(key, id);
    });
    block.barrier();
    const int count = static_cast<int>(shared.num_gathered);
    sort_descending(block, gathered, count);
    for (int i = block.thread; i < ranks; i += BlockSize) {
      const bool found = i < count;
      const auto key = static_cast<std::uint32_t>(gathered[i] >> 32);
      tokens(row, first + i) =
          found ? static_cast<int>(~static_cast<std::uint32_t>(gathered[i])) : -1;
      values(row, first + i) = found ? fixed_point::logit_of(key) : search_of_row::lowest;
    }
  }

 private:
  /// A number in the order of the ranks; never 0.
  ROCMFORGE_DEVICE static std::uint64_t entry(std::uint32_t key, int id) {
    return std::uint64_t{key} << 32 | ~static_cast<std::uint32_t>(id);
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
