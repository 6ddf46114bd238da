// Embedding lookup in a table of the result's own type and in a q4_1 one.
#include <rocmforge/embedding.hpp>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

constexpr int vocab_size = 4096;  // enough that a row is seldom in a cache

template <class Type, class T, class Element>
void run(benchmark::State& state, const std::vector<Type>& table, int hidden, int rows,
         Element&& element) {
  std::vector<int> tokens;
  for (int i = 0; i < rows; ++i) tokens.push_back(i * 1237 % vocab_size);
  const device_buffer<Type> device_table(table);
  const device_buffer<int> device_tokens(tokens);
  device_buffer<T> y(std::size_t(rows) * std::size_t(hidden));
  const int columns = hidden / block_traits<Type>::elements;
  check_and_time(
      state,
      std::size_t(rows) * (std::size_t(columns) * sizeof(Type) + std::size_t(hidden) * sizeof(T)),
      [&](stream_ref queue) {
        return embedding<Type>(y.view(rows, hidden), device_table.view(vocab_size, columns),
                               device_tokens.view(rows), queue);
      },
      [&] {
        return agrees(y, tolerance<T>, [&](std::size_t i) {
          return element(std::size_t(tokens[i / std::size_t(hidden)]), i % std::size_t(hidden));
        });
      });
}

const bool dense = register_for_models(
    "embedding", []<class T>(benchmark::State& state, const model_shape& model, int rows, T) {
      const std::size_t hidden = std::size_t(model.hidden_dim);
      const auto table = random_values<T>(std::size_t(vocab_size) * hidden, 1);
      run<T, T>(state, table, model.hidden_dim, rows, [&](std::size_t token, std::size_t i) {
        return double(float(table[token * hidden + i]));
      });
    });

// Bytes that are zero are blocks of zeros: the arithmetic is the same, and the check is a simple
// one.
const bool quantized = register_for_models(
    "embedding_q4_1", []<class T>(benchmark::State& state, const model_shape& model, int rows, T) {
      const std::vector<q4_1> table(std::size_t(vocab_size) * std::size_t(model.hidden_dim) / 32,
                                    q4_1{});
      run<q4_1, T>(state, table, model.hidden_dim, rows,
                   [](std::size_t, std::size_t) { return 0.0; });
    });

}  // namespace
}  // namespace rocmforge::bench
