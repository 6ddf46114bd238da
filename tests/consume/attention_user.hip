// Somebody's HIP program with one header of ours: it picks its own block size and looks at the
// status.
#include <hip/hip_runtime.h>

#include <cstdio>
#include <rocmforge/attention.hpp>
#include <vector>

int main() {
  constexpr int batch = 1, num_heads = 2, seq_len = 16, head_dim = 64, block_size = 128;
  constexpr int size = batch * num_heads * seq_len * head_dim;
  std::vector<float> values(4 * size, 1.0f);  // out, q, k, v
  const std::size_t num_bytes = values.size() * sizeof(float);
  float* data = nullptr;
  if (hipMalloc(&data, num_bytes) != hipSuccess ||
      hipMemcpy(data, values.data(), num_bytes, hipMemcpyHostToDevice) != hipSuccess) {
    return std::fprintf(stderr, "no AMD GPU with free memory\n"), 1;
  }
  const auto view = [&](int i) {
    return rocmforge::make_view(data + i * size, batch, num_heads, seq_len, head_dim);
  };
  const rocmforge::status status = rocmforge::attention<float, float, block_size>(
      view(0), view(1), view(2), view(3), {.causal = true});
  if (!status) return std::fprintf(stderr, "%s\n", status.message().c_str()), 1;

  values.assign(values.size(), 0.0f);
  if (hipMemcpy(values.data(), data, num_bytes, hipMemcpyDeviceToHost) != hipSuccess) return 1;
  return values[0] == 1 ? 0 : 1;  // the mean of ones
}
