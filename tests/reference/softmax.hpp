// Softmax of rows in double; a row of nothing but -infinity gives zeros.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace rocmforge::testing::reference {

/// @param x  [rows, size]
inline std::vector<double> softmax(const std::vector<double>& x, int rows, int size, double scale) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> y(x.size());
  for (int row = 0; row < rows; ++row) {
    double largest = -infinity, sum = 0;
    for (int i = 0; i < size; ++i)
      largest = std::max(largest, scale * x[std::size_t(row * size + i)]);
    if (largest == -infinity) continue;
    for (int i = 0; i < size; ++i)
      sum += std::exp(scale * x[std::size_t(row * size + i)] - largest);
    for (int i = 0; i < size; ++i) {
      y[std::size_t(row * size + i)] =
          std::exp(scale * x[std::size_t(row * size + i)] - largest) / sum;
    }
  }
  return y;
}

}  // namespace rocmforge::testing::reference
