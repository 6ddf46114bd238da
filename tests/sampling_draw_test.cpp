// Drawing tokens: the generator and the whole numbers behind it, the draw against plain loops in
// double, its distribution, and that it is the same everywhere.
#include <rocmforge/sampling.hpp>

#include "reference/sampling.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// ---- the generator ----

/// The vectors that the authors publish with their Random123 library, for ten rounds.
TEST(philox, gives_the_published_words) {
  struct known {
    philox_words counter;
    std::uint64_t key;
    philox_words expected;
  };
  const known vectors[] = {
      {{{0, 0, 0, 0}}, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
      {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
       0xffffffffffffffff,
       {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
       0x299f31d0a4093822,
       {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
  };
  for (const known& v : vectors) {
    const philox_words found = philox4x32(v.counter, v.key);
    const auto expected = reference::philox(
        {v.counter.word[0], v.counter.word[1], v.counter.word[2], v.counter.word[3]},
        {std::uint32_t(v.key), std::uint32_t(v.key >> 32)});
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(found.word[i], v.expected.word[i]) << i;
      EXPECT_EQ(expected[i], v.expected.word[i]) << i;
    }
  }
}

// ---- whole numbers for logits and probabilities ----

TEST(fixed_point, keys_are_in_the_order_of_logits) {
  const std::vector<float> ascending = {-infinity, -3e38f, -1.5f, -1.0f, -1e-38f, -1e-45f, 0.0f,
                                        1e-45f,    1e-38f, 1.0f,  1.5f,  3e38f,   infinity};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    EXPECT_GT(fixed_point::order_key(ascending[i]), 1u) << ascending[i];
    EXPECT_EQ(fixed_point::logit_of(fixed_point::order_key(ascending[i])), ascending[i]);
    if (i > 0) {
      EXPECT_GT(fixed_point::order_key(ascending[i]), fixed_point::order_key(ascending[i - 1]));
    }
  }
  EXPECT_EQ(fixed_point::order_key(-0.0f), fixed_point::order_key(0.0f));
  EXPECT_EQ(fixed_point::order_key(nan), 0u);
  EXPECT_EQ(fixed_point::order_key(-nan), 0u);
}

TEST(fixed_point, weights_are_those_of_the_exponential) {
  EXPECT_EQ(fixed_point::weight(0, fixed_point::unit_scale), std::uint64_t{1} << 40);
  std::uint64_t last = std::uint64_t{1} << 40;
  for (float distance = 0; distance < 30; distance += 0.00037f) {
    const std::uint64_t weight = fixed_point::weight(distance, fixed_point::unit_scale);
    const double expected = std::exp(-double(distance)) * 0x1p40;
    // The product has 24 bits, and is cut to multiples of 2^-24.
    ASSERT_NEAR(double(weight), expected, 1 + expected * (6e-8 + distance * 0x1p-23)) << distance;
    ASSERT_LE(weight, last) << distance;
    last = weight;
  }
  for (const float far : {28.0f, 44.4f, 100.0f, 3e38f, infinity})
    EXPECT_EQ(fixed_point::weight(far, fixed_point::unit_scale), 0u) << far;
  EXPECT_EQ(fixed_point::weight(1e-3f, std::numeric_limits<float>::max()), 0u);
  EXPECT_EQ(fixed_point::weight(0, std::numeric_limits<float>::max()), std::uint64_t{1} << 40);
}

TEST(fixed_point, multiplies_to_128_bits) {
  const std::uint64_t all = ~std::uint64_t{0}, half = std::uint64_t{1} << 63;
  EXPECT_EQ(fixed_point::multiply_high(all, all), all - 1);
  EXPECT_EQ(fixed_point::multiply_high(half, 2), 1u);
  EXPECT_EQ(fixed_point::multiply_high(half - 1, 2), 0u);
  EXPECT_EQ(fixed_point::multiply_high(0x123456789abcdef0, 0xfedcba9876543210),
            0x121fa00ad77d7422u);
  EXPECT_EQ(fixed_point::multiply_high(0xffffffff00000001, 0x00000001ffffffff), 0x1fffffffdu);
}

// ---- the draw ----

ROCMFORGE_KERNEL_TEST_SUITE(sampling_draw);

/// Everything off.
constexpr sampling_options unfiltered{.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1};

/// Counters of `rows` draws of one seed.
std::vector<draw_counter> counters_of(int rows, std::uint64_t seed) {
  std::vector<draw_counter> counters;
  for (int row = 0; row < rows; ++row)
    counters.push_back({seed, std::uint32_t(row / 3), std::uint32_t(row % 3)});
  return counters;
}

template <int BlockSize = 1024, class T>
std::vector<int> drawn(const std::vector<T>& logits, const std::vector<draw_counter>& counters,
                       const sampling_options& options) {
  const int rows = int(counters.size()), size = int(logits.size()) / rows;
  device_buffer<T> device_logits(logits);
  const device_buffer<draw_counter> device_counters(counters);
  device_buffer<int> tokens{counters.size()};
  EXPECT_SUCCESS((sample<T, BlockSize>(tokens.view(rows), device_logits.view(rows, size),
                                       device_counters.view(rows), options)));
  return tokens.to_host();
}

TEST_P(sampling_draw, agrees_with_a_loop) {
  for_each_dtype([]<class T>(T) {
    const std::vector<sampling_options> settings = {
        unfiltered,
        {},
        {.top_k = 5, .top_p = 1, .min_p = 0, .temperature = 2},
        {.top_k = 0, .top_p = 0.8f, .min_p = 0, .temperature = 0.5f},
        {.top_k = 0, .top_p = 1, .min_p = 0.1f, .temperature = 5}};
    for (const int size : {1, 31, 64, 65, 1025}) {
      for (const sampling_options& options : settings) {
        SCOPED_TRACE(::testing::Message() << size << " logits, top_k " << options.top_k);
        const int rows = 6;
        const auto logits = random_values<T>(std::size_t(rows * size), unsigned(size), -6, 6);
        const auto counters = counters_of(rows, 17);
        const auto tokens = drawn(logits, counters, options);
        for (int row = 0; row < rows; ++row) {
          const auto begin = logits.begin() + row * size;
          const auto one = to_double(std::vector<T>(begin, begin + size));
          const draw_counter& at = counters[std::size_t(row)];
          double of_filters = 1, of_draw = 1;
          const auto ids = reference::candidates(one, {options.top_k, options.top_p, options.min_p},
                                                 &of_filters);
          const int expected =
              reference::draw(reference::distribution(one, ids, options.temperature),
                              reference::uniform(at.seed, at.sequence, at.position), &of_draw);
          ASSERT_GT(std::min(of_filters, of_draw), 1e-7) << "too near to tell: take another seed";
          EXPECT_EQ(tokens[std::size_t(row)], expected) << row;
        }
      }
    }
  });
}

/// Logits that every machine computes alike.
std::vector<float> plain_logits(int rows, int size) {
  std::vector<float> logits;
  for (std::uint32_t i = 0; i < std::uint32_t(rows) * std::uint32_t(size); ++i)
    logits.push_back(float((i + 1) * 2654435761u >> 20) / 256 - 8);
  return logits;
}

/// Written down once, on the serial host: every other device has to find them again.
TEST_P(sampling_draw, is_the_same_on_every_platform) {
  const int rows = 24, size = 777;
  const auto logits = plain_logits(rows, size);
  auto counters = counters_of(rows, 0x0123456789abcdef);
  const auto tokens_with = [&](const sampling_options& options) {
    return drawn(logits, counters, options);
  };
  EXPECT_EQ(tokens_with(unfiltered),
            (std::vector<int>{596, 251, 393, 268, 292, 502, 416, 336, 56,  83,  209, 178,
                              24,  221, 240, 458, 278, 77,  407, 303, 170, 129, 268, 308}));
  EXPECT_EQ(tokens_with({.top_k = 100, .top_p = 0.9f, .min_p = 0.02f, .temperature = 1.7f}),
            (std::vector<int>{596, 251, 406, 273, 305, 502, 416, 333, 56,  80,  209, 186,
                              24,  229, 240, 450, 275, 74,  407, 303, 170, 126, 260, 300}));
  EXPECT_EQ(tokens_with({.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 100}),
            (std::vector<int>{599, 249, 395, 272, 291, 504, 423, 338, 52,  82,  213, 179,
                              31,  222, 236, 463, 280, 70,  399, 310, 170, 121, 266, 309}));
}

TEST_P(sampling_draw, is_the_same_in_any_slot_batch_and_block) {
  const int rows = 7, size = 500, stride = 520;
  const sampling_options options{.top_k = 200, .top_p = 0.97f, .min_p = 0.001f, .temperature = 3};
  const auto logits = random_values<float>(std::size_t(rows * size), 21, -4, 4);
  const auto counters = counters_of(rows, 99);
  const auto expected = drawn(logits, counters, options);
  EXPECT_EQ(drawn<64>(logits, counters, options), expected);
  EXPECT_EQ(drawn<256>(logits, counters, options), expected);
  for (int row = 0; row < rows; ++row) {
    const auto begin = logits.begin() + row * size;
    EXPECT_EQ(drawn(std::vector<float>(begin, begin + size), {counters[std::size_t(row)]}, options),
              std::vector<int>{expected[std::size_t(row)]});
  }
  // The rows backwards, with gaps between them.
  std::vector<float> spread(std::size_t(rows * stride), 50.0f);
  std::vector<draw_counter> backwards(counters.rbegin(), counters.rend());
  for (int row = 0; row < rows; ++row) {
    std::copy_n(logits.begin() + (rows - 1 - row) * size, size, spread.begin() + row * stride + 3);
  }
  device_buffer<float> buffer(spread);
  const device_buffer<draw_counter> device_counters(backwards);
  device_buffer<int> tokens{std::size_t(rows)};
  EXPECT_SUCCESS(sample(tokens.view(rows), sub_view<1>(buffer.view(rows, stride), 3, 3 + size),
                        device_counters.view(rows), options));
  EXPECT_EQ(tokens.to_host(), std::vector<int>(expected.rbegin(), expected.rend()));
}

TEST_P(sampling_draw, depends_on_seed_sequence_and_position) {
  const int size = 1000;
  const std::vector<draw_counter> counters = {{1, 0, 0}, {1, 0, 0},          {2, 0, 0}, {1, 1, 0},
                                              {1, 0, 1}, {1ull << 32, 0, 0}, {1, 0, 0}};
  const std::vector<float> logits(std::size_t(size) * counters.size(), 0.5f);
  const auto tokens = drawn(logits, counters, unfiltered);
  EXPECT_EQ(tokens[0], tokens[1]);
  EXPECT_EQ(tokens[0], tokens[6]);
  for (std::size_t i = 2; i < 6; ++i) EXPECT_NE(tokens[0], tokens[i]) << i;
}

TEST_P(sampling_draw, what_filters_leave_is_what_is_drawn_from) {
  const int rows = 10, size = 300;
  sampling_options options{.top_k = 50, .top_p = 0.9f, .min_p = 0.01f, .temperature = 1};
  const auto logits = random_values<float>(std::size_t(rows * size), 4, -3, 3);
  device_buffer<float> buffer(logits);
  EXPECT_SUCCESS(filter_logits(buffer.view(rows, size), buffer.view(rows, size), options));
  const auto counters = counters_of(rows, 5);
  EXPECT_EQ(drawn(buffer.to_host(), counters, unfiltered), drawn(logits, counters, options));
}

TEST_P(sampling_draw, greedy_takes_the_first_of_the_likeliest) {
  auto logits = random_values<float>(3 * 2000, 6, -3, 3);
  for (const int at : {1500, 700, 2000, 5998, 5999}) logits[std::size_t(at)] = 4;
  const auto counters = counters_of(3, 1);
  const std::vector<int> expected = {700, 0, 1998};
  EXPECT_EQ(drawn(logits, counters, {.temperature = 0}), expected);
  EXPECT_EQ(drawn(logits, counters, {.top_k = 1, .temperature = 5}), expected);
  EXPECT_EQ(drawn(logits, counters, {.top_k = 0, .top_p = 0, .min_p = 0, .temperature = 5}),
            expected);
  // The only likely one where others are as likely needs a temperature near 0.
  logits[1500] = 3.9999f;
  logits[5999] = 3.9999f;
  EXPECT_EQ(drawn(logits, counters, {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1e-40f}),
            expected);
}

TEST_P(sampling_draw, nothing_impossible_is_drawn) {
  const int rows = 40, size = 70;
  std::vector<float> logits(std::size_t(rows * size), -infinity);
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < size; ++i) {
      if (i % 3 == 0) logits[std::size_t(row * size + i)] = nan;
    }
    logits[std::size_t(row * size + 10)] = logits[std::size_t(row * size + 68)] = -1e30f;
  }
  bool seen[2] = {};
  for (const sampling_options& options : {unfiltered, sampling_options{}}) {
    for (const int token : drawn(logits, counters_of(rows, 3), options)) {
      EXPECT_TRUE(token == 10 || token == 68) << token;
      seen[token == 68] = true;
    }
  }
  EXPECT_TRUE(seen[0] && seen[1]);
}

TEST_P(sampling_draw, rows_without_a_possible_token_give_minus_one) {
  for (const sampling_options& options :
       {unfiltered, sampling_options{}, sampling_options{.temperature = 0}}) {
    std::vector<float> logits(3 * 100, -infinity);
    for (int i = 100; i < 200; ++i) logits[std::size_t(i)] = nan;
    for (int i = 0; i < 50; ++i) logits[std::size_t(2 * i)] = nan;
    logits[217] = -5;
    EXPECT_EQ(drawn(logits, counters_of(3, 1), options), (std::vector<int>{-1, -1, 17}));
  }
}

TEST_P(sampling_draw, infinite_logits_share_the_probability) {
  const int rows = 30;
  std::vector<float> logits;
  for (int row = 0; row < rows; ++row) {
    for (const float logit : {1.0f, infinity, nan, infinity, 3e38f}) logits.push_back(logit);
  }
  int counts[5] = {};
  for (const int token : drawn(logits, counters_of(rows, 8), {})) ++counts[token];
  EXPECT_EQ(counts[1] + counts[3], rows);
  EXPECT_GT(counts[1], 5);
  EXPECT_GT(counts[3], 5);
}

TEST_P(sampling_draw, vocabularies_of_real_models_large) {
  for (const int size : {49152, 151936, 262144}) {
    SCOPED_TRACE(size);
    const int rows = 2;
    const auto logits = random_values<float>(std::size_t(rows * size), 31, -4, 4);
    const auto counters = counters_of(rows, 71);
    for (const sampling_options& options : {unfiltered, sampling_options{}}) {
      const auto tokens = drawn(logits, counters, options);
      for (int row = 0; row < rows; ++row) {
        const auto begin = logits.begin() + row * size;
        const auto one = to_double(std::vector<float>(begin, begin + size));
        const auto ids = reference::candidates(one, {options.top_k, options.top_p, options.min_p});
        const draw_counter& at = counters[std::size_t(row)];
        EXPECT_EQ(tokens[std::size_t(row)],
                  reference::draw(reference::distribution(one, ids, options.temperature),
                                  reference::uniform(at.seed, at.sequence, at.position)));
      }
    }
  }
}

// ---- the distribution ----

/// Pearson's statistic of counts against probabilities, and its degrees of freedom. What cannot
/// occur must not: then the statistic is infinite.
struct chi_square {
  double statistic = 0;
  int freedom = -1;
};
chi_square compare(const std::vector<int>& counts, const std::vector<double>& probabilities) {
  double draws = 0;
  for (const int count : counts) draws += count;
  chi_square result;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (probabilities[i] > 0) {
      const double expected = draws * probabilities[i], off = counts[i] - expected;
      result.statistic += off * off / expected;
      ++result.freedom;
    } else if (counts[i] > 0) {
      result.statistic = infinity;
    }
  }
  return result;
}

/// What the statistic exceeds once in a thousand times (the approximation of Wilson and Hilferty).
double critical_value(int freedom) {
  const double k = freedom, z = 3.0902;
  return k * std::pow(1 - 2 / (9 * k) + z * std::sqrt(2 / (9 * k)), 3);
}

/// Tokens of `counters.size()` draws from one row, which all of them share.
std::vector<int> draws_from(const std::vector<float>& logits,
                            const std::vector<draw_counter>& counters,
                            const sampling_options& options) {
  const int rows = int(counters.size()), size = int(logits.size());
  device_buffer<float> row(logits);
  const device_buffer<draw_counter> device_counters(counters);
  device_buffer<int> tokens{counters.size()};
  const tensor_view<float, 2> shared{row.data(), {rows, size}, {0, 1}};
  EXPECT_SUCCESS(
      (sample<float, 64>(tokens.view(rows), shared, device_counters.view(rows), options)));
  return tokens.to_host();
}

std::vector<int> counts_of(const std::vector<int>& tokens, std::size_t size) {
  std::vector<int> counts(size);
  for (const int token : tokens) ++counts.at(std::size_t(token));
  return counts;
}

/// A million draws; fewer on emulated devices, where every lane is a fiber. (That they draw the
/// same tokens as the others is tested above.)
int num_draws(const device_properties& device) {
  return device.architecture == "emulated" ? 4000 : 1000000;
}

const std::vector<float> some_logits = {1.0f,  0.25f, -3.0f, 2.0f,  2.0f, -1.0f, 0.5f,
                                        1.75f, -0.5f, 0.0f,  -2.0f, 1.5f, -4.0f};

/// Counters of which one number runs through as many values as there are draws.
std::vector<draw_counter> running_counters(int draws, int which) {
  std::vector<draw_counter> counters(static_cast<std::size_t>(draws), {42, 7, 1000});
  for (std::size_t i = 0; i < counters.size(); ++i) {
    if (which == 0) counters[i].seed += i;
    if (which == 1) counters[i].sequence += std::uint32_t(i);
    if (which == 2) counters[i].position += std::uint32_t(i);
  }
  return counters;
}

TEST_P(sampling_draw, follows_the_distribution_large) {
  const int draws = num_draws(device());
  const auto logits = to_double(some_logits);
  const auto ids = reference::ranked(logits);
  const auto p = reference::distribution(logits, ids, 1);
  const double critical = critical_value(12);
  for (int which = 0; which < 3; ++which) {
    const auto tokens = draws_from(some_logits, running_counters(draws, which), unfiltered);
    const auto counts = counts_of(tokens, some_logits.size());
    const chi_square found = compare(counts, p);
    EXPECT_EQ(found.freedom, 12);
    EXPECT_LT(found.statistic, critical) << "counter " << which;

    // The statistic can tell a temperature that is 2 % off, and 1 % of one token given to another.
    if (draws < 1000000) continue;
    EXPECT_GT(compare(counts, reference::distribution(logits, ids, 1.02)).statistic, critical);
    auto wrong = p;
    wrong[3] *= 1.01;
    wrong[4] -= wrong[3] - p[3];
    EXPECT_GT(compare(counts, wrong).statistic, critical);
  }
}

TEST_P(sampling_draw, follows_the_distribution_that_filters_leave_large) {
  const int draws = num_draws(device()) / 5;
  const auto logits = to_double(some_logits);
  const sampling_options options{.top_k = 9, .top_p = 0.95f, .min_p = 0.15f, .temperature = 1.3f};
  const auto ids = reference::candidates(logits, {options.top_k, options.top_p, options.min_p});
  ASSERT_EQ(ids.size(), 7u);
  const auto tokens = draws_from(some_logits, running_counters(draws, 2), options);
  const auto counts = counts_of(tokens, some_logits.size());
  const auto p = reference::distribution(logits, ids, options.temperature);
  EXPECT_LT(compare(counts, p).statistic, critical_value(6));
  if (draws < 200000) return;
  // Temperature before the filters instead of after would leave other candidates.
  auto divided = logits;
  for (double& logit : divided) logit /= options.temperature;
  const auto others = reference::candidates(divided, {options.top_k, options.top_p, options.min_p});
  EXPECT_NE(others, ids);
  EXPECT_GT(compare(counts, reference::distribution(divided, others, 1)).statistic,
            critical_value(int(others.size()) - 1));
}

TEST_P(sampling_draw, draws_do_not_depend_on_the_one_before_large) {
  const int draws = num_draws(device());
  const auto logits = to_double(some_logits);
  const auto p = reference::distribution(logits, reference::ranked(logits), 2);
  std::vector<double> of_pairs;
  for (const double a : p) {
    for (const double b : p) of_pairs.push_back(a * b);
  }
  sampling_options options = unfiltered;
  options.temperature = 2;
  const auto tokens = draws_from(some_logits, running_counters(draws, 2), options);
  std::vector<int> pairs;
  for (std::size_t i = 0; i + 1 < tokens.size(); i += 2)
    pairs.push_back(tokens[i] * int(p.size()) + tokens[i + 1]);
  const chi_square found = compare(counts_of(pairs, of_pairs.size()), of_pairs);
  EXPECT_LT(found.statistic, critical_value(found.freedom));
}

TEST_P(sampling_draw, refuses_what_does_not_fit) {
  device_buffer<float> buffer(64);
  device_buffer<int> ids(8);
  const device_buffer<draw_counter> counters(8);
  const auto logits = buffer.view(2, 8);
  const auto tokens = ids.view(2);
  const auto at = counters.view(2);
  constexpr auto shape = status_code::invalid_shape;
  EXPECT_REFUSED(sample(ids.view(3), logits, at), shape, "tokens");
  EXPECT_REFUSED(sample(tokens, logits, counters.view(3)), shape, "counters");
  EXPECT_REFUSED(sample(tokens, buffer.view(2, 0), at), shape, "logits");
  EXPECT_REFUSED(sample(tokens, permuted<1, 0>(buffer.view(8, 2)), at), status_code::invalid_layout,
                 "logits");
  EXPECT_REFUSED(sample(tokens, tensor_view<float, 2>{nullptr, {2, 8}, {8, 1}}, at),
                 status_code::invalid_argument, "logits");
  EXPECT_REFUSED(sample(ids.view(1), tensor_view<float, 2>{buffer.data(), {1, 1 << 24}, {1, 1}},
                        counters.view(1)),
                 status_code::unsupported, "logits");
  EXPECT_REFUSED(sample(tokens, logits, at, {.top_p = 2}), status_code::invalid_argument, "top_p");
  EXPECT_REFUSED(sample(tokens, logits, at, {.min_p = -1}), status_code::invalid_argument, "min_p");
  EXPECT_REFUSED(sample(tokens, logits, at, {.temperature = -1}), status_code::invalid_argument,
                 "temperature");
  EXPECT_SUCCESS(sample(ids.view(0), buffer.view(0, 8), counters.view(0)));
}

}  // namespace
}  // namespace rocmforge::testing
