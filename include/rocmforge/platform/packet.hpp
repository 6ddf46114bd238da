// A packet is the few neighboring elements that one lane works on at a time: a vector register on
// the host, a few registers on a GPU. Arithmetic is elementwise, in float whatever the elements in
// memory are. Each side has the type and its operations; here is what follows from them.
#pragma once

#include <cstddef>

#include "rocmforge/platform/macros.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST)
#include "rocmforge/platform/host/packet.hpp"
#else
#include "rocmforge/platform/gpu/packet.hpp"
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

ROCMFORGE_DEVICE float maximum(float a, float b) {
  return a > b ? a : b;
}

template <class T, int N>
ROCMFORGE_DEVICE packet<T, N> operator*(const packet<T, N>& a, T b) {
  return a * packet<T, N>(b);
}

template <class T, int N>
ROCMFORGE_DEVICE packet<T, N>& operator+=(packet<T, N>& a, const packet<T, N>& b) {
  return a = a + b;
}

template <class T, int N>
ROCMFORGE_DEVICE packet<T, N>& operator*=(packet<T, N>& a, const packet<T, N>& b) {
  return a = a * b;
}

template <int N>
ROCMFORGE_DEVICE float horizontal_sum(const packet<float, N>& a) {
  return fold(a, [](const auto& x, const auto& y) { return x + y; });
}

template <int N>
ROCMFORGE_DEVICE float horizontal_maximum(const packet<float, N>& a) {
  return fold(a, [](const auto& x, const auto& y) { return maximum(x, y); });
}

inline constexpr float log2_e = 1.44269504f;

template <int N>
ROCMFORGE_DEVICE packet<float, N> exp_of(const packet<float, N>& x) {
  return exp2_of(x * log2_e);
}

/// 0, 1, 2, ...
template <int N>
ROCMFORGE_DEVICE packet<float, N> iota() {
  packet<float, N> result(0.0f);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.set(i, static_cast<float>(i));
  return result;
}

/// N neighboring elements of T as they lie in memory, in words: to be moved without a conversion.
/// (What holds 16-bit elements one by one, clang also moves one by one.)
template <class T, int N>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) raw_packet {
  static constexpr int size = N;
  static constexpr int word_elements = 4 / static_cast<int>(sizeof(T));
  unsigned word[N / word_elements];
};

/// N bytes; byte i is in bits 8 * (i % 4) and on of word i / 4.
template <int N>
struct byte_packet {
  static_assert(N % 4 == 0, "byte_packet: whole words");
  static constexpr int num_words = N / 4;
  packet<unsigned, num_words> words;
};

/// The first and the second elements of N pairs, each side by side; or the packets that hold them
/// pair by pair.
template <int N>
struct packet_pair {
  packet<float, N> first, second;
};

}  // namespace device

// Kernels name the types without `device::`; the functions are found by argument-dependent lookup,
// or in namespace device.
using device::byte_packet;
using device::packet;
using device::packet_pair;
using device::packet_size;
using device::raw_packet;

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
