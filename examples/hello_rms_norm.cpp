// The smallest program: normalizes two rows and prints them.
//
//   0.365148 0.730296 1.09544 1.46059
//   0.758098 0.909718 1.06134 1.21296
#include <cstdio>
#include <rocmforge/memory.hpp>
#include <rocmforge/norm.hpp>
#include <vector>

int main() {
  if (rocmforge::devices().empty()) return std::puts("there is no device"), 1;

  const int num_rows = 2, hidden_dim = 4;
  const rocmforge::device_buffer<float> x(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  const rocmforge::device_buffer<float> weight(std::vector<float>{1, 1, 1, 1});
  rocmforge::device_buffer<float> y(num_rows * hidden_dim);

  const rocmforge::status status = rocmforge::rms_norm(
      y.view(num_rows, hidden_dim), x.view(num_rows, hidden_dim), weight.view(hidden_dim));
  if (!status) return std::fprintf(stderr, "%s\n", status.message().c_str()), 1;

  const std::vector<float> result = y.to_host();
  for (int i = 0; i < num_rows * hidden_dim; ++i) {
    std::printf("%g%c", result[i], i % hidden_dim == hidden_dim - 1 ? '\n' : ' ');
  }
}
