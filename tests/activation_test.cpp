// Activations, gated and plain, and addition against plain double loops.
#include <rocmforge/activation.hpp>

#include "reference/activation.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(activation);

// Packets, waves, one block's part of a row and their neighbors (256 lanes of 4 or 8), and the
// rows of real models.
constexpr int row_sizes[] = {1,   7,   31,   32,   33,   63,   64,   65,   255,  256,
                             257, 576, 1023, 1024, 1025, 1536, 2047, 2048, 2049, 4099};

TEST_P(activation, swiglu_agrees_with_double) {
  for_each_dtype([]<class T>(T) {
    for (const int size : row_sizes) {
      SCOPED_TRACE(size);
      const int rows = 2;
      const auto gate = random_values<T>(std::size_t(rows * size), 1, -12, 12),
                 up = random_values<T>(std::size_t(rows * size), 2, -3, 3);
      std::vector<double> expected(gate.size());
      for (std::size_t i = 0; i < expected.size(); ++i)
        expected[i] = reference::silu(float(gate[i])) * float(up[i]);
      device_buffer<T> device_gate(gate), device_up(up), y(gate.size());
      EXPECT_SUCCESS(
          swiglu(y.view(rows, size), device_gate.view(rows, size), device_up.view(rows, size)));
      expect_close(y.to_host(), expected, rounding<T> + 4e-6);
    }
  });
}

TEST_P(activation, swiglu_takes_halves_of_one_buffer_and_writes_over_the_gate) {
  for_each_dtype([]<class T>(T) {
    const int rows = 11, dim = 1000;
    const auto both = random_values<T>(std::size_t(rows * 2 * dim), 3, -5, 5);
    device_buffer<T> buffer(both);
    const auto gate = sub_view<1>(buffer.view(rows, 2 * dim), 0, dim),
               up = sub_view<1>(buffer.view(rows, 2 * dim), dim, 2 * dim);
    EXPECT_SUCCESS(swiglu(gate, gate, up));
    std::vector<double> expected = to_double(both);
    for (int row = 0; row < rows; ++row) {
      for (int i = 0; i < dim; ++i) {
        const std::size_t at = std::size_t(row * 2 * dim + i);
        expected[at] = reference::silu(expected[at]) * expected[at + std::size_t(dim)];
      }
    }
    expect_close(buffer.to_host(), expected, rounding<T> + 4e-6);
  });
}

TEST_P(activation, swiglu_of_huge_gates_is_the_limit) {
  const std::vector<float> gate = {-1e30f, -1e4f, -200, -90, 90, 200, 1e30f, 0};
  const std::vector<float> up(gate.size(), 2.0f);
  device_buffer<float> device_gate(gate), device_up(up), y(gate.size());
  EXPECT_SUCCESS(swiglu(y.view(1, 8), device_gate.view(1, 8), device_up.view(1, 8)));
  const auto result = y.to_host();
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(result[std::size_t(i)], 0, 1e-35) << gate[std::size_t(i)];
  for (int i = 4; i < 8; ++i) EXPECT_FLOAT_EQ(result[std::size_t(i)], 2 * gate[std::size_t(i)]);
}

TEST_P(activation, swiglu_is_nan_where_an_argument_is) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  device_buffer<float> gate(std::vector<float>{nan, 1, 1}), up(std::vector<float>{1, nan, 1}), y(3);
  EXPECT_SUCCESS(swiglu(y.view(1, 3), gate.view(1, 3), up.view(1, 3)));
  const auto result = y.to_host();
  EXPECT_TRUE(std::isnan(result[0]));
  EXPECT_TRUE(std::isnan(result[1]));
  EXPECT_FALSE(std::isnan(result[2]));
}

// Arguments on both sides of 0, dense where the functions bend, out to where they are 0 or x.
template <class T>
std::vector<T> spread_arguments() {
  auto values = random_values<T>(3000, 9, -6, 6);
  for (const T x : random_values<T>(300, 10, -40, 40)) values.push_back(x);
  for (const float x : {0.0f, -0.0f, 1e-30f, -1e-30f, 7.0f, -7.0f, 1e4f, -1e4f, 1e30f, -1e30f}) {
    if (!std::isinf(float(T(x)))) values.push_back(T(x));
  }
  return values;
}

/// `actual` is `expected` within `relative`, and what every number below the normal ones may lose.
template <class T>
void expect_values(const std::vector<T>& actual, const std::vector<double>& expected,
                   double relative) {
  ASSERT_EQ(actual.size(), expected.size());
  const double least = std::is_same_v<T, half> ? 0x1p-25 : 0x1p-126;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (std::isinf(float(actual[i]))) {
      ASSERT_GT(expected[i], std::numeric_limits<float>::max()) << i;
    } else {
      ASSERT_NEAR(double(float(actual[i])), expected[i], relative * std::fabs(expected[i]) + least)
          << i;
    }
  }
}

/// launch(y, x) is `expected` of each element, whether y is x or not.
template <class T, class Launch>
void check_plain(const Launch& launch, double (*expected)(double), double relative) {
  const auto x = spread_arguments<T>();
  const int size = int(x.size());
  std::vector<double> wanted;
  for (const T value : x) wanted.push_back(expected(double(float(value))));
  device_buffer<T> device_x(x), y(x.size());
  EXPECT_SUCCESS(launch(y.view(1, size), device_x.view(1, size)));
  EXPECT_SUCCESS(launch(device_x.view(1, size), device_x.view(1, size)));
  expect_values(y.to_host(), wanted, relative);
  expect_values(device_x.to_host(), wanted, relative);
}

TEST_P(activation, plain_functions_agree_with_double) {
  const auto silu_of = [](auto y, auto x) { return silu(y, x); };
  const auto tanh_form = [](auto y, auto x) { return gelu(y, x); };
  const auto erf_form = [](auto y, auto x) { return gelu(y, x, gelu_form::erf); };
  const auto quick = [](auto y, auto x) { return quick_gelu(y, x); };
  const auto relu_of = [](auto y, auto x) { return relu(y, x); };
  const auto squared = [](auto y, auto x) { return relu_squared(y, x); };
  check_plain<float>(silu_of, reference::silu, 1e-5);
  check_plain<float>(tanh_form, reference::gelu_tanh, 2e-5);
  check_plain<float>(erf_form, reference::gelu_erf, 2e-5);
  check_plain<float>(quick, reference::quick_gelu, 1e-5);
  check_plain<float>(relu_of, reference::relu, 0);
  check_plain<float>(squared, reference::relu_squared, 1e-7);
  check_plain<half>(erf_form, reference::gelu_erf, rounding<half> + 2e-5);
  check_plain<bfloat16>(tanh_form, reference::gelu_tanh, rounding<bfloat16> + 2e-5);
}

TEST_P(activation, plain_functions_take_rows_of_any_size) {
  for (const int size : row_sizes) {
    SCOPED_TRACE(size);
    const int rows = 3, stride = size + 3;
    const auto x = random_values<float>(std::size_t(rows * stride), 11, -2, 2);
    device_buffer<float> device_x(x);
    const auto view = sub_view<1>(device_x.view(rows, stride), 1, 1 + size);
    EXPECT_SUCCESS(relu(view, view));
    const auto result = device_x.to_host();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const int column = int(i) % stride;
      const bool inside = column >= 1 && column < 1 + size;
      ASSERT_EQ(result[i], inside && x[i] < 0 ? 0 : x[i]) << i;
    }
  }
}

// The error of e^(-x^2 / 2) grows with x^2; on the other side of 0 nothing does.
TEST_P(activation, gelu_with_erf_is_within_a_few_units_in_the_last_place) {
  const auto x = random_values<float>(20000, 12, -9, 9);
  const int size = int(x.size());
  device_buffer<float> device_x(x), y(x.size());
  EXPECT_SUCCESS(gelu(y.view(1, size), device_x.view(1, size), gelu_form::erf));
  const auto result = y.to_host();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = reference::gelu_erf(x[i]), unit = std::fabs(expected) * 0x1p-23;
    const double units = x[i] < 0 ? 4 + double(x[i]) * x[i] : 3;
    ASSERT_NEAR(result[i], expected, units * unit) << x[i];
  }
}

/// launch(y, gate, up) and launch(y, both) are `expected` of each pair.
template <class T, class Launch>
void check_gated(const Launch& launch, double (*expected)(double, double), double relative) {
  auto gate = spread_arguments<T>();
  if (gate.size() % 2 != 0) gate.pop_back();
  const int rows = 2, dim = int(gate.size()) / rows;
  const auto up = random_values<T>(gate.size(), 13, -9, 9);
  std::vector<T> both;
  std::vector<double> wanted;
  for (int row = 0; row < rows; ++row) {
    const auto first = row * dim, last = first + dim;
    both.insert(both.end(), gate.begin() + first, gate.begin() + last);
    both.insert(both.end(), up.begin() + first, up.begin() + last);
    for (int i = first; i < last; ++i)
      wanted.push_back(expected(float(gate[std::size_t(i)]), float(up[std::size_t(i)])));
  }
  device_buffer<T> device_gate(gate), device_up(up), device_both(both);
  device_buffer<T> y(gate.size());
  EXPECT_SUCCESS(launch(y.view(rows, dim), device_gate.view(rows, dim), device_up.view(rows, dim)));
  expect_values(y.to_host(), wanted, relative);
  y.fill_bytes(0xff);
  EXPECT_SUCCESS(launch(y.view(rows, dim), device_both.view(rows, 2 * dim)));
  expect_values(y.to_host(), wanted, relative);
}

TEST_P(activation, gated_functions_agree_with_double) {
  check_gated<float>([](auto... views) { return swiglu(views...); },
                     [](double gate, double up) { return reference::silu(gate) * up; }, 1e-5);
  check_gated<float>([](auto... views) { return geglu(views...); },
                     [](double gate, double up) { return reference::gelu_tanh(gate) * up; }, 2e-5);
  check_gated<float>([](auto... views) { return geglu(views..., gelu_form::erf); },
                     [](double gate, double up) { return reference::gelu_erf(gate) * up; }, 2e-5);
  check_gated<half>([](auto... views) { return geglu(views...); },
                    [](double gate, double up) { return reference::gelu_tanh(gate) * up; },
                    rounding<half> + 2e-5);
  check_gated<float>([](auto... views) { return reglu(views...); },
                     [](double gate, double up) { return reference::relu(gate) * up; }, 1e-7);
}

TEST_P(activation, clamped_swiglu_agrees_with_double) {
  check_gated<float>([](auto... views) { return clamped_swiglu(views...); },
                     [](double gate, double up) { return reference::clamped_swiglu(gate, up); },
                     2e-5);
  check_gated<float>(
      [](auto... views) { return clamped_swiglu(views..., {.alpha = 1.5f, .limit = 3}); },
      [](double gate, double up) { return reference::clamped_swiglu(gate, up, 1.5, 3); }, 2e-5);
}

TEST_P(activation, functions_are_nan_where_an_argument_is) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  device_buffer<float> x(std::vector<float>{nan, 1}), one(std::vector<float>{1, 1}), y(2);
  const auto from = x.view(1, 2), other = one.view(1, 2), to = y.view(1, 2);
  const auto expect_first = [&](status s) {
    EXPECT_SUCCESS(s);
    const auto result = y.to_host();
    EXPECT_TRUE(std::isnan(result[0]));
    EXPECT_FALSE(std::isnan(result[1]));
  };
  expect_first(silu(to, from));
  expect_first(gelu(to, from));
  expect_first(gelu(to, from, gelu_form::erf));
  expect_first(quick_gelu(to, from));
  expect_first(relu(to, from));
  expect_first(relu_squared(to, from));
  expect_first(clamped_swiglu(to, from, other));
  expect_first(clamped_swiglu(to, other, from));
}

// A tile of the serial host has 16384 columns or several rows: sizes on both sides of it.
TEST_P(activation, adds_rows_longer_and_shorter_than_a_tile_large) {
  for (const auto& [rows, size] : {std::pair{1, 16385}, {3, 40000}, {100, 193}, {43, 191}}) {
    SCOPED_TRACE(size);
    const auto x = random_values<float>(std::size_t(rows * size), 4),
               residual = random_values<float>(std::size_t(rows * size), 5);
    device_buffer<float> device_x(x), device_residual(residual), y(x.size());
    EXPECT_SUCCESS(
        add(y.view(rows, size), device_x.view(rows, size), device_residual.view(rows, size)));
    const auto result = y.to_host();
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(result[i], x[i] + residual[i]) << i;
  }
}

TEST_P(activation, add_rounds_once_and_works_in_place) {
  for_each_dtype([]<class T>(T) {
    for (const int size : row_sizes) {
      SCOPED_TRACE(size);
      const int rows = 3, stride = size + 5;
      const auto x = random_values<T>(std::size_t(rows * stride), 6),
                 residual = random_values<T>(std::size_t(rows * size), 7);
      device_buffer<T> device_x(x), device_residual(residual);
      const auto view = sub_view<1>(device_x.view(rows, stride), 2, 2 + size);
      EXPECT_SUCCESS(add(view, view, device_residual.view(rows, size)));
      auto expected = x;
      for (int row = 0; row < rows; ++row) {
        for (int i = 0; i < size; ++i) {
          T& value = expected[std::size_t(row * stride + i + 2)];
          value = T(float(value) + float(residual[std::size_t(row * size + i)]));
        }
      }
      const auto result = device_x.to_host();
      for (std::size_t i = 0; i < expected.size(); ++i)
        ASSERT_EQ(float(result[i]), float(expected[i])) << i;
    }
  });
}

TEST_P(activation, takes_another_block_size) {
  const auto x = random_values<float>(700, 8);
  device_buffer<float> device_x(x), y(x.size());
  EXPECT_SUCCESS((add<float, 64>(y.view(1, 700), device_x.view(1, 700), device_x.view(1, 700))));
  const auto result = y.to_host();
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(result[i], 2 * x[i]) << i;
}

TEST_P(activation, refuses_what_does_not_fit) {
  device_buffer<float> buffer(64);
  const auto x = buffer.view(2, 8);
  const auto transposed = permuted<1, 0>(buffer.view(8, 2));
  const tensor_view<float, 2> nothing{nullptr, {2, 8}, {8, 1}};
  EXPECT_REFUSED(swiglu(x, buffer.view(3, 8), x), status_code::invalid_shape, "gate");
  EXPECT_REFUSED(swiglu(x, x, buffer.view(2, 7)), status_code::invalid_shape, "up");
  EXPECT_REFUSED(swiglu(transposed, x, x), status_code::invalid_layout, "y");
  EXPECT_REFUSED(swiglu(x, transposed, x), status_code::invalid_layout, "gate");
  EXPECT_REFUSED(swiglu(x, x, transposed), status_code::invalid_layout, "up");
  EXPECT_REFUSED(swiglu(x, nothing, x), status_code::invalid_argument, "gate");
  EXPECT_REFUSED(add(x, buffer.view(2, 9), x), status_code::invalid_shape, "x");
  EXPECT_REFUSED(add(x, x, buffer.view(1, 8)), status_code::invalid_shape, "residual");
  EXPECT_REFUSED(add(transposed, x, x), status_code::invalid_layout, "y");
  EXPECT_REFUSED(add(x, transposed, x), status_code::invalid_layout, "x");
  EXPECT_REFUSED(add(x, x, transposed), status_code::invalid_layout, "residual");
  EXPECT_REFUSED(add(nothing, x, x), status_code::invalid_argument, "y");
  EXPECT_REFUSED(add(tensor_view<float, 2>{buffer.data(), {-1, 8}, {8, 1}}, x, x),
                 status_code::invalid_shape, "y");
  EXPECT_REFUSED(swiglu(x, buffer.view(2, 15)), status_code::invalid_shape, "gate_up");
  EXPECT_REFUSED(swiglu(x, buffer.view(3, 16)), status_code::invalid_shape, "gate_up");
  EXPECT_REFUSED(geglu(x, permuted<1, 0>(buffer.view(16, 2))), status_code::invalid_layout,
                 "gate_up");
  EXPECT_REFUSED(reglu(x, x, buffer.view(2, 7)), status_code::invalid_shape, "up");
  EXPECT_REFUSED(gelu(x, buffer.view(2, 7)), status_code::invalid_shape, "x");
  EXPECT_REFUSED(silu(transposed, x), status_code::invalid_layout, "y");
  EXPECT_REFUSED(relu(x, nothing), status_code::invalid_argument, "x");
  for (const float wrong : {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_REFUSED(clamped_swiglu(x, x, x, {.limit = wrong}), status_code::invalid_argument,
                   "limit");
  }
  EXPECT_REFUSED(
      clamped_swiglu(x, buffer.view(2, 16), {.alpha = std::numeric_limits<float>::infinity()}),
      status_code::invalid_argument, "alpha");
  EXPECT_SUCCESS(add(buffer.view(0, 8), buffer.view(0, 8), buffer.view(0, 8)));
  EXPECT_SUCCESS(swiglu(buffer.view(8, 0), buffer.view(8, 0), buffer.view(8, 0)));
}

}  // namespace
}  // namespace rocmforge::testing
