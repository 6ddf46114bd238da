// Products with dense and block-quantized weights against double loops over independently decoded
// weights: float activations. Other activations: linear_types_test.cpp.
#include <rocmforge/linear.hpp>
#include <rocmforge/model/weight_kernels.hpp>

#include "reference/linear_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(linear_layer);

TEST_P(linear_layer, float_weights_agree_with_double) {
  check_linear_shapes<float, float>();
}
TEST_P(linear_layer, q4_0_weights_agree_with_double) {
  check_linear_shapes<float, q4_0>();
}
TEST_P(linear_layer, q4_1_weights_agree_with_double) {
  check_linear_shapes<float, q4_1>();
}
TEST_P(linear_layer, q8_0_weights_agree_with_double) {
  check_linear_shapes<float, q8_0>();
}

// More columns than a panel of the host has, and more tokens than one of its tiles.
TEST_P(linear_layer, long_rows_agree_with_double) {
  for (const int num_tokens : {1, 4, 9}) {
    check_linear<float, float>({.num_tokens = num_tokens, .out_dim = 30, .in_dim = 2081});
    check_linear<float, q4_1>({.num_tokens = num_tokens, .out_dim = 30, .in_dim = 1536});
    check_linear<float, q4_0>({.num_tokens = num_tokens, .out_dim = 30, .in_dim = 2080});
    check_linear<float, q8_0>(
        {.num_tokens = num_tokens, .out_dim = 30, .in_dim = 4160, .bias = true, .gap = 3});
  }
}
TEST_P(linear_layer, a_prompt_of_513_tokens_agrees_with_double_large) {
  check_linear<float, q4_1>({.num_tokens = 513, .out_dim = 65, .in_dim = 576});
  check_linear<float, float>({.num_tokens = 513, .out_dim = 25, .in_dim = 2100, .bias = true});
}

template <class Type>
void check_independence() {
  for (const auto& [all, some] : {std::pair{8, 5}, std::pair{4, 2},
                                  std::pair{130, 70}}) {  // on each device one kernel a pair
    SCOPED_TRACE(std::to_string(all) + " tokens");
    const linear_problem p{.num_tokens = all, .out_dim = 70, .in_dim = 96};
    linear_problem part = p;
    part.num_tokens = some;
    const linear_inputs<float, Type> in(p);
    auto last = in;
    last.x.erase(last.x.begin(), last.x.end() - some * p.in_dim);
    const auto whole = run_linear(p, in);
    EXPECT_EQ(run_linear(part, last),
              std::vector<float>(whole.end() - some * p.out_dim, whole.end()));
  }
}
TEST_P(linear_layer, a_token_does_not_depend_on_the_others) {
  check_independence<float>();
  check_independence<q4_1>();
}

TEST_P(linear_layer, both_kernels_agree) {
  const linear_problem many{.num_tokens = 20, .out_dim = 65, .in_dim = 576};
  const linear_inputs<float, q4_0> in(many);
  const auto expected = to_double(run_linear(many, in));
  for (const int count : {1, 3}) {
    linear_problem few = many;
    few.num_tokens = count;
    auto first = in;
    first.x.resize(std::size_t(count * many.in_dim));
    expect_close(run_linear(few, first),
                 {expected.begin(), expected.begin() + count * many.out_dim}, 3e-6, 1.0);
  }
}

TEST_P(linear_layer, two_runs_give_the_same_bits) {
  for (const int num_tokens : {1, 4, 70}) {
    const linear_problem p{.num_tokens = num_tokens, .out_dim = 130, .in_dim = 288};
    const linear_inputs<float, q8_0> in(p);
    const auto first = run_linear(p, in);
    EXPECT_EQ(first, run_linear(p, in));
#if defined(ROCMFORGE_PLATFORM_HOST)
    const int threads = num_threads();
    for (const int other : {1, 2}) {
      set_num_threads(other);
      EXPECT_EQ(first, run_linear(p, in)) << other << " threads";
    }
    set_num_threads(threads);
#endif
#if defined(ROCMFORGE_EMULATION)
    for (const std::uint64_t seed : {2, 3, 4, 5}) {
      emulation::seed() = seed;
      EXPECT_EQ(first, run_linear(p, in)) << "lanes in the order of seed " << seed;
    }
    emulation::seed() = 1;
#endif
  }
}

// For const elements there are kernels in a library.
tensor_view<const float, 2> read(const device_buffer<float>& buffer, int rows, int columns) {
  return buffer.view(rows, columns);
}

TEST_P(linear_layer, a_product_over_nothing_is_the_bias) {
  const std::vector<float> bias{1, 2, 3};
  device_buffer<float> device_bias(bias), nothing(1);
  for (const int num_tokens : {1, 3, 9}) {
    device_buffer<float> y(std::size_t(num_tokens * 3));
    EXPECT_SUCCESS(linear(y.view(num_tokens, 3), read(nothing, num_tokens, 0), read(nothing, 3, 0),
                          device_bias.view(3)));
    const auto result = y.to_host();
    for (std::size_t i = 0; i < result.size(); ++i) EXPECT_EQ(result[i], bias[i % 3]);
  }
}

TEST_P(linear_layer, refuses_what_does_not_fit) {
  device_buffer<float> buffer(4096);
  device_buffer<q4_0> blocks(64);
  const auto y = buffer.view(3, 8);
  const auto x = read(buffer, 3, 64), dense = read(buffer, 8, 64);
  const tensor_view<const q4_0, 2> weight = blocks.view(8, 2);
  EXPECT_REFUSED(linear(y, read(buffer, 2, 64), dense), status_code::invalid_shape, "x");
  EXPECT_REFUSED(linear(y, read(buffer, 3, 63), dense), status_code::invalid_shape, "x");
  EXPECT_REFUSED(linear(y, read(buffer, 3, 65), weight), status_code::invalid_shape, "x");
  EXPECT_REFUSED(linear(buffer.view(3, 9), x, weight), status_code::invalid_shape, "weight");
  EXPECT_REFUSED(linear(y, x, weight, buffer.view(9)), status_code::invalid_shape, "bias");
  EXPECT_REFUSED(linear(permuted<1, 0>(buffer.view(8, 3)), x, weight), status_code::invalid_layout,
                 "y");
  EXPECT_REFUSED(linear(y, permuted<1, 0>(read(buffer, 64, 3)), weight),
                 status_code::invalid_layout, "x");
  EXPECT_REFUSED(linear(y, x, permuted<1, 0>(tensor_view<const q4_0, 2>(blocks.view(2, 8)))),
                 status_code::invalid_layout, "weight");
  EXPECT_REFUSED(linear(y, x, weight, tensor_view<const float, 1>{buffer.data(), {8}, {2}}),
                 status_code::invalid_layout, "bias");
  EXPECT_REFUSED(linear(tensor_view<float, 2>{nullptr, {3, 8}, {8, 1}}, x, weight),
                 status_code::invalid_argument, "y");
  EXPECT_EQ(linear(y, read(buffer, 3, 65), weight).message(),
            "linear: x: extent 1 is 65, expected 64 (invalid_shape)");
  EXPECT_SUCCESS(
      linear(buffer.view(0, 8), read(buffer, 0, 64), weight));  // no tokens: nothing to do
}

}  // namespace
}  // namespace rocmforge::testing
