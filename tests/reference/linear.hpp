// y = x W^T + bias in double.
#pragma once

#include <cstddef>
#include <vector>

namespace rocmforge::testing::reference {

/// @param x       [num_tokens, in_dim]
/// @param weight  [out_dim, in_dim]
/// @param bias    [out_dim], or empty
/// @return [num_tokens, out_dim]
inline std::vector<double> linear(const std::vector<double>& x, const std::vector<double>& weight,
                                  const std::vector<double>& bias, int num_tokens, int out_dim,
                                  int in_dim) {
  std::vector<double> y;
  for (int token = 0; token < num_tokens; ++token) {
    for (int out = 0; out < out_dim; ++out) {
      const double* a = x.data() + std::ptrdiff_t(token) * in_dim;
      const double* b = weight.data() + std::ptrdiff_t(out) * in_dim;
      double sum = bias.empty() ? 0 : bias[std::size_t(out)];
      for (int i = 0; i < in_dim; ++i) sum += a[i] * b[i];
      y.push_back(sum);
    }
  }
  return y;
}

}  // namespace rocmforge::testing::reference
