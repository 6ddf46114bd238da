// Activations as halves for products with exact numbers: a float is two halves, its rounded value
// and the rest.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/platform/half_pairs.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Before it is split, a row of floats is scaled by a power of two such that the rest is no
/// denormal number, so that nothing is lost that a float sum would keep. A bfloat16 is exact in one
/// half, and scaled too; a half is taken as it is.
namespace half_limbs {
using namespace device;

/// Halves that stand for an element of TX.
template <class TX>
inline constexpr int count = std::is_same_v<TX, float> ? 2 : 1;
template <class TX>
inline constexpr bool are_scaled = !std::is_same_v<TX, half>;

/// The power of two that takes the largest magnitude of a row to 2^14 and above. Neither it nor its
/// inverse overflows.
ROCMFORGE_DEVICE float scale_for(float maximum) {
  // The exponent of a float is biased by 127.
  const int exponent = static_cast<int>(__builtin_bit_cast(std::uint32_t, maximum) >> 23);
  const int wanted = 14 + 2 * 127 - exponent;
  const int possible = wanted < 1 ? 1 : wanted > 253 ? 253 : wanted;
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(possible) << 23);
}

/// The inverse of a power of two.
ROCMFORGE_DEVICE float inverse_of(float scale) {
  return __builtin_bit_cast(float, (254u << 23) - __builtin_bit_cast(std::uint32_t, scale));
}

/// What a scaled float has beyond its rounded value: less than 16. That of infinity is limited, for
/// it must not be NaN beside it.
ROCMFORGE_DEVICE float rest_of(float value, float rounded) {
  return __builtin_fmaxf(__builtin_fminf(value - rounded, 64.0f), -64.0f);
}
ROCMFORGE_DEVICE half_pair rest_of(float a, float b, half_pair rounded) {
  return make_half_pair(rest_of(a, first_of(rounded)), rest_of(b, second_of(rounded)));
}

}  // namespace half_limbs
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
