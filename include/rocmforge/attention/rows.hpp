// Steps that both attention kernels share: rows of up to HeadDim elements, and the online softmax.
#pragma once

#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace attention_rows {

inline constexpr float minus_infinity = -__builtin_huge_valf();

/// Size of the widest packet that divides `elements`.
template <int WaveSize>
constexpr int widest_packet(int elements) {
  int size = packet_size<float, WaveSize>;
  while (elements % size != 0) size /= 2;
  return size;
}

/// Elements `first` to `first` + N of a row of `head_dim`; those beyond its end are 0.
template <int N, class T>
ROCMFORGE_DEVICE packet<float, N> load(const T* row, int first, int head_dim) {
  if (first + N <= head_dim) return load_packet<N>(row + first);
  return load_packet<N>(row + first, head_dim - first);
}
template <int N, class T>
ROCMFORGE_DEVICE void store(T* row, int first, int head_dim, const packet<float, N>& value) {
  if (first + N <= head_dim) {
    store_packet(row + first, value);
  } else {
    store_packet(row + first, value, head_dim - first);
  }
}

/// Keys that a query sees: the first so many.
ROCMFORGE_DEVICE int visible_keys(int row, int q_len, int kv_len, bool causal) {
  const int count = causal ? kv_len - q_len + row + 1 : kv_len;
  return count < 0 ? 0 : count < kv_len ? count : kv_len;
}

/// What exponents are taken relative to: the maximum, or 0 where every key is masked (-inf - -inf
/// would be NaN).
ROCMFORGE_DEVICE float finite_maximum(float maximum) {
  return maximum == minus_infinity ? 0.0f : maximum;
}

/// Natural logarithm of the sum of e^score, from the maximum and the sum in powers of two; -inf
/// where every key is masked.
ROCMFORGE_DEVICE float log_sum_exp(float maximum, float sum) {
  return sum > 0 ? (maximum + log2f(sum)) * 0.693147181f : minus_infinity;
}

}  // namespace attention_rows
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
