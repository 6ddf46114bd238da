// C = A B for a batch of matrices, in double.
#pragma once

#include <cstddef>
#include <vector>

namespace rocmforge::testing::reference {

/// @param a  [batch, m, k]
/// @param b  [batch, k, n]
/// @return [batch, m, n]
inline std::vector<double> gemm(const std::vector<double>& a, const std::vector<double>& b,
                                int batch, int m, int n, int k) {
  std::vector<double> c(std::size_t(batch * m * n), 0);
  for (int matrix = 0; matrix < batch; ++matrix) {
    for (int row = 0; row < m; ++row) {
      double* sums = c.data() + std::ptrdiff_t(matrix * m + row) * n;
      for (int i = 0; i < k; ++i) {
        const double left = a[std::size_t((matrix * m + row) * k + i)];
        const double* right = b.data() + std::ptrdiff_t(matrix * k + i) * n;
        for (int column = 0; column < n; ++column) sums[column] += left * right[column];
      }
    }
  }
  return c;
}

}  // namespace rocmforge::testing::reference
