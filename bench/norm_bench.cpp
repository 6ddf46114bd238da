// RMSNorm, alone and with the residual addition, LayerNorm and the L2 norm, on the rows of real
// models.
#include <rocmforge/norm.hpp>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

/// What row `row` of x must be multiplied by.
template <class T>
double row_scale(const std::vector<T>& x, std::size_t row, std::size_t hidden) {
  double squares = 0;
  for (std::size_t i = row * hidden; i < (row + 1) * hidden; ++i)
    squares += double(float(x[i])) * double(float(x[i]));
  return 1 / std::sqrt(squares / double(hidden) + 1e-5);
}

const bool norm = register_for_models("rms_norm", []<class T>(benchmark::State& state,
                                                              const model_shape& model, int rows,
                                                              T) {
  const int hidden = model.hidden_dim;
  const std::size_t count = std::size_t(rows) * std::size_t(hidden), row_size = std::size_t(hidden);
  const auto x = random_values<T>(count, 1), weight = random_values<T>(row_size, 2);
  device_buffer<T> device_x(x), device_weight(weight), y(count);
  check_and_time(
      state, (2 * count + row_size) * sizeof(T),
      [&](stream_ref queue) {
        return rms_norm(y.view(rows, hidden), device_x.view(rows, hidden),
                        device_weight.view(hidden), 1e-5f, queue);
      },
      [&] {
        return agrees(y, tolerance<T>, [&](std::size_t i) {
          return float(x[i]) * row_scale(x, i / row_size, row_size) * float(weight[i % row_size]);
        });
      });
});

const bool add_norm = register_for_models(
    "add_rms_norm", []<class T>(benchmark::State& state, const model_shape& model, int rows, T) {
      const int hidden = model.hidden_dim;
      const std::size_t count = std::size_t(rows) * std::size_t(hidden),
                        row_size = std::size_t(hidden);
      const auto x = random_values<T>(count, 1), residual = random_values<T>(count, 2),
                 weight = random_values<T>(row_size, 3);
      std::vector<T> added(count);
      for (std::size_t i = 0; i < count; ++i) added[i] = T(float(x[i]) + float(residual[i]));
      device_buffer<T> device_x(x), device_residual(residual), device_weight(weight), sum(count),
          y(count);
      check_and_time(
          state, (4 * count + row_size) * sizeof(T),
          [&](stream_ref queue) {
            return add_rms_norm(y.view(rows, hidden), sum.view(rows, hidden),
                                device_x.view(rows, hidden), device_residual.view(rows, hidden),
                                device_weight.view(hidden), 1e-5f, queue);
          },
          [&] {
            return agrees(y, tolerance<T>, [&](std::size_t i) {
              return float(added[i]) * row_scale(added, i / row_size, row_size) *
                     float(weight[i % row_size]);
            });
          });
    });

const bool layer = register_for_models(
    "layer_norm", []<class T>(benchmark::State& state, const model_shape& model, int rows, T) {
      const int hidden = model.hidden_dim;
      const std::size_t count = std::size_t(rows) * std::size_t(hidden),
                        row_size = std::size_t(hidden);
      const auto x = random_values<T>(count, 1, 1, 3), weight = random_values<T>(row_size, 2),
                 bias = random_values<T>(row_size, 3);
      device_buffer<T> device_x(x), device_weight(weight), device_bias(bias), y(count);
      check_and_time(
          state, (2 * count + 2 * row_size) * sizeof(T),
          [&](stream_ref queue) {
            return layer_norm(y.view(rows, hidden), device_x.view(rows, hidden),
                              device_weight.view(hidden), device_bias.view(hidden), 1e-5f, queue);
          },
          [&] {
            return agrees(y, tolerance<T>, [&](std::size_t i) {
              const std::size_t first = i / row_size * row_size;
              double mean = 0, variance = 0;
              for (std::size_t j = first; j < first + row_size; ++j) mean += float(x[j]) / hidden;
              for (std::size_t j = first; j < first + row_size; ++j)
                variance += std::pow(float(x[j]) - mean, 2) / hidden;
              return (float(x[i]) - mean) / std::sqrt(variance + 1e-5) * float(weight[i - first]) +
                     float(bias[i - first]);
            });
          });
    });

const bool l2 = register_for_models("l2_norm", []<class T>(benchmark::State& state,
                                                           const model_shape& model, int rows, T) {
  const int hidden = model.hidden_dim;
  const std::size_t count = std::size_t(rows) * std::size_t(hidden), row_size = std::size_t(hidden);
  const auto x = random_values<T>(count, 1);
  device_buffer<T> device_x(x), y(count);
  check_and_time(
      state, 2 * count * sizeof(T),
      [&](stream_ref queue) {
        return l2_norm(y.view(rows, hidden), device_x.view(rows, hidden), 1e-6f, queue);
      },
      [&] {
        return agrees(y, tolerance<T>, [&](std::size_t i) {
          double squares = 0;
          for (std::size_t j = i / row_size * row_size; j < (i / row_size + 1) * row_size; ++j)
            squares += double(float(x[j])) * double(float(x[j]));
          return float(x[i]) / std::sqrt(squares);
        });
      });
});

}  // namespace
}  // namespace rocmforge::bench
