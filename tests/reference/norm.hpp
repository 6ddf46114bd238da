// RMSNorm in double.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace rocmforge::testing::reference {

/// @param x       [rows, hidden]
/// @param weight  [hidden]
inline std::vector<double> rms_norm(const std::vector<double>& x, const std::vector<double>& weight,
                                    int rows, int hidden, double epsilon) {
  std::vector<double> y(x.size());
  for (int row = 0; row < rows; ++row) {
    double squares = 0;
    for (int i = 0; i < hidden; ++i)
      squares += x[std::size_t(row * hidden + i)] * x[std::size_t(row * hidden + i)];
    const double scale = 1 / std::sqrt(squares / hidden + epsilon);
    for (int i = 0; i < hidden; ++i)
      y[std::size_t(row * hidden + i)] =
          x[std::size_t(row * hidden + i)] * scale * weight[std::size_t(i)];
  }
  return y;
}

}  // namespace rocmforge::testing::reference
