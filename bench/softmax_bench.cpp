// Softmax of a row of logits a token, and of many rows of scores, more than caches hold.
#include <rocmforge/softmax.hpp>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

template <class T>
void run(benchmark::State& state, int rows, int size) {
  const std::size_t count = std::size_t(rows) * std::size_t(size), row_size = std::size_t(size);
  const auto x = random_values<T>(count, 1, -10, 10);
  device_buffer<T> device_x(x), y(count);
  std::vector<double> sums(std::size_t(rows), 0.0);
  for (std::size_t i = 0; i < count; ++i) sums[i / row_size] += std::exp(double(float(x[i])));
  check_and_time(
      state, 2 * count * sizeof(T),
      [&](stream_ref queue) {
        return softmax(y.view(rows, size), device_x.view(rows, size), 1.0f, queue);
      },
      [&] {
        return agrees(y, tolerance<T> / 10, [&](std::size_t i) {
          return std::exp(double(float(x[i]))) / sums[i / row_size];
        });
      });
}

const bool registered = register_for_models(
    "softmax", []<class T>(benchmark::State& state, const model_shape& model, int tokens, T) {
      run<T>(state, tokens == 1 ? 1 : 16, model.vocab_size);
    });

const bool many_rows_registered = [] {
  for (const int size : {128, 512, 4096, 32768}) {
    const auto add = [&]<class T>(T) {
      const int rows = (1 << 24) / size;
      const std::string name = std::string("softmax/scores/") + name_of(dtype_of<T>) +
                               "/rows:" + std::to_string(rows) + "/size:" + std::to_string(size);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        if (devices().empty()) return state.SkipWithError("there is no device");
        run<T>(state, rows, size);
      })->UseManualTime();
    };
    add(float{});
    add(half{});
  }
  return true;
}();

}  // namespace
}  // namespace rocmforge::bench
