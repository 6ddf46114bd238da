// Seeded random data, and what element types cost: for the tests and for examples/verify.
#pragma once

#include <cstddef>
#include <random>
#include <rocmforge/dtype.hpp>
#include <type_traits>
#include <vector>

namespace rocmforge::testing {

/// Half a unit in the last place of T, relative: what one rounding to T may cost.
template <class T>
inline constexpr double rounding = std::is_same_v<T, float>  ? 0x1p-24
                                   : std::is_same_v<T, half> ? 0x1p-11
                                                             : 0x1p-8;

/// What attention may cost: one rounding of the result and, of 16 bits, one of the weights.
template <class T>
inline constexpr double attention_rounding = (sizeof(T) == 2 ? 2 : 1) * rounding<T>;

template <class T>
double as_double(const T& value) {
  if constexpr (std::is_same_v<T, int>) {
    return value;
  } else if constexpr (std::is_constructible_v<float, T>) {
    return static_cast<double>(static_cast<float>(value));
  } else {
    return 0;  // a block of weights, which no op writes
  }
}

template <class T>
std::vector<double> to_double(const std::vector<T>& values) {
  std::vector<double> result;
  result.reserve(values.size());
  for (const T& value : values) result.push_back(as_double(value));
  return result;
}

/// Uniform values in [low, high), rounded to T.
template <class T>
std::vector<T> random_values(std::size_t count, unsigned seed, double low = -1, double high = 1) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<T> values(count);
  for (T& value : values) value = T(static_cast<float>(uniform(engine)));
  return values;
}

}  // namespace rocmforge::testing
