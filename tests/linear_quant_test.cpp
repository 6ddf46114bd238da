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

/// Compares with double: errors of at most `limit` times the sum of the magnitudes of products.
template <class Type>
void expect_within_magnitudes(const linear_problem& p, const linear_inputs<float, Type>& in,
                              double limit) {
  const auto num_tokens = std::size_t(p.num_tokens), out_dim = std::size_t(p.out_dim),
             in_dim = std::size_t(p.in_dim);
  const std::vector<double> x = to_double(in.x), weight = reference::decode(in.weight),
                            expected =
                                reference::linear(x, weight, {}, p.num_tokens, p.out_dim, p.in_dim);
  const std::vector<float> actual = run_linear(p, in);
  for (std::size_t token = 0; token < num_tokens; ++token) {
    for (std::size_t row = 0; row < out_dim; ++row) {
      double magnitude = 0;
      for (std::size_t k = 0; k < in_dim; ++k)
        magnitude += std::fabs(x[token * in_dim + k] * weight[row * in_dim + k]);
      EXPECT_NEAR(actual[token * out_dim + row], expected[token * out_dim + row], limit * magnitude)
          << token << ", " << row;
    }
  }
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

// Rows of x that a block cannot hold in shared memory at once, with the most columns and with few.
TEST_P(linear_quant, x_may_be_larger_than_shared_memory) {
  check_linear<float, q4_k>({.num_tokens = 4, .out_dim = 21, .in_dim = 24 * 256});
  check_linear<float, q8_0>({.num_tokens = 7, .out_dim = 5, .in_dim = 24 * 256 + 32, .gap = 1});
}

// One token is what models generate with. Kernels may write x as whole numbers for it, which must
// lose no more than a sum of floats does: a few units of 2^-24 of the sum of magnitudes. (3e-8 were
// measured.)
TEST_P(linear_quant, one_token_has_the_error_of_a_float_sum) {
  for_each_weight_format([]<class Type>(Type) {
    const linear_problem p{.num_tokens = 1, .out_dim = 19, .in_dim = 8 * 256};
    const linear_inputs<float, Type> in(p);
    expect_within_magnitudes(p, in, 2e-7);
  });
}

// Activations that have no half beside them: the largest and smallest floats, in one row with
// others, and rows of zeros.
TEST_P(linear_quant, activations_may_be_of_any_magnitude) {
  const linear_problem p{.num_tokens = 4, .out_dim = 18, .in_dim = 512};
  linear_inputs<float, q4_k> in(p);
  const float factors[] = {1e33f, 1e-30f, 0.0f, 1.0f};
  for (std::size_t i = 0; i < in.x.size(); ++i) in.x[i] *= factors[i / 512];
  in.x[3 * 512 + 7] = 1e5f;
  expect_within_magnitudes(p, in, 1e-6);
  for (int token = 0; token < 4; ++token) {
    linear_problem one = p;
    one.num_tokens = 1;
    linear_inputs<float, q4_k> alone = in;
    alone.x.assign(in.x.begin() + token * 512, in.x.begin() + (token + 1) * 512);
    expect_within_magnitudes(one, alone, 1e-6);
  }
}

TEST_P(linear_quant, what_is_not_finite_stays_so) {
  for (const float odd : {INFINITY, -INFINITY, NAN}) {
    const linear_problem p{.num_tokens = 1, .out_dim = 5, .in_dim = 1024};
    linear_inputs<float, q6_k> in(p);
    in.x[700] = odd;
    for (const float y : run_linear(p, in)) EXPECT_FALSE(std::isfinite(y)) << odd;
  }
}

// How the rows are divided among blocks depends on their number and on that of the threads.
TEST_P(linear_quant, a_row_does_not_depend_on_the_others) {
  const linear_problem p{.num_tokens = 1, .out_dim = 83, .in_dim = 768};
  const linear_inputs<float, q3_k> in(p);
  const std::vector<float> all = run_linear(p, in);
  for (int first = 0; first < p.out_dim; first += 21) {
    linear_problem some = p;
    some.out_dim = std::min(21, p.out_dim - first);
    linear_inputs<float, q3_k> part = in;
    part.weight.erase(part.weight.begin(), part.weight.begin() + first * 3);
    EXPECT_EQ(run_linear(some, part),
              std::vector<float>(all.begin() + first, all.begin() + first + some.out_dim));
  }
}

// A token's sum depends neither on its place nor on the tokens beside it.
TEST_P(linear_quant, the_order_of_tokens_changes_no_bit) {
  const linear_problem p{.num_tokens = 4, .out_dim = 37, .in_dim = 6 * 768};
  const linear_inputs<float, q5_k> in(p);
  linear_inputs<float, q5_k> turned = in;
  for (int token = 0; token < 4; ++token)
    std::copy_n(in.x.begin() + token * p.in_dim, p.in_dim,
                turned.x.begin() + (3 - token) * p.in_dim);
  const std::vector<float> y = run_linear<float>(p, in), y_turned = run_linear<float>(p, turned);
  for (int token = 0; token < 4; ++token) {
    for (int row = 0; row < p.out_dim; ++row) {
      ASSERT_EQ(y[std::size_t(token * p.out_dim + row)],
                y_turned[std::size_t((3 - token) * p.out_dim + row)])
          << token << ", " << row;
    }
  }
}

TEST_P(linear_quant, rows_may_run_backwards) {
  const linear_problem p{.num_tokens = 2, .out_dim = 37, .in_dim = 1024};
  const linear_inputs<float, q6_k> in(p);
  const int row_blocks = p.in_dim / 256;
  const padded_matrix<float> x(in.x, p.num_tokens, p.in_dim, 0), y(p.num_tokens, p.out_dim, 0);
  const device_buffer<q6_k> weight(in.weight);
  const tensor_view<const q6_k, 2> backwards = make_view(
      weight.data() + (p.out_dim - 1) * row_blocks, {p.out_dim, row_blocks}, {-row_blocks, 1});
  EXPECT_SUCCESS(linear(y.view(), x.read(), backwards));
  const auto forwards = reference::linear(to_double(in.x), reference::decode(in.weight), {},
                                          p.num_tokens, p.out_dim, p.in_dim);
  const std::vector<float> actual = y.download();
  for (int token = 0; token < p.num_tokens; ++token) {
    for (int row = 0; row < p.out_dim; ++row) {
      EXPECT_NEAR(actual[std::size_t(token * p.out_dim + row)],
                  forwards[std::size_t((token + 1) * p.out_dim - 1 - row)], 1e-3)
          << token << ", " << row;
    }
  }
}

#if defined(ROCMFORGE_EMULATION)
// The kernel for matrix instructions on an emulated wave, whose instruction is plain arithmetic:
// each way to store scales, each type of activations, and blocks of one, two and four waves.
template <class Type, class TX, int NumWaves>
void check_tiles(int num_tokens, int out_dim, int in_dim, bool biased) {
  const linear_problem p{num_tokens, out_dim, in_dim, biased, biased ? 1 : 0};
  linear_inputs<TX, Type> in(p);
  for (int k = 0; k < in_dim; ++k) in.x[std::size_t(k)] = TX(float(in.x[std::size_t(k)]) * 1e-3f);
  const padded_matrix<TX> x(in.x, num_tokens, in_dim, p.gap);
  const padded_matrix<float> y(num_tokens, out_dim, p.gap);
  const padded_matrix<Type> weight(in.weight, out_dim, in_dim / block_traits<Type>::elements,
                                   p.gap);
  const device_buffer<float> bias(in.bias);
  const status launched = dispatch(
      int_list<32, 64>{}, devices()[std::size_t(current_device())].wave_size, "linear", "", "",
      [&](auto wave) {
        constexpr int lanes = NumWaves * wave;
        constexpr gemm_tile tile = linear_mma_tile_for(lanes, wave);
        using kernel =
            kernels::linear_mma<float, Type, mma::host_tile<half, float, 16, 16, 16, wave>, tile,
                                lanes, wave, TX>;
        return launch("linear",
                      kernel{y.view(), x.read(), weight.read(), bias.view(int(in.bias.size()))},
                      {linear_launch::tiles_of(tile, y.view())}, {});
      });
  EXPECT_SUCCESS(launched);
  const auto expected = reference::linear(to_double(in.x), reference::decode(in.weight),
                                          to_double(in.bias), num_tokens, out_dim, in_dim);
  expect_close(y.download(), expected, 3e-6, 1.0);
}
TEST_P(linear_quant, waves_multiply_tiles) {
  if (device().wave_size == 1) GTEST_SKIP() << "a wave of one lane has no matrix instructions";
  check_tiles<q4_0, float, 4>(70, 90, 160, true);
  check_tiles<q4_k, float, 4>(9, 65, 256, false);
  check_tiles<q2_k, half, 2>(33, 33, 512, true);
  check_tiles<q6_k, bfloat16, 1>(33, 40, 256, false);
}
#endif

// One wave a block, and a number of them that is no power of two; waves of 64 do not fit in either.
TEST_P(linear_quant, blocks_may_have_any_number_of_waves) {
  const linear_problem p{.num_tokens = 3, .out_dim = 37, .in_dim = 1536};
  const linear_inputs<float, q4_0> in(p);
  const auto expected = reference::linear(to_double(in.x), reference::decode(in.weight), {},
                                          p.num_tokens, p.out_dim, p.in_dim);
  const auto check = [&]<int BlockSize>(std::integral_constant<int, BlockSize>) {
    const padded_matrix<float> x(in.x, p.num_tokens, p.in_dim, 0), y(p.num_tokens, p.out_dim, 0);
    const padded_matrix<q4_0> weight(in.weight, p.out_dim, p.in_dim / 32, 0);
    const status launched = linear<float, const q4_0, BlockSize>(y.view(), x.read(), weight.read());
    if (device().wave_size == 64) {
      EXPECT_REFUSED(launched, status_code::unsupported, "BlockSize");
    } else {
      EXPECT_SUCCESS(launched);
      expect_close(y.download(), expected, 3e-6, 1.0);
    }
  };
  check(std::integral_constant<int, 32>{});
  check(std::integral_constant<int, 96>{});
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
