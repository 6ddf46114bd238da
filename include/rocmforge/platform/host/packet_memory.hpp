// Packets to and from memory on the host.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/host/half_values.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

// Each is overloaded in the file of an instruction set that does better.
template <int N, class T>
ROCMFORGE_DEVICE void load_elements(packet<float, N>& result, const T* p) {
  for (int i = 0; i < N; ++i) result.v[i] = static_cast<float>(p[i]);
}

template <int N>
ROCMFORGE_DEVICE void load_elements(packet<float, N>& result, const float* p) {
  std::memcpy(&result.v, p, sizeof(result.v));
}

template <int N>
ROCMFORGE_DEVICE void load_elements(packet<float, N>& result, const bfloat16* p) {
  typedef std::uint16_t words __attribute__((vector_size(2 * N)));
  words bits;
  std::memcpy(&bits, p, sizeof(bits));
  packet<unsigned, N> wide;
  wide.v = __builtin_convertvector(bits, typename packet<unsigned, N>::storage);
  result = bit_cast<float>(wide << packet<unsigned, N>(16u));
}

template <int N, class Byte>
ROCMFORGE_DEVICE void load_elements(packet<int, N>& result, const Byte* p) {
  typedef Byte bytes __attribute__((vector_size(N)));
  bytes raw;
  std::memcpy(&raw, p, N);
  result.v = __builtin_convertvector(raw, typename packet<int, N>::storage);
}

/// A pointer into device memory, never shared memory: all the same on a processor.
template <class T>
ROCMFORGE_DEVICE const T* global_memory(const T* p) {
  return p;
}

/// N elements from `p` on, as floats. `p` is aligned for T only.
template <int N, class T>
ROCMFORGE_DEVICE packet<float, N> load_packet(const T* p) {
  packet<float, N> result;
  load_elements(result, p);
  return result;
}

/// The first `count` elements from `p` on; the others are 0 and are not read.
template <int N, class T>
ROCMFORGE_DEVICE packet<float, N> load_packet(const T* p, int count) {
  float elements[N] =
      {};  // through memory: unrolled tests of every element would be most of a kernel's code
  for (int i = 0; i < (count < N ? count : N); ++i) elements[i] = static_cast<float>(p[i]);
  return load_packet<N>(elements);
}

/// What addresses have to be multiples of, in bytes, for `load_raw` to be one instruction.
inline constexpr int wide_alignment = 1;

/// N elements from `p` on, which is a multiple of `wide_alignment`.
template <int N, class T>
ROCMFORGE_DEVICE raw_packet<T, N> load_raw(const T* p) {
  raw_packet<T, N> raw;
  std::memcpy(&raw, p, sizeof(raw));
  return raw;
}

template <class T, int N>
ROCMFORGE_DEVICE raw_packet<T, N> as_loaded(const raw_packet<T, N>& raw) {
  return raw;
}

/// The number: only GPUs have other registers for it.
ROCMFORGE_DEVICE int in_each_lane(int number) {
  return number;
}

/// N elements from an address that is aligned for all of them (up to 16 bytes), as shared memory
/// can be; memory that is read so is also written so.
template <int N, class T>
ROCMFORGE_DEVICE raw_packet<T, N> load_aligned(const T* p) {
  raw_packet<T, N> raw;
  std::memcpy(&raw, p, sizeof(raw));
  return raw;
}

template <class T, int N>
ROCMFORGE_DEVICE void store_aligned(T* p, const raw_packet<T, N>& raw) {
  std::memcpy(p, &raw, sizeof(raw));
}

/// Stores all N elements, rounded to T.
template <class T, int N>
ROCMFORGE_DEVICE void store_packet(T* p, const packet<float, N>& value) {
  for (int i = 0; i < N; ++i) p[i] = T(value.v[i]);
}

template <int N>
ROCMFORGE_DEVICE void store_packet(float* p, const packet<float, N>& value) {
  std::memcpy(p, &value.v, sizeof(value.v));
}

/// convert::bfloat16_from_float of all at once.
template <int N>
ROCMFORGE_DEVICE void store_packet(bfloat16* p, const packet<float, N>& value) {
  using words = packet<unsigned, N>;
  typedef std::uint16_t narrow __attribute__((vector_size(2 * N)));
  const words bits = bit_cast<unsigned>(value), upper = bits >> words(16u);
  const words rounded = (bits + words(0x7fffu) + (upper & words(1u))) >> words(16u);
  const auto is_nan = (bits & words(0x7fffffffu)).v > words(0x7f800000u).v;
  const narrow result =
      __builtin_convertvector(is_nan ? (upper | words(0x40u)).v : rounded.v, narrow);
  std::memcpy(p, &result, sizeof(result));
}

/// Stores the first `count` elements.
template <class T, int N>
ROCMFORGE_DEVICE void store_packet(T* p, const packet<float, N>& value, int count) {
  float elements[N];
  std::memcpy(elements, &value.v, sizeof(elements));
  for (int i = 0; i < (count < N ? count : N); ++i) p[i] = T(elements[i]);
}

/// Every element is `value`.
template <int N>
ROCMFORGE_DEVICE packet<float, N> broadcast(half value) {
  return packet<float, N>(host_runtime::half_values[value.bits]);
}

/// Makes the compiler keep an array in memory, from where a processor broadcasts an element as it
/// loads it; out of a register it takes shuffles.
template <class Array>
ROCMFORGE_DEVICE void hold_in_memory([[maybe_unused]] Array& array) {
  __asm__("" : "+m"(array));
}

/// Asks for the cache line of `p`, which will be read soon. On a GPU other waves hide the latency.
/// It comes into the second cache: rows lie a power of two apart, so that the first one, of a few
/// lines a set, would lose those in use for those to come.
ROCMFORGE_DEVICE void prefetch([[maybe_unused]] const void* p) {
  __builtin_prefetch(p, 0, 2);
}

/// The first `count` elements of `value`; the others become `rest`.
template <int N>
ROCMFORGE_DEVICE packet<float, N> keep_first(const packet<float, N>& value, int count, float rest) {
  packet<float, N> result;
  result.v = iota<N>().v < packet<float, N>(static_cast<float>(count)).v ? value.v
                                                                         : packet<float, N>(rest).v;
  return result;
}

/// `value` with `rest` in place of its first `count` elements.
template <int N>
ROCMFORGE_DEVICE packet<float, N> drop_first(const packet<float, N>& value, int count, float rest) {
  packet<float, N> result;
  result.v = iota<N>().v < packet<float, N>(static_cast<float>(count)).v ? packet<float, N>(rest).v
                                                                         : value.v;
  return result;
}

/// N bytes, each zero-extended (uint8_t) or sign-extended (int8_t) to 32 bits.
template <int N, class Byte>
ROCMFORGE_DEVICE packet<int, N> load_bytes(const Byte* p) {
  static_assert(sizeof(Byte) == 1);
  packet<int, N> result;
  load_elements(result, p);
  return result;
}

/// Whether `lookup` is one instruction.
#if defined(__AVX512F__)
inline constexpr bool has_lookup = true;
#else
inline constexpr bool has_lookup = false;
#endif

/// Makes the compiler hold `value` in a register. g++ would rather read a loaded packet from memory
/// again at each use, which costs a multiply-add with a memory operand its place: loads, not
/// arithmetic, then bound a register tile.
#if defined(__AVX512F__)
template <int N>
ROCMFORGE_DEVICE void hold(packet<float, N>& value) {
  __asm__("" : "+v"(value.v));
}
#elif defined(__x86_64__)
template <int N>
ROCMFORGE_DEVICE void hold(packet<float, N>& value) {
  if constexpr (N * 4 <= arch::vector_bytes) __asm__("" : "+x"(value.v));
}
#else
template <int N>
ROCMFORGE_DEVICE void hold(packet<float, N>&) {}
#endif

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge

#if defined(__AVX512F__)
#include "rocmforge/platform/host/avx512.hpp"
#endif
#if defined(__AVX2__) || defined(__F16C__)
#include "rocmforge/platform/host/avx2.hpp"
#endif
#if defined(__SSSE3__)
#include "rocmforge/platform/host/ssse3.hpp"
#endif
