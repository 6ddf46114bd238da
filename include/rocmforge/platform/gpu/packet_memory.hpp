// Packets to and from memory on a GPU.
#pragma once

#include <cstdint>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/gpu/words.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/packet.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// N elements from `p` on, as floats. `p` is aligned for T only.
template <int N, class T>
ROCMFORGE_DEVICE packet<float, N> load_packet(const T* p) {
  packet<float, N> result;
  struct elements {
    T t[N];
  };
  const auto raw = gpu::load_words<elements>(p);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = static_cast<float>(raw.t[i]);
  return result;
}

/// The first `count` elements from `p` on; the others are 0 and are not read.
template <int N, class T>
ROCMFORGE_DEVICE packet<float, N> load_packet(const T* p, int count) {
  packet<float, N> result(0.0f);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    if (i < count) result.set(i, static_cast<float>(p[i]));
  }
  return result;
}

/// A pointer into device memory, never shared memory, where the compiler cannot know: one that was
/// read again with the arguments (`reloaded`).
template <class T>
struct global_pointer {
  const T* p;
};
template <class T>
ROCMFORGE_DEVICE global_pointer<T> global_memory(const T* p) {
  return {p};
}

template <int N, class T>
ROCMFORGE_DEVICE packet<float, N> load_packet(global_pointer<T> from) {
  packet<float, N> result;
  struct elements {
    T t[N];
  };
  const auto raw = gpu::load_global_words<elements>(from.p);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = static_cast<float>(raw.t[i]);
  return result;
}

template <int N, class T>
ROCMFORGE_DEVICE packet<float, N> load_packet(global_pointer<T> from, int count) {
  packet<float, N> result(0.0f);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    if (i < count) result.set(i, static_cast<float>(gpu::load_global(from.p + i)));
  }
  return result;
}

/// What addresses have to be multiples of, in bytes, for `load_raw` to be one instruction.
inline constexpr int wide_alignment = arch::word_alignment;

/// N elements from `p` on, which is a multiple of `wide_alignment`.
template <int N, class T>
ROCMFORGE_DEVICE raw_packet<T, N> load_raw(const T* p) {
  raw_packet<T, N> raw;
  struct elements {
    T t[N];
  };
  const auto words = *reinterpret_cast<const gpu::words<elements>*>(p);
  __builtin_memcpy(&raw, &words, sizeof(raw));
  return raw;
}

template <int N, class T>
ROCMFORGE_DEVICE raw_packet<T, N> load_raw(global_pointer<T> from) {
  raw_packet<T, N> raw;
  struct elements {
    T t[N];
  };
  const auto words = gpu::load_global(reinterpret_cast<const gpu::words<elements>*>(from.p));
  __builtin_memcpy(&raw, &words, sizeof(raw));
  return raw;
}

/// The first `count` elements, none if it is negative; the others are 0 and are not read.
template <int N, class T>
ROCMFORGE_DEVICE raw_packet<T, N> load_raw(global_pointer<T> from, int count) {
  struct elements {
    T t[N];
  } some{};
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    if (i < count) some.t[i] = gpu::load_global(from.p + i);
  }
  raw_packet<T, N> raw;
  __builtin_memcpy(&raw, &some, sizeof(raw));
  return raw;
}

/// The packet, of which the compiler no longer knows how it came about: it takes its halves apart
/// where they are used, not where they are loaded, which takes registers and waits for the load.
template <class T, int N>
ROCMFORGE_DEVICE raw_packet<T, N> as_loaded(raw_packet<T, N> raw) {
  for (unsigned& word : raw.word) word = gpu::as_it_is(word);
  return raw;
}

/// N elements from an address that is aligned for all of them (up to 16 bytes), as shared memory
/// can be; memory that is read so is also written so.
template <int N, class T>
ROCMFORGE_DEVICE raw_packet<T, N> load_aligned(const T* p) {
  return *reinterpret_cast<const raw_packet<T, N>*>(p);
}

template <class T, int N>
ROCMFORGE_DEVICE void store_aligned(T* p, const raw_packet<T, N>& raw) {
  *reinterpret_cast<raw_packet<T, N>*>(p) = raw;
}

/// Stores all N elements, rounded to T.
template <class T, int N>
ROCMFORGE_DEVICE void store_packet(T* p, const packet<float, N>& value) {
  struct elements {
    T t[N];
  };
  elements raw;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) raw.t[i] = T(value.v[i]);
  gpu::store_words(p, raw);
}

/// Stores the first `count` elements.
template <class T, int N>
ROCMFORGE_DEVICE void store_packet(T* p, const packet<float, N>& value, int count) {
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) {
    if (i < count) p[i] = T(value[i]);
  }
}

/// Every element is `value`.
template <int N>
ROCMFORGE_DEVICE packet<float, N> broadcast(half value) {
  return packet<float, N>(static_cast<float>(value));
}

/// Makes the compiler keep an array in memory, from where a processor broadcasts an element as it
/// loads it; out of a register it takes shuffles.
template <class Array>
ROCMFORGE_DEVICE void hold_in_memory([[maybe_unused]] Array& array) {}

/// Asks for the cache line of `p`, which will be read soon. On a GPU other waves hide the latency.
/// It comes into the second cache: rows lie a power of two apart, so that the first one, of a few
/// lines a set, would lose those in use for those to come.
ROCMFORGE_DEVICE void prefetch([[maybe_unused]] const void* p) {}

/// The first `count` elements of `value`; the others become `rest`.
template <int N>
ROCMFORGE_DEVICE packet<float, N> keep_first(const packet<float, N>& value, int count, float rest) {
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = i < count ? value.v[i] : rest;
  return result;
}

/// `value` with `rest` in place of its first `count` elements.
template <int N>
ROCMFORGE_DEVICE packet<float, N> drop_first(const packet<float, N>& value, int count, float rest) {
  packet<float, N> result;
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = i < count ? rest : value.v[i];
  return result;
}

/// N bytes, each zero-extended (uint8_t) or sign-extended (int8_t) to 32 bits.
template <int N, class Byte>
ROCMFORGE_DEVICE packet<int, N> load_bytes(const Byte* p) {
  static_assert(sizeof(Byte) == 1);
  packet<int, N> result;
  struct elements {
    Byte t[N];
  };
  const auto raw = gpu::load_words<elements>(p);
  ROCMFORGE_UNROLL
  for (int i = 0; i < N; ++i) result.v[i] = static_cast<int>(raw.t[i]);
  return result;
}

/// The number, held by each lane though it is the same for all: scalar registers are few on gfx9.
ROCMFORGE_DEVICE int in_each_lane(int number) {
  return static_cast<int>(gpu::as_it_is(static_cast<unsigned>(number)));
}

/// Whether `lookup` is one instruction.
inline constexpr bool has_lookup = false;

/// Does nothing: on a GPU the compiler chooses what is held in registers.
template <int N>
ROCMFORGE_DEVICE void hold(packet<float, N>&) {}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
