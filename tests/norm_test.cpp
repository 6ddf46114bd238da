// Norms, alone and with the residual addition, against plain double loops.
#include <rocmforge/norm.hpp>

#include "reference/norm.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(norm);

// One packet, one wave, one block and their neighbors, and the rows of real models.
constexpr int hidden_dims[] = {1,   3,   31,  32,  33,   63,   64,   65,   127,
                               255, 256, 257, 576, 1023, 1024, 1025, 2048, 4096};

TEST_P(norm, rms_norm_agrees_with_double) {
  for_each_dtype([]<class T>(T) {
    for (const int hidden : hidden_dims) {
      SCOPED_TRACE(hidden);
      const int rows = 3;
      const auto x = random_values<T>(std::size_t(rows * hidden), 1, -3, 5);
      const auto weight = random_values<T>(std::size_t(hidden), 2);
      device_buffer<T> device_x(x), device_weight(weight), device_y(x.size());
      EXPECT_SUCCESS(rms_norm(device_y.view(rows, hidden), device_x.view(rows, hidden),
                              device_weight.view(hidden), 1e-5f));
      expect_close(device_y.to_host(),
                   reference::rms_norm(to_double(x), to_double(weight), rows, hidden, 1e-5),
                   rounding<T> + 4e-6);
    }
  });
}

TEST_P(norm, rms_norm_takes_strided_rows_and_works_in_place) {
  const int rows = 5, hidden = 100, stride = 137;
  auto x = random_values<float>(std::size_t(rows * stride), 3);
  const auto weight = random_values<float>(std::size_t(hidden), 4);
  device_buffer<float> device_x(x), device_weight(weight);
  tensor_view<float, 2> view{device_x.data(), {rows, hidden}, {stride, 1}};
  EXPECT_SUCCESS(rms_norm(view, view, device_weight.view(hidden), 1e-6f));
  const auto after = device_x.to_host();
  for (int row = 0; row < rows; ++row) {
    const std::vector<float> in(x.begin() + row * stride, x.begin() + row * stride + hidden);
    const std::vector<float> out(after.begin() + row * stride,
                                 after.begin() + row * stride + hidden);
    expect_close(out, reference::rms_norm(to_double(in), to_double(weight), 1, hidden, 1e-6), 4e-6);
    for (int i = hidden; i < stride; ++i)
      EXPECT_EQ(after[std::size_t(row * stride + i)], x[std::size_t(row * stride + i)]);
  }
}

TEST_P(norm, add_rms_norm_agrees_with_double_and_with_two_steps) {
  for_each_dtype([]<class T>(T) {
    for (const int hidden : hidden_dims) {
      SCOPED_TRACE(hidden);
      const int rows = 2;
      const auto x = random_values<T>(std::size_t(rows * hidden), 5),
                 residual = random_values<T>(std::size_t(rows * hidden), 6);
      const auto weight = random_values<T>(std::size_t(hidden), 7);
      std::vector<T> sum(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) sum[i] = T(float(x[i]) + float(residual[i]));
      device_buffer<T> device_x(x), device_residual(residual), device_weight(weight),
          device_y(x.size());
      const auto stream_view =
          device_residual.view(rows, hidden);  // the sum takes the residual's place
      EXPECT_SUCCESS(add_rms_norm(device_y.view(rows, hidden), stream_view,
                                  device_x.view(rows, hidden), stream_view,
                                  device_weight.view(hidden)));
      const auto summed = device_residual.to_host();
      for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(float(summed[i]), float(sum[i])) << i;
      expect_close(device_y.to_host(),
                   reference::rms_norm(to_double(sum), to_double(weight), rows, hidden, 1e-5),
                   rounding<T> + 4e-6);
    }
  });
}

TEST_P(norm, rms_norm_adds_the_offset_to_the_weights) {
  for_each_dtype([]<class T>(T) {
    const int rows = 3, hidden = 129;
    const auto x = random_values<T>(std::size_t(rows * hidden), 8),
               residual = random_values<T>(x.size(), 9);
    const auto weight = random_values<T>(std::size_t(hidden), 10);
    device_buffer<T> device_x(x), device_residual(residual), device_weight(weight), y(x.size()),
        sum(x.size());
    const rms_norm_options options{.epsilon = 1e-3f, .weight_offset = 1};
    EXPECT_SUCCESS(rms_norm(y.view(rows, hidden), device_x.view(rows, hidden),
                            device_weight.view(hidden), options));
    expect_close(y.to_host(),
                 reference::rms_norm(to_double(x), to_double(weight), rows, hidden, 1e-3f, 1),
                 rounding<T> + 4e-6);
    EXPECT_SUCCESS(add_rms_norm(y.view(rows, hidden), sum.view(rows, hidden),
                                device_x.view(rows, hidden), device_residual.view(rows, hidden),
                                device_weight.view(hidden), options));
    expect_close(
        y.to_host(),
        reference::rms_norm(to_double(sum.to_host()), to_double(weight), rows, hidden, 1e-3f, 1),
        rounding<T> + 4e-6);
  });
}

TEST_P(norm, no_weights_are_weights_of_one) {
  const int rows = 2, hidden = 65;
  const auto x = random_values<float>(std::size_t(rows * hidden), 11);
  const std::vector<double> ones(std::size_t(hidden), 1.0);
  device_buffer<float> device_x(x), y(x.size());
  EXPECT_SUCCESS(rms_norm(y.view(rows, hidden), device_x.view(rows, hidden), {}));
  expect_close(y.to_host(), reference::rms_norm(to_double(x), ones, rows, hidden, 1e-5), 4e-6);
  EXPECT_SUCCESS(layer_norm(y.view(rows, hidden), device_x.view(rows, hidden), {}));
  expect_close(y.to_host(), reference::layer_norm(to_double(x), ones, {}, rows, hidden, 1e-5),
               4e-6);
}

TEST_P(norm, layer_norm_agrees_with_double) {
  for_each_dtype([]<class T>(T) {
    for (const int hidden : hidden_dims) {
      SCOPED_TRACE(hidden);
      const int rows = 3;
      const auto x = random_values<T>(std::size_t(rows * hidden), 12, -3, 5);
      const auto weight = random_values<T>(std::size_t(hidden), 13),
                 bias = random_values<T>(std::size_t(hidden), 14);
      device_buffer<T> device_x(x), device_weight(weight), device_bias(bias), y(x.size());
      EXPECT_SUCCESS(layer_norm(y.view(rows, hidden), device_x.view(rows, hidden),
                                device_weight.view(hidden), device_bias.view(hidden)));
      expect_close(y.to_host(),
                   reference::layer_norm(to_double(x), to_double(weight), to_double(bias), rows,
                                         hidden, 1e-5f),
                   rounding<T> + 4e-6, 1.0);
      EXPECT_SUCCESS(layer_norm(y.view(rows, hidden), device_x.view(rows, hidden),
                                device_weight.view(hidden), {}, 1e-6f));
      expect_close(y.to_host(),
                   reference::layer_norm(to_double(x), to_double(weight), {}, rows, hidden, 1e-6f),
                   rounding<T> + 4e-6, 1.0);
    }
  });
}

// GGUF files store the weights of norms as floats, whatever the rows are of.
template <class T>
void check_float_weights() {
  for (const int hidden : {1, 33, 64, 257, 1025, 2048}) {
    SCOPED_TRACE(hidden);
    const int rows = 2;
    const auto x = random_values<T>(std::size_t(rows * hidden), 30, -3, 5),
               residual = random_values<T>(x.size(), 31);
    const auto weight = random_values<float>(std::size_t(hidden), 32),
               bias = random_values<float>(std::size_t(hidden), 33);
    std::vector<T> sum(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) sum[i] = T(float(x[i]) + float(residual[i]));
    device_buffer<T> device_x(x), device_residual(residual), y(x.size()), device_sum(x.size());
    const device_buffer<float> device_weight(weight), device_bias(bias);
    const auto y_view = y.view(rows, hidden), x_view = device_x.view(rows, hidden),
               residual_view = device_residual.view(rows, hidden),
               sum_view = device_sum.view(rows, hidden);
    const auto weight_view = device_weight.view(hidden), bias_view = device_bias.view(hidden);
    const auto expect_rms = [&](const status& launched, const std::vector<T>& of) {
      EXPECT_SUCCESS(launched);
      expect_close(y.to_host(),
                   reference::rms_norm(to_double(of), to_double(weight), rows, hidden, 1e-5),
                   rounding<T> + 4e-6);
    };
    const auto expect_layer = [&](const status& launched, const std::vector<T>& of) {
      EXPECT_SUCCESS(launched);
      expect_close(y.to_host(),
                   reference::layer_norm(to_double(of), to_double(weight), to_double(bias), rows,
                                         hidden, 1e-5f),
                   rounding<T> + 4e-6, 1.0);
    };
    expect_rms(rms_norm(y_view, x_view, weight_view), x);
    expect_rms(add_rms_norm(y_view, sum_view, x_view, residual_view, weight_view), sum);
    expect_layer(layer_norm(y_view, x_view, weight_view, bias_view), x);
    expect_layer(add_layer_norm(y_view, sum_view, x_view, residual_view, weight_view, bias_view),
                 sum);
  }
}
TEST_P(norm, rows_of_half_take_weights_of_float) {
  check_float_weights<half>();
}
TEST_P(norm, rows_of_bfloat16_take_weights_of_float) {
  check_float_weights<bfloat16>();
}

// Of a mean of 10^4 and a variance of 1/12, E(x^2) - E(x)^2 in float would leave nothing, and the
// mean itself is off by more than 1e-4.
TEST_P(norm, layer_norm_of_rows_far_from_zero_keeps_its_digits) {
  for (const int hidden : {33, 1000, 1024, 4099}) {
    SCOPED_TRACE(hidden);
    const int rows = 2;
    const auto x = random_values<float>(std::size_t(rows * hidden), 15, 10000, 10001);
    const std::vector<double> ones(std::size_t(hidden), 1.0);
    device_buffer<float> device_x(x);
    const auto view = device_x.view(rows, hidden);
    EXPECT_SUCCESS(layer_norm(view, view, {}));
    expect_close(device_x.to_host(),
                 reference::layer_norm(to_double(x), ones, {}, rows, hidden, 1e-5f), 2e-6, 1.0);
  }
}

TEST_P(norm, add_layer_norm_agrees_with_double) {
  for_each_dtype([]<class T>(T) {
    for (const int hidden : {1, 33, 64, 257, 576, 1025, 2048}) {
      SCOPED_TRACE(hidden);
      const int rows = 2, stride = hidden + 3;
      const auto x = random_values<T>(std::size_t(rows * stride), 16),
                 residual = random_values<T>(std::size_t(rows * hidden), 17),
                 weight = random_values<T>(std::size_t(hidden), 18),
                 bias = random_values<T>(std::size_t(hidden), 19);
      std::vector<T> sum;
      for (int row = 0; row < rows; ++row) {
        for (int i = 0; i < hidden; ++i)
          sum.push_back(T(float(x[std::size_t(row * stride + i)]) +
                          float(residual[std::size_t(row * hidden + i)])));
      }
      device_buffer<T> device_x(x), device_residual(residual), device_weight(weight),
          device_bias(bias), y(residual.size());
      const auto stream_view = device_residual.view(rows, hidden);
      EXPECT_SUCCESS(add_layer_norm(
          y.view(rows, hidden), stream_view, sub_view<1>(device_x.view(rows, stride), 0, hidden),
          stream_view, device_weight.view(hidden), device_bias.view(hidden)));
      const auto summed = device_residual.to_host();
      for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(float(summed[i]), float(sum[i])) << i;
      expect_close(y.to_host(),
                   reference::layer_norm(to_double(sum), to_double(weight), to_double(bias), rows,
                                         hidden, 1e-5f),
                   rounding<T> + 4e-6, 1.0);
    }
  });
}

TEST_P(norm, l2_norm_agrees_with_double) {
  for_each_dtype([]<class T>(T) {
    for (const int dim : {1, 31, 64, 65, 128, 255, 1024, 1025}) {
      SCOPED_TRACE(dim);
      const int rows = 4;
      auto x = random_values<T>(std::size_t(rows * dim), 20);
      for (int i = 0; i < dim; ++i) x[std::size_t(i)] = T(float(x[std::size_t(i)]) * 1e-2f);
      device_buffer<T> device_x(x), y(x.size());
      // The first row is shorter than epsilon.
      EXPECT_SUCCESS(l2_norm(y.view(rows, dim), device_x.view(rows, dim), 0.5f));
      expect_close(y.to_host(), reference::l2_norm(to_double(x), rows, dim, 0.5),
                   rounding<T> + 4e-6, 0.01);
    }
  });
}

TEST_P(norm, rows_of_zeros_stay_zeros_without_epsilon) {
  const int rows = 2, hidden = 40;
  device_buffer<float> x(std::vector<float>(std::size_t(rows * hidden), 0.0f));
  device_buffer<float> y(std::size_t(rows * hidden));
  const auto from = x.view(rows, hidden), to = y.view(rows, hidden);
  const auto expect_zeros = [&](status s) {
    EXPECT_SUCCESS(s);
    for (const float value : y.to_host()) EXPECT_EQ(value, 0.0f);
    y.fill_bytes(0xff);
  };
  expect_zeros(rms_norm(to, from, {}, 0.0f));
  expect_zeros(layer_norm(to, from, {}, {}, 0.0f));
  expect_zeros(l2_norm(to, from, 0.0f));
}

TEST_P(norm, rows_are_nan_where_an_element_is) {
  const int hidden = 70;
  std::vector<float> values(std::size_t(2 * hidden), 1.0f);
  values[50] = std::numeric_limits<float>::quiet_NaN();
  device_buffer<float> x(values), y(values.size());
  const auto from = x.view(2, hidden), to = y.view(2, hidden);
  const auto expect_first_row = [&](status s) {
    EXPECT_SUCCESS(s);
    const auto result = y.to_host();
    for (int i = 0; i < hidden; ++i) {
      EXPECT_TRUE(std::isnan(result[std::size_t(i)])) << i;
      EXPECT_FALSE(std::isnan(result[std::size_t(hidden + i)])) << i;
    }
  };
  expect_first_row(rms_norm(to, from, {}));
  expect_first_row(layer_norm(to, from, {}));
  expect_first_row(l2_norm(to, from));
}

// Rows that a GPU's lanes keep in registers, the longest of them, and longer ones.
TEST_P(norm, rows_longer_than_registers_large) {
  for (const int hidden : {8192, 8196, 8200, 10000}) {
    SCOPED_TRACE(hidden);
    const auto x = random_values<float>(std::size_t(hidden), 21, -3, 5);
    const std::vector<double> ones(std::size_t(hidden), 1.0);
    device_buffer<float> device_x(x), y(x.size());
    EXPECT_SUCCESS(rms_norm(y.view(1, hidden), device_x.view(1, hidden), {}));
    expect_close(y.to_host(), reference::rms_norm(to_double(x), ones, 1, hidden, 1e-5), 4e-6);
    EXPECT_SUCCESS(layer_norm(y.view(1, hidden), device_x.view(1, hidden), {}));
    expect_close(y.to_host(), reference::layer_norm(to_double(x), ones, {}, 1, hidden, 1e-5), 4e-6,
                 1.0);
  }
}

TEST_P(norm, refuses_what_does_not_fit) {
  device_buffer<float> buffer(64);
  const auto x = buffer.view(2, 8);
  const auto weight = buffer.view(8);
  EXPECT_REFUSED(rms_norm(x, buffer.view(3, 8), weight), status_code::invalid_shape, "x");
  EXPECT_REFUSED(rms_norm(x, x, buffer.view(7)), status_code::invalid_shape, "weight");
  EXPECT_REFUSED(rms_norm(x, permuted<1, 0>(buffer.view(8, 2)), weight),
                 status_code::invalid_layout, "x");
  EXPECT_REFUSED(rms_norm(x, x, weight, -1.0f), status_code::invalid_argument, "epsilon");
  EXPECT_REFUSED(rms_norm(tensor_view<float, 2>{nullptr, {2, 8}, {8, 1}}, x, weight),
                 status_code::invalid_argument, "y");
  EXPECT_REFUSED(add_rms_norm(x, x, x, x, weight), status_code::invalid_argument, "y");
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_REFUSED(rms_norm(x, x, weight, {.weight_offset = infinity}), status_code::invalid_argument,
                 "weight_offset");
  EXPECT_REFUSED(add_rms_norm(x, buffer.view(2, 9), x, x, weight), status_code::invalid_shape,
                 "sum");
  EXPECT_REFUSED(add_rms_norm(x, x, x, buffer.view(1, 8), weight), status_code::invalid_shape,
                 "residual");
  EXPECT_REFUSED(layer_norm(x, buffer.view(3, 8), weight), status_code::invalid_shape, "x");
  EXPECT_REFUSED(layer_norm(x, x, buffer.view(7)), status_code::invalid_shape, "weight");
  EXPECT_REFUSED(layer_norm(x, x, weight, buffer.view(9)), status_code::invalid_shape, "bias");
  EXPECT_REFUSED(layer_norm(x, x, weight, tensor_view<float, 1>{buffer.data(), {8}, {2}}),
                 status_code::invalid_layout, "bias");
  EXPECT_REFUSED(layer_norm(x, x, weight, weight, -1.0f), status_code::invalid_argument, "epsilon");
  EXPECT_REFUSED(layer_norm(permuted<1, 0>(buffer.view(8, 2)), x, weight),
                 status_code::invalid_layout, "y");
  EXPECT_REFUSED(add_layer_norm(x, x, x, x, weight), status_code::invalid_argument, "y");
  EXPECT_REFUSED(add_layer_norm(x, buffer.view(2, 7), x, x, weight), status_code::invalid_shape,
                 "sum");
  EXPECT_REFUSED(l2_norm(x, buffer.view(2, 7)), status_code::invalid_shape, "x");
  EXPECT_REFUSED(l2_norm(x, x, -1.0f), status_code::invalid_argument, "epsilon");
  EXPECT_REFUSED(l2_norm(x, x, std::numeric_limits<float>::quiet_NaN()),
                 status_code::invalid_argument, "epsilon");
  EXPECT_EQ(rms_norm(x, x, buffer.view(7)).message(),
            "rms_norm: weight: extent 0 is 7, expected 8 (invalid_shape)");
  EXPECT_SUCCESS(rms_norm(buffer.view(0, 8), buffer.view(0, 8), weight));  // no rows: nothing to do
}

}  // namespace
}  // namespace rocmforge::testing
