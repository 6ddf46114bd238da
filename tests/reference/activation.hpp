// Activations in double, each as its paper defines it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace rocmforge::testing::reference {

inline double silu(double x) {
  return x / (1 + std::exp(-x));
}
inline double gelu_erf(double x) {
  return x * std::erfc(-x / std::sqrt(2.0)) / 2;
}
inline double gelu_tanh(double x) {
  const double pi = std::acos(-1.0), t = std::sqrt(2 / pi) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (t > 0 ? 1 + std::tanh(t) : std::exp(t) / std::cosh(t));
}
inline double quick_gelu(double x) {
  return x / (1 + std::exp(-1.702 * x));
}
inline double relu(double x) {
  return x < 0 ? 0 : x;
}
inline double relu_squared(double x) {
  return x < 0 ? 0 : x * x;
}
inline double clamped_swiglu(double gate, double up, double alpha = 1.702, double limit = 7) {
  gate = std::min(gate, limit);
  up = std::clamp(up, -limit, limit);
  return gate / (1 + std::exp(-alpha * gate)) * (up + 1);
}

/// silu(gate) * up, elementwise.
inline std::vector<double> swiglu(const std::vector<double>& gate, const std::vector<double>& up) {
  std::vector<double> y(gate.size());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = silu(gate[i]) * up[i];
  return y;
}

}  // namespace rocmforge::testing::reference
