// Sorting as a comparison sort in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace rocmforge::testing::reference {

/// The indices of a row in the order of its values, those of equal ones ascending, NaN last.
inline std::vector<int> sorted_indices(const std::vector<double>& row, bool descending) {
  std::vector<int> indices(row.size());
  std::iota(indices.begin(), indices.end(), 0);
  std::sort(indices.begin(), indices.end(), [&](int a, int b) {
    const double left = row[std::size_t(a)], right = row[std::size_t(b)];
    if (std::isnan(left) != std::isnan(right)) return std::isnan(right);
    if (left == right || std::isnan(left)) return a < b;
    return descending ? left > right : left < right;
  });
  return indices;
}

}  // namespace rocmforge::testing::reference
