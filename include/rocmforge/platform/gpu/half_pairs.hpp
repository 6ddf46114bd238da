// Pairs of halves on a GPU.
#pragma once

#include <cstdint>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/gpu/runtime.hpp"
#include "rocmforge/platform/gpu/words.hpp"
#include "rocmforge/platform/half_pair.hpp"
#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// a and b, rounded.
ROCMFORGE_DEVICE half_pair make_half_pair(float a, float b) {
  return gpu::pack_halves(a, b);
}

/// Bytes First and First + 1 of a word less Zero, each a number from 0 to 255. A half from 1024 to
/// 2047 ends in the bits of its distance from 1024: the byte is put below 0x64, the upper byte of
/// 1024, and 1024 + Zero are taken off, which is exact.
template <int First, int Zero>
ROCMFORGE_DEVICE half_pair bytes_to_halves(std::uint32_t bytes) {
  static_assert(First == 0 || First == 2);
  constexpr half_pair offset = 0xe400u + Zero;  // -(1024 + Zero)
  return gpu::add_halves(gpu::bytes_below<First>(bytes, 0x64646464u), offset | offset << 16);
}

/// a0 b0 + a1 b1 + sum, where products of halves are exact.
ROCMFORGE_DEVICE float dot_add(half_pair a, half_pair b, float sum) {
  return gpu::dot_halves(a, b, sum);
}

/// The first halves of two pairs, and their second halves.
ROCMFORGE_DEVICE half_pair pair_of_firsts(half_pair a, half_pair b) {
  return gpu::select_bytes(b, a, 0x05040100u);
}
ROCMFORGE_DEVICE half_pair pair_of_seconds(half_pair a, half_pair b) {
  return gpu::select_bytes(b, a, 0x07060302u);
}

/// N pairs from `p` on, which is aligned for halves only.
template <int N>
ROCMFORGE_DEVICE void load_half_pairs(half_pair (&to)[N], const half* p) {
  struct elements {
    half t[2 * N];
  };
  const auto raw = gpu::load_words<elements>(p);
  __builtin_memcpy(to, &raw, sizeof(to));
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
