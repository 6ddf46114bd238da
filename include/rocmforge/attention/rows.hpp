// Steps that both attention kernels share: rows of up to HeadDim elements, and the online softmax.
#pragma once

#include "rocmforge/platform/platform.hpp"
#include "rocmforge/quant/simple.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace attention_rows {
using namespace device;

inline constexpr float minus_infinity = -__builtin_huge_valf();

/// Size of the widest packet that divides `elements`.
template <int WaveSize>
constexpr int widest_packet(int elements) {
  int size = packet_size<float, WaveSize>;
  while (elements % size != 0) size /= 2;
  return size;
}

/// Elements a lane loads at a time: a packet of T; at most 16 of a quantized row, whose elements i
/// and i + 16 share a byte.
template <class T, int WaveSize>
inline constexpr int row_packet = WaveSize == 1 ? packet_size<float, 1> : 8;
template <floating_dtype T, int WaveSize>
inline constexpr int row_packet<T, WaveSize> = packet_size<T, WaveSize>;

/// Elements `first` to `first` + N of a row of `head_dim`; those beyond its end are 0. N divides
/// `first`, and 16 if the row is quantized.
template <int N, class T>
ROCMFORGE_DEVICE packet<float, N> load(const T* row, int first, int head_dim) {
  if constexpr (floating_dtype<T>) {
    if (first + N <= head_dim) return load_packet<N>(global_memory(row + first));
    return load_packet<N>(global_memory(row + first), head_dim - first);
  } else {
    if (first >= head_dim) return packet<float, N>(0.0f);
    return block_traits<T>::template load<N>(row, first);
  }
}
template <int N, class T>
ROCMFORGE_DEVICE void store(T* row, int first, int head_dim, const packet<float, N>& value) {
  if (first + N <= head_dim) {
    store_packet(row + first, value);
  } else {
    store_packet(row + first, value, head_dim - first);
  }
}

/// The number that is subtracted from all exponents: the maximum, or 0 if every key is masked
/// (-inf - -inf would be NaN).
ROCMFORGE_DEVICE float finite_maximum(float maximum) {
  return maximum == minus_infinity ? 0.0f : maximum;
}

inline constexpr float log_2 = 0.693147181f;  // natural logarithm of 2

/// Natural logarithm of the sum of e^score, from the maximum and the sum in powers of two; -inf if
/// every key is masked, NaN if the sum is.
ROCMFORGE_DEVICE float log_sum_exp(float maximum, float sum) {
  return sum != 0 ? (maximum + log2f(sum)) * log_2 : minus_infinity;
}

}  // namespace attention_rows
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
