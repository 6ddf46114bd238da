// Sine and cosine of large angles, to float accuracy.
#pragma once

#include <cstdint>

#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// An angle of quadrant * pi/2 + rest, where |rest| <= pi/4 and only the last two bits of quadrant
/// matter.
struct reduced_angle {
  float rest;
  int quadrant;
};

/// The reduction is done in double: its error is below |angle| * 2e-16, for |angle| up to 2^50.
ROCMFORGE_DEVICE reduced_angle reduce_angle(double angle) {
  constexpr double two_over_pi = 0.63661977236758134, half_pi = 1.5707963267948966;
  constexpr double round_to_whole = 6755399441055744.0;  // 1.5 * 2^52: adding it drops the fraction
  const double shifted = angle * two_over_pi + round_to_whole;
  const double rest = angle - (shifted - round_to_whole) * half_pi;
  return {static_cast<float>(rest),
          static_cast<int>(__builtin_bit_cast(std::uint64_t, shifted) & 3)};
}

template <int N>
struct sine_and_cosine {
  packet<float, N> sine, cosine;
};

/// Taylor series of both functions on [-pi/4, pi/4], exchanged and negated as the quadrant asks
/// for: within 2 units in the last place.
template <int N>
ROCMFORGE_DEVICE sine_and_cosine<N> sincos(const packet<float, N>& rest,
                                           const packet<int, N>& quadrant) {
  using floats = packet<float, N>;
  using ints = packet<int, N>;
  const floats square = rest * rest;
  floats sine(2.7557319e-6f);  // 1/9!
  sine = fma(sine, square, floats(-1.9841270e-4f));
  sine = fma(sine, square, floats(8.3333333e-3f));
  sine = fma(sine, square, floats(-1.6666667e-1f));
  sine = fma(sine, square * rest, rest);
  floats cosine(-2.7557319e-7f);  // -1/10!
  cosine = fma(cosine, square, floats(2.4801587e-5f));
  cosine = fma(cosine, square, floats(-1.3888889e-3f));
  cosine = fma(cosine, square, floats(4.1666667e-2f));
  cosine = fma(cosine, square, floats(-0.5f));
  cosine = fma(cosine, square, floats(1.0f));
  const ints odd = quadrant & ints(1);
  const ints exchanged = ints(0) - odd, kept = odd - ints(1);  // masks of all or no bits
  const ints sine_bits = bit_cast<int>(sine), cosine_bits = bit_cast<int>(cosine);
  const floats sine_sign = to_float(ints(1) - (quadrant & ints(2)));
  const floats cosine_sign = to_float(ints(1) - ((quadrant + ints(1)) & ints(2)));
  return {bit_cast<float>((sine_bits & kept) | (cosine_bits & exchanged)) * sine_sign,
          bit_cast<float>((cosine_bits & kept) | (sine_bits & exchanged)) * cosine_sign};
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
