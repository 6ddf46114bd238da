// The host's results do not depend on the number of threads: the same bits from any.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <rocmforge/model.hpp>
#include <span>
#include <string>
#include <vector>

#include "support/model_runner.hpp"
#include "support/tiny_model.hpp"

namespace rocmforge::testing {
namespace {

class threads : public ::testing::Test {
 protected:
  void TearDown() override { set_num_threads(before_); }

 private:
  int before_ = num_threads();
};

/// Logits of a prompt at once, and of one more token.
std::vector<float> prompt_and_step(model_runner& run, const std::vector<int>& tokens) {
  cached_sequence text = run.sequence();
  auto logits = run.step(text, tokens, true);
  const auto more = run.step(text, std::span<const int>(tokens).first(1));
  logits.insert(logits.end(), more.begin(), more.end());
  return logits;
}

/// The same tokens with one thread and with more.
void expect_equal_bits(model_runner& run, const std::vector<int>& tokens) {
  set_num_threads(1);
  const auto logits = prompt_and_step(run, tokens);
  for (const int count : {2, 3}) {
    set_num_threads(count);
    EXPECT_TRUE(prompt_and_step(run, tokens) == logits) << count << " threads";
  }
}

TEST_F(threads, give_the_same_bits_in_any_number) {
  for (const std::string architecture : {"llama", "qwen2"}) {
    SCOPED_TRACE(architecture);
    const tiny_model tiny({.architecture = architecture,
                           .ffn_dim = 256,
                           .vocab_size = 1000,
                           .biased = {"attn_q", "attn_k", "attn_v"}});
    model_runner run(open(tiny.writer()), {.max_tokens = 60, .max_logits = 60});
    std::vector<int> tokens;
    for (int i = 0; i < 60; ++i) tokens.push_back(i * 37 % 1000);
    expect_equal_bits(run, tokens);
  }
}

TEST_F(threads, give_the_same_bits_with_a_real_model) {
  const char* path = std::getenv("ROCMFORGE_TEST_MODEL");
  if (path == nullptr)
    GTEST_SKIP() << "ROCMFORGE_TEST_MODEL does not name SmolLM2-135M-Instruct.Q4_1.gguf";
  const gguf::file file(path);
  constexpr transformer_options options{.max_tokens = 64, .max_logits = 64, .max_length = 128};
  model_runner run(file, options, dtype::f32, 8);
  std::vector<int> tokens;
  for (int i = 0; i < 40; ++i) tokens.push_back(1000 + i * 331);
  expect_equal_bits(run, tokens);
}

}  // namespace
}  // namespace rocmforge::testing
