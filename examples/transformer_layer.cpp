// One transformer layer of the llama family from the library's ops, with random weights. The first
// four of eight tokens must come out as if they were alone: no token sees those behind it.
#include <cmath>
#include <cstdio>
#include <random>
#include <rocmforge/rocmforge.hpp>
#include <utility>
#include <vector>

using namespace rocmforge;

constexpr int hidden_dim = 256, ffn_dim = 768, num_heads = 8, num_kv_heads = 2, head_dim = 32;
constexpr int q_dim = num_heads * head_dim, kv_dim = num_kv_heads * head_dim;

std::vector<float> random_values(int count, float size) {
  static std::mt19937 engine(1);
  std::normal_distribution<float> normal(0, size);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(engine);
  return values;
}

/// A weight matrix [out_dim, in_dim] in 16 bits.
struct weight_matrix {
  int out_dim, in_dim;
  device_buffer<f16> weights;
  weight_matrix(int out, int in) : out_dim(out), in_dim(in) {
    const std::vector<float> values = random_values(out * in, 1 / std::sqrt(float(in)));
    weights = device_buffer<f16>(std::vector<f16>(values.begin(), values.end()));
  }
  auto view() const { return tensor_view<const f16, 2>(weights.view(out_dim, in_dim)); }
};

struct layer {
  device_buffer<float> attention_norm{std::vector<float>(hidden_dim, 1.0f)};
  device_buffer<float> ffn_norm{std::vector<float>(hidden_dim, 1.0f)};
  weight_matrix qkv{q_dim + 2 * kv_dim, hidden_dim}, attention_output{hidden_dim, q_dim};
  weight_matrix gate_up{2 * ffn_dim, hidden_dim}, down{hidden_dim, ffn_dim};
};

void check(const status& s) {
  if (!s) throw error(s.message());
}

/// `count` heads of [tokens, columns], from column `first` on, as [1, count, tokens, head_dim].
tensor_view<float, 4> heads_of(const tensor_view<float, 2>& x, int first, int count) {
  return {x.data + first, {1, count, x.extent[0], head_dim}, {0, head_dim, x.stride[0], 1}};
}

/// What the layer makes of `x` [num_tokens, hidden_dim], at most eight tokens.
std::vector<float> run(const layer& w, const std::vector<float>& x) {
  const int n = static_cast<int>(x.size()) / hidden_dim;
  const device_buffer<int> positions(std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7});
  device_buffer<float> memory(
      static_cast<std::size_t>(n * (3 * hidden_dim + 2 * (q_dim + kv_dim + ffn_dim))));
  auto take = [n, data = memory.data()](int columns) mutable {
    return make_view(std::exchange(data, data + n * columns), n, columns);
  };
  const auto residual = take(hidden_dim), normed = take(hidden_dim), projected = take(hidden_dim);
  const auto qkv = take(q_dim + 2 * kv_dim), attended = take(q_dim), gate_up = take(2 * ffn_dim);
  const auto gate = sub_view<1>(gate_up, 0, ffn_dim),
             up = sub_view<1>(gate_up, ffn_dim, 2 * ffn_dim);
  const tensor_view<float, 3> q_and_k{
      qkv.data, {n, num_heads + num_kv_heads, head_dim}, {qkv.stride[0], head_dim, 1}};

  memory.copy_from_host(x);  // the residual stream
  check(rms_norm(normed, residual, w.attention_norm.view(hidden_dim)));
  check(linear(qkv, normed, w.qkv.view()));
  check(rope(q_and_k, q_and_k, positions.view(n), {.layout = rope_layout::interleaved}));
  check(attention(heads_of(attended, 0, num_heads), heads_of(qkv, 0, num_heads),
                  heads_of(qkv, q_dim, num_kv_heads), heads_of(qkv, q_dim + kv_dim, num_kv_heads)));
  check(linear(projected, attended, w.attention_output.view()));
  check(add_rms_norm(normed, residual, projected, residual, w.ffn_norm.view(hidden_dim)));
  check(linear(gate_up, normed, w.gate_up.view()));
  check(swiglu(gate, gate, up));
  check(linear(projected, gate, w.down.view()));
  check(add(residual, projected, residual));

  std::vector<float> result = memory.to_host();
  result.resize(x.size());
  return result;
}

int main() try {
  if (devices().empty()) return std::puts("there is no device"), 1;
  const layer weights;
  const std::vector<float> x = random_values(8 * hidden_dim, 1);
  const std::vector<float> all = run(weights, x);
  const std::vector<float> four = run(weights, {x.begin(), x.begin() + 4 * hidden_dim});
  bool same = true;
  for (std::size_t i = 0; i < four.size(); ++i) same &= std::fabs(all[i] - four[i]) < 1e-4f;
  std::printf("the first token begins with %.4f %.4f %.4f\n", all[0], all[1], all[2]);
  std::printf("four of eight tokens alone: %s\n", same ? "the same" : "DIFFERENT");
  return same ? 0 : 1;
} catch (const rocmforge::error& caught) {
  return std::fprintf(stderr, "%s\n", caught.what()), 1;
}
