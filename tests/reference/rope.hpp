// Rotary position embedding, angles in long double.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace rocmforge::testing::reference {

struct rope_parameters {
  int heads, head_dim;
  int rotary_dim;    // elements of a head that are rotated
  bool interleaved;  // pairs are 2i and 2i + 1, else i and i + rotary_dim / 2
  double theta = 10000, position_scale = 1;
  double attention_factor = 1;        // cosines and sines are multiplied by it
  std::vector<int> row_of_pair = {};  // of positions; empty: all pairs row 0
};

/// @param x          [tokens, heads, head_dim]
/// @param positions  [rows, tokens]
/// @param factors    [rotary_dim / 2], or empty
template <class Position>
std::vector<double> rope(const std::vector<double>& x, const std::vector<Position>& positions,
                         const rope_parameters& p, const std::vector<float>& factors = {}) {
  std::vector<double> y = x;
  const int tokens = int(x.size()) / (p.heads * p.head_dim);
  for (int token = 0; token < tokens; ++token) {
    for (int pair = 0; pair < p.rotary_dim / 2; ++pair) {
      const int row = p.row_of_pair.empty() ? 0 : p.row_of_pair[std::size_t(pair)];
      long double angle = static_cast<long double>(positions[std::size_t(row * tokens + token)]) *
                          p.position_scale *
                          std::pow(static_cast<long double>(p.theta), -2.0L * pair / p.rotary_dim);
      if (!factors.empty()) angle /= factors[std::size_t(pair)];
      const double cosine = double(std::cos(angle)) * p.attention_factor,
                   sine = double(std::sin(angle)) * p.attention_factor;
      for (int head = 0; head < p.heads; ++head) {
        const int start = (token * p.heads + head) * p.head_dim;
        const auto first = std::size_t(start + (p.interleaved ? 2 * pair : pair));
        const auto second =
            std::size_t(start + (p.interleaved ? 2 * pair + 1 : pair + p.rotary_dim / 2));
        y[first] = x[first] * cosine - x[second] * sine;
        y[second] = x[first] * sine + x[second] * cosine;
      }
    }
  }
  return y;
}

}  // namespace rocmforge::testing::reference
