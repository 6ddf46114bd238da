// SwiGLU in double.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace rocmforge::testing::reference {

inline double silu(double x) {
  return x / (1 + std::exp(-x));
}

/// silu(gate) * up, elementwise.
inline std::vector<double> swiglu(const std::vector<double>& gate, const std::vector<double>& up) {
  std::vector<double> y(gate.size());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = silu(gate[i]) * up[i];
  return y;
}

}  // namespace rocmforge::testing::reference
