// Pairs of halves on the host.
#pragma once

#include <cstdint>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/half_pair.hpp"
#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// a and b, rounded.
ROCMFORGE_DEVICE half_pair make_half_pair(float a, float b) {
  return half(a).bits | static_cast<half_pair>(half(b).bits) << 16;
}

/// Whether the dot product of two pairs of halves is one instruction: as on the GPUs that the
/// emulated devices stand for.
inline constexpr bool has_half_dot = true;

/// Bytes First and First + 1 of a word less Zero, each a number from 0 to 255.
template <int First, int Zero>
ROCMFORGE_DEVICE half_pair bytes_to_halves(std::uint32_t bytes) {
  const auto at = [&](int i) {
    return static_cast<float>(static_cast<int>(bytes >> 8 * i & 255) - Zero);
  };
  return make_half_pair(at(First), at(First + 1));
}

/// a0 b0 + a1 b1 + sum, where products of halves are exact.
ROCMFORGE_DEVICE float dot_add(half_pair a, half_pair b, float sum) {
  return first_of(a) * first_of(b) + (second_of(a) * second_of(b) + sum);
}

/// The first halves of two pairs, and their second halves.
ROCMFORGE_DEVICE half_pair pair_of_firsts(half_pair a, half_pair b) {
  return (a & 0xffffu) | b << 16;
}
ROCMFORGE_DEVICE half_pair pair_of_seconds(half_pair a, half_pair b) {
  return a >> 16 | (b & 0xffff0000u);
}

/// N pairs from `p` on, which is aligned for halves only.
template <int N>
ROCMFORGE_DEVICE void load_half_pairs(half_pair (&to)[N], const half* p) {
  __builtin_memcpy(to, p, sizeof(to));
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
