// Attention in a program of your own: tensors in 16 bits, laid out [batch, seq, heads, head_dim],
// and a stream. All scores are equal here, so that each query gets the mean of the values up to its
// own position: 0 0.5 1 1.5 ... The same program with HIP's own memory and stream is
// attention_hip.hip.
#include <cstdio>
#include <rocmforge/attention.hpp>
#include <rocmforge/memory.hpp>
#include <vector>

using namespace rocmforge;

constexpr int batch = 1, seq_len = 8, num_heads = 4, num_kv_heads = 2, head_dim = 64;

/// [batch, seq, heads, head_dim] in memory, as `attention` takes it: [batch, heads, seq, head_dim].
template <class T>
tensor_view<T, 4> heads_first(T* data, int heads) {
  return permuted<0, 2, 1, 3>(make_view(data, batch, seq_len, heads, head_dim));
}

int main() try {
  if (devices().empty()) return std::puts("there is no device"), 1;
  constexpr int kv_size = batch * seq_len * num_kv_heads * head_dim;
  constexpr int q_size = batch * seq_len * num_heads * head_dim;
  std::vector<f16> values(kv_size);
  for (int i = 0; i < kv_size; ++i)
    values[i] = f16(float(i / (num_kv_heads * head_dim)));  // its position

  const stream queue;
  const device_buffer<f16> q(std::vector<f16>(q_size, f16(1.0f)), queue);
  const device_buffer<f16> k(std::vector<f16>(kv_size, f16(0.5f)), queue);
  const device_buffer<f16> v(values, queue);
  device_buffer<f16> out(q_size);

  const status result =
      attention(heads_first(out.data(), num_heads), heads_first(q.data(), num_heads),
                heads_first(k.data(), num_kv_heads), heads_first(v.data(), num_kv_heads),
                {.causal = true}, {}, queue);
  if (!result) throw error(result.message());

  const std::vector<f16> attended = out.to_host(queue);
  for (int token = 0; token < seq_len; ++token) {
    std::printf("%g%c", float(attended[token * num_heads * head_dim]),
                token + 1 < seq_len ? ' ' : '\n');
  }
} catch (const rocmforge::error& caught) {
  return std::fprintf(stderr, "%s\n", caught.what()), 1;
}
