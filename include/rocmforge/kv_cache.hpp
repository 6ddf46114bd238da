// Appending to a paged cache of keys and values, [num_pages, num_kv_heads, page_size, head_dim].
// Kwon et al., "Efficient Memory Management for Large Language Model Serving with PagedAttention".
#pragma once

#include <type_traits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {

/// One block per token (on the host, for several), which works on several heads at once.
template <class TCache, class T, int BlockSize, int WaveSize>
struct kv_append {
  static_assert(BlockSize % WaveSize == 0, "kv_append: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  /// 16 bytes of the narrower type.
  static constexpr int packet_elements =
      sizeof(T) < sizeof(TCache) ? packet_size<T, WaveSize> : packet_size<TCache, WaveSize>;
  struct shared_storage {};

  tensor_view<TCache, 4> k_pages;   // [num_pages, num_kv_heads, page_size, k_head_dim]
  tensor_view<TCache, 4> v_pages;   // [num_pages, num_kv_heads, page_size, v_head_dim]
  tensor_view<const T, 3> k;        // [num_tokens, num_kv_heads, k_head_dim]
  tensor_view<const T, 3> v;        // [num_tokens, num_kv_heads, v_head_dim]
  tensor_view<const int, 1> slots;  // [num_tokens]
  int num_block_tokens;             // tokens that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const int page_size = k_pages.extent[2];
    for_each_row(block, num_block_tokens, slots.extent[0], [&](int token) {
      const int slot = slots(token);
      if (slot < 0 || slot / page_size >= k_pages.extent[0]) return;
      append(block, slice(k_pages, slot / page_size), slice(k, token), slot % page_size);
      append(block, slice(v_pages, slot / page_size), slice(v, token), slot % page_size);
    });
  }

  ROCMFORGE_DEVICE static void append(block_context<BlockSize, WaveSize> block,
                                      tensor_view<TCache, 3> page, tensor_view<const T, 2> token,
                                      int row) {
    constexpr int N = packet_elements;
    for_each_packet_of_rows<N>(block, token.extent[0], token.extent[1], [&](int head, auto at) {
      store(slice(page, head, row).data, at, load(slice(token, head).data, at));
    });
  }
};

}  // namespace kernels

/// Appends the keys and values of new tokens to a paged cache: token t goes to page
/// slots[t] / page_size, there to row slots[t] % page_size. The cache may have another element
/// type; values are then rounded to nearest even.
///
/// What `slots` holds cannot be refused, because it is read on the device: a negative slot says
/// that its token is not to be kept, and one beyond the last page is not written either.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param k_pages  [num_pages, num_kv_heads, page_size, k_head_dim]  written
/// @param v_pages  [num_pages, num_kv_heads, page_size, v_head_dim]  written
/// @param k        [num_tokens, num_kv_heads, k_head_dim]
/// @param v        [num_tokens, num_kv_heads, v_head_dim]
/// @param slots    [num_tokens]  each at most once
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class TCache, class T, int BlockSize = default_block_size>
[[nodiscard]] status kv_append(tensor_view<TCache, 4> k_pages,
                               identity_t<tensor_view<TCache, 4>> v_pages, tensor_view<T, 3> k,
                               identity_t<tensor_view<const T, 3>> v,
                               identity_t<tensor_view<const int, 1>> slots,
                               stream_ref stream = {}) {
  constexpr const char* op = "kv_append";
  if (status s = checks::all(checks::view(op, "k_pages", k_pages),
                             checks::view(op, "v_pages", v_pages), checks::view(op, "k", k),
                             checks::view(op, "v", v), checks::view(op, "slots", slots),
                             checks::extent(op, "v_pages", 0, v_pages.extent[0], k_pages.extent[0]),
                             checks::extent(op, "v_pages", 1, v_pages.extent[1], k_pages.extent[1]),
                             checks::extent(op, "v_pages", 2, v_pages.extent[2], k_pages.extent[2]),
                             checks::extent(op, "k", 1, k.extent[1], k_pages.extent[1]),
                             checks::extent(op, "k", 2, k.extent[2], k_pages.extent[3]),
                             checks::extent(op, "v", 0, v.extent[0], k.extent[0]),
                             checks::extent(op, "v", 1, v.extent[1], k_pages.extent[1]),
                             checks::extent(op, "v", 2, v.extent[2], v_pages.extent[3]),
                             checks::extent(op, "slots", 0, slots.extent[0], k.extent[0]));
      !s) {
    return s;
  }
  if (k_pages.extent[2] == 0) return {};
  return dispatch_wave_size(op, stream, [&](auto wave) {
    using kernel = kernels::kv_append<TCache, std::remove_const_t<T>, lanes<BlockSize, wave>, wave>;
    const int tokens = rows_per_block<wave>(k.size() / (k.extent[0] > 0 ? k.extent[0] : 1));
    return launch(op, kernel{k_pages, v_pages, k, v, slots, tokens},
                  {divide_up(k.extent[0], tokens)}, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
