// Appending to a cache of keys and values, [num_pages, num_kv_heads, page_size, head_dim], also
// fused with the rotation of queries and keys. Kwon et al., "Efficient Memory Management for Large
// Language Model Serving with PagedAttention", 2023. A contiguous cache has one page per sequence.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/quant/encode.hpp"
#include "rocmforge/rope.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

/// Element types of a cache: numbers, or blocks of 32 along head_dim.
template <class T>
concept cache_element = floating_dtype<T> || std::is_same_v<T, q8_0> || std::is_same_v<T, q4_0>;

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace checks::kv_cache {

/// Checks of the cache and of what is appended to it.
template <class TCache, class VCache, class K, class V>
status append(const char* op, tensor_view<TCache, 4> k_pages, tensor_view<VCache, 4> v_pages,
              tensor_view<K, 3> k, tensor_view<V, 3> v, tensor_view<const int, 1> slots) {
  constexpr std::int64_t elements = block_traits<TCache>::elements;
  return checks::all(checks::output(op, "k_pages", k_pages), checks::output(op, "v_pages", v_pages),
                     checks::view(op, "k", k), checks::view(op, "v", v),
                     checks::view(op, "slots", slots),
                     checks::extent(op, "v_pages", 0, v_pages.extent[0], k_pages.extent[0]),
                     checks::extent(op, "v_pages", 1, v_pages.extent[1], k_pages.extent[1]),
                     checks::extent(op, "v_pages", 2, v_pages.extent[2], k_pages.extent[2]),
                     checks::extent(op, "k", 1, k.extent[1], k_pages.extent[1]),
                     checks::extent(op, "k", 2, k.extent[2], k_pages.extent[3] * elements),
                     checks::extent(op, "v", 0, v.extent[0], k.extent[0]),
                     checks::extent(op, "v", 1, v.extent[1], k_pages.extent[1]),
                     checks::extent(op, "v", 2, v.extent[2], v_pages.extent[3] * elements),
                     checks::extent(op, "slots", 0, slots.extent[0], k.extent[0]),
                     checks::countable(op, "k", "{0} heads of {1} elements are more than 2^30",
                                       k.extent[1], k.extent[2]),
                     checks::countable(op, "v", "{0} heads of {1} elements are more than 2^30",
                                       v.extent[1], v.extent[2]));
}

}  // namespace checks::kv_cache

namespace kernels {
using namespace device;

/// Writes the heads of a token, [num_kv_heads, head_dim], to row `row` of a page, [num_kv_heads,
/// page_size, head_dim]. Each lane of a quantized page encodes one block at a time.
template <cache_element TCache, class T, int BlockSize, int WaveSize>
ROCMFORGE_DEVICE void append_heads(block_context<BlockSize, WaveSize> block,
                                   tensor_view<TCache, 3> page, tensor_view<const T, 2> token,
                                   int row) {
  if constexpr (floating_dtype<TCache>) {
    constexpr int N = packet_size<std::conditional_t<(sizeof(T) < sizeof(TCache)), T, TCache>,
                                  WaveSize>;  // 16 bytes of the narrower type
    for_each_packet_of_rows<N>(block, token.extent[0], token.extent[1], [&](int head, auto at) {
      store(slice(page, head, row).data, at, load(slice(token, head).data, at));
    });
  } else {
    constexpr int elements = block_traits<TCache>::elements, N = packet_size<T, WaveSize>;
    const int num_blocks = page.extent[2];
    for (int i = block.thread; i < token.extent[0] * num_blocks; i += BlockSize) {
      const int head = i / num_blocks, index = i % num_blocks;
      const T* from = slice(token, head).data + index * elements;
      float values[elements];
      ROCMFORGE_UNROLL
      for (int first = 0; first < elements; first += N) {
        const packet<float, N> part = load_packet<N>(from + first);
        ROCMFORGE_UNROLL
        for (int j = 0; j < N; ++j) values[first + j] = part[j];
      }
      slice(page, head, row).data[index] = encode_block<TCache>(values);
    }
  }
}

/// One block per token (on the host, one for several tokens), which processes several heads at
/// once.
template <class TCache, class T, int BlockSize, int WaveSize>
struct kv_append {
  static_assert(BlockSize % WaveSize == 0, "kv_append: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
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
      append_heads(block, slice(k_pages, slot / page_size), slice(k, token), slot % page_size);
      append_heads(block, slice(v_pages, slot / page_size), slice(v, token), slot % page_size);
    });
  }
};

/// One block per token (on the host, one for several tokens). It computes the table of the token's
/// cosines and sines, then writes the rotated queries, the rotated keys and the values. Keys for a
/// quantized cache are rotated into shared memory first, because the elements of a block of 32 are
/// in several lanes.
template <class TCache, class T, int BlockSize, int WaveSize>
struct rope_kv_append {
  static_assert(BlockSize % WaveSize == 0,
                "rope_kv_append: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  static constexpr bool quantized = !floating_dtype<TCache>;
  static constexpr int staged_elements = quantized ? 2048 : 4;
  struct shared_storage {
    rope_table table;
    float staged[staged_elements];
  };

  tensor_view<T, 3> q_out;          // [num_tokens, num_heads, head_dim]
  tensor_view<TCache, 4> k_pages;   // [num_pages, num_kv_heads, page_size, head_dim]
  tensor_view<TCache, 4> v_pages;   // [num_pages, num_kv_heads, page_size, v_head_dim]
  tensor_view<const T, 3> q;        // [num_tokens, num_heads, head_dim]
  tensor_view<const T, 3> k;        // [num_tokens, num_kv_heads, head_dim]
  tensor_view<const T, 3> v;        // [num_tokens, num_kv_heads, v_head_dim]
  tensor_view<const int, 1> slots;  // [num_tokens]
  rope_angles angles;
  int num_block_tokens;  // tokens that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int page_size = k_pages.extent[2];
    for_each_row(block, num_block_tokens, slots.extent[0], [&](int token) {
      const int slot = slots(token);
      const bool kept = slot >= 0 && slot / page_size < k_pages.extent[0];
      if (kept) {
        const rope_kv_append& values = reloaded(*this);
        append_heads(block, slice(values.v_pages, slot / page_size), slice(values.v, token),
                     slot % page_size);
      }
      const rope_kv_append& queries = reloaded(*this);
      queries.angles.fill(block, token, shared.table);
      block.barrier();
      rotate_heads<packet_elements>(block, slice(queries.q_out, token), slice(queries.q, token),
                                    shared.table, queries.angles.layout, queries.angles.num_pairs);
      if (kept) append_rotated(block, shared, token, slot);
      block.barrier();  // before the next token's table
    });
  }

 private:
  /// Rotates and appends the keys of a token; for a quantized cache through shared memory, a few
  /// heads at a time.
  ROCMFORGE_DEVICE void append_rotated(block_context<BlockSize, WaveSize> block,
                                       shared_storage& shared, int token, int slot) const {
    if constexpr (!quantized) {
      const rope_kv_append& keys = reloaded(*this);
      const int page_size = keys.k_pages.extent[2];
      rotate_heads<packet_elements>(
          block, slice(permuted<1, 0, 2>(slice(keys.k_pages, slot / page_size)), slot % page_size),
          slice(keys.k, token), shared.table, keys.angles.layout, keys.angles.num_pairs);
    } else {
      const int num_heads = k.extent[1], heads_at_once = staged_elements / k.extent[2];
      for (int first = 0; first < num_heads; first += heads_at_once) {
        const int last = num_heads - first < heads_at_once ? num_heads : first + heads_at_once;
        const rope_kv_append& keys = reloaded(*this);
        const int head_dim = keys.k.extent[2];
        const tensor_view<float, 2> staged{shared.staged, {last - first, head_dim}, {head_dim, 1}};
        rotate_heads<packet_elements>(block, staged, sub_view<0>(slice(keys.k, token), first, last),
                                      shared.table, keys.angles.layout, keys.angles.num_pairs);
        block.barrier();
        const rope_kv_append& pages = reloaded(*this);
        const int page_size = pages.k_pages.extent[2];
        append_heads(block, sub_view<0>(slice(pages.k_pages, slot / page_size), first, last),
                     tensor_view<const float, 2>(staged), slot % page_size);
        block.barrier();  // before the next heads
      }
    }
  }
};

}  // namespace kernels

/// Appends the keys and values of new tokens to a paged cache: token t goes to page
/// slots[t] / page_size, there to row slots[t] % page_size. A cache of numbers may have another
/// element type than what is appended; values are then rounded to nearest even. One of blocks is
/// encoded as ggml's reference does it, head_dim / 32 blocks a head.
///
/// A contiguous cache, [batch, num_kv_heads, max_seq_len, head_dim], is one of `batch` pages:
/// position p of sequence s is slot s * max_seq_len + p.
///
/// The launcher cannot check the slots, which are in device memory: a token with a negative slot is
/// not kept, and one beyond the last page is not written either.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @tparam TCache  float, half, bfloat16, q8_0 or q4_0
/// @param k_pages  [num_pages, num_kv_heads, page_size, k_head_dim or blocks of it]  written
/// @param v_pages  [num_pages, num_kv_heads, page_size, v_head_dim or blocks of it]  written
/// @param k        [num_tokens, num_kv_heads, k_head_dim]
/// @param v        [num_tokens, num_kv_heads, v_head_dim]
/// @param slots    [num_tokens]  each at most once
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class TCache, class T, int BlockSize = default_block_size, class VCache = TCache,
          class V = const T>
[[nodiscard]] status kv_append(tensor_view<TCache, 4> k_pages, tensor_view<VCache, 4> v_pages,
                               tensor_view<T, 3> k, tensor_view<V, 3> v,
                               tensor_view<const int, 1> slots, stream_ref stream = {}) {
  static_assert(cache_element<TCache>,
                "kv_append: a cache is of float, half, bfloat16, q8_0 or q4_0");
  static_assert(same_elements<VCache, TCache>,
                "kv_append: v_pages must have the element type of k_pages");
  static_assert(same_elements<V, T>, "kv_append: v must have the element type of k");
  constexpr const char* op = "kv_append";
  using element = std::remove_const_t<T>;
  status s = checks::kv_cache::append(op, k_pages, v_pages, k, v, slots);
  if (!s || k_pages.extent[2] == 0) return s;
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::kv_append<TCache, element, block_threads<BlockSize, wave>, wave>;
    const int tokens = device::rows_per_block<wave>(k.size() / (k.extent[0] > 0 ? k.extent[0] : 1));
    return launch(
        op,
        kernel{k_pages, elements_as<TCache>(v_pages), k, elements_as<const T>(v), slots, tokens},
        {device::divide_up(k.extent[0], tokens)}, stream);
  });
}

/// Rotates the queries and the keys of new tokens, and appends the rotated keys and the values to a
/// cache: rope of q and of k, and kv_append, in one launch. The keys are rounded once, to the
/// cache's type. Queries are rotated for tokens that are not kept, too.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @tparam TCache    float, half, bfloat16, q8_0 or q4_0
/// @param q_out      [num_tokens, num_heads, head_dim]  output; may be `q` itself
/// @param k_pages    [num_pages, num_kv_heads, page_size, head_dim or blocks of it]  written
/// @param v_pages    [num_pages, num_kv_heads, page_size, v_head_dim or blocks of it]  written
/// @param q          [num_tokens, num_heads, head_dim]
/// @param k          [num_tokens, num_kv_heads, head_dim]
/// @param v          [num_tokens, num_kv_heads, v_head_dim]
/// @param positions  as rope's
/// @param slots      [num_tokens]  as kv_append's
/// @param options    as rope's
/// @return what rope or kv_append returns; unsupported for a quantized cache with a head_dim above
///         2048
template <class TCache, class T, int BlockSize = default_block_size, class VCache = TCache,
          class Q = const T, class K = const T, class V = const T>
[[nodiscard]] status rope_kv_append(tensor_view<T, 3> q_out, tensor_view<TCache, 4> k_pages,
                                    tensor_view<VCache, 4> v_pages, tensor_view<Q, 3> q,
                                    tensor_view<K, 3> k, tensor_view<V, 3> v,
                                    const rope_positions& positions,
                                    tensor_view<const int, 1> slots, const rope_options& options,
                                    stream_ref stream = {}) {
  static_assert(cache_element<TCache>,
                "rope_kv_append: a cache is of float, half, bfloat16, q8_0 or q4_0");
  static_assert(same_elements<VCache, TCache>,
                "rope_kv_append: v_pages must have the element type of k_pages");
  static_assert(same_elements<Q, T>, "rope_kv_append: q must have the element type of q_out");
  static_assert(same_elements<K, T>, "rope_kv_append: k must have the element type of q_out");
  static_assert(same_elements<V, T>, "rope_kv_append: v must have the element type of q_out");
  constexpr const char* op = "rope_kv_append";
  using any_kernel = kernels::rope_kv_append<TCache, T, 1, 1>;
  const int num_tokens = q.extent[0], head_dim = q.extent[2];
  if (status s = checks::all(checks::output(op, "q_out", q_out), checks::view(op, "q", q),
                             checks::same_extents(op, "q_out", q_out, q),
                             checks::extent(op, "k", 0, k.extent[0], num_tokens),
                             checks::extent(op, "k", 2, k.extent[2], head_dim),
                             checks::kv_cache::append(op, k_pages, v_pages, k, v, slots),
                             checks::rope::options(op, positions, options, num_tokens, head_dim));
      !s) {
    return s;
  }
  if (any_kernel::quantized && head_dim > any_kernel::staged_elements) {
    return {status_code::unsupported,
            op,
            "k",
            "head_dim is {0}; for a quantized cache there are kernels for up to {1}",
            {head_dim, any_kernel::staged_elements}};
  }
  if (num_tokens == 0) return {};
  if (head_dim == 0)  // there is nothing to rotate
    return kv_append<TCache, const T, BlockSize>(k_pages, elements_as<TCache>(v_pages),
                                                 elements_as<const T>(k), elements_as<const T>(v),
                                                 slots, stream);
  if (k_pages.extent[2] == 0)  // there is no room for any token
    return rope<T, BlockSize>(q_out, elements_as<const T>(q), positions, options, stream);
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::rope_kv_append<TCache, T, block_threads<BlockSize, wave>, wave>;
    const int tokens = device::rows_per_block<wave>((q.size() + k.size() + v.size()) / num_tokens);
    return launch(op,
                  kernel{q_out, k_pages, elements_as<TCache>(v_pages), elements_as<const T>(q),
                         elements_as<const T>(k), elements_as<const T>(v), slots,
                         rope_angles_of(positions, options, head_dim), tokens},
                  {device::divide_up(num_tokens, tokens)}, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
