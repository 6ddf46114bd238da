// Softmax against plain double loops.
#include <rocmforge/softmax.hpp>

#include "reference/softmax.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(softmax_rows);

constexpr float infinity = std::numeric_limits<float>::infinity();

template <class T>
std::vector<T> softmax_of(const std::vector<T>& x, int rows, float scale) {
  const int size = int(x.size()) / rows;
  device_buffer<T> device_x(x), y(x.size());
  EXPECT_SUCCESS(softmax(y.view(rows, size), device_x.view(rows, size), scale));
  return y.to_host();
}

constexpr int row_sizes[] = {1,   3,   31,   32,   33,   63,   64,   65,   255,
                             256, 257, 1023, 1024, 1025, 2047, 2048, 2049, 5000};

TEST_P(softmax_rows, agree_with_double) {
  for_each_dtype([]<class T>(T) {
    for (const int size : row_sizes) {
      for (const float scale : {1.0f, 0.125f}) {
        SCOPED_TRACE(size);
        const int rows = 2;
        const auto x = random_values<T>(std::size_t(rows * size), unsigned(size), -20, 20);
        const auto expected = reference::softmax(to_double(x), rows, size, scale);
        // Below 2^-14 the steps of half do not shrink any further.
        const double smallest = std::is_same_v<T, half> ? 0x1p-14 : 1e-30;
        expect_close(softmax_of(x, rows, scale), expected, rounding<T> + 6e-6,
                     smallest / *std::max_element(expected.begin(), expected.end()));
      }
    }
  });
}

TEST_P(softmax_rows, of_all_negative_elements_ignore_what_is_beyond_the_row) {
  for (const int size : {1, 5, 17, 33, 100}) {  // a tail that counted as 0 would win over -100
    const auto x = random_values<float>(std::size_t(size), 2, -103, -100);
    expect_close(softmax_of(x, 1, 1.0f), reference::softmax(to_double(x), 1, size, 1), 4e-6);
  }
}

TEST_P(softmax_rows, of_huge_logits_do_not_overflow) {
  const std::vector<float> x = {3e38f, 3e38f, -3e38f, 0, 1000, 1001, 1002, -1e4f};
  expect_close(softmax_of(x, 2, 1.0f), reference::softmax(to_double(x), 2, 4, 1), 4e-6);
}

TEST_P(softmax_rows, of_nothing_but_minus_infinity_are_zero) {
  for (const int size : {1, 16, 40, 3000}) {
    SCOPED_TRACE(size);
    std::vector<float> x(std::size_t(3 * size), -infinity);
    x[std::size_t(2 * size - 1)] = -5;  // the middle row has one element
    const auto y = softmax_of(x, 3, 0.5f);
    for (std::size_t i = 0; i < y.size(); ++i)
      ASSERT_EQ(y[i], i == std::size_t(2 * size - 1) ? 1.0f : 0.0f) << i;
  }
}

TEST_P(softmax_rows, may_be_strided_and_written_in_place) {
  const int rows = 40, size = 70, stride = 90;  // on the host several blocks of several rows
  for_each_dtype([&]<class T>(T) {
    const auto x = random_values<T>(std::size_t(rows * stride), 3, -4, 4);
    device_buffer<T> buffer(x);
    const auto view = sub_view<1>(buffer.view(rows, stride), 3, 3 + size);
    EXPECT_SUCCESS(softmax(view, view));
    std::vector<double> expected = to_double(x);
    for (int row = 0; row < rows; ++row) {
      const auto begin = expected.begin() + row * stride + 3;
      const auto one = reference::softmax({begin, begin + size}, 1, size, 1);
      std::copy(one.begin(), one.end(), begin);
    }
    expect_close(buffer.to_host(), expected, rounding<T> + 4e-6);
  });
}

TEST_P(softmax_rows, of_many_rows_large) {
  const int rows = 130, size = 193;
  const auto x = random_values<float>(std::size_t(rows * size), 4, -9, 9);
  expect_close(softmax_of(x, rows, 1.0f), reference::softmax(to_double(x), rows, size, 1), 4e-6);
  const auto vocabulary = random_values<float>(49152, 5, -9, 9);
  expect_close(softmax_of(vocabulary, 1, 1.0f),
               reference::softmax(to_double(vocabulary), 1, 49152, 1), 4e-6);
}

TEST_P(softmax_rows, refuse_what_does_not_fit) {
  device_buffer<float> buffer(64);
  const auto x = buffer.view(2, 8);
  const auto transposed = permuted<1, 0>(buffer.view(8, 2));
  const tensor_view<float, 2> nothing{nullptr, {2, 8}, {8, 1}};
  EXPECT_REFUSED(softmax(x, buffer.view(2, 7)), status_code::invalid_shape, "x");
  EXPECT_REFUSED(softmax(transposed, x), status_code::invalid_layout, "y");
  EXPECT_REFUSED(softmax(x, transposed), status_code::invalid_layout, "x");
  EXPECT_REFUSED(softmax(nothing, x), status_code::invalid_argument, "y");
  EXPECT_REFUSED(softmax(x, nothing), status_code::invalid_argument, "x");
  for (const float scale : {0.0f, -1.0f, infinity, std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_REFUSED(softmax(x, x, scale), status_code::invalid_argument, "scale");
  }
  EXPECT_SUCCESS(softmax(buffer.view(0, 8), buffer.view(0, 8)));
  EXPECT_SUCCESS(softmax(buffer.view(8, 0), buffer.view(8, 0)));
}

}  // namespace
}  // namespace rocmforge::testing
