// A program of somebody else: normalizes two rows and looks at the result.
#include <cmath>
#include <cstdio>
#include <rocmforge/memory.hpp>
#include <rocmforge/norm.hpp>
#include <vector>

int main() {
  const rocmforge::device_buffer<float> x(std::vector<float>{3, 4, 0, 0, 6, 8, 0, 0});
  const rocmforge::device_buffer<float> weight(std::vector<float>{1, 1, 1, 1});
  rocmforge::device_buffer<float> y(8);
  if (const auto s = rocmforge::rms_norm(y.view(2, 4), x.view(2, 4), weight.view(4), 0.0f); !s) {
    std::fprintf(stderr, "%s\n", s.message().c_str());
    return 1;
  }
  // Both rows point the same way, so both become (1.2, 1.6, 0, 0).
  const std::vector<float> result = y.to_host();
  for (int i = 0; i < 8; ++i) {
    const float expected = i % 4 == 0 ? 1.2f : i % 4 == 1 ? 1.6f : 0.0f;
    if (!(std::fabs(result[i] - expected) < 1e-5f)) return 1;
  }
  std::puts("right");
}
