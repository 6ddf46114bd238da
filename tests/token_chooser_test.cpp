// The decoder's choice of tokens, with the library's sampling on the host, and its filter of stop
// texts.
#include "examples/decoder/token_chooser.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "examples/decoder/device_choice.hpp"
#include "examples/decoder/stop_filter.hpp"
#include "reference/sampling.hpp"

namespace {

namespace reference = rocmforge::testing::reference;
using decoder::choice_options;
using decoder::token_choice;
using decoder::token_chooser;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// A model that gives the same logits after every token.
class same_logits final : public decoder::engine {
 public:
  explicit same_logits(std::vector<float> logits)
      : logits_(std::move(logits)), device_(logits_.size()), choice_(vocab_size()) {}

  std::string card() const override { return {}; }
  int vocab_size() const override { return static_cast<int>(logits_.size()); }
  int context() const override { return 0; }
  int length() const override { return 0; }
  void truncate(int) override {}
  void append(std::span<const int>) override {}
  void append(std::span<const int>, std::span<float>) override {}
  void read_logits(std::span<float>) override {}
  int choose(const token_choice& choice) override {
    last_repeated = {choice.repeated.begin(), choice.repeated.end()};
    device_.copy_from_host(logits_);
    return choice_.choose(device_.view(1, vocab_size()), choice);
  }

  std::vector<int> last_repeated;

 private:
  std::vector<float> logits_;
  rocmforge::device_buffer<float> device_;
  decoder::device_choice choice_;
};

/// Logits with many ties, in [-8, 8].
std::vector<float> some_logits(int size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> logits(static_cast<std::size_t>(size));
  for (float& logit : logits) logit = static_cast<float>(random() % 129) / 8.0f - 8.0f;
  return logits;
}

/// Samples from all tokens.
choice_options unfiltered(float temperature, std::uint32_t seed) {
  return {.sampling = {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = temperature},
          .seed = seed};
}

/// Takes the likeliest token after a repeat penalty.
choice_options greedy(float repeat_penalty = 1, int repeat_last_n = 64) {
  return {.sampling = {.temperature = 0},
          .repeat_penalty = repeat_penalty,
          .repeat_last_n = repeat_last_n};
}

/// The next `count` tokens.
std::vector<int> chosen(token_chooser& chooser, decoder::engine& model, int count) {
  std::vector<int> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back(chooser.choose(model, model.vocab_size()));
  return tokens;
}

std::vector<int> chosen(const choice_options& options, std::vector<float> logits, int count) {
  token_chooser chooser(options);
  same_logits model(std::move(logits));
  return chosen(chooser, model, count);
}

TEST(token_chooser, the_defaults_are_those_of_the_documentation) {
  const choice_options o;
  EXPECT_EQ(o.sampling.temperature, 0.8f);
  EXPECT_EQ(o.sampling.top_k, 40);
  EXPECT_EQ(o.sampling.top_p, 0.95f);
  EXPECT_EQ(o.sampling.min_p, 0.05f);
  EXPECT_EQ(o.repeat_penalty, 1.0f);
  EXPECT_EQ(o.repeat_last_n, 64);
}

TEST(token_chooser, temperature_zero_takes_the_lowest_id_of_the_largest) {
  EXPECT_EQ(chosen(greedy(), {1.0f, 5.0f, 5.0f, -infinity}, 1), std::vector<int>{1});
  EXPECT_EQ(chosen(greedy(), {-3.0f, -3.0f}, 1), std::vector<int>{0});
}

TEST(token_chooser, a_tiny_temperature_takes_the_likeliest) {
  EXPECT_EQ(chosen(unfiltered(1e-38f, 1), {300.0f, 301.0f, -infinity}, 100),
            std::vector<int>(100, 1));
}

/// The random number of draw i is Philox of position i under the seed, as on every platform.
TEST(token_chooser, draws_with_the_seed_and_the_number_of_the_draw) {
  const auto logits = some_logits(1000, 8);
  const std::vector<double> doubles(logits.begin(), logits.end());
  const choice_options options{.sampling = {.temperature = 1.5f}, .seed = 5};
  const auto& s = options.sampling;
  const auto ids = reference::candidates(doubles, {s.top_k, s.top_p, s.min_p});
  const auto p = reference::distribution(doubles, ids, s.temperature);
  std::vector<int> expected;
  for (std::uint32_t i = 0; i < 50; ++i)
    expected.push_back(reference::draw(p, reference::uniform(5, 0, i)));
  EXPECT_EQ(chosen(options, logits, 50), expected);
}

TEST(token_chooser, same_seed_same_tokens_and_another_seed_others) {
  const auto logits = some_logits(1000, 8);
  const auto with_seed = [&](std::uint32_t seed) {
    return chosen({.sampling = {.temperature = 1.5f}, .seed = seed}, logits, 50);
  };
  EXPECT_EQ(with_seed(5), with_seed(5));
  EXPECT_NE(with_seed(5), with_seed(6));
}

TEST(token_chooser, follows_the_distribution) {
  const std::vector<float> logits = {1.0f, 0.0f, 2.0f, -1.0f, 0.5f};
  constexpr int draws = 200000;
  std::vector<int> counts(logits.size());
  for (const int token : chosen(unfiltered(2.0f, 99), logits, draws))
    ++counts[static_cast<std::size_t>(token)];
  double sum = 0, chi_squared = 0;
  for (const float logit : logits) sum += std::exp(double(logit) / 2);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double expected = draws * std::exp(double(logits[i]) / 2) / sum;
    chi_squared += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_squared, 18.5);  // 4 degrees of freedom: exceeded once in a thousand seeds
}

TEST(token_chooser, stays_within_top_k) {
  auto options = unfiltered(1.0f, 4);
  options.sampling.top_k = 3;
  const auto tokens = chosen(options, std::vector<float>(100, 1.0f), 500);
  EXPECT_EQ(std::set<int>(tokens.begin(), tokens.end()), (std::set<int>{0, 1, 2}));
}

TEST(token_chooser, leaves_out_ids_beyond_the_choices) {
  same_logits model({1.0f, 3.0f, 2.0f, 9.0f, nan});
  token_chooser plain(greedy());
  EXPECT_EQ(plain.choose(model, 3), 1);
  EXPECT_EQ(plain.choose(model, 4), 3);
  token_chooser penalized(greedy(100.0f));
  penalized.accept(std::vector<int>{4, 1, 3});
  EXPECT_EQ(penalized.choose(model, 3), 2);
}

TEST(token_chooser, never_chooses_what_is_suppressed) {
  const auto chosen_without = [](const choice_options& options, std::vector<float> logits,
                                 std::vector<int> suppressed, int count) {
    token_chooser chooser(options, std::move(suppressed));
    same_logits model(std::move(logits));
    return chosen(chooser, model, count);
  };
  EXPECT_EQ(chosen_without(greedy(), {1, 9, infinity, 3, 8}, {1, 2, 4}, 2),
            (std::vector<int>{3, 3}));
  for (const int token : chosen_without(unfiltered(1, 7), std::vector<float>(4, 0), {0, 2}, 50))
    EXPECT_TRUE(token == 1 || token == 3) << token;
  // As many as several launches take, and the penalty applies to what is left.
  std::vector<int> most(4999);
  std::iota(most.begin(), most.end(), 0);
  most.erase(most.begin() + 1700);
  std::vector<float> logits(5000, 5);
  logits[1700] = 2;
  logits[4999] = 1;
  EXPECT_EQ(chosen_without(greedy(), logits, most, 1), std::vector<int>{1700});
  token_chooser chooser(greedy(4), most);
  const int repeated = 1700;
  chooser.accept(std::span(&repeated, 1));
  same_logits model(logits);
  EXPECT_EQ(chosen(chooser, model, 1), std::vector<int>{4999});
}

TEST(token_chooser, the_penalty_is_that_of_the_last_n_only) {
  const auto with_last_n = [](int last_n) {
    same_logits model({4.0f, 3.0f, 2.5f});
    token_chooser chooser(greedy(2.0f, last_n));
    chooser.accept(std::vector<int>{0, 1, 1});
    return chooser.choose(model, 3);
  };
  EXPECT_EQ(with_last_n(0), 0);
  EXPECT_EQ(with_last_n(2), 0);
  EXPECT_EQ(with_last_n(3), 2);
  EXPECT_EQ(with_last_n(64), 2);
  EXPECT_EQ(with_last_n(-1), 2);
}

TEST(token_chooser, the_penalty_makes_negative_logits_smaller) {
  same_logits model({-2.0f, -3.0f, -5.0f});
  token_chooser chooser(greedy(2.0f));
  chooser.accept(std::vector<int>{0});
  EXPECT_EQ(chooser.choose(model, 3), 1);
}

TEST(token_chooser, the_penalty_gets_each_id_once) {
  same_logits model(std::vector<float>(10, 1.0f));
  token_chooser chooser(greedy(2.0f, 5));
  chooser.accept(std::vector<int>{9, 3, 7, 3, 3, 1});
  (void)chooser.choose(model, 10);
  EXPECT_EQ(model.last_repeated, (std::vector<int>{1, 3, 7}));
  token_chooser off(greedy(1.0f, 5));
  off.accept(std::vector<int>{9, 3});
  (void)off.choose(model, 10);
  EXPECT_TRUE(model.last_repeated.empty());
}

TEST(token_chooser, forget_clears_the_history) {
  same_logits model({4.0f, 3.0f});
  token_chooser chooser(greedy(2.0f));
  chooser.accept(std::vector<int>{0});
  EXPECT_EQ(chooser.choose(model, 2), 1);
  chooser.forget();
  EXPECT_EQ(chooser.choose(model, 2), 0);
}

TEST(token_chooser, forget_continues_the_random_numbers) {
  same_logits model(some_logits(1000, 3));
  const auto options = unfiltered(5.0f, 7);
  token_chooser whole(options), interrupted(options);
  const auto expected = chosen(whole, model, 20);
  auto tokens = chosen(interrupted, model, 10);
  interrupted.forget();
  const auto more = chosen(interrupted, model, 10);
  tokens.insert(tokens.end(), more.begin(), more.end());
  EXPECT_EQ(tokens, expected);
}

TEST(token_chooser, never_chooses_what_is_no_number) {
  for (const float temperature : {0.0f, 0.8f}) {
    const auto options = unfiltered(temperature, 1);
    EXPECT_EQ(chosen(options, {-infinity, 1.0f, nan}, 20), std::vector<int>(20, 1));
    EXPECT_THROW(chosen(options, {-infinity, -infinity}, 1), rocmforge::error);
    EXPECT_THROW(chosen(options, {nan, -infinity, nan}, 1), rocmforge::error);
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
