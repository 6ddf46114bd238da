// Products whose activations or weights have 16 bits, and blocks of another size than the default.
#include <rocmforge/linear.hpp>
#include <rocmforge/model/weight_kernels.hpp>

#include "reference/linear_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(linear_types);

/// Rows of whole blocks of 256.
template <class T, class Type>
void check_blocks() {
  for (const int num_tokens : {1, 3, 9, 40}) {
    check_linear<T, Type>({.num_tokens = num_tokens, .out_dim = 25, .in_dim = 256});
    check_linear<T, Type>(
        {.num_tokens = num_tokens, .out_dim = 6, .in_dim = 768, .bias = true, .gap = 2});
  }
}

TEST_P(linear_types, float_with_half_agrees_with_double) {
  check_linear_shapes<float, half>();
}
TEST_P(linear_types, float_with_bfloat16_agrees_with_double) {
  check_linear_shapes<float, bfloat16>();
}
TEST_P(linear_types, half_with_half_agrees_with_double) {
  check_linear_shapes<half, half>();
}
TEST_P(linear_types, half_with_q4_0_agrees_with_double) {
  check_linear_shapes<half, q4_0>();
}
TEST_P(linear_types, half_with_the_formats_of_common_models_agrees_with_double) {
  check_linear_shapes<half, q8_0>();
  check_blocks<half, q4_k>();
  check_blocks<half, q6_k>();
}
TEST_P(linear_types, bfloat16_with_the_formats_of_common_models_agrees_with_double) {
  check_linear_shapes<bfloat16, q8_0>();
  check_blocks<bfloat16, q4_k>();
  check_blocks<bfloat16, q6_k>();
}
TEST_P(linear_types, bfloat16_with_bfloat16_agrees_with_double) {
  check_linear_shapes<bfloat16, bfloat16>();
}

TEST_P(linear_types, x_and_y_may_be_of_different_types) {
  check_linear_shapes<float, half, half>();
  check_linear_shapes<half, q8_0, float>();
  check_linear_shapes<float, q4_0, bfloat16>();
  check_linear_shapes<bfloat16, bfloat16, float>();
}

TEST_P(linear_types, blocks_of_64_give_the_same_bits) {
  for (const int num_tokens : {1, 4, 40}) {
    const linear_problem p{.num_tokens = num_tokens, .out_dim = 70, .in_dim = 100};
    const linear_inputs<half, half> in(p);
    const padded_matrix<half> x(in.x, num_tokens, p.in_dim, 0),
        weight(in.weight, p.out_dim, p.in_dim, 0), y(num_tokens, p.out_dim, 0);
    EXPECT_SUCCESS((linear<half, const half, 64>(y.view(), x.view(), weight.read())));
    const auto expected = run_linear(p, in), actual = y.download();
    for (std::size_t i = 0; i < actual.size(); ++i)
      ASSERT_EQ(actual[i].bits, expected[i].bits) << i;
  }
}

}  // namespace
}  // namespace rocmforge::testing
