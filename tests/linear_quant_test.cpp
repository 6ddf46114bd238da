// Products with weights in every block format that files have, against double loops over
// independently decoded weights; and rows looked up. The kernels are those that models use.
#include <rocmforge/model/weight_kernels.hpp>

#include "reference/linear_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(linear_quant);

/// Calls `f(Type{})` for every block format of files.
template <class F>
void for_each_weight_format(F&& f) {
  for_each_block_format([&]<class Type>(Type block) {
    if constexpr (!std::is_same_v<Type, q8_1> && !std::is_same_v<Type, q8_k>) {
      SCOPED_TRACE(reference::format<Type>::name);
      f(block);
    }
  });
}

TEST_P(linear_quant, products_in_every_format_agree_with_double) {
  for_each_weight_format([]<class Type>(Type) {
    const int elements = block_traits<Type>::elements;
    for (const int num_tokens : {1, 3, 9}) {
      check_linear<float, Type>({.num_tokens = num_tokens, .out_dim = 25, .in_dim = elements});
      check_linear<float, Type>(
          {.num_tokens = num_tokens, .out_dim = 6, .in_dim = 3 * elements, .bias = true, .gap = 2});
    }
  });
}

// A real model's rows: many steps of a wave, and more columns than a panel of the host has.
TEST_P(linear_quant, long_rows_agree_with_double) {
  for_each_weight_format([]<class Type>(Type) {
    if (block_traits<Type>::elements == 256)
      check_linear<float, Type>({.num_tokens = 1, .out_dim = 9, .in_dim = 4096});
  });
  check_linear<float, q4_k>({.num_tokens = 33, .out_dim = 65, .in_dim = 2304});
  check_linear<float, q5_0>({.num_tokens = 2, .out_dim = 65, .in_dim = 4896});
}

TEST_P(linear_quant, rows_in_every_format_are_looked_up_exactly) {
  for_each_weight_format([]<class Type>(Type) {
    constexpr int elements = block_traits<Type>::elements, hidden_dim = 3 * elements, rows = 7;
    const auto stored = reference::random_weights<Type>(rows * hidden_dim, 5);
    const auto weights = reference::decode(stored);
    const std::vector<int> tokens{6, 0, 3, 3, 5};
    device_buffer<Type> table(stored);
    const device_buffer<int> device_tokens(tokens);
    device_buffer<float> y(tokens.size() * std::size_t(hidden_dim));
    EXPECT_SUCCESS(
        embedding<Type>(y.view(5, hidden_dim), table.view(rows, 3), device_tokens.view(5)));
    const auto actual = y.to_host();
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const std::size_t row = std::size_t(tokens[i / hidden_dim]);
      ASSERT_EQ(actual[i], float(weights[row * hidden_dim + i % hidden_dim])) << i;
    }
  });
}

}  // namespace
}  // namespace rocmforge::testing
