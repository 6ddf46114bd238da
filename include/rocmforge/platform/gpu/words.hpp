// Neighboring elements in memory, moved with the widest instructions that their address allows.
#pragma once

#include <cstdint>

#include "rocmforge/platform/gpu/runtime.hpp"
#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace gpu {

/// The bytes of a small struct, to be moved with the widest instructions that the alignment allows.
template <class Elements>
struct alignas(sizeof(Elements) < arch::word_alignment ? sizeof(Elements)
                                                       : arch::word_alignment) words {
  unsigned char byte[sizeof(Elements)];
};

/// Reads a struct of neighboring elements from an address that is aligned for its elements only:
/// at once where the address allows it, else element by element.
template <class Elements, class T>
ROCMFORGE_DEVICE Elements load_words(const T* p) {
  Elements result;
  if (alignof(words<Elements>) <= alignof(T) ||
      reinterpret_cast<std::uintptr_t>(p) % alignof(words<Elements>) == 0) {
    const words<Elements> raw = *reinterpret_cast<const words<Elements>*>(p);
    __builtin_memcpy(&result, &raw, sizeof(Elements));
  } else {
    ROCMFORGE_UNROLL
    for (int i = 0; i < static_cast<int>(sizeof(Elements) / sizeof(T)); ++i) result.t[i] = p[i];
  }
  return result;
}

/// The same from device memory, never shared memory.
template <class Elements, class T>
ROCMFORGE_DEVICE Elements load_global_words(const T* p) {
  Elements result;
  if (alignof(words<Elements>) <= alignof(T) ||
      reinterpret_cast<std::uintptr_t>(p) % alignof(words<Elements>) == 0) {
    const words<Elements> raw = load_global(reinterpret_cast<const words<Elements>*>(p));
    __builtin_memcpy(&result, &raw, sizeof(Elements));
  } else {
    ROCMFORGE_UNROLL
    for (int i = 0; i < static_cast<int>(sizeof(Elements) / sizeof(T)); ++i)
      result.t[i] = load_global(p + i);
  }
  return result;
}

template <class T, class Elements>
ROCMFORGE_DEVICE void store_words(T* p, const Elements& value) {
  if (alignof(words<Elements>) <= alignof(T) ||
      reinterpret_cast<std::uintptr_t>(p) % alignof(words<Elements>) == 0) {
    store_at_once(reinterpret_cast<words<Elements>*>(p), value);
  } else {
    ROCMFORGE_UNROLL
    for (int i = 0; i < static_cast<int>(sizeof(Elements) / sizeof(T)); ++i) {
      p[i] = value.t[i];
      keep_stores_apart();
    }
  }
}

}  // namespace gpu
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
