// The decoder's sampling chain, stage by stage against plain double arithmetic, and the filter of
// stop texts.
#include "examples/decoder/sampler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "examples/decoder/stop_filter.hpp"

namespace {

using decoder::candidate;
using decoder::sampler;
using decoder::sampling_options;
using decoder::uniform_source;

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Logits with many ties, in [-8, 8].
std::vector<float> some_logits(int size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> logits(static_cast<std::size_t>(size));
  for (float& logit : logits) logit = static_cast<float>(random() % 129) / 8.0f - 8.0f;
  return logits;
}

std::vector<candidate> candidates_of(const std::vector<float>& logits) {
  std::vector<candidate> candidates;
  for (const float logit : logits) {
    candidates.push_back({static_cast<int>(candidates.size()), logit});
  }
  return candidates;
}

std::vector<int> ids_of(const std::vector<candidate>& candidates) {
  std::vector<int> ids;
  for (const candidate& c : candidates) ids.push_back(c.id);
  return ids;
}

/// Token ids, the likeliest first and the lowest id first among equals.
std::vector<int> sorted_ids(const std::vector<float>& logits) {
  std::set<std::pair<double, int>> order;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    order.insert({-static_cast<double>(logits[i]), static_cast<int>(i)});
  }
  std::vector<int> ids;
  for (const auto& [key, id] : order) ids.push_back(id);
  return ids;
}

std::vector<double> softmax(const std::vector<float>& logits) {
  double sum = 0;
  std::vector<double> result;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  for (const float logit : logits) result.push_back(std::exp(static_cast<double>(logit)) / sum);
  return result;
}

TEST(uniform_source, gives_the_known_first_number_and_stays_below_one) {
  uniform_source uniform(42);
  EXPECT_DOUBLE_EQ(uniform(), 0.79654298428784598);
  double sum = 0;
  constexpr int draws = 100000;
  for (int i = 0; i < draws; ++i) {
    const double u = uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / draws, 0.5, 0.005);
}

TEST(uniform_source, takes_the_low_word_first) {
  std::mt19937 words(7);
  uniform_source uniform(7);
  for (int i = 0; i < 1000; ++i) {
    const auto low = static_cast<double>(words());
    const auto high = static_cast<double>(words());
    ASSERT_EQ(uniform(), (low + high * 4294967296.0) / 18446744073709551616.0);
  }
}

TEST(repeat_penalty, divides_positive_and_multiplies_other_logits_once) {
  auto candidates = candidates_of({2.0f, -2.0f, 0.0f, 4.0f, -4.0f});
  const std::vector<int> recent = {0, 1, 0, 0, 2, 1};
  decoder::apply_repeat_penalty(candidates, recent, 2.0f);
  const std::vector<float> expected = {1.0f, -4.0f, 0.0f, 4.0f, -4.0f};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(candidates[i].logit, expected[i]);
}

TEST(repeat_penalty, ignores_ids_beyond_the_candidates) {
  auto candidates = candidates_of({2.0f, 3.0f});
  decoder::apply_repeat_penalty(candidates, std::vector<int>{5, 1}, 3.0f);
  EXPECT_EQ(candidates[0].logit, 2.0f);
  EXPECT_EQ(candidates[1].logit, 1.0f);
}

TEST(top_k, keeps_the_likeliest_and_the_lowest_ids_among_equals) {
  for (const int size : {1, 2, 31, 32, 33, 1000}) {
    const auto logits = some_logits(size, 1);
    const auto order = sorted_ids(logits);
    for (const int k : {1, 2, 5, 31, 40, 999, 5000}) {
      auto candidates = candidates_of(logits);
      decoder::keep_top_k(candidates, k);
      const auto kept = static_cast<std::size_t>(std::min(k, size));
      EXPECT_EQ(ids_of(candidates), std::vector<int>(order.begin(), order.begin() + kept))
          << size << " candidates, k " << k;
    }
  }
}

TEST(top_k, zero_keeps_all_in_the_order_of_ids) {
  auto candidates = candidates_of({1.0f, 3.0f, 2.0f});
  decoder::keep_top_k(candidates, 0);
  EXPECT_EQ(ids_of(candidates), (std::vector<int>{0, 1, 2}));
}

TEST(top_p, keeps_the_shortest_run_that_reaches_p) {
  for (const unsigned seed : {1u, 2u, 3u, 4u}) {
    const auto logits = some_logits(500, seed);
    const auto order = sorted_ids(logits);
    const auto probabilities = softmax(logits);
    for (const float p : {0.001f, 0.1f, 0.5f, 0.9f, 0.95f, 0.999f}) {
      std::vector<int> expected;
      double sum = 0;
      for (const int id : order) {
        if (sum >= p) break;
        expected.push_back(id);
        sum += probabilities[static_cast<std::size_t>(id)];
        ASSERT_GT(std::abs(sum - p), 1e-6) << "in float the sum may fall on either side of p";
      }
      auto candidates = candidates_of(logits);
      decoder::keep_top_p(candidates, p);
      EXPECT_EQ(ids_of(candidates), expected) << "p " << p << ", seed " << seed;
    }
  }
}

TEST(top_p, keeps_at_least_one_and_is_off_at_one) {
  auto candidates = candidates_of({0.0f, 20.0f, 0.0f});
  decoder::keep_top_p(candidates, 1e-30f);
  EXPECT_EQ(ids_of(candidates), std::vector<int>{1});
  candidates = candidates_of({0.0f, 20.0f, -infinity});
  decoder::keep_top_p(candidates, 1.0f);
  EXPECT_EQ(candidates.size(), 3u);
}

TEST(min_p, keeps_what_is_likely_enough_compared_with_the_likeliest) {
  const auto logits = some_logits(500, 5);
  const double largest = *std::max_element(logits.begin(), logits.end());
  for (const float p : {0.01f, 0.05f, 0.3f, 0.9f}) {
    std::vector<int> expected;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (std::exp(logits[i] - largest) >= p) expected.push_back(static_cast<int>(i));
    }
    auto candidates = candidates_of(logits);
    decoder::keep_min_p(candidates, p);
    EXPECT_EQ(ids_of(candidates), expected) << "p " << p;
  }
}

TEST(min_p, one_keeps_the_ties_of_the_largest_and_zero_keeps_all) {
  auto candidates = candidates_of({1.0f, 3.0f, 2.0f, 3.0f});
  decoder::keep_min_p(candidates, 1.0f);
  EXPECT_EQ(ids_of(candidates), (std::vector<int>{1, 3}));
  candidates = candidates_of({1.0f, -infinity});
  decoder::keep_min_p(candidates, 0.0f);
  EXPECT_EQ(candidates.size(), 2u);
}

TEST(temperature, scales_differences) {
  auto candidates = candidates_of({1.0f, 3.0f, -2.0f});
  decoder::apply_temperature(candidates, 0.5f);
  EXPECT_FLOAT_EQ(candidates[1].logit - candidates[0].logit, 4.0f);
  EXPECT_FLOAT_EQ(candidates[1].logit - candidates[2].logit, 10.0f);
}

TEST(temperature, a_tiny_one_leaves_the_likeliest) {
  auto candidates = candidates_of({300.0f, 301.0f, -infinity});
  decoder::apply_temperature(candidates, 1e-38f);
  uniform_source uniform(1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(decoder::draw(candidates, uniform), 1);
}

TEST(draw, a_single_candidate_takes_no_random_number) {
  uniform_source used(3), fresh(3);
  EXPECT_EQ(decoder::draw(std::vector<candidate>{{17, 0.5f}}, used), 17);
  EXPECT_EQ(used(), fresh());
}

TEST(draw, takes_the_first_whose_running_sum_reaches_the_number) {
  const std::vector<float> logits = {0.3f, -1.0f, 2.0f, 1.0f};
  const auto probabilities = softmax(logits);
  uniform_source uniform(11), same(11);
  for (int i = 0; i < 10000; ++i) {
    const double u = same();
    int expected = 0;
    for (double sum = probabilities[0]; sum < u; sum += probabilities[++expected]) {
    }
    ASSERT_EQ(decoder::draw(candidates_of(logits), uniform), expected) << "draw " << i;
  }
}

TEST(sampler, follows_the_distribution) {
  const std::vector<float> logits = {1.0f, 0.0f, 2.0f, -1.0f, 0.5f};
  sampler choose({.temperature = 2.0f, .top_k = 0, .top_p = 1.0f, .min_p = 0.0f, .seed = 99});
  std::vector<float> halved;
  for (const float logit : logits) halved.push_back(logit / 2);
  const auto probabilities = softmax(halved);
  constexpr int draws = 200000;
  std::vector<int> counts(logits.size());
  for (int i = 0; i < draws; ++i) ++counts[static_cast<std::size_t>(choose.sample(logits))];
  double chi_squared = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double expected = draws * probabilities[i];
    chi_squared += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_squared, 18.5);  // 4 degrees of freedom: exceeded once in a thousand seeds
}

TEST(sampler, same_seed_same_tokens_and_another_seed_others) {
  const auto logits = some_logits(1000, 8);
  const auto run = [&](std::uint32_t seed) {
    sampler choose({.temperature = 1.5f, .seed = seed});
    std::vector<int> tokens;
    for (int i = 0; i < 50; ++i) tokens.push_back(choose.sample(logits));
    return tokens;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

TEST(sampler, the_defaults_are_those_of_the_documentation) {
  const sampling_options o;
  EXPECT_EQ(o.temperature, 0.8f);
  EXPECT_EQ(o.top_k, 40);
  EXPECT_EQ(o.top_p, 0.95f);
  EXPECT_EQ(o.min_p, 0.05f);
  EXPECT_EQ(o.repeat_penalty, 1.0f);
  EXPECT_EQ(o.repeat_last_n, 64);
}

TEST(sampler, stays_within_top_k) {
  const std::vector<float> logits(100, 1.0f);
  sampler choose({.temperature = 1.0f, .top_k = 3, .top_p = 1.0f, .min_p = 0.0f, .seed = 4});
  std::set<int> seen;
  for (int i = 0; i < 500; ++i) seen.insert(choose.sample(logits));
  EXPECT_EQ(seen, (std::set<int>{0, 1, 2}));
}

TEST(sampler, temperature_zero_takes_the_lowest_id_of_the_largest) {
  sampler choose({.temperature = 0.0f, .seed = 1});
  EXPECT_EQ(choose.sample(std::vector<float>{1.0f, 5.0f, 5.0f, -infinity}), 1);
  EXPECT_EQ(choose.sample(std::vector<float>{-3.0f, -3.0f}), 0);
}

TEST(sampler, greedy_heeds_the_penalty_of_the_last_n_only) {
  const std::vector<float> logits = {4.0f, 3.0f, 2.5f};
  const std::vector<int> history = {0, 1, 1};
  const auto greedy = [&](int last_n) {
    sampler choose({.temperature = 0.0f, .repeat_penalty = 2.0f, .repeat_last_n = last_n});
    choose.accept(history);
    return choose.sample(logits);
  };
  EXPECT_EQ(greedy(0), 0);
  EXPECT_EQ(greedy(2), 0);
  EXPECT_EQ(greedy(3), 2);
  EXPECT_EQ(greedy(64), 2);
  EXPECT_EQ(greedy(-1), 2);
}

TEST(sampler, forget_clears_the_history) {
  sampler choose({.temperature = 0.0f, .repeat_penalty = 2.0f});
  choose.accept(std::vector<int>{0});
  const std::vector<float> logits = {4.0f, 3.0f};
  EXPECT_EQ(choose.sample(logits), 1);
  choose.forget();
  EXPECT_EQ(choose.sample(logits), 0);
}

TEST(sampler, refuses_nan_and_an_infinite_maximum) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float temperature : {0.0f, 0.8f}) {
    sampler choose({.temperature = temperature});
    EXPECT_THROW(choose.sample(std::vector<float>{nan, 1.0f}), rocmforge::error);
    EXPECT_THROW(choose.sample(std::vector<float>{1.0f, 2.0f, nan}), rocmforge::error);
    EXPECT_THROW(choose.sample(std::vector<float>{-infinity, -infinity}), rocmforge::error);
    EXPECT_THROW(choose.sample(std::vector<float>{1.0f, infinity}), rocmforge::error);
    EXPECT_EQ(choose.sample(std::vector<float>{-infinity, 1.0f}), 1);
  }
}

/// What `stops` leave of `text` when it arrives in pieces of `size` bytes.
std::string filtered(const std::vector<std::string>& stops, const std::string& text,
                     std::size_t size) {
  decoder::stop_filter filter(stops);
  std::string shown;
  for (std::size_t at = 0; at < text.size(); at += size) {
    shown += filter.push(text.substr(at, size));
  }
  return shown + filter.finish();
}

TEST(stop_filter, ends_before_the_stop_text_however_the_text_is_cut) {
  for (const std::size_t size : {1u, 2u, 3u, 5u, 100u}) {
    EXPECT_EQ(filtered({"END"}, "one ENEND two END", size), "one EN") << size;
    EXPECT_EQ(filtered({"END"}, "one EN", size), "one EN") << size;
    EXPECT_EQ(filtered({"xyz", "two"}, "one two xyz", size), "one ") << size;
    EXPECT_EQ(filtered({"aab"}, "aaab", size), "a") << size;
    EXPECT_EQ(filtered({"abcd", "bc"}, "abcd", size), "a") << size;
    EXPECT_EQ(filtered({"bc", "abc"}, "xabcd", size), "x") << size;
    EXPECT_EQ(filtered({}, "all of it", size), "all of it") << size;
  }
}

TEST(stop_filter, holds_back_only_what_may_become_a_stop_text) {
  const std::vector<std::string> stops = {"\n\nUser:"};
  decoder::stop_filter filter(stops);
  EXPECT_EQ(filter.push("Hello\n"), "Hello");
  EXPECT_EQ(filter.push("\nUs"), "");
  EXPECT_EQ(filter.push("eful\n"), "\n\nUseful");
  EXPECT_FALSE(filter.found());
  EXPECT_EQ(filter.push("\nUser: more"), "");
  EXPECT_TRUE(filter.found());
  EXPECT_EQ(filter.push("\nUser:"), "");
  EXPECT_EQ(filter.finish(), "");
}

}  // namespace
