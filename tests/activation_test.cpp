// SwiGLU and addition against plain double loops.
#include <rocmforge/activation.hpp>

#include "reference/activation.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(activation);

// Packets, waves, one block's part of a row and their neighbours (256 lanes of 4 or 8), and the
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
      const device_buffer<T> device_gate(gate), device_up(up), y(gate.size());
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
    const device_buffer<T> buffer(both);
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
  const device_buffer<float> device_gate(gate), device_up(up), y(gate.size());
  EXPECT_SUCCESS(swiglu(y.view(1, 8), device_gate.view(1, 8), device_up.view(1, 8)));
  const auto result = y.to_host();
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(result[std::size_t(i)], 0, 1e-35) << gate[std::size_t(i)];
  for (int i = 4; i < 8; ++i) EXPECT_FLOAT_EQ(result[std::size_t(i)], 2 * gate[std::size_t(i)]);
}

TEST_P(activation, swiglu_is_nan_where_an_argument_is) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const device_buffer<float> gate(std::vector<float>{nan, 1, 1}), up(std::vector<float>{1, nan, 1}),
      y(3);
  EXPECT_SUCCESS(swiglu(y.view(1, 3), gate.view(1, 3), up.view(1, 3)));
  const auto result = y.to_host();
  EXPECT_TRUE(std::isnan(result[0]));
  EXPECT_TRUE(std::isnan(result[1]));
  EXPECT_FALSE(std::isnan(result[2]));
}

// A tile of the serial host has 16384 columns or several rows: sizes on both sides of it.
TEST_P(activation, adds_rows_longer_and_shorter_than_a_tile_large) {
  for (const auto& [rows, size] : {std::pair{1, 16385}, {3, 40000}, {100, 193}, {43, 191}}) {
    SCOPED_TRACE(size);
    const auto x = random_values<float>(std::size_t(rows * size), 4),
               residual = random_values<float>(std::size_t(rows * size), 5);
    const device_buffer<float> device_x(x), device_residual(residual), y(x.size());
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
      const device_buffer<T> device_x(x), device_residual(residual);
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
  const device_buffer<float> device_x(x), y(x.size());
  EXPECT_SUCCESS((add<float, 64>(y.view(1, 700), device_x.view(1, 700), device_x.view(1, 700))));
  const auto result = y.to_host();
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(result[i], 2 * x[i]) << i;
}

TEST_P(activation, refuses_what_does_not_fit) {
  const device_buffer<float> buffer(64);
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
  EXPECT_SUCCESS(add(buffer.view(0, 8), buffer.view(0, 8), buffer.view(0, 8)));
  EXPECT_SUCCESS(swiglu(buffer.view(8, 0), buffer.view(8, 0), buffer.view(8, 0)));
}

}  // namespace
}  // namespace rocmforge::testing
