// One source that instruction_sets_test.py compiles for two processors, as two parts of a program:
// the one that runs (with main), and one that does not and must not be called from it.
#include <cmath>
#include <cstdio>
#include <rocmforge/memory.hpp>
#include <rocmforge/norm.hpp>
#include <rocmforge/quant.hpp>
#include <vector>

#if defined(RUNS)
#define FUNCTION run_baseline
#else
#define FUNCTION run_wide
#endif

/// Norms of `size` ones and of a quantized row of ones, on the host.
bool FUNCTION(int size) {
  using namespace rocmforge;
  const std::vector<half> ones(static_cast<std::size_t>(size), half(1.0f));
  const device_buffer<half> x(ones);
  device_buffer<half> y(ones.size());
  const status s = rms_norm(y.view(1, size), tensor_view<const half, 2>(x.view(1, size)), {});
  if (!s.ok()) return std::puts(s.message().c_str()), false;
  device_buffer<q4_0> blocks(static_cast<std::size_t>(size / 32));
  device_buffer<float> values(static_cast<std::size_t>(size));
  if (!quantize<q4_0>(blocks.view(1, size / 32), x.view(1, size)).ok()) return false;
  if (!dequantize<q4_0>(values.view(1, size), blocks.view(1, size / 32)).ok()) return false;
  for (const half value : y.to_host()) {
    if (std::fabs(static_cast<float>(value) - 1.0f) > 1e-3f) return false;
  }
  for (const float value : values.to_host()) {
    if (value != 1.0f) return false;
  }
  return current_memory_statistics().num_allocations == 4;
}

#if defined(RUNS)
int main() {
  return run_baseline(1024) ? 0 : 1;
}
#endif
