// Rotary position embedding of the query heads, in place, in both layouts.
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
  const device_buffer<T> device_x(x), y(count);
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

}  // namespace
}  // namespace rocmforge::bench
