// Gated activations on the two halves of a product, plain ones, and addition.
#include <rocmforge/activation.hpp>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

const bool gated = register_for_models(
    "swiglu", []<class T>(benchmark::State& state, const model_shape& model, int rows, T) {
      const int dim = model.ffn_dim;
      const std::size_t count = std::size_t(rows) * std::size_t(dim), row_size = std::size_t(dim);
      const auto both = random_values<T>(2 * count, 1, -8, 8);
      device_buffer<T> device_both(both), y(count);
      const auto gate_and_up = device_both.view(rows, 2 * dim);
      check_and_time(
          state, 3 * count * sizeof(T),
          [&](stream_ref queue) {
            return swiglu(y.view(rows, dim), sub_view<1>(gate_and_up, 0, dim),
                          sub_view<1>(gate_and_up, dim, 2 * dim), queue);
          },
          [&] {
            return agrees(y, tolerance<T>, [&](std::size_t i) {
              const std::size_t at = i / row_size * 2 * row_size + i % row_size;
              const double gate = float(both[at]);
              return gate / (1 + std::exp(-gate)) * float(both[at + row_size]);
            });
          });
    });

template <class T, class Launch>
void run_plain(benchmark::State& state, const model_shape& model, int rows, const Launch& launch,
               double (*expected)(double)) {
  const int dim = model.ffn_dim;
  const std::size_t count = std::size_t(rows) * std::size_t(dim);
  const auto x = random_values<T>(count, 1, -8, 8);
  device_buffer<T> device_x(x), y(count);
  check_and_time(
      state, 2 * count * sizeof(T),
      [&](stream_ref queue) { return launch(y.view(rows, dim), device_x.view(rows, dim), queue); },
      [&] {
        return agrees(y, tolerance<T>, [&](std::size_t i) { return expected(float(x[i])); });
      });
}

const bool gelu_with_erf = register_for_models(
    "gelu_erf", []<class T>(benchmark::State& state, const model_shape& model, int rows, T) {
      run_plain<T>(
          state, model, rows,
          [](auto y, auto x, stream_ref queue) { return gelu(y, x, gelu_form::erf, queue); },
          [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; });
    });
const bool gelu_with_tanh = register_for_models(
    "gelu_tanh", []<class T>(benchmark::State& state, const model_shape& model, int rows, T) {
      run_plain<T>(
          state, model, rows,
          [](auto y, auto x, stream_ref queue) { return gelu(y, x, gelu_form::tanh, queue); },
          [](double x) {
            return x / 2 * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
          });
    });

const bool added = register_for_models(
    "add", []<class T>(benchmark::State& state, const model_shape& model, int rows, T) {
      const int dim = model.hidden_dim;
      const std::size_t count = std::size_t(rows) * std::size_t(dim);
      const auto x = random_values<T>(count, 1), residual = random_values<T>(count, 2);
      device_buffer<T> device_x(x), device_residual(residual), y(count);
      check_and_time(
          state, 3 * count * sizeof(T),
          [&](stream_ref queue) {
            return add(y.view(rows, dim), device_x.view(rows, dim), device_residual.view(rows, dim),
                       queue);
          },
          [&] {
            return agrees(y, tolerance<T>,
                          [&](std::size_t i) { return double(float(x[i])) + float(residual[i]); });
          });
    });

}  // namespace
}  // namespace rocmforge::bench
