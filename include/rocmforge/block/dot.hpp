// Dot products packet by packet. On the serial host the running sum is a packet of partial sums
// that is folded once at the end; on a GPU, where other lanes fill the machine, it is one float.
#pragma once

#include <type_traits>

#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

template <int N, int WaveSize>
using dot_accumulator = std::conditional_t<WaveSize == 1, packet<float, N>, float>;

template <int N>
ROCMFORGE_DEVICE packet<float, N> dot_add(const packet<float, N>& a, const packet<float, N>& b,
                                          const packet<float, N>& sum) {
  return fma(a, b, sum);
}
template <int N>
ROCMFORGE_DEVICE float dot_add(const packet<float, N>& a, const packet<float, N>& b, float sum) {
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) sum = fma(a[i], b[i], sum);
  return sum;
}

ROCMFORGE_DEVICE float dot_fold(float sum) {
  return sum;
}
template <int N>
ROCMFORGE_DEVICE float dot_fold(const packet<float, N>& sum) {
  return horizontal_sum(sum);
}

/// A running sum that starts from `value`.
template <class Accumulator>
ROCMFORGE_DEVICE Accumulator dot_start(float value) {
  if constexpr (std::is_same_v<Accumulator, float>) {
    return value;
  } else {
    Accumulator sum(0.0f);
    sum.set(0, value);
    return sum;
  }
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
