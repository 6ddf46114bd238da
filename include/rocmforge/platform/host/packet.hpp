// A packet of the host: a vector of the compiler's, which makes of it what the processor has. The
// few operations for which compilers do not find the instruction are overloaded in avx512.hpp,
// avx2.hpp and ssse3.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <utility>

#include "rocmforge/platform/host/block.hpp"
#include "rocmforge/platform/host/runtime.hpp"
#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// Elements of a packet: a full register of floats on the serial host, as on a GPU on the emulated
/// devices.
template <class T, int WaveSize>
inline constexpr int packet_size = WaveSize == 1 ? arch::vector_bytes / 4
                                                 : 16 / static_cast<int>(sizeof(T));

/// N elements of T, which is float, int or unsigned.
template <class T, int N>
struct packet {
  static_assert(sizeof(T) == 4 && N > 0 && (N & (N - 1)) == 0);
  static constexpr int size = N;
  typedef T storage __attribute__((vector_size(sizeof(T) * N)));
  storage v;

  packet() = default;
  /// Every element is `value`.
  ROCMFORGE_DEVICE packet(T value) { v = value - storage{}; }
  ROCMFORGE_DEVICE T operator[](int i) const { return v[i]; }
  ROCMFORGE_DEVICE void set(int i, T value) { v[i] = value; }
};

#define ROCMFORGE_PACKET_OPERATOR(op)                                                       \
  template <class T, int N>                                                                 \
  ROCMFORGE_DEVICE packet<T, N> operator op(const packet<T, N>& a, const packet<T, N>& b) { \
    packet<T, N> result;                                                                    \
    result.v = a.v op b.v;                                                                  \
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
#if defined(__FMA__)
ROCMFORGE_DEVICE float fma(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
#else
ROCMFORGE_DEVICE float fma(float a, float b, float c) {
  return a * b + c;
}
#endif

template <int N>
ROCMFORGE_DEVICE packet<float, N> fma(const packet<float, N>& a, const packet<float, N>& b,
                                      const packet<float, N>& c) {
  packet<float, N> result;
  result.v =
      a.v * b.v + c.v;  // one expression, which compilers contract where the processor has it
  return result;
}

template <int N>
ROCMFORGE_DEVICE packet<float, N> maximum(const packet<float, N>& a, const packet<float, N>& b) {
  packet<float, N> result;
  result.v = a.v > b.v ? a.v : b.v;
  return result;
}

/// Elementwise a < b ? a : b.
template <int N>
ROCMFORGE_DEVICE packet<float, N> minimum(const packet<float, N>& a, const packet<float, N>& b) {
  packet<float, N> result;
  result.v = a.v < b.v ? a.v : b.v;
  return result;
}

/// Elementwise a < b ? x : y.
template <int N>
ROCMFORGE_DEVICE packet<float, N> select_less(const packet<float, N>& a, const packet<float, N>& b,
                                              const packet<float, N>& x,
                                              const packet<float, N>& y) {
  packet<float, N> result;
  result.v = a.v < b.v ? x.v : y.v;
  return result;
}

/// Whole numbers as floats.
template <class T, int N>
ROCMFORGE_DEVICE packet<float, N> to_float(const packet<T, N>& a) {
  packet<float, N> result;
  result.v = __builtin_convertvector(a.v, typename packet<float, N>::storage);
  return result;
}

/// The same bits as another type.
template <class To, class From, int N>
ROCMFORGE_DEVICE packet<To, N> bit_cast(const packet<From, N>& a) {
  packet<To, N> result;
  result.v = reinterpret_cast<typename packet<To, N>::storage>(a.v);
  return result;
}

template <int N, std::size_t... I>
ROCMFORGE_DEVICE packet<float, N / 2> lower_half(const packet<float, N>& a,
                                                 std::index_sequence<I...>) {
  packet<float, N / 2> result;
  result.v = __builtin_shufflevector(a.v, a.v, static_cast<int>(I)...);
  return result;
}

template <int N, std::size_t... I>
ROCMFORGE_DEVICE packet<float, N / 2> upper_half(const packet<float, N>& a,
                                                 std::index_sequence<I...>) {
  packet<float, N / 2> result;
  result.v = __builtin_shufflevector(a.v, a.v, static_cast<int>(I + N / 2)...);
  return result;
}

template <int N, class Op>
ROCMFORGE_DEVICE float fold(const packet<float, N>& a, Op op) {
  if constexpr (N > 2) {
    using half_indices = std::make_index_sequence<static_cast<std::size_t>(N / 2)>;
    return fold(op(lower_half(a, half_indices{}), upper_half(a, half_indices{})), op);
  } else if constexpr (N == 2) {
    return op(a.v[0], a.v[1]);
  } else {
    return a.v[0];
  }
}

/// Element i of the result is the sum of the elements of values[i]: all sums at once cost a third
/// of one by one.
template <int N>
ROCMFORGE_DEVICE packet<float, N> fold_all(const packet<float, N> (&values)[N]) {
  if constexpr (N > 1) {
    // Sums of neighbors, of two packets side by side, until one packet is left.
    const auto pairs = []<std::size_t... I>(const packet<float, N>& a, const packet<float, N>& b,
                                            std::index_sequence<I...>) {
      packet<float, N> result;
      result.v = __builtin_shufflevector(a.v, b.v, static_cast<int>(2 * I)...) +
                 __builtin_shufflevector(a.v, b.v, static_cast<int>(2 * I + 1)...);
      return result;
    };
    packet<float, N> left[N / 2];
    for (int i = 0; i < N / 2; ++i)
      left[i] = pairs(values[2 * i], values[2 * i + 1], std::make_index_sequence<N>{});
    ROCMFORGE_UNROLL
    for (int count = N / 2; count > 1; count /= 2) {
      for (int i = 0; i < count / 2; ++i)
        left[i] = pairs(left[2 * i], left[2 * i + 1], std::make_index_sequence<N>{});
    }
    return left[0];
  }
  packet<float, N> result(0.0f);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.set(i, horizontal_sum(values[i]));
  return result;
}

/// 2^x elementwise; 2^-inf is 0. On the host within 2 units in the last place; results below
/// 2^-126 are 0, and from 2^127.5 on infinity.
template <int N>
ROCMFORGE_DEVICE packet<float, N> exp2_of(const packet<float, N>& x) {
  // x = n + f with |f| <= 1/2: 2^f by its Taylor series, 2^n put into the exponent. n = -127 makes
  // the factor zero.
  using floats = packet<float, N>;
  constexpr float round_to_whole = 12582912.0f;  // 1.5 * 2^23: adding it drops the fraction
  // In this order NaN stays what it is.
  const floats clamped = minimum(floats(128.0f), maximum(floats(-127.0f), x));
  const floats shifted = clamped + floats(round_to_whole);
  const floats f = clamped - (shifted - floats(round_to_whole));
  floats series(1.5252734e-5f);  // ln(2)^k / k! for k = 7 down to 0
  series = fma(series, f, floats(1.5403530e-4f));
  series = fma(series, f, floats(1.3333558e-3f));
  series = fma(series, f, floats(9.6181291e-3f));
  series = fma(series, f, floats(5.5504109e-2f));
  series = fma(series, f, floats(2.4022651e-1f));
  series = fma(series, f, floats(6.9314718e-1f));
  series = fma(series, f, floats(1.0f));
  const packet<int, N> exponent = (bit_cast<int>(shifted) - packet<int, N>(0x4b400000 - 127))
                                  << packet<int, N>(23);
  return series * bit_cast<float>(exponent);
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
