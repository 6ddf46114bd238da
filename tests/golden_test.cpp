// A real model against logits computed elsewhere in double (data/golden_smollm2.json says how), on
// the platform's first device.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <rocmforge/model.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/model_runner.hpp"

namespace rocmforge::testing {
namespace {

struct prompt {
  std::string text;
  std::vector<int> tokens;
  std::vector<std::pair<int, double>> top;  // tokens and logits after the prompt
  double mean_nll;
  std::vector<int> greedy;
};

std::vector<prompt> golden_prompts() {
  std::ifstream in(std::filesystem::path(__FILE__).parent_path() / "data/golden_smollm2.json");
  const auto data = nlohmann::json::parse(in);
  std::vector<prompt> prompts;
  for (const auto& p : data.at("prompts")) {
    prompts.push_back(
        {p.at("text"), p.at("tokens"), p.at("top10"), p.at("mean_nll"), p.at("greedy")});
  }
  return prompts;
}

/// Mean negative log-likelihood of the tokens from the second on. @param logits  of every token
double mean_nll(const std::vector<float>& logits, const std::vector<int>& tokens) {
  const int vocab_size = static_cast<int>(logits.size() / tokens.size());
  double sum = 0;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const auto row = row_of(logits, vocab_size, i);
    const double largest = row[std::size_t(likeliest(row))];
    double total = 0;
    for (const float logit : row) total += std::exp(logit - largest);
    sum += largest + std::log(total) - row[std::size_t(tokens[i + 1])];
  }
  return sum / double(tokens.size() - 1);
}

std::string text_of(double number) {
  return (::testing::Message() << number).GetString();
}

class golden : public ::testing::Test {
 protected:
  void SetUp() override {
    if (devices().empty())
      GTEST_SKIP() << "there is no device of this platform: compiled, not executed";
    const char* path = std::getenv("ROCMFORGE_TEST_MODEL");
    if (path == nullptr)
      GTEST_SKIP() << "ROCMFORGE_TEST_MODEL does not name SmolLM2-135M-Instruct.Q4_1.gguf";
    prompts_ = golden_prompts();
    ASSERT_EQ(prompts_.size(), 4u);
    file_ = std::make_unique<gguf::file>(path);
  }

  [[nodiscard]] std::unique_ptr<model_runner> runner(dtype cache_type = dtype::f32) const {
    constexpr transformer_options options{
        .max_tokens = 128, .max_sequences = 4, .max_logits = 128, .max_length = 128};
    return std::make_unique<model_runner>(*file_, options, cache_type, 8);
  }

  struct limits {
    double logits, nll;
  };
  /// Logits after each prompt, and the likelihood of its tokens.
  void expect_prompts(dtype cache_type, const limits& limit) {
    const auto run = runner(cache_type);
    limits largest{};
    for (const prompt& p : prompts_) {
      SCOPED_TRACE(p.text);
      cached_sequence text = run->sequence();
      const auto logits = run->step(text, p.tokens, true);
      const auto last = row_of(logits, run->model.config().vocab_size, p.tokens.size() - 1);
      for (const auto& [token, expected] : p.top) {
        EXPECT_NEAR(last[std::size_t(token)], expected, limit.logits) << "token " << token;
        largest.logits = std::max(largest.logits, std::fabs(last[std::size_t(token)] - expected));
      }
      EXPECT_NEAR(mean_nll(logits, p.tokens), p.mean_nll, limit.nll);
      largest.nll = std::max(largest.nll, std::fabs(mean_nll(logits, p.tokens) - p.mean_nll));
    }
    RecordProperty("largest_logit_difference", text_of(largest.logits));
    RecordProperty("largest_nll_difference", text_of(largest.nll));
  }

  std::unique_ptr<gguf::file> file_;
  std::vector<prompt> prompts_;
};

TEST_F(golden, prompts_with_an_f32_cache) {
  expect_prompts(dtype::f32, {2e-3, 1e-4});
}
TEST_F(golden, prompts_with_an_f16_cache) {
  expect_prompts(dtype::f16, {3e-2, 2e-3});
}
TEST_F(golden, prompts_with_a_bf16_cache) {
  expect_prompts(dtype::bf16, {1e-1, 1e-2});
}

TEST_F(golden, greedy_tokens) {
  const auto run = runner();
  for (const prompt& p : prompts_) {
    SCOPED_TRACE(p.text);
    cached_sequence text = run->sequence();
    auto logits = run->step(text, p.tokens);
    for (std::size_t i = 0; i < p.greedy.size(); ++i) {
      ASSERT_EQ(likeliest(logits), p.greedy[i]) << "step " << i;
      logits = run->step(text, {&p.greedy[i], 1});
    }
  }
}

TEST_F(golden, greedy_tokens_of_all_prompts_side_by_side) {
  const auto run = runner();
  const int vocab_size = run->model.config().vocab_size;
  std::vector<cached_sequence> texts, lone;
  for (std::size_t i = 0; i < prompts_.size(); ++i) {
    texts.push_back(run->sequence());
    lone.push_back(run->sequence());
  }
  double largest = 0;
  const std::size_t rounds = prompts_[0].greedy.size();  // the shortest
  for (std::size_t round = 0; round < rounds; ++round) {
    const auto news = [&](const prompt& p) {
      return round == 0 ? std::span<const int>(p.tokens) : std::span(&p.greedy[round - 1], 1);
    };
    std::vector<sequence_step> steps;
    for (std::size_t i = 0; i < texts.size(); ++i) steps.push_back({&texts[i], news(prompts_[i])});
    const auto together = run->step(steps);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto row = row_of(together, vocab_size, i);
      ASSERT_EQ(likeliest(row), prompts_[i].greedy[round])
          << "step " << round << " of " << prompts_[i].text;
      largest = std::max(
          largest, difference(row, std::span<const float>(run->step(lone[i], news(prompts_[i])))));
    }
  }
  EXPECT_LE(largest, 1e-4);
  RecordProperty("largest_difference", text_of(largest));
}

TEST_F(golden, prefill_in_any_parts_agrees) {
  const auto run = runner();
  double largest = 0;
  for (const prompt& p : prompts_) {
    const auto at_once = run->alone(p.tokens);
    for (const std::size_t chunk : {16, 3, 1}) {
      cached_sequence text = run->sequence();
      const double distance = difference(run->in_chunks(text, p.tokens, chunk), at_once);
      EXPECT_LE(distance, 1e-3) << "in steps of " << chunk << ": " << p.text;
      largest = std::max(largest, distance);
    }
  }
  RecordProperty("largest_difference", text_of(largest));
}

TEST_F(golden, two_runs_give_the_same_bits) {
  const auto first = runner(), second = runner();
  for (const prompt& p : prompts_) {
    EXPECT_TRUE(first->alone(p.tokens) == second->alone(p.tokens)) << p.text;
  }
}

}  // namespace
}  // namespace rocmforge::testing
