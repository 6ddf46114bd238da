// Logits and probabilities as whole numbers. A float sum depends on its order and an exponential on
// the platform; these do not, so that equal logits give the same token wherever it is drawn.
#pragma once

#include <cstdint>

#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
namespace fixed_point {

/// Whole numbers in the order of logits: equal for equal ones (also for the two zeros), 0 for NaN
/// and above 0 for all others.
ROCMFORGE_HOST_DEVICE constexpr std::uint32_t order_key(float logit) {
  const auto bits = __builtin_bit_cast(std::uint32_t, logit);
  constexpr std::uint32_t sign = 0x80000000, infinity = 0x7f800000;
  if ((bits & ~sign) > infinity) return 0;
  return bits > sign ? ~bits : bits | sign;
}

/// The logit of a key other than 0; of the two zeros the positive one.
ROCMFORGE_HOST_DEVICE constexpr float logit_of(std::uint32_t key) {
  constexpr std::uint32_t sign = 0x80000000;
  return __builtin_bit_cast(float, (key & sign) != 0 ? key ^ sign : ~key);
}

/// Weights are in units of 2^-40, so that 2^23 of at most 1 add up to less than 2^64.
inline constexpr int weight_bits = 40;
inline constexpr int max_weights = 1 << 23;

/// log2(e) in units of 2^-24: the `scale` with which `weight` is e^-distance.
inline constexpr float unit_scale = 0x1.715476p+24f;

/// 2^(-distance * scale * 2^-24) in units of 2^-40, within one unit and a relative 6e-8 beside what
/// rounding the product to float costs; 0 where that is less than a unit. All but the product is in
/// whole numbers: there is nothing that compilers could contract to other bits.
///
/// @param distance  0 or more, may be infinite
/// @param scale     above 0, finite
ROCMFORGE_HOST_DEVICE constexpr std::uint64_t weight(float distance, float scale) {
  const float product = distance * scale;
  constexpr int limit = (1 << 30) - 1;  // 64 halvings
  const int exponent = product < static_cast<float>(limit) ? static_cast<int>(product) : limit;
  const auto fraction = static_cast<std::uint64_t>(exponent & 0xffffff) << 8;  // in units of 2^-32
  // 2^-f = 1 - f * r(f): r of degree 5 through the Chebyshev nodes of [0, 1]. The signs alternate
  // and every intermediate sum is positive.
  std::uint64_t r = 0x78809;
  r = 0x54a612 - (fraction * r >> 32);
  r = 0x274f388 - (fraction * r >> 32);
  r = 0xe353290 - (fraction * r >> 32);
  r = 0x3d7f7506 - (fraction * r >> 32);
  r = 0xb17217df - (fraction * r >> 32);
  const std::uint64_t power = (std::uint64_t{1} << 32) - (fraction * r >> 32);
  return power << (weight_bits - 32) >> (exponent >> 24);
}

/// The upper 64 bits of a * b.
ROCMFORGE_HOST_DEVICE constexpr std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t low = 0xffffffff;
  const std::uint64_t middle = (a >> 32) * (b & low) + ((a & low) * (b & low) >> 32);
  const std::uint64_t other = (a & low) * (b >> 32) + (middle & low);
  return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
}

}  // namespace fixed_point
}  // namespace rocmforge
