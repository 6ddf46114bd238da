// Norms in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace rocmforge::testing::reference {

/// @param x       [rows, hidden]
/// @param weight  [hidden], to which `weight_offset` is added
inline std::vector<double> rms_norm(const std::vector<double>& x, const std::vector<double>& weight,
                                    int rows, int hidden, double epsilon,
                                    double weight_offset = 0) {
  std::vector<double> y(x.size());
  for (int row = 0; row < rows; ++row) {
    double squares = 0;
    for (int i = 0; i < hidden; ++i)
      squares += x[std::size_t(row * hidden + i)] * x[std::size_t(row * hidden + i)];
    const double scale = 1 / std::sqrt(squares / hidden + epsilon);
    for (int i = 0; i < hidden; ++i)
      y[std::size_t(row * hidden + i)] =
          x[std::size_t(row * hidden + i)] * scale * (weight[std::size_t(i)] + weight_offset);
  }
  return y;
}

/// @param x       [rows, hidden]
/// @param weight  [hidden]
/// @param bias    [hidden], or empty
inline std::vector<double> layer_norm(const std::vector<double>& x,
                                      const std::vector<double>& weight,
                                      const std::vector<double>& bias, int rows, int hidden,
                                      double epsilon) {
  std::vector<double> y(x.size());
  for (int row = 0; row < rows; ++row) {
    const double* in = x.data() + std::ptrdiff_t(row) * hidden;
    double mean = 0, variance = 0;
    for (int i = 0; i < hidden; ++i) mean += in[i] / hidden;
    for (int i = 0; i < hidden; ++i) variance += (in[i] - mean) * (in[i] - mean) / hidden;
    for (int i = 0; i < hidden; ++i) {
      y[std::size_t(row * hidden + i)] =
          (in[i] - mean) / std::sqrt(variance + epsilon) * weight[std::size_t(i)] +
          (bias.empty() ? 0 : bias[std::size_t(i)]);
    }
  }
  return y;
}

/// @param x  [rows, dim]
inline std::vector<double> l2_norm(const std::vector<double>& x, int rows, int dim,
                                   double epsilon) {
  std::vector<double> y(x.size());
  for (int row = 0; row < rows; ++row) {
    const double* in = x.data() + std::ptrdiff_t(row) * dim;
    double squares = 0;
    for (int i = 0; i < dim; ++i) squares += in[i] * in[i];
    const double length = std::max(std::sqrt(squares), epsilon);
    for (int i = 0; i < dim; ++i) y[std::size_t(row * dim + i)] = in[i] / length;
  }
  return y;
}

}  // namespace rocmforge::testing::reference
