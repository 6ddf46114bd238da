// Memory layout of an attention problem: plain tensors or pages. The kernels only ask for rows.
#pragma once

#include <cstdint>

#include "rocmforge/attention/merge.hpp"
#include "rocmforge/attention/options.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace attention_problem {
using namespace device;

/// Whether each row starts where a wide load may.
template <class T, int Rank>
bool rows_are_aligned(const tensor_view<const T, Rank>& x) {
  auto bits = reinterpret_cast<std::uintptr_t>(x.data);
  for (int axis = 0; axis + 1 < Rank; ++axis)
    bits |= static_cast<std::uintptr_t>(x.stride[axis] * std::int64_t{sizeof(T)});
  return bits % wide_alignment == 0;
}

/// Whether rows that a wave reads together lie within 32 bits of bytes from each other.
template <class T>
bool rows_are_near(const tensor_view<const T, 4>& x) {
  constexpr int most_rows = 64;
  const std::int64_t most = (std::int64_t{1} << 31) / (most_rows * std::int64_t{sizeof(T)});
  return x.stride[2] >= 0 && x.stride[2] < most;
}

template <class T, class TCache>
struct contiguous {
  using element = T;
  using cache_element = TCache;
  static constexpr bool rows_in_line = true;  // each a stride after the one before
  tensor_view<T, 4> out;                      // [batch, num_heads, q_len, v_head_dim]
  tensor_view<const T, 4> q;                  // [batch, num_heads, q_len, head_dim]
  tensor_view<const TCache, 4> k;             // [batch, num_kv_heads, kv_len, head_dim]
  tensor_view<const TCache, 4> v;             // [batch, num_kv_heads, kv_len, v_head_dim]
  tensor_view<float, 3> lse;                  // [batch, num_heads, q_len] or empty

  ROCMFORGE_DEVICE int q_len(int) const { return q.extent[2]; }
  ROCMFORGE_DEVICE int kv_len(int) const { return k.extent[2]; }
  ROCMFORGE_HOST_DEVICE int num_heads() const { return q.extent[1]; }
  ROCMFORGE_HOST_DEVICE int num_kv_heads() const { return k.extent[1]; }
  ROCMFORGE_HOST_DEVICE int head_dim() const { return q.extent[3]; }
  ROCMFORGE_HOST_DEVICE int v_head_dim() const { return out.extent[3]; }
  ROCMFORGE_DEVICE const T* query(int batch, int head, int row) const {
    return slice(q, batch, head, row).data;
  }
  ROCMFORGE_DEVICE T* output(int batch, int head, int row) const {
    return slice(out, batch, head, row).data;
  }
  /// Whether each row starts where a wide load may, and is in reach of those beside it.
  bool is_aligned() const {
    return rows_are_aligned(q) && rows_are_aligned(k) && rows_are_aligned(v) && rows_are_near(k) &&
           rows_are_near(v);
  }
  ROCMFORGE_DEVICE unsigned key_row_bytes() const {
    return static_cast<unsigned>(k.stride[2]) * static_cast<unsigned>(sizeof(TCache));
  }
  ROCMFORGE_DEVICE unsigned value_row_bytes() const {
    return static_cast<unsigned>(v.stride[2]) * static_cast<unsigned>(sizeof(TCache));
  }
  ROCMFORGE_DEVICE const TCache* key(int batch, int kv_head, int position) const {
    return slice(k, batch, kv_head, position).data;
  }
  ROCMFORGE_DEVICE const TCache* value(int batch, int kv_head, int position) const {
    return slice(v, batch, kv_head, position).data;
  }
  ROCMFORGE_DEVICE float* lse_at(int batch, int head, int row) const {
    return lse.data != nullptr ? &lse(batch, head, row) : nullptr;
  }
  [[nodiscard]] attention_results::contiguous<T> results() const { return {out, lse}; }
};

template <class T, class TCache>
struct paged {
  using element = T;
  using cache_element = TCache;
  static constexpr bool rows_in_line = false;
  tensor_view<T, 3> out;                 // [num_tokens, num_heads, v_head_dim]
  tensor_view<const T, 3> q;             // [num_tokens, num_heads, head_dim]
  tensor_view<const TCache, 4> k_pages;  // [num_pages, num_kv_heads, page_size, head_dim]
  tensor_view<const TCache, 4> v_pages;  // [num_pages, num_kv_heads, page_size, v_head_dim]
  paged_batch batch;
  tensor_view<float, 2> lse;  // [num_tokens, num_heads] or empty

  ROCMFORGE_DEVICE int q_len(int sequence) const {
    return batch.q_begin(sequence + 1) - batch.q_begin(sequence);
  }
  ROCMFORGE_DEVICE int kv_len(int sequence) const { return batch.kv_len(sequence); }
  ROCMFORGE_HOST_DEVICE int num_heads() const { return q.extent[1]; }
  ROCMFORGE_HOST_DEVICE int num_kv_heads() const { return k_pages.extent[1]; }
  ROCMFORGE_HOST_DEVICE int head_dim() const { return q.extent[2]; }
  ROCMFORGE_HOST_DEVICE int v_head_dim() const { return out.extent[2]; }
  ROCMFORGE_DEVICE const T* query(int sequence, int head, int row) const {
    return slice(q, batch.q_begin(sequence) + row, head).data;
  }
  ROCMFORGE_DEVICE T* output(int sequence, int head, int row) const {
    return slice(out, batch.q_begin(sequence) + row, head).data;
  }
  bool is_aligned() const {
    return rows_are_aligned(q) && rows_are_aligned(k_pages) && rows_are_aligned(v_pages);
  }
  // Only asked for where rows are in line.
  ROCMFORGE_DEVICE static unsigned key_row_bytes() { return 0; }
  ROCMFORGE_DEVICE static unsigned value_row_bytes() { return 0; }
  ROCMFORGE_DEVICE const TCache* key(int sequence, int kv_head, int position) const {
    return row_of(k_pages, sequence, kv_head, position);
  }
  ROCMFORGE_DEVICE const TCache* value(int sequence, int kv_head, int position) const {
    return row_of(v_pages, sequence, kv_head, position);
  }
  ROCMFORGE_DEVICE float* lse_at(int sequence, int head, int row) const {
    return lse.data != nullptr ? &lse(batch.q_begin(sequence) + row, head) : nullptr;
  }
  [[nodiscard]] attention_results::paged<T> results() const { return {out, lse, batch.q_begin}; }

 private:
  ROCMFORGE_DEVICE const TCache* row_of(const tensor_view<const TCache, 4>& pages, int sequence,
                                        int kv_head, int position) const {
    const int page_size = pages.extent[2];
    const int* const entry = &batch.page_table(sequence, position / page_size);
    const auto page = static_cast<int>(load_raw<1>(global_memory(entry)).word[0]);
    return slice(pages, page, kv_head, position % page_size).data;
  }
};

}  // namespace attention_problem
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
