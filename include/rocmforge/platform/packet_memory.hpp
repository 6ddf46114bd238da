// Packets to and from memory: conversions from and to narrower elements, tails, unaligned
// addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/platform.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST) && (defined(__F16C__) || defined(__AVX512F__))
#include <immintrin.h>
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// N elements from `p` on, as floats. `p` is aligned for T only.
template <int N, class T>
ROCMFORGE_DEVICE packet<float, N> load_packet(const T* p) {
  packet<float, N> result;
#if defined(ROCMFORGE_PLATFORM_HOST)
  if constexpr (std::is_same_v<T, float>) {
    std::memcpy(&result.v, p, sizeof(result.v));
    return result;
  } else if constexpr (std::is_same_v<T, bfloat16>) {
    typedef std::uint16_t words __attribute__((vector_size(2 * N)));
    words bits;
    std::memcpy(&bits, p, sizeof(bits));
    packet<unsigned, N> wide;
    wide.v = __builtin_convertvector(bits, typename packet<unsigned, N>::storage);
    return bit_cast<float>(wide << packet<unsigned, N>(16u));
  }
#if defined(__AVX512F__)
  else if constexpr (std::is_same_v<T, half> && N == 16) {
    result.v = reinterpret_cast<typename packet<float, N>::storage>(
        _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
    return result;
  }
#endif
#if defined(__F16C__)
  else if constexpr (std::is_same_v<T, half> && N == 8) {
    result.v = reinterpret_cast<typename packet<float, N>::storage>(
        _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
    return result;
  }
#endif
  else {
    for (int i = 0; i < N; ++i) result.v[i] = static_cast<float>(p[i]);
    return result;
  }
#else
  struct elements {
    T t[N];
  };
  const auto raw = gpu::load_words<elements>(p);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = static_cast<float>(raw.t[i]);
  return result;
#endif
}

/// The first `count` elements from `p` on; the others are 0 and are not read.
template <int N, class T>
ROCMFORGE_DEVICE packet<float, N> load_packet(const T* p, int count) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  float elements[N] =
      {};  // through memory: unrolled tests of every element would be most of a kernel's code
  for (int i = 0; i < (count < N ? count : N); ++i) elements[i] = static_cast<float>(p[i]);
  return load_packet<N>(elements);
#else
  packet<float, N> result(0.0f);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    if (i < count) result.set(i, static_cast<float>(p[i]));
  }
  return result;
#endif
}

/// N neighbouring elements of T as they lie in memory, in words: to be moved without a conversion.
/// (What holds 16-bit elements one by one, clang also moves one by one.)
template <class T, int N>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) raw_packet {
  static constexpr int size = N;
  static constexpr int word_elements = 4 / static_cast<int>(sizeof(T));
  unsigned word[N / word_elements];
};

/// What addresses have to be multiples of, in bytes, for `load_raw` to be one instruction.
#if defined(ROCMFORGE_PLATFORM_HOST)
inline constexpr int wide_alignment = 1;
#else
inline constexpr int wide_alignment = arch::word_alignment;
#endif

/// N elements from `p` on, which is a multiple of `wide_alignment`.
template <int N, class T>
ROCMFORGE_DEVICE raw_packet<T, N> load_raw(const T* p) {
  raw_packet<T, N> raw;
#if defined(ROCMFORGE_PLATFORM_HOST)
  std::memcpy(&raw, p, sizeof(raw));
#else
  struct elements {
    T t[N];
  };
  const auto words = *reinterpret_cast<const gpu::words<elements>*>(p);
  __builtin_memcpy(&raw, &words, sizeof(raw));
#endif
  return raw;
}

/// The first `count` elements from `p` on, none if it is negative; the others are 0 and are not
/// read. `p` is aligned for T only.
template <int N, class T>
ROCMFORGE_DEVICE raw_packet<T, N> load_raw(const T* p, int count) {
  struct elements {
    T t[N];
  } some{};
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    if (i < count) some.t[i] = p[i];
  }
  raw_packet<T, N> raw;
  __builtin_memcpy(&raw, &some, sizeof(raw));
  return raw;
}

/// N elements from an address that is aligned for all of them (up to 16 bytes), as shared memory
/// can be; memory that is read so is also written so.
template <int N, class T>
ROCMFORGE_DEVICE raw_packet<T, N> load_aligned(const T* p) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  raw_packet<T, N> raw;
  std::memcpy(&raw, p, sizeof(raw));
  return raw;
#else
  return *reinterpret_cast<const raw_packet<T, N>*>(p);
#endif
}
template <class T, int N>
ROCMFORGE_DEVICE void store_aligned(T* p, const raw_packet<T, N>& raw) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  std::memcpy(p, &raw, sizeof(raw));
#else
  *reinterpret_cast<raw_packet<T, N>*>(p) = raw;
#endif
}

/// The elements as floats.
template <class T, int N>
ROCMFORGE_DEVICE packet<float, N> to_float(const raw_packet<T, N>& raw) {
  struct elements {
    T t[N];
  };
  elements held;
  __builtin_memcpy(&held, &raw, sizeof(held));
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.set(i, static_cast<float>(held.t[i]));
  return result;
}

/// Stores all N elements, rounded to T.
template <class T, int N>
ROCMFORGE_DEVICE void store_packet(T* p, const packet<float, N>& value) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  if constexpr (std::is_same_v<T, float>) {
    std::memcpy(p, &value.v, sizeof(value.v));
    return;
  }
  if constexpr (std::is_same_v<T, bfloat16>) {  // convert::bfloat16_from_float of all at once
    using words = packet<unsigned, N>;
    typedef std::uint16_t narrow __attribute__((vector_size(2 * N)));
    const words bits = bit_cast<unsigned>(value), upper = bits >> words(16u);
    const words rounded = (bits + words(0x7fffu) + (upper & words(1u))) >> words(16u);
    const auto is_nan = (bits & words(0x7fffffffu)).v > words(0x7f800000u).v;
    const narrow result =
        __builtin_convertvector(is_nan ? (upper | words(0x40u)).v : rounded.v, narrow);
    std::memcpy(p, &result, sizeof(result));
    return;
  }
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, half> && N == 16) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_maskz_cvtps_ph(0xffff, reinterpret_cast<__m512>(value.v),
                                              _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    return;
  }
#endif
  for (int i = 0; i < N; ++i) p[i] = T(value.v[i]);
#else
  struct elements {
    T t[N];
  };
  elements raw;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) raw.t[i] = T(value.v[i]);
  gpu::store_words(p, raw);
#endif
}

/// Stores the first `count` elements.
template <class T, int N>
ROCMFORGE_DEVICE void store_packet(T* p, const packet<float, N>& value, int count) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  float elements[N];
  std::memcpy(elements, &value.v, sizeof(elements));
  for (int i = 0; i < (count < N ? count : N); ++i) p[i] = T(elements[i]);
#else
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    if (i < count) p[i] = T(value[i]);
  }
#endif
}

/// Every element is `value`.
template <int N>
ROCMFORGE_DEVICE packet<float, N> broadcast(half value) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  return packet<float, N>(host_runtime::half_values[value.bits]);
#else
  return packet<float, N>(static_cast<float>(value));
#endif
}

/// Makes the compiler hold `value` in a register. g++ would rather read a loaded packet from memory
/// again at each use, which costs a multiply-add with a memory operand its place: loads, not
/// arithmetic, then bound a register tile.
template <int N>
ROCMFORGE_DEVICE void hold([[maybe_unused]] packet<float, N>& value) {
#if defined(ROCMFORGE_PLATFORM_HOST) && defined(__x86_64__) && defined(__AVX512F__)
  __asm__("" : "+v"(value.v));
#elif defined(ROCMFORGE_PLATFORM_HOST) && defined(__x86_64__)
  if constexpr (N * 4 <= arch::vector_bytes) __asm__("" : "+x"(value.v));
#endif
}

/// Makes the compiler keep an array in memory, from where a processor broadcasts an element as it
/// loads it; out of a register it takes shuffles.
template <class Array>
ROCMFORGE_DEVICE void hold_in_memory([[maybe_unused]] Array& array) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  __asm__("" : "+m"(array));
#endif
}

/// Asks for the cache line of `p`, which will be read soon. On a GPU other waves hide the latency.
/// It comes into the second cache: rows lie a power of two apart, so that the first one, of a few
/// lines a set, would lose those in use for those to come.
ROCMFORGE_DEVICE void prefetch([[maybe_unused]] const void* p) {
#if defined(ROCMFORGE_PLATFORM_HOST)
  __builtin_prefetch(p, 0, 2);
#endif
}

/// The same for every line of a block.
template <class Block>
ROCMFORGE_DEVICE void prefetch_block(const Block* p) {
  ROCMFORGE_UNROLL
  for (std::size_t at = 0; at < sizeof(Block); at += 64)
    prefetch(reinterpret_cast<const char*>(p) + at);
}

/// Whether `lookup` is one instruction.
#if defined(ROCMFORGE_PLATFORM_HOST) && defined(__AVX512F__)
inline constexpr bool has_lookup = true;
#else
inline constexpr bool has_lookup = false;
#endif

/// Element i of the result is element (indices[i] modulo 16) of the table.
ROCMFORGE_DEVICE packet<float, 16> lookup(const packet<float, 16>& table,
                                          const packet<int, 16>& indices) {
  packet<float, 16> result;
#if defined(ROCMFORGE_PLATFORM_HOST) && defined(__AVX512F__)
  result.v = reinterpret_cast<typename packet<float, 16>::storage>(_mm512_maskz_permutexvar_ps(
      0xffff, reinterpret_cast<__m512i>(indices.v), reinterpret_cast<__m512>(table.v)));
#else
  for (int i = 0; i < 16; ++i) result.set(i, table[indices[i] & 15]);
#endif
  return result;
}

/// Element i of the result is element (indices[i] modulo 32) of the two tables, one after the
/// other.
ROCMFORGE_DEVICE packet<float, 16> lookup(const packet<float, 16>& table,
                                          const packet<float, 16>& more,
                                          const packet<int, 16>& indices) {
  packet<float, 16> result;
#if defined(ROCMFORGE_PLATFORM_HOST) && defined(__AVX512F__)
  result.v = reinterpret_cast<typename packet<float, 16>::storage>(_mm512_permutex2var_ps(
      reinterpret_cast<__m512>(table.v), reinterpret_cast<__m512i>(indices.v),
      reinterpret_cast<__m512>(more.v)));
#else
  for (int i = 0; i < 16; ++i)
    result.set(i, (indices[i] & 16) != 0 ? more[indices[i] & 15] : table[indices[i] & 15]);
#endif
  return result;
}

/// 0, 1, 2, ...
template <int N>
ROCMFORGE_DEVICE packet<float, N> iota() {
  packet<float, N> result(0.0f);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.set(i, static_cast<float>(i));
  return result;
}

/// The first `count` elements of `value`; the others become `rest`.
template <int N>
ROCMFORGE_DEVICE packet<float, N> keep_first(const packet<float, N>& value, int count, float rest) {
  packet<float, N> result;
#if defined(ROCMFORGE_PLATFORM_HOST)
  result.v = iota<N>().v < packet<float, N>(static_cast<float>(count)).v ? value.v
                                                                         : packet<float, N>(rest).v;
#else
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = i < count ? value.v[i] : rest;
#endif
  return result;
}

/// `value` with `rest` in place of its first `count` elements.
template <int N>
ROCMFORGE_DEVICE packet<float, N> drop_first(const packet<float, N>& value, int count, float rest) {
  packet<float, N> result;
#if defined(ROCMFORGE_PLATFORM_HOST)
  result.v = iota<N>().v < packet<float, N>(static_cast<float>(count)).v ? packet<float, N>(rest).v
                                                                         : value.v;
#else
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = i < count ? rest : value.v[i];
#endif
  return result;
}

/// N bytes, each zero-extended (uint8_t) or sign-extended (int8_t) to 32 bits.
template <int N, class Byte>
ROCMFORGE_DEVICE packet<int, N> load_bytes(const Byte* p) {
  static_assert(sizeof(Byte) == 1);
  packet<int, N> result;
#if defined(ROCMFORGE_PLATFORM_HOST)
  using storage = typename packet<int, N>::storage;
  [[maybe_unused]] constexpr bool is_signed = std::is_signed_v<Byte>;
#if defined(__AVX512F__)
  if constexpr (N == 16) {  // by name: g++ 12 widens a vector of bytes one element at a time
    const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    result.v = reinterpret_cast<storage>(is_signed ? _mm512_maskz_cvtepi8_epi32(0xffff, raw)
                                                   : _mm512_maskz_cvtepu8_epi32(0xffff, raw));
    return result;
  }
#endif
#if defined(__AVX2__)
  if constexpr (N == 8) {
    const __m128i raw = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    result.v = reinterpret_cast<storage>(is_signed ? _mm256_cvtepi8_epi32(raw)
                                                   : _mm256_cvtepu8_epi32(raw));
    return result;
  }
#endif
  typedef Byte bytes __attribute__((vector_size(N)));
  bytes raw;
  std::memcpy(&raw, p, N);
  result.v = __builtin_convertvector(raw, storage);
#else
  struct elements {
    Byte t[N];
  };
  const auto raw = gpu::load_words<elements>(p);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = static_cast<int>(raw.t[i]);
#endif
  return result;
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
