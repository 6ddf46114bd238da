// Units in the last place.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "case.hpp"

namespace verify {

/// The distance of neighboring numbers of a format at `magnitude`.
inline double unit_in_last_place(number_format format, double magnitude) {
  if (format == number_format::i32) return 1;
  const int fraction_bits = format == number_format::f32   ? 23
                            : format == number_format::f16 ? 10
                                                           : 7;
  const int least_exponent = format == number_format::f16 ? -14 : -126;
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = fraction * 2^exponent, fraction from 1/2 to 1
  return std::ldexp(1.0, std::max(exponent - 1, least_exponent) - fraction_bits);
}

/// The number of the format that is nearest to `value`, the even one of two.
inline double nearest(number_format format, double value) {
  if (!std::isfinite(value)) return value;
  const double unit = unit_in_last_place(format, std::fabs(value));
  const double rounded = std::nearbyint(value / unit) * unit;
  if (format == number_format::f16 && std::fabs(rounded) >= 65536)
    return std::copysign(std::numeric_limits<double>::infinity(), value);
  return rounded;
}

}  // namespace verify
