// Rotary position embedding of the query heads in both layouts, and of queries and keys with their
// norms.
#include <rocmforge/rope.hpp>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

template <class T>
void run(benchmark::State& state, const model_shape& model, int tokens, rope_layout layout) {
  const int heads = model.num_heads, dim = model.head_dim;
  const std::size_t count = std::size_t(tokens) * std::size_t(heads * dim);
  const auto x = random_values<T>(count, 1);
  std::vector<int> positions;
  for (int token = 0; token < tokens; ++token) positions.push_back(1000 + token);
  device_buffer<T> device_x(x), y(count);
  const device_buffer<int> device_positions(positions);
  const auto rotated = [&](std::size_t i) {
    const std::size_t head_dim = std::size_t(dim), in_head = i % head_dim, head = i - in_head;
    const bool interleaved = layout == rope_layout::interleaved;
    const std::size_t pair = interleaved ? in_head / 2 : in_head % (head_dim / 2);
    const bool second = interleaved ? in_head % 2 != 0 : in_head >= head_dim / 2;
    const std::size_t first = head + (interleaved ? 2 * pair : pair),
                      other = first + (interleaved ? 1 : head_dim / 2);
    const double angle =
        positions[i / std::size_t(heads * dim)] * std::pow(10000.0, -2.0 * double(pair) / dim);
    const double a = float(x[first]), b = float(x[other]);
    return second ? a * std::sin(angle) + b * std::cos(angle)
                  : a * std::cos(angle) - b * std::sin(angle);
  };
  check_and_time(
      state, 2 * count * sizeof(T),
      [&](stream_ref queue) {
        return rope(y.view(tokens, heads, dim), device_x.view(tokens, heads, dim),
                    device_positions.view(tokens), {.layout = layout}, queue);
      },
      [&] { return agrees(y, tolerance<T>, rotated); });
}

const bool interleaved = register_for_models(
    "rope_interleaved", []<class T>(benchmark::State& state, const model_shape& model, int tokens,
                                    T) { run<T>(state, model, tokens, rope_layout::interleaved); });
const bool half_split = register_for_models(
    "rope_half_split", []<class T>(benchmark::State& state, const model_shape& model, int tokens,
                                   T) { run<T>(state, model, tokens, rope_layout::half_split); });

const bool with_norm = register_for_models(
    "qk_norm_rope", []<class T>(benchmark::State& state, const model_shape& model, int tokens, T) {
      const int heads = model.num_heads, kv_heads = model.num_kv_heads, dim = model.head_dim;
      const std::size_t q_count = std::size_t(tokens) * std::size_t(heads * dim),
                        k_count = std::size_t(tokens) * std::size_t(kv_heads * dim);
      const auto q = random_values<T>(q_count, 1), k = random_values<T>(k_count, 2),
                 weight = random_values<T>(std::size_t(dim), 3);
      device_buffer<T> device_q(q), device_k(k), device_weight(weight), q_out(q_count),
          k_out(k_count);
      // At position 0 the result is the norm's.
      const device_buffer<int> positions(std::vector<int>(std::size_t(tokens), 0));
      const auto normed = [&](const std::vector<T>& x, std::size_t i) {
        const std::size_t head_dim = std::size_t(dim), head = i / head_dim * head_dim;
        double squares = 0;
        for (std::size_t j = head; j < head + head_dim; ++j)
          squares += double(float(x[j])) * double(float(x[j]));
        return float(x[i]) / std::sqrt(squares / dim + 1e-5) * float(weight[i - head]);
      };
      check_and_time(
          state, 2 * (q_count + k_count) * sizeof(T),
          [&](stream_ref queue) {
            return qk_norm_rope(q_out.view(tokens, heads, dim), k_out.view(tokens, kv_heads, dim),
                                device_q.view(tokens, heads, dim),
                                device_k.view(tokens, kv_heads, dim), device_weight.view(dim),
                                device_weight.view(dim), positions.view(tokens),
                                {.layout = rope_layout::half_split}, {}, queue);
          },
          [&] {
            return agrees(q_out, tolerance<T>, [&](std::size_t i) { return normed(q, i); }) &&
                   agrees(k_out, tolerance<T>, [&](std::size_t i) { return normed(k, i); });
          });
    });

}  // namespace
}  // namespace rocmforge::bench
