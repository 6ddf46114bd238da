// The hyperbolic tangent, to float accuracy also near 0.
#pragma once

#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// tanh elementwise: the continued fraction x / (1 + x^2 / (3 + x^2 / (5 + ...))) up to 13 at an
/// eighth of x, and tanh 2a = 2 tanh a / (1 + tanh^2 a) three times. Numerator and denominator are
/// doubled apart, so that there is but one division; nothing is subtracted, so that no digits of a
/// small result are lost. From |x| = 9 on it is 1 to the last digit.
template <int N>
ROCMFORGE_DEVICE packet<float, N> tanh_of(const packet<float, N>& x) {
  using floats = packet<float, N>;
  const floats limit(9.0f), minus(-1.0f);
  const floats clamped = maximum(minus * limit, minus * maximum(minus * limit, minus * x));
  const floats eighth = clamped * 0.125f, square = eighth * eighth;
  floats numerator = fma(square, floats(1.0f / 495), floats(4.0f / 33));
  numerator = fma(numerator, square, floats(1.0f)) * eighth;
  floats denominator = fma(square, floats(1.0f / 10395), floats(2.0f / 99));
  denominator = fma(denominator, square, floats(5.0f / 11));
  denominator = fma(denominator, square, floats(1.0f));
  ROCMFORGE_UNROLL
  for (int doubling = 0; doubling < 3; ++doubling) {
    const floats product = numerator * denominator;
    denominator = fma(denominator, denominator, numerator * numerator);
    numerator = product + product;
  }
  return numerator / denominator;
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
