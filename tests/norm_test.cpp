// RMSNorm and the fused residual addition against plain double loops.
#include <rocmforge/norm.hpp>

#include "reference/norm.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(norm);

// One packet, one wave, one block and their neighbours, and the rows of real models.
constexpr int hidden_dims[] = {1,   3,   31,  32,  33,   63,   64,   65,   127,
                               255, 256, 257, 576, 1023, 1024, 1025, 2048, 4096};

TEST_P(norm, rms_norm_agrees_with_double) {
  for_each_dtype([]<class T>(T) {
    for (const int hidden : hidden_dims) {
      SCOPED_TRACE(hidden);
      const int rows = 3;
      const auto x = random_values<T>(std::size_t(rows * hidden), 1, -3, 5);
      const auto weight = random_values<T>(std::size_t(hidden), 2);
      const device_buffer<T> device_x(x), device_weight(weight), device_y(x.size());
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
  const device_buffer<float> device_x(x), device_weight(weight);
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
      const device_buffer<T> device_x(x), device_residual(residual), device_weight(weight),
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

TEST_P(norm, refuses_what_does_not_fit) {
  const device_buffer<float> buffer(64);
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
  EXPECT_EQ(rms_norm(x, x, buffer.view(7)).message(),
            "rms_norm: weight: extent 0 is 7, expected 8 (invalid_shape)");
  EXPECT_SUCCESS(rms_norm(buffer.view(0, 8), buffer.view(0, 8), weight));  // no rows: nothing to do
}

}  // namespace
}  // namespace rocmforge::testing
