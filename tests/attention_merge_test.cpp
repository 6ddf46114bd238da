// Merging the states of attention over parts of the keys, against double.
#include <rocmforge/attention/merge.hpp>

#include "reference/attention_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(attention_merge);

constexpr float infinity = std::numeric_limits<float>::infinity();

struct shape {
  int num_states = 3, batch = 1, num_heads = 2, q_len = 1, head_dim = 32;
  [[nodiscard]] std::size_t rows() const { return std::size_t(batch * num_heads * q_len); }
};

struct expected_result {
  std::vector<double> out, lse;
};

/// sum of e^lse * out / sum of e^lse, over the states whose lse is not -infinity.
template <class State>
expected_result reference_of(const shape& p, const std::vector<State>& states,
                             const std::vector<float>& state_lse) {
  const auto dim = std::size_t(p.head_dim);
  expected_result result{std::vector<double>(p.rows() * dim, 0.0), {}};
  for (std::size_t row = 0; row < p.rows(); ++row) {
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int i = 0; i < p.num_states; ++i)
      largest = std::max(largest, double(state_lse[std::size_t(i) * p.rows() + row]));
    for (int i = 0; i < p.num_states && !std::isinf(largest); ++i) {
      const std::size_t state = std::size_t(i) * p.rows() + row;
      if (std::isinf(state_lse[state])) continue;
      const double weight = std::exp(double(state_lse[state]) - largest);
      sum += weight;
      for (std::size_t d = 0; d < dim; ++d)
        result.out[row * dim + d] += weight * double(float(states[state * dim + d]));
    }
    for (std::size_t d = 0; d < dim; ++d) result.out[row * dim + d] /= sum > 0 ? sum : 1;
    result.lse.push_back(largest + (sum > 0 ? std::log(sum) : 0));
  }
  return result;
}

/// States whose lse lies within +- `range`; every `hidden`-th has seen no key and is NaN.
template <class T, class State>
void check(const shape& p, double range = 3, int hidden = 0) {
  SCOPED_TRACE(std::to_string(p.num_states) + " states, batch " + std::to_string(p.batch) +
               ", heads " + std::to_string(p.num_heads) + ", q_len " + std::to_string(p.q_len) +
               ", head_dim " + std::to_string(p.head_dim) + ", range " + std::to_string(range));
  const std::size_t count = p.rows() * std::size_t(p.num_states);
  auto states = random_values<State>(count * std::size_t(p.head_dim), 1);
  auto state_lse = random_values<float>(count, 2, -range, range);
  for (std::size_t i = 0; hidden > 0 && i < count; i += std::size_t(hidden)) {
    state_lse[i] = -infinity;
    std::fill_n(states.begin() + std::ptrdiff_t(i) * p.head_dim, p.head_dim, not_a_number<State>);
  }
  const device_buffer<State> device_states(states);
  const device_buffer<float> device_lse(state_lse);
  device_buffer<T> out(p.rows() * std::size_t(p.head_dim));
  device_buffer<float> lse(p.rows());
  out.fill_bytes(0xff);
  lse.fill_bytes(0xff);
  EXPECT_SUCCESS(
      merge_states(out.view(p.batch, p.num_heads, p.q_len, p.head_dim),
                   device_states.view(p.num_states, p.batch, p.num_heads, p.q_len, p.head_dim),
                   device_lse.view(p.num_states, p.batch, p.num_heads, p.q_len),
                   lse.view(p.batch, p.num_heads, p.q_len)));
  const auto expected = reference_of(p, states, state_lse);
  // A rounding error of a large lse is a relative error of its weight.
  const double tolerance = 1e-6 + 2e-7 * range;
  expect_close(out.to_host(), expected.out, rounding<T> + tolerance, 1.0);
  expect_lse(lse.to_host().data(), expected.lse, 1e-6);
}

// Fewer states than a team takes at a time, than a block takes, than it has lanes, and more.
TEST_P(attention_merge, agrees_with_double_for_every_number_of_states) {
  for (const int num_states : {1, 2, 3, 4, 5, 31, 32, 33, 34, 64, 255, 256, 257, 600}) {
    check<float, float>({.num_states = num_states});
    check<float, float>({.num_states = num_states, .q_len = 2}, 3, 3);
  }
}

// Around a packet, a part of a row, and several of them.
TEST_P(attention_merge, agrees_with_double_for_every_head_dim) {
  for (const int head_dim : {1, 3, 4, 5, 16, 31, 64, 96, 127, 128, 129, 200, 256, 500})
    check<float, float>({.num_states = 7, .num_heads = 3, .head_dim = head_dim}, 3, 4);
}

TEST_P(attention_merge, finds_every_row) {
  check<float, float>({.num_states = 5, .batch = 3, .num_heads = 4, .q_len = 3, .head_dim = 40});
  check<float, float>({.num_states = 2, .batch = 1, .num_heads = 70, .q_len = 9, .head_dim = 8});
}

TEST_P(attention_merge, states_and_results_of_16_bits) {
  check<half, float>({.num_states = 9, .head_dim = 72}, 3, 2);
  check<bfloat16, float>({.num_states = 9, .head_dim = 128}, 3, 2);
  check<half, half>({.num_states = 4, .head_dim = 65}, 3, 2);
  check<float, bfloat16>({.num_states = 4, .head_dim = 64}, 3, 2);
}

TEST_P(attention_merge, weights_of_all_sizes) {
  for (const double range : {0.0, 30.0, 100.0, 10000.0})
    check<float, float>({.num_states = 40, .num_heads = 5}, range, 7);
}

TEST_P(attention_merge, without_any_key_gives_zeros) {
  for (const int num_states : {0, 1, 40}) {
    const shape p{.num_states = num_states, .num_heads = 3, .head_dim = 36};
    const std::size_t count = p.rows() * std::size_t(num_states);
    const device_buffer<float> states(std::vector<float>(count * 36, not_a_number<float>)),
        state_lse(std::vector<float>(count, -infinity));
    device_buffer<float> out(std::vector<float>(p.rows() * 36, 1.0f)), lse(p.rows());
    EXPECT_SUCCESS(merge_states(out.view(1, 3, 1, 36), states.view(num_states, 1, 3, 1, 36),
                                state_lse.view(num_states, 1, 3, 1), lse.view(1, 3, 1)));
    EXPECT_EQ(out.to_host(), std::vector<float>(p.rows() * 36, 0.0f));
    EXPECT_EQ(lse.to_host(), std::vector<float>(p.rows(), -infinity));
  }
}

// What is seen and not finite shows.
TEST_P(attention_merge, nan_is_not_hidden) {
  for (const int num_states : {1, 3}) {
    std::vector<float> lses(std::size_t(num_states), 0.5f);
    lses.back() = not_a_number<float>;
    const device_buffer<float> states(std::vector<float>(std::size_t(num_states) * 8, 1.0f)),
        state_lse(lses);
    device_buffer<float> out(8), lse(1);
    EXPECT_SUCCESS(merge_states(out.view(1, 1, 1, 8), states.view(num_states, 1, 1, 1, 8),
                                state_lse.view(num_states, 1, 1, 1), lse.view(1, 1, 1)));
    for (const float value : out.to_host()) EXPECT_TRUE(std::isnan(value)) << value;
    EXPECT_TRUE(std::isnan(lse.to_host()[0]));
  }
}

TEST_P(attention_merge, one_state_is_not_changed_by_a_bit) {
  const auto values = random_values<float>(6 * 50, 1), lses = random_values<float>(6, 2);
  const device_buffer<float> states(values), state_lse(lses);
  device_buffer<float> out(values.size()), lse(lses.size());
  EXPECT_SUCCESS(merge_states(out.view(2, 3, 1, 50), states.view(1, 2, 3, 1, 50),
                              state_lse.view(1, 2, 3, 1), lse.view(2, 3, 1)));
  EXPECT_EQ(out.to_host(), values);
  EXPECT_EQ(lse.to_host(), lses);
}

TEST_P(attention_merge, takes_strided_views) {
  const int num_states = 3, num_heads = 4, q_len = 5, head_dim = 24, gap = 3;
  const auto values =
      random_values<float>(std::size_t(num_states * q_len * num_heads * head_dim), 1);
  const auto lses = random_values<float>(std::size_t(num_states * q_len * num_heads), 2);
  const device_buffer<float> states(values), state_lse(lses);
  padded_tensor<float> out(1, num_heads, q_len, head_dim, true, gap);
  const auto view = out.upload();
  // States in the order [state, query, head].
  EXPECT_SUCCESS(merge_states(
      view, permuted<0, 1, 3, 2, 4>(states.view(num_states, 1, q_len, num_heads, head_dim)),
      state_lse.view(num_states, 1, num_heads, q_len)));
  out.download();
  std::vector<float> query_first_lses;  // as the states are
  for (int state = 0; state < num_states; ++state) {
    for (int row = 0; row < q_len; ++row) {
      for (int head = 0; head < num_heads; ++head)
        query_first_lses.push_back(lses[std::size_t((state * num_heads + head) * q_len + row)]);
    }
  }
  const auto expected =
      reference_of({num_states, 1, q_len, num_heads, head_dim}, values, query_first_lses).out;
  const auto actual = out.values(0);
  for (int head = 0; head < num_heads; ++head) {
    for (int row = 0; row < q_len; ++row) {
      for (int d = 0; d < head_dim; ++d) {
        EXPECT_NEAR(actual[std::size_t((head * q_len + row) * head_dim + d)],
                    expected[std::size_t((row * num_heads + head) * head_dim + d)], 1e-6);
      }
    }
  }
}

TEST_P(attention_merge, two_runs_give_the_same_bits) {
  const auto values = random_values<float>(100 * 4 * 64, 1),
             lses = random_values<float>(100 * 4, 2);
  const device_buffer<float> states(values), state_lse(lses);
  const auto run = [&] {
    device_buffer<float> out(4 * 64);
    EXPECT_SUCCESS(merge_states(out.view(1, 4, 1, 64), states.view(100, 1, 4, 1, 64),
                                state_lse.view(100, 1, 4, 1)));
    return out.to_host();
  };
  const auto first = run();
  EXPECT_EQ(run(), first);
#if defined(ROCMFORGE_EMULATION)
  for (const std::uint64_t seed : {2, 3, 4, 5}) {
    emulation::seed() = seed;
    EXPECT_EQ(run(), first) << "lanes in the order of seed " << seed;
  }
  emulation::seed() = 1;
#endif
}

TEST_P(attention_merge, refuses_what_does_not_fit) {
  device_buffer<float> buffer(std::vector<float>(4096, 1.0f));
  const auto out = buffer.view(2, 3, 4, 16);
  const auto states = buffer.view(5, 2, 3, 4, 16);
  const auto lses = buffer.view(5, 2, 3, 4);
  EXPECT_SUCCESS(merge_states(out, states, lses));
  EXPECT_REFUSED(merge_states(out, buffer.view(5, 1, 3, 4, 16), lses), status_code::invalid_shape,
                 "states");
  EXPECT_REFUSED(merge_states(out, buffer.view(5, 2, 2, 4, 16), lses), status_code::invalid_shape,
                 "states");
  EXPECT_REFUSED(merge_states(out, buffer.view(5, 2, 3, 5, 16), lses), status_code::invalid_shape,
                 "states");
  EXPECT_REFUSED(merge_states(out, buffer.view(5, 2, 3, 4, 15), lses), status_code::invalid_shape,
                 "states");
  EXPECT_REFUSED(merge_states(out, states, buffer.view(4, 2, 3, 4)), status_code::invalid_shape,
                 "state_lse");
  EXPECT_REFUSED(merge_states(out, states, buffer.view(5, 2, 3, 3)), status_code::invalid_shape,
                 "state_lse");
  EXPECT_REFUSED(merge_states(out, states, lses, buffer.view(2, 3, 3)), status_code::invalid_shape,
                 "lse");
  EXPECT_REFUSED(merge_states(permuted<0, 1, 3, 2>(buffer.view(2, 3, 16, 4)), states, lses),
                 status_code::invalid_layout, "out");
  EXPECT_REFUSED(merge_states(out, permuted<0, 1, 2, 4, 3>(buffer.view(5, 2, 3, 16, 4)), lses),
                 status_code::invalid_layout, "states");
  auto nowhere = states;
  nowhere.data = nullptr;
  EXPECT_REFUSED(merge_states(out, nowhere, lses), status_code::invalid_argument, "states");
  EXPECT_REFUSED(merge_states(buffer.view(2, 3, 4, 0), buffer.view(5, 2, 3, 4, 0), lses),
                 status_code::invalid_shape, "out");
  const auto no_rows = buffer.view(2, 3, 0, 16);
  EXPECT_SUCCESS(merge_states(no_rows, buffer.view(5, 2, 3, 0, 16), buffer.view(5, 2, 3, 0)));
}

}  // namespace
}  // namespace rocmforge::testing
