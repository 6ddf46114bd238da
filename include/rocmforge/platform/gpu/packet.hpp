// A packet of a GPU: a few registers of a lane.
#pragma once

#include "rocmforge/platform/gpu/runtime.hpp"
#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// Elements of a packet: 16 bytes of T a lane.
template <class T, int WaveSize>
inline constexpr int packet_size = 16 / static_cast<int>(sizeof(T));

/// N elements of T, which is float, int or unsigned.
template <class T, int N>
struct packet {
  static_assert(sizeof(T) == 4 && N > 0 && (N & (N - 1)) == 0);
  static constexpr int size = N;
  typedef T storage[N];
  storage v;

  packet() = default;
  /// Every element is `value`.
  ROCMFORGE_DEVICE packet(T value) {
    ROCMFORGE_UNROLL
    for (int i = 0; i < N; ++i) v[i] = value;
  }
  ROCMFORGE_DEVICE T operator[](int i) const { return v[i]; }
  ROCMFORGE_DEVICE void set(int i, T value) { v[i] = value; }
};

#define ROCMFORGE_PACKET_OPERATOR(op)                                                       \
  template <class T, int N>                                                                 \
  ROCMFORGE_DEVICE packet<T, N> operator op(const packet<T, N>& a, const packet<T, N>& b) { \
    packet<T, N> result;                                                                    \
    ROCMFORGE_UNROLL                                                                        \
    for (int i = 0; i < N; ++i) result.v[i] = a.v[i] op b.v[i];                             \
    return result;                                                                          \
  }
ROCMFORGE_PACKET_OPERATOR(+)
ROCMFORGE_PACKET_OPERATOR(-)
ROCMFORGE_PACKET_OPERATOR(*)
ROCMFORGE_PACKET_OPERATOR(/)
ROCMFORGE_PACKET_OPERATOR(&)
ROCMFORGE_PACKET_OPERATOR(|)
ROCMFORGE_PACKET_OPERATOR(^)
ROCMFORGE_PACKET_OPERATOR(<<)
ROCMFORGE_PACKET_OPERATOR(>>)
#undef ROCMFORGE_PACKET_OPERATOR

/// a * b + c, rounded once where the processor can.
ROCMFORGE_DEVICE float fma(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}

template <int N>
ROCMFORGE_DEVICE packet<float, N> fma(const packet<float, N>& a, const packet<float, N>& b,
                                      const packet<float, N>& c) {
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = __builtin_fmaf(a.v[i], b.v[i], c.v[i]);
  return result;
}

template <int N>
ROCMFORGE_DEVICE packet<float, N> maximum(const packet<float, N>& a, const packet<float, N>& b) {
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
  return result;
}

/// Elementwise a < b ? a : b.
template <int N>
ROCMFORGE_DEVICE packet<float, N> minimum(const packet<float, N>& a, const packet<float, N>& b) {
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
  return result;
}

/// Elementwise a < b ? x : y.
template <int N>
ROCMFORGE_DEVICE packet<float, N> select_less(const packet<float, N>& a, const packet<float, N>& b,
                                              const packet<float, N>& x,
                                              const packet<float, N>& y) {
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = a.v[i] < b.v[i] ? x.v[i] : y.v[i];
  return result;
}

/// Whole numbers as floats.
template <class T, int N>
ROCMFORGE_DEVICE packet<float, N> to_float(const packet<T, N>& a) {
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = static_cast<float>(a.v[i]);
  return result;
}

/// The same bits as another type.
template <class To, class From, int N>
ROCMFORGE_DEVICE packet<To, N> bit_cast(const packet<From, N>& a) {
  packet<To, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = __builtin_bit_cast(To, a.v[i]);
  return result;
}

template <int N, class Op>
ROCMFORGE_DEVICE float fold(const packet<float, N>& a, Op op) {
  float result = a.v[0];
  ROCMFORGE_UNROLL
  for (int i = 1; i < N; ++i) result = op(result, a.v[i]);
  return result;
}

/// Element i of the result is the sum of the elements of values[i]: all sums at once cost a third
/// of one by one.
template <int N>
ROCMFORGE_DEVICE packet<float, N> fold_all(const packet<float, N> (&values)[N]) {
  packet<float, N> result(0.0f);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.set(i, horizontal_sum(values[i]));
  return result;
}

/// 2^x elementwise; 2^-inf is 0. On the host within 2 units in the last place; results below
/// 2^-126 are 0, and from 2^127.5 on infinity.
template <int N>
ROCMFORGE_DEVICE packet<float, N> exp2_of(const packet<float, N>& x) {
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = exp2_of(x.v[i]);
  return result;
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
