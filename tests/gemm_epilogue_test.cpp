// What becomes of the sums of a dense product before they are stored.
#include <rocmforge/gemm.hpp>

#include "reference/gemm_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(gemm_epilogue);

/// What a user may write: sums above the diagonal of the first matrix become 0.
struct keep_lower_triangle {
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(packet<float, N> x, gemm_position at) const {
    for (int i = 0; i < N; ++i) {
      if (at.batch == 0 && at.column + i > at.row) x.set(i, 0.0f);
    }
    return x;
  }
};

const gemm_problem problems[] = {
    {.m = 1, .n = 1, .k = 3},
    {.m = 17, .n = 33, .k = 20, .batch = 2},
    {.m = 130, .n = 131, .k = 9, .c = {.gap = 1, .offset = 1}},
};

/// Compares `multiply(c, a, b)` with what `expected(sum, batch, row, column)` makes of the products
/// in double.
template <class T, class Multiply, class Expected>
void check_epilogue(const gemm_problem& p, const Multiply& multiply, const Expected& expected) {
  SCOPED_TRACE(to_text(p));
  const gemm_inputs<T> in(p);
  auto sums = in.product(p);
  for (int i = 0; i < int(sums.size()); ++i)
    sums[std::size_t(i)] = expected(sums[std::size_t(i)], i / p.n / p.m, i / p.n % p.m, i % p.n);
  expect_close(run_gemm<T>(p, in, multiply), sums, rounding<T> + 6e-6, 1.0);
}

double silu(double x) {
  return x / (1 + std::exp(-x));
}
double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

TEST_P(gemm_epilogue, bias_silu_and_residual_in_this_order) {
  for (const auto& p : problems) {
    const auto bias = random_values<float>(std::size_t(p.n), 3);
    const auto residual = random_values<float>(std::size_t(p.batch * p.m * p.n), 4);
    const device_buffer<float> device_bias(bias);
    const matrix_batch<float> device_residual(residual, p.batch, p.m, p.n, {.gap = 2});
    check_epilogue<float>(
        p,
        [&](const auto& c, const auto& a, const auto& b) {
          return gemm(c, a, b,
                      epilogue::chain(epilogue::bias(device_bias.view(p.n)),
                                      epilogue::activation(activations::silu{}),
                                      epilogue::residual(device_residual.view())),
                      {.alpha = 0.5f});
        },
        [&](double sum, int batch, int row, int column) {
          return silu(0.5 * sum + bias[std::size_t(column)]) +
                 residual[std::size_t((batch * p.m + row) * p.n + column)];
        });
  }
}

TEST_P(gemm_epilogue, gelu_and_scale_of_halves) {
  for (const auto& p : problems) {
    check_epilogue<half>(
        p,
        [](const auto& c, const auto& a, const auto& b) {
          return gemm(c, a, b,
                      epilogue::chain(epilogue::activation(activations::gelu_tanh{}),
                                      epilogue::scale{-3.0f}));
        },
        [](double sum, int, int, int) { return -3 * gelu(sum); });
  }
}

TEST_P(gemm_epilogue, large_sums_are_not_nan) {
  device_buffer<float> a(std::vector<float>{200, -200}), b(std::vector<float>{100}), c(2),
      zeros(std::vector<float>{0, 0});
  EXPECT_SUCCESS(
      gemm(c.view(1, 2, 1), a.view(1, 2, 1), b.view(1, 1, 1),
           epilogue::chain(epilogue::bias(zeros.view(1)), epilogue::activation(activations::silu{}),
                           epilogue::residual(zeros.view(1, 2, 1)))));
  EXPECT_EQ(c.to_host(), (std::vector<float>{20000, 0}));
}

TEST_P(gemm_epilogue, c_may_be_its_own_residual) {
  const gemm_problem p{.m = 40, .n = 70, .k = 33};
  const gemm_inputs<bfloat16> in(p);
  const auto before = random_values<bfloat16>(std::size_t(p.m * p.n), 6);
  const matrix_batch<bfloat16> a(in.a, 1, p.m, p.k), b(in.b, 1, p.k, p.n), c(before, 1, p.m, p.n);
  EXPECT_SUCCESS(gemm(c.view(), a.view(), b.view(), epilogue::residual(c.view())));
  auto expected = in.product(p);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += as_double(before[i]);
  expect_close(c.download(), expected, rounding<bfloat16> + 3e-6, 1.0);
}

TEST_P(gemm_epilogue, policies_are_the_users) {
  for (const auto& p : problems) {
    check_epilogue<float>(
        p,
        [](const auto& c, const auto& a, const auto& b) {
          return gemm(c, a, b, keep_lower_triangle{});
        },
        [](double sum, int batch, int row, int column) {
          return batch == 0 && column > row ? 0 : sum;
        });
  }
}

TEST_P(gemm_epilogue, is_refused_where_it_does_not_fit) {
  device_buffer<float> buffer(4096);
  const auto c = buffer.view(2, 8, 6), a = buffer.view(2, 8, 4), b = buffer.view(2, 4, 6);
  const auto with = [&](tensor_view<float, 1> bias, tensor_view<float, 3> residual) {
    return gemm(c, a, b,
                epilogue::chain(epilogue::bias(bias), epilogue::activation(activations::silu{}),
                                epilogue::residual(residual)));
  };
  EXPECT_SUCCESS(with(buffer.view(6), c));
  EXPECT_REFUSED(with(buffer.view(5), c), status_code::invalid_shape, "bias");
  EXPECT_REFUSED(with({buffer.data(), {6}, {2}}, c), status_code::invalid_layout, "bias");
  EXPECT_REFUSED(with({nullptr, {6}, {1}}, c), status_code::invalid_argument, "bias");
  EXPECT_REFUSED(with(buffer.view(6), buffer.view(1, 8, 6)), status_code::invalid_shape,
                 "residual");
  EXPECT_REFUSED(with(buffer.view(6), buffer.view(2, 7, 6)), status_code::invalid_shape,
                 "residual");
  EXPECT_REFUSED(with(buffer.view(6), buffer.view(2, 8, 5)), status_code::invalid_shape,
                 "residual");
  EXPECT_REFUSED(with(buffer.view(6), permuted<0, 2, 1>(buffer.view(2, 6, 8))),
                 status_code::invalid_layout, "residual");
}

}  // namespace
}  // namespace rocmforge::testing
