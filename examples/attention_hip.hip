// attention.cpp with HIP's own memory, stream and __half: how the library is called from a HIP
// program that exists already. Prints 0 0.5 1 1.5 ...
#include <hip/hip_fp16.h>
#include <hip/hip_runtime.h>

#include <cstdio>
#include <rocmforge/attention.hpp>
#include <rocmforge/platform/view_of.hpp>
#include <vector>

constexpr int batch = 1, seq_len = 8, num_heads = 4, num_kv_heads = 2, head_dim = 64;
constexpr int kv_size = batch * seq_len * num_kv_heads * head_dim;
constexpr int q_size = batch * seq_len * num_heads * head_dim;

/// [batch, seq, heads, head_dim] in memory, as `attention` takes it: [batch, heads, seq, head_dim].
rocmforge::tensor_view<rocmforge::f16, 4> heads_first(__half* data, int heads) {
  return rocmforge::permuted<0, 2, 1, 3>(rocmforge::view_of(data, batch, seq_len, heads, head_dim));
}

bool ok(hipError_t code) {
  if (code != hipSuccess) std::fprintf(stderr, "%s\n", hipGetErrorString(code));
  return code == hipSuccess;
}

int main() {
  std::vector<__half> host(2 * q_size + 2 * kv_size);  // out, q, k, v
  for (int i = 0; i < q_size + kv_size; ++i) host[q_size + i] = __float2half(1.0f);
  for (int i = 0; i < kv_size; ++i)
    host[2 * q_size + kv_size + i] = __float2half(float(i / (num_kv_heads * head_dim)));

  const std::size_t num_bytes = host.size() * sizeof(__half);
  __half* data = nullptr;
  hipStream_t stream = nullptr;
  if (!ok(hipMalloc(&data, num_bytes)) || !ok(hipStreamCreate(&stream)) ||
      !ok(hipMemcpyAsync(data, host.data(), num_bytes, hipMemcpyHostToDevice, stream)))
    return 1;

  const rocmforge::status result = rocmforge::attention(
      heads_first(data, num_heads), heads_first(data + q_size, num_heads),
      heads_first(data + 2 * q_size, num_kv_heads),
      heads_first(data + 2 * q_size + kv_size, num_kv_heads), {.causal = true}, {}, stream);
  if (!result) return std::fprintf(stderr, "%s\n", result.message().c_str()), 1;

  if (!ok(hipMemcpyAsync(host.data(), data, num_bytes, hipMemcpyDeviceToHost, stream)) ||
      !ok(hipStreamSynchronize(stream)))
    return 1;
  for (int token = 0; token < seq_len; ++token)
    std::printf("%g%c", __half2float(host[token * num_heads * head_dim]),
                token + 1 < seq_len ? ' ' : '\n');
  return ok(hipStreamDestroy(stream)) && ok(hipFree(data)) ? 0 : 1;
}
