// argmax of a row of logits a sequence.
#include <rocmforge/sampling.hpp>

#include <algorithm>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

const bool registered = register_for_models(
    "argmax", []<class T>(benchmark::State& state, const model_shape& model, int tokens, T) {
      const int rows = tokens == 1 ? 1 : 16, size = model.vocab_size;
      const std::size_t count = std::size_t(rows) * std::size_t(size);
      const auto logits = random_values<T>(count, 1, -10, 10);
      const device_buffer<T> device_logits(logits);
      const device_buffer<int> chosen{std::size_t(rows)};
      check_and_time(
          state, count * sizeof(T),
          [&](stream_ref queue) {
            return argmax(chosen.view(rows), device_logits.view(rows, size), queue);
          },
          [&] {
            const auto result = chosen.to_host();
            for (int row = 0; row < rows; ++row) {
              const auto begin = logits.begin() + std::ptrdiff_t(row) * size;
              const auto largest = std::max_element(begin, begin + size,
                                                    [](T a, T b) { return float(a) < float(b); });
              if (result[std::size_t(row)] != int(largest - begin)) return false;
            }
            return true;
          });
    });

}  // namespace
}  // namespace rocmforge::bench
