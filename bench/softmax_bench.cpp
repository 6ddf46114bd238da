// Softmax of a row of logits a token.
#include <rocmforge/softmax.hpp>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

const bool registered = register_for_models(
    "softmax", []<class T>(benchmark::State& state, const model_shape& model, int tokens, T) {
      const int rows = tokens == 1 ? 1 : 16, size = model.vocab_size;
      const std::size_t count = std::size_t(rows) * std::size_t(size), row_size = std::size_t(size);
      const auto x = random_values<T>(count, 1, -10, 10);
      const device_buffer<T> device_x(x), y(count);
      std::vector<double> sums(std::size_t(rows), 0.0);
      for (std::size_t i = 0; i < count; ++i) sums[i / row_size] += std::exp(double(float(x[i])));
      check_and_time(
          state, 2 * count * sizeof(T),
          [&](stream_ref queue) {
            return softmax(y.view(rows, size), device_x.view(rows, size), 1.0f, queue);
          },
          [&] {
            return agrees(y, 1e-6, [&](std::size_t i) {
              return std::exp(double(float(x[i]))) / sums[i / row_size];
            });
          });
    });

}  // namespace
}  // namespace rocmforge::bench
