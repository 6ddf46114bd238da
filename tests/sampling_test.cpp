// What chooses among logits against plain loops in double; the draw itself is in
// sampling_draw_test.cpp.
#include <rocmforge/sampling.hpp>

#include "reference/sampling.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(sampling);

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

template <class T>
int expected_token(const std::vector<T>& logits) {
  return reference::argmax(to_double(logits));
}

/// Also checks that the values are the tokens' logits, or -infinity where there is no number.
template <class T>
std::vector<int> argmax_of(const std::vector<T>& logits, int rows) {
  const int size = int(logits.size()) / rows;
  device_buffer<T> device_logits(logits);
  device_buffer<int> tokens{std::size_t(rows)};
  device_buffer<float> values{std::size_t(rows)};
  EXPECT_SUCCESS(argmax(tokens.view(rows), device_logits.view(rows, size), values.view(rows)));
  const auto found = tokens.to_host();
  const auto largest = values.to_host();
  for (int row = 0; row < rows; ++row) {
    const auto logit = float(logits[std::size_t(row * size + found[std::size_t(row)])]);
    EXPECT_EQ(largest[std::size_t(row)],
              std::isnan(logit) ? -std::numeric_limits<float>::infinity() : logit);
  }
  return found;
}

// Packets, waves, a block of 1024 lanes and their neighbors.
constexpr int vocab_sizes[] = {1,   2,    31,   32,   33,   63,   64,   65,
                               127, 1023, 1024, 1025, 4095, 4096, 4097, 8193};

TEST_P(sampling, argmax_agrees_with_a_loop) {
  for_each_dtype([]<class T>(T) {
    for (const int size : vocab_sizes) {
      SCOPED_TRACE(size);
      const int rows = 2;
      const auto logits =
          random_values<T>(std::size_t(rows * size), unsigned(size), -20, -1);  // 0 would win
      const auto tokens = argmax_of(logits, rows);
      for (int row = 0; row < rows; ++row) {
        EXPECT_EQ(tokens[std::size_t(row)],
                  expected_token(std::vector<T>(logits.begin() + row * size,
                                                logits.begin() + (row + 1) * size)));
      }
    }
  });
}

TEST_P(sampling, argmax_finds_each_place) {
  const int size = 300;  // one row for each place
  std::vector<float> logits(std::size_t(size * size), -3.0f);
  for (int i = 0; i < size; ++i) logits[std::size_t(i * size + i)] = -2.0f;
  device_buffer<float> device_logits(logits);
  device_buffer<int> device_tokens{std::size_t(size)};
  EXPECT_SUCCESS((argmax<float, 64>(device_tokens.view(size), device_logits.view(size, size))));
  const auto tokens = device_tokens.to_host();
  for (int i = 0; i < size; ++i) EXPECT_EQ(tokens[std::size_t(i)], i);
}

TEST_P(sampling, of_equal_logits_the_lowest_wins) {
  for (const int size : {5, 100, 5000}) {
    SCOPED_TRACE(size);
    std::vector<float> logits(std::size_t(size), 1.0f);
    EXPECT_EQ(argmax_of(logits, 1)[0], 0);
    logits[std::size_t(size - 1)] = logits[std::size_t(size / 2)] =
        logits[std::size_t(size / 2 + 1)] = 2;
    EXPECT_EQ(argmax_of(logits, 1)[0], size / 2);
  }
}

TEST_P(sampling, nan_never_wins) {
  for (const int size : {1, 40, 5000}) {
    SCOPED_TRACE(size);
    std::vector<float> logits(std::size_t(size), nan);
    EXPECT_EQ(argmax_of(logits, 1)[0], 0);
    for (const float only : {5.0f, -1e30f, infinity, -infinity}) {
      for (const int place : {0, size / 3, size - 1}) {
        logits.assign(std::size_t(size), nan);
        logits[std::size_t(place)] = only;
        EXPECT_EQ(argmax_of(logits, 1)[0], place) << only;
      }
    }
    logits.assign(std::size_t(size), -infinity);
    EXPECT_EQ(argmax_of(logits, 1)[0], 0);
    logits[0] = nan;
    EXPECT_EQ(argmax_of(logits, 1)[0], size > 1 ? 1 : 0);
  }
}

TEST_P(sampling, vocabularies_of_real_models_large) {
  for (const int size : {49152, 151936}) {
    SCOPED_TRACE(size);
    auto logits = random_values<float>(std::size_t(size), 3, -20, 20);
    EXPECT_EQ(argmax_of(logits, 1)[0], expected_token(logits));
    logits[std::size_t(size - 1)] = 21;
    EXPECT_EQ(argmax_of(logits, 1)[0], size - 1);
    logits[std::size_t(size - 1000)] = 21;
    EXPECT_EQ(argmax_of(logits, 1)[0], size - 1000);
  }
}

TEST_P(sampling, takes_strided_rows) {
  const int rows = 3, size = 50, stride = 64;
  const auto logits = random_values<half>(std::size_t(rows * stride), 4, -1, 0);
  auto raised = logits;
  for (int row = 0; row < rows; ++row)
    raised[std::size_t(row * stride + size)] = half(1.0f);  // just outside the view
  device_buffer<half> buffer(raised);
  device_buffer<int> tokens(3);
  EXPECT_SUCCESS(argmax(tokens.view(rows), sub_view<1>(buffer.view(rows, stride), 0, size)));
  for (int row = 0; row < rows; ++row) {
    const auto begin = logits.begin() + row * stride;
    EXPECT_EQ(tokens.to_host()[std::size_t(row)],
              expected_token(std::vector<half>(begin, begin + size)));
  }
}

TEST_P(sampling, refuses_what_does_not_fit) {
  device_buffer<float> buffer(64);
  device_buffer<int> tokens(8);
  const auto logits = buffer.view(2, 8);
  EXPECT_REFUSED(argmax(tokens.view(3), logits), status_code::invalid_shape, "tokens");
  EXPECT_REFUSED(argmax(tokens.view(2), buffer.view(2, 0)), status_code::invalid_shape, "logits");
  EXPECT_REFUSED(argmax(tokens.view(2), permuted<1, 0>(buffer.view(8, 2))),
                 status_code::invalid_layout, "logits");
  EXPECT_REFUSED(argmax(tensor_view<int, 1>{tokens.data(), {2}, {4}}, logits),
                 status_code::invalid_layout, "tokens");
  EXPECT_REFUSED(argmax(tensor_view<int, 1>{nullptr, {2}, {1}}, logits),
                 status_code::invalid_argument, "tokens");
  EXPECT_REFUSED(argmax(tokens.view(2), tensor_view<float, 2>{nullptr, {2, 8}, {8, 1}}),
                 status_code::invalid_argument, "logits");
  EXPECT_REFUSED(argmax(tokens.view(2), logits, buffer.view(3)), status_code::invalid_shape,
                 "values");
  EXPECT_REFUSED(argmax(tokens.view(2), logits, tensor_view<float, 1>{buffer.data(), {2}, {0}}),
                 status_code::invalid_layout, "values");
  EXPECT_SUCCESS(argmax(tokens.view(0), buffer.view(0, 8)));
}

// ---- top-k ----

template <class T>
struct ranking {
  std::vector<float> values;
  std::vector<int> tokens;
};

template <class T>
ranking<T> top_k_of(const std::vector<T>& logits, int rows, int k) {
  device_buffer<T> device_logits(logits);
  const auto count = std::size_t(rows) * std::size_t(k);
  device_buffer<float> values{count};
  device_buffer<int> tokens{count};
  EXPECT_SUCCESS(top_k(values.view(rows, k), tokens.view(rows, k),
                       device_logits.view(rows, int(logits.size()) / rows)));
  return {values.to_host(), tokens.to_host()};
}

template <class T>
void expect_ranked(const std::vector<T>& logits, int rows, int k) {
  const auto found = top_k_of(logits, rows, k);
  const auto size = logits.size() / std::size_t(rows);
  std::vector<int> tokens;
  std::vector<float> values;
  for (int row = 0; row < rows; ++row) {
    const auto begin = logits.begin() + std::ptrdiff_t(size) * row;
    const std::vector<double> one = to_double(std::vector<T>(begin, begin + std::ptrdiff_t(size)));
    auto ids = reference::ranked(one);
    ids.resize(std::size_t(k), -1);
    for (const int id : ids) {
      tokens.push_back(id);
      values.push_back(id < 0 ? -infinity : float(one[std::size_t(id)]));
    }
  }
  EXPECT_EQ(found.tokens, tokens);
  EXPECT_EQ(found.values, values);
}

/// Few different values, so that most are equal to others.
template <class T>
std::vector<T> tied_logits(int size, unsigned seed) {
  auto logits = random_values<T>(std::size_t(size), seed, -8, 8);
  for (T& logit : logits) logit = T(std::round(static_cast<float>(logit)));
  return logits;
}

TEST_P(sampling, top_k_agrees_with_a_sort) {
  for_each_dtype([]<class T>(T) {
    for (const int size : {1, 33, 1025}) {
      for (const int k : {1, 31, 64, size}) {
        SCOPED_TRACE(::testing::Message() << size << " logits, k " << k);
        expect_ranked(random_values<T>(std::size_t(2 * size), unsigned(size), -20, 20), 2, k);
        expect_ranked(tied_logits<T>(2 * size, unsigned(size)), 2, k);
      }
    }
  });
}

TEST_P(sampling, top_k_of_more_ranks_than_a_block_sorts) {
  const int size = 4500;  // three blocks
  const auto logits = tied_logits<float>(size, 7);
  for (const int k : {2047, 2048, 2049, 4097, 4500, 4600}) expect_ranked(logits, 1, k);
  expect_ranked(std::vector<float>(std::size_t(size), 3.0f), 1, 2049);
}

TEST_P(sampling, top_k_ends_where_only_nan_is_left) {
  std::vector<float> logits(100, nan);
  expect_ranked(logits, 1, 3);
  logits[70] = -infinity;
  logits[40] = -infinity;
  logits[99] = infinity;
  logits[3] = -0.0f;
  logits[2] = 0.0f;
  logits[4] = 0.0f;
  logits[5] = 1e-45f;
  logits[6] = -1e-45f;
  for (const int k : {1, 4, 5, 6, 7, 9, 50}) expect_ranked(logits, 2, k);
}

TEST_P(sampling, top_k_of_a_real_vocabulary_large) {
  for (const int size : {49152, 151936})
    expect_ranked(random_values<float>(std::size_t(size), 11, -20, 20), 1, 50);
}

// ---- the filters ----

template <class T>
std::vector<T> filtered_by(const std::vector<T>& logits, int rows,
                           const sampling_options& options) {
  device_buffer<T> buffer(logits);
  const auto view = buffer.view(rows, int(logits.size()) / rows);
  EXPECT_SUCCESS(filter_logits(view, view, options));
  return buffer.to_host();
}

/// Everything off.
constexpr sampling_options unfiltered{.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1};

template <class T>
void expect_filtered(const std::vector<T>& logits, const sampling_options& options) {
  SCOPED_TRACE(::testing::Message() << logits.size() << " logits, top_k " << options.top_k
                                    << ", top_p " << options.top_p << ", min_p " << options.min_p);
  const auto doubles = to_double(logits);
  double margin = 1;
  const auto ids =
      reference::candidates(doubles, {options.top_k, options.top_p, options.min_p}, &margin);
  ASSERT_GT(margin, 1e-7) << "too near to tell: take another seed";
  std::vector<float> expected(logits.size(), -infinity);
  for (const int id : ids) {
    const auto at = std::size_t(id);
    expected[at] = float(T(float(logits[at]) / options.temperature));
  }
  std::vector<float> found;
  for (const T& logit : filtered_by(logits, 1, options)) found.push_back(float(logit));
  EXPECT_EQ(found, expected);
}

TEST_P(sampling, top_k_keeps_the_likeliest_and_of_equal_ones_the_lowest_ids) {
  for (const int size : {1, 64, 65, 1000}) {
    for (const int k : {1, 2, 40, size - 1, size, size + 1}) {
      sampling_options options = unfiltered;
      options.top_k = k;
      expect_filtered(random_values<float>(std::size_t(size), unsigned(k + 2), -20, 20), options);
      expect_filtered(tied_logits<float>(size, unsigned(k + 2)), options);
    }
  }
}

TEST_P(sampling, top_p_keeps_the_fewest_that_reach_p) {
  for (const int size : {1, 63, 1025}) {
    for (const float p : {0.0f, 1e-30f, 0.1f, 0.5f, 0.9f, 0.999f, 1.0f}) {
      sampling_options options = unfiltered;
      options.top_p = p;
      expect_filtered(random_values<float>(std::size_t(size), 5, -9, 9), options);
      expect_filtered(tied_logits<float>(size, 5), options);
    }
  }
}

TEST_P(sampling, top_p_takes_the_lowest_ids_of_equal_logits) {
  const std::vector<float> logits(200, -3.0f);
  for (const int kept : {1, 2, 31, 150, 200}) {
    sampling_options options = unfiltered;
    options.top_p = (float(kept) - 0.5f) / 200;
    const auto left = filtered_by(logits, 1, options);
    for (int i = 0; i < 200; ++i)
      EXPECT_EQ(left[std::size_t(i)], i < kept ? -3.0f : -infinity) << i << " of " << kept;
  }
  sampling_options all_but_nothing = unfiltered;
  all_but_nothing.top_p = 0x1.fffffep-1f;
  EXPECT_EQ(filtered_by(logits, 1, all_but_nothing), logits);
}

TEST_P(sampling, min_p_keeps_what_is_likely_enough_beside_the_likeliest) {
  for (const int size : {1, 65, 1000}) {
    for (const float p : {0.0f, 0.01f, 0.05f, 0.5f, 1.0f}) {
      sampling_options options = unfiltered;
      options.min_p = p;
      expect_filtered(random_values<float>(std::size_t(size), 6, -9, 9), options);
      expect_filtered(tied_logits<float>(size, 6), options);
    }
  }
}

TEST_P(sampling, filters_apply_one_after_the_other) {
  for_each_dtype([]<class T>(T) {
    for (const unsigned seed : {1u, 2u, 3u}) {
      expect_filtered(random_values<T>(700, seed, -6, 6), {});
      expect_filtered(random_values<T>(700, seed, -2, 2),
                      {.top_k = 300, .top_p = 0.7f, .min_p = 0.2f, .temperature = 0.25f});
      // The equal ones at which top-k ends are also where top-p does.
      auto logits = std::vector<T>(300, T(1.0f));
      logits[seed] = T(2.0f);
      expect_filtered(logits, {.top_k = 20, .top_p = 0.93f, .min_p = 0, .temperature = 1.5f});
      expect_filtered(logits, {.top_k = 20, .top_p = 0.9999f, .min_p = 0.1f, .temperature = 3});
    }
  });
}

TEST_P(sampling, temperature_zero_leaves_the_first_of_the_likeliest) {
  const std::vector<float> logits = {1, 5, 5, -infinity, nan, 4};
  const std::vector<float> expected = {-infinity, 5, -infinity, -infinity, -infinity, -infinity};
  EXPECT_EQ(filtered_by(logits, 1, {.temperature = 0}), expected);
}

TEST_P(sampling, filters_leave_nan_out_and_infinities_in) {
  sampling_options options = unfiltered;
  options.temperature = 2;
  EXPECT_EQ(filtered_by<float>({nan, 4, nan, -infinity}, 1, options),
            (std::vector<float>{-infinity, 2, -infinity, -infinity}));
  options.top_p = 0.9f;
  EXPECT_EQ(filtered_by<float>({3, infinity, nan, infinity}, 1, options),
            (std::vector<float>{-infinity, infinity, -infinity, infinity}));
  for (const float nothing : {nan, -infinity}) {
    EXPECT_EQ(filtered_by(std::vector<float>(70, nothing), 1, {}),
              std::vector<float>(70, -infinity));
  }
}

TEST_P(sampling, filters_that_are_off_leave_the_row_as_it_is) {
  const std::vector<float> logits = {1.0f, -7.5f, 3.0f, 3.0f, -infinity, 0.0f};
  EXPECT_EQ(filtered_by(logits, 1, unfiltered), logits);
}

TEST_P(sampling, top_p_keeps_at_least_one) {
  sampling_options options = unfiltered;
  options.top_p = 1e-30f;
  EXPECT_EQ(filtered_by<float>({0, 20, 0}, 1, options),
            (std::vector<float>{-infinity, 20, -infinity}));
}

TEST_P(sampling, min_p_of_one_keeps_those_equal_to_the_largest) {
  sampling_options options = unfiltered;
  options.min_p = 1;
  EXPECT_EQ(filtered_by<float>({1, 3, 2, 3}, 1, options),
            (std::vector<float>{-infinity, 3, -infinity, 3}));
}

TEST_P(sampling, temperature_divides_what_the_filters_leave) {
  sampling_options options = unfiltered;
  options.top_k = 2;
  options.temperature = 0.5f;
  EXPECT_EQ(filtered_by<float>({1, 3, -2}, 1, options), (std::vector<float>{2, 6, -infinity}));
}

// ---- penalties and biases ----

TEST_P(sampling, penalties_agree_with_a_loop) {
  for_each_dtype([]<class T>(T) {
    for (const int num_tokens : {0, 1, 33, 300}) {
      SCOPED_TRACE(num_tokens);
      const int rows = 3, size = 100;
      const auto logits = random_values<T>(std::size_t(rows * size), 8, -9, 9);
      std::vector<int> history(std::size_t(rows * num_tokens));
      std::mt19937 engine(9);
      for (int& token : history) token = int(engine() % 120) - 10;  // some are no tokens
      const penalty_options options{.repeat = 1.3f, .frequency = 0.25f, .presence = -0.5f};
      device_buffer<T> buffer(logits);
      const device_buffer<int> device_history(history);
      EXPECT_SUCCESS(
          apply_penalties(buffer.view(rows, size), device_history.view(rows, num_tokens), options));
      std::vector<double> expected;
      for (int row = 0; row < rows; ++row) {
        const auto begin = logits.begin() + row * size;
        auto one = to_double(std::vector<T>(begin, begin + size));
        const auto said = history.begin() + row * num_tokens;
        reference::penalize(one, {said, said + num_tokens}, options.repeat, options.frequency,
                            options.presence);
        expected.insert(expected.end(), one.begin(), one.end());
      }
      expect_close(buffer.to_host(), expected, rounding<T>);
    }
  });
}

TEST_P(sampling, penalties_of_zero_and_of_infinities) {
  device_buffer<float> buffer(std::vector<float>{0, -0.0f, infinity, -infinity, nan, 2, 2});
  const device_buffer<int> history(std::vector<int>{0, 1, 2, 3, 4, 5, 5});
  EXPECT_SUCCESS(apply_penalties(buffer.view(1, 7), history.view(1, 7),
                                 {.repeat = 2, .frequency = 1, .presence = 0}));
  const auto logits = buffer.to_host();
  EXPECT_EQ(logits[0], -1);
  EXPECT_EQ(logits[1], -1);
  EXPECT_EQ(logits[2], infinity);
  EXPECT_EQ(logits[3], -infinity);
  EXPECT_TRUE(std::isnan(logits[4]));
  EXPECT_EQ(logits[5], -1);  // divided once, counted twice
  EXPECT_EQ(logits[6], 2);
}

TEST_P(sampling, biases_are_added) {
  for_each_dtype([]<class T>(T) {
    const int rows = 2, size = 50;
    const auto logits = random_values<T>(std::size_t(rows * size), 3, -9, 9);
    const std::vector<int> tokens = {3, 49, -1, 0, 3, 50, 3, 8};
    const std::vector<float> biases = {1, -2.5f, 7, -infinity, 0.25f, 9, -0.5f, 100};
    device_buffer<T> buffer(logits);
    device_buffer<int> device_tokens(tokens);
    device_buffer<float> device_biases(biases);
    // One list for all rows.
    const tensor_view<int, 2> list{device_tokens.data(), {rows, 8}, {0, 1}};
    const tensor_view<float, 2> values{device_biases.data(), {rows, 8}, {0, 1}};
    EXPECT_SUCCESS(add_logit_bias(buffer.view(rows, size), list, values));
    auto expected = logits;
    for (int row = 0; row < rows; ++row) {
      const auto add = [&](int token, float bias) {
        T& logit = expected[std::size_t(row * size + token)];
        logit = T(static_cast<float>(logit) + bias);
      };
      add(3, 0.75f);
      add(49, -2.5f);
      add(0, -infinity);
      add(8, 100);
    }
    EXPECT_EQ(to_double(buffer.to_host()), to_double(expected));
  });
}

// ---- log-probabilities ----

TEST_P(sampling, log_probabilities_agree_with_double) {
  for_each_dtype([]<class T>(T) {
    for (const int size : {1, 64, 65, 4097}) {
      for (const double spread : {1.0, 20.0}) {
        SCOPED_TRACE(size);
        const int rows = 2, count = 40;
        const auto logits = random_values<T>(std::size_t(rows * size), 12, -spread, spread);
        std::vector<int> tokens;
        std::vector<double> expected;
        for (int row = 0; row < rows; ++row) {
          const auto begin = logits.begin() + row * size;
          const auto one = to_double(std::vector<T>(begin, begin + size));
          for (int i = 0; i < count; ++i) {
            tokens.push_back(i * 7919 % size);
            expected.push_back(reference::log_probability(one, tokens.back()));
          }
        }
        device_buffer<T> buffer(logits);
        const device_buffer<int> listed(tokens);
        device_buffer<float> result(tokens.size());
        EXPECT_SUCCESS(log_probabilities(result.view(rows, count), buffer.view(rows, size),
                                         listed.view(rows, count)));
        const auto found = result.to_host();
        for (std::size_t i = 0; i < found.size(); ++i)
          EXPECT_NEAR(found[i], expected[i], 1e-6 * (1 + std::fabs(expected[i]))) << i;
      }
    }
  });
}

TEST_P(sampling, log_probabilities_of_what_cannot_be_drawn) {
  device_buffer<float> buffer(std::vector<float>{
      nan, 0, -infinity, 0,           //
      nan, -infinity, nan, nan,       //
      infinity, 1, infinity, -1e30f,  //
  });
  device_buffer<int> tokens(std::vector<int>{0, 1, 2, 3, -1, 4});
  device_buffer<float> result(18);
  EXPECT_SUCCESS(log_probabilities(result.view(3, 6), buffer.view(3, 4),
                                   tensor_view<int, 2>{tokens.data(), {3, 6}, {0, 1}}));
  const auto found = result.to_host();
  const std::vector<float> expected = {
      -infinity, -1,        -infinity, -1,        -infinity, -infinity,  // -1: a half
      -infinity, -infinity, -infinity, -infinity, -infinity, -infinity,  //
      -1,        -infinity, -1,        -infinity, -infinity, -infinity,
  };
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (expected[i] == -1) {
      EXPECT_NEAR(found[i], -0.69314718, 1e-6) << i;
    } else {
      EXPECT_EQ(found[i], -infinity) << i;
    }
  }
}

// ---- refusals ----

TEST_P(sampling, options_out_of_range_are_refused) {
  device_buffer<float> buffer(16);
  const auto logits = buffer.view(2, 8);
  const auto with = [&](auto change) {
    sampling_options options;
    change(options);
    return filter_logits(logits, logits, options);
  };
  for (const float wrong : {-0.1f, 1.1f, nan, infinity}) {
    EXPECT_REFUSED(with([&](auto& o) { o.top_p = wrong; }), status_code::invalid_argument, "top_p");
    EXPECT_REFUSED(with([&](auto& o) { o.min_p = wrong; }), status_code::invalid_argument, "min_p");
  }
  for (const float wrong : {-0.1f, nan, infinity}) {
    EXPECT_REFUSED(with([&](auto& o) { o.temperature = wrong; }), status_code::invalid_argument,
                   "temperature");
  }
  const device_buffer<int> history(4);
  const auto penalised = [&](const penalty_options& options) {
    return apply_penalties(logits, history.view(2, 2), options);
  };
  for (const float wrong : {0.0f, -1.0f, nan, infinity})
    EXPECT_REFUSED(penalised({.repeat = wrong}), status_code::invalid_argument, "repeat");
  for (const float wrong : {nan, infinity}) {
    EXPECT_REFUSED(penalised({.frequency = wrong}), status_code::invalid_argument, "frequency");
    EXPECT_REFUSED(penalised({.presence = wrong}), status_code::invalid_argument, "presence");
  }
}

TEST_P(sampling, shapes_that_do_not_fit_are_refused) {
  device_buffer<float> buffer(64);
  device_buffer<int> ids(64);
  const auto logits = buffer.view(2, 8), values = buffer.view(2, 3);
  const auto tokens = ids.view(2, 3);
  const auto wrong = buffer.view(2, 4), columns = permuted<1, 0>(buffer.view(8, 2));
  const tensor_view<float, 2> huge{buffer.data(), {1, (1 << 23) + 1}, {1, 1}};
  constexpr auto shape = status_code::invalid_shape, layout = status_code::invalid_layout;

  EXPECT_REFUSED(top_k(wrong, tokens, logits), shape, "tokens");
  EXPECT_REFUSED(top_k(buffer.view(1, 3), ids.view(1, 3), logits), shape, "values");
  EXPECT_REFUSED(top_k(values, tokens, buffer.view(2, 0)), shape, "logits");
  EXPECT_REFUSED(top_k(values, tokens, columns), layout, "logits");
  EXPECT_REFUSED(top_k(buffer.view(1, 3), ids.view(1, 3), huge), status_code::unsupported,
                 "logits");
  EXPECT_SUCCESS(top_k(buffer.view(2, 0), ids.view(2, 0), logits));

  EXPECT_REFUSED(filter_logits(wrong, logits), shape, "filtered");
  EXPECT_REFUSED(filter_logits(logits, columns), layout, "logits");
  EXPECT_REFUSED(filter_logits(columns, logits), layout, "filtered");
  EXPECT_REFUSED(filter_logits(buffer.view(2, 0), buffer.view(2, 0)), shape, "logits");
  EXPECT_REFUSED(filter_logits(huge, huge), status_code::unsupported, "logits");

  EXPECT_REFUSED(apply_penalties(logits, ids.view(1, 3), {}), shape, "history");
  EXPECT_REFUSED(apply_penalties(columns, tokens, {}), layout, "logits");
  EXPECT_REFUSED(add_logit_bias(logits, ids.view(1, 3), values), shape, "tokens");
  EXPECT_REFUSED(add_logit_bias(logits, tokens, wrong), shape, "biases");
  EXPECT_REFUSED(add_logit_bias(columns, tokens, values), layout, "logits");

  EXPECT_REFUSED(log_probabilities(wrong, logits, tokens), shape, "log_p");
  EXPECT_REFUSED(log_probabilities(buffer.view(1, 3), logits, ids.view(1, 3)), shape, "tokens");
  EXPECT_REFUSED(log_probabilities(values, buffer.view(2, 0), tokens), shape, "logits");
  EXPECT_REFUSED(log_probabilities(buffer.view(1, 3), huge, ids.view(1, 3)),
                 status_code::unsupported, "logits");
}

}  // namespace
}  // namespace rocmforge::testing
