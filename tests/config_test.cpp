// What a model file must say: hyper-parameters, read and refused.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <rocmforge/model/config.hpp>
#include <string>
#include <vector>

#include "support/tiny_model.hpp"

namespace rocmforge::testing {
namespace {

model_config config_of(const gguf_writer& writer) {
  return read_model_config(open(writer));
}

/// A llama file whose `key` has this value is refused.
template <class T>
void expect_key_refused(const std::string& key, T value, const std::string& expected) {
  SCOPED_TRACE(key);
  const std::string full =
      key.starts_with("general.") || key.starts_with("tokenizer.") ? key : "llama." + key;
  refusal([&] { config_of(tiny_model({}).writer({full}).add(full, value)); }, expected);
}

TEST(config, of_llama) {
  const model_config c = config_of(
      tiny_model({.rotary_dim = 20, .position_scale = 0.25, .softmax_scale = 0.5}).writer());
  EXPECT_EQ(c.architecture.name, "llama");
  EXPECT_EQ(c.num_layers, 2);
  EXPECT_EQ(c.hidden_dim, 64);
  EXPECT_EQ(c.ffn_dim, 96);
  EXPECT_EQ(c.num_heads, 3);
  EXPECT_EQ(c.num_kv_heads, 1);
  EXPECT_EQ(c.head_dim, 32);
  EXPECT_EQ(c.q_dim(), 96);
  EXPECT_EQ(c.kv_dim(), 32);
  EXPECT_EQ(c.vocab_size, 70);
  EXPECT_EQ(c.context_length, 64);
  EXPECT_EQ(c.epsilon, 1e-5f);
  EXPECT_EQ(c.rope_theta, 5000);
  EXPECT_EQ(c.position_scale, 0.25f);
  EXPECT_EQ(c.rotary_dim, 20);
  EXPECT_FALSE(c.architecture.rope_half_split);
  EXPECT_EQ(c.softmax_scale, 0.5f);
  EXPECT_FALSE(c.architecture.requires_qkv_bias);
}

TEST(config, of_qwen2) {
  const model_config c = config_of(tiny_model({.architecture = "qwen2"}).writer());
  EXPECT_EQ(c.architecture.name, "qwen2");
  EXPECT_TRUE(c.architecture.rope_half_split);
  EXPECT_TRUE(c.architecture.requires_qkv_bias);
}

TEST(config, of_a_file_that_leaves_out_what_it_may) {
  const auto writer = tiny_model({.hidden_dim = 96})
                          .writer({"llama.attention.head_count_kv", "llama.attention.key_length",
                                   "llama.rope.dimension_count", "llama.rope.freq_base"});
  const model_config c = config_of(writer);
  EXPECT_EQ(c.num_kv_heads, 3);  // the heads
  EXPECT_EQ(c.head_dim, 32);     // hidden_dim / heads
  EXPECT_EQ(c.rotary_dim, 32);   // head_dim
  EXPECT_EQ(c.rope_theta, 10000);
  EXPECT_EQ(c.position_scale, 1);
  EXPECT_EQ(c.softmax_scale, 1 / std::sqrt(32.0f));
}

TEST(config, takes_other_names_and_types_of_the_same) {
  EXPECT_EQ(config_of(tiny_model({}).writer().add("llama.rope.scale_linear", 4.0f)).position_scale,
            0.25f);
  EXPECT_EQ(config_of(tiny_model({})
                          .writer()
                          .add("llama.rope.scaling.type", "none")
                          .add("llama.rope.scaling.factor", 4.0f))
                .position_scale,
            1);
  EXPECT_EQ(
      config_of(
          tiny_model({}).writer({"llama.block_count"}).add("llama.block_count", std::uint64_t{2}))
          .num_layers,
      2);
  EXPECT_EQ(
      config_of(
          tiny_model({}).writer({"llama.block_count"}).add("llama.block_count", std::int8_t{2}))
          .num_layers,
      2);
}

TEST(config, knows_which_layers_have_a_window) {
  const auto config = [](const char* architecture, auto... keys) {
    auto writer = tiny_model({.architecture = architecture}).writer();
    (writer.add(std::string(architecture) + ".attention." + keys.first, keys.second), ...);
    return config_of(writer);
  };
  using key = std::pair<const char*, std::uint32_t>;
  const auto local = [](const model_config& c) {
    std::string layers;
    for (int layer = 0; layer < 12; ++layer) layers += c.is_local(layer) ? 'l' : 'g';
    return layers;
  };
  EXPECT_EQ(local(config("llama")), "gggggggggggg");
  EXPECT_EQ(local(config("llama", key{"sliding_window", 40})), "llllllllllll");
  EXPECT_EQ(config("llama", key{"sliding_window", 40}).sliding_window, 40);
  EXPECT_EQ(local(config("gemma2")), "lglglglglglg");
  EXPECT_EQ(config("gemma2").sliding_window, 4096);
  EXPECT_EQ(local(config("gemma3", key{"sliding_window", 40})), "lllllglllllg");
  EXPECT_EQ(local(config("gemma3", key{"sliding_window", 40}, key{"sliding_window_pattern", 4})),
            "lllglllglllg");
  EXPECT_EQ(config("gemma3").local_rope_theta, 10000);
}

TEST(config, takes_yarn) {
  const model_config c = config_of(tiny_model({})
                                       .writer()
                                       .add("llama.rope.scaling.type", "yarn")
                                       .add("llama.rope.scaling.factor", 4.0f)
                                       .add("llama.rope.scaling.original_context_length", 16u));
  EXPECT_EQ(c.yarn_factor, 4);
  EXPECT_EQ(c.original_context, 16);
  EXPECT_EQ(c.position_scale, 1);
}

TEST(config, refuses_an_unknown_architecture) {
  const std::string known = "expected one of llama, qwen2, qwen3, gemma, gemma2, gemma3, phi3";
  expect_key_refused("general.architecture", "bloom", "general.architecture is 'bloom', " + known);
  expect_key_refused("general.architecture", "a\nb", "general.architecture is 'a\\x0ab', " + known);
  expect_key_refused("general.architecture", 3u, "general.architecture");
  refusal([] { config_of(tiny_model({}).writer({"general.architecture"})); },
          "metadata key 'general.architecture' is missing");
  expect_key_refused("expert_count", 8u,
                     "llama.expert_count is not 0: mixtures of experts are not supported");
}

TEST(config, refuses_a_file_without_what_is_needed) {
  for (const std::string name :
       {"block_count", "context_length", "embedding_length", "feed_forward_length",
        "attention.head_count", "attention.layer_norm_rms_epsilon"}) {
    refusal([&] { config_of(tiny_model({}).writer({"llama." + name})); },
            "has no llama." + name + ", which the architecture needs");
  }
  refusal([] { config_of(tiny_model({}).writer({"token_embd.weight"})); },
          "has no tensor 'token_embd.weight'");
}

TEST(config, refuses_integers_out_of_range) {
  struct range {
    const char* name;
    std::int64_t low, high;
  };
  for (const range& r : {range{"block_count", 1, 512},
                         {"context_length", 1, 1 << 24},
                         {"embedding_length", 1, 1 << 20},
                         {"feed_forward_length", 1, 1 << 22},
                         {"attention.head_count", 1, 1024},
                         {"attention.head_count_kv", 1, 3},
                         {"attention.key_length", 2, 256},
                         {"attention.value_length", 1, 1024},
                         {"rope.dimension_count", 2, 32},
                         {"attention.sliding_window", 0, std::numeric_limits<int>::max()},
                         {"vocab_size", 1, 1 << 24}}) {
    for (const std::int64_t value :
         {r.low - 1, r.high + 1, std::numeric_limits<std::int64_t>::min()}) {
      expect_key_refused(r.name, value,
                         std::string("llama.") + r.name + " is " + std::to_string(value) +
                             ", expected " + std::to_string(r.low) + " to " +
                             std::to_string(r.high));
    }
    expect_key_refused(r.name, std::numeric_limits<std::uint64_t>::max(),
                       std::string("llama.") + r.name);
    expect_key_refused(r.name, 1.0f, std::string("llama.") + r.name);
    expect_key_refused(r.name, "2", std::string("llama.") + r.name);
  }
  refusal(
      [] {
        config_of(tiny_model({})
                      .writer({"llama.attention.head_count_kv"})
                      .add_array("llama.attention.head_count_kv", std::vector{1u, 1u}));
      },
      "llama.attention.head_count_kv");
}

TEST(config, refuses_integers_that_do_not_go_together) {
  expect_key_refused("attention.head_count_kv", 2u,
                     "llama.attention.head_count is 3, expected a multiple of head_count_kv, 2");
  expect_key_refused("attention.key_length", 33u,
                     "head_dim is 33, expected an even number from 2 to 256");
  expect_key_refused(
      "attention.value_length", 16u,
      "llama.attention.value_length differs from the keys' length, 32; they must be equal");
  expect_key_refused("rope.dimension_count", 31u, "llama.rope.dimension_count is odd");
  expect_key_refused(
      "embedding_length", 128u,
      "token_embd.weight has shape 64 x 70, expected 128 (llama.embedding_length) x vocabulary");
  // The heads' size, where no key says it.
  refusal([] { config_of(tiny_model({}).writer({"llama.attention.key_length"})); },
          "head_dim is 21, expected an even number from 2 to 256");
  refusal(
      [] { config_of(tiny_model({.hidden_dim = 1024}).writer({"llama.attention.key_length"})); },
      "head_dim is 341, expected an even number from 2 to 256");
}

TEST(config, refuses_numbers_out_of_range) {
  expect_key_refused("attention.layer_norm_rms_epsilon", -1e-5f,
                     "llama.attention.layer_norm_rms_epsilon is -0.00001");
  expect_key_refused("attention.layer_norm_rms_epsilon", 1.5f,
                     "llama.attention.layer_norm_rms_epsilon is 1.5");
  expect_key_refused("attention.layer_norm_rms_epsilon", 0.0f,
                     "llama.attention.layer_norm_rms_epsilon is 0, expected more");
  expect_key_refused("attention.scale", -1.0f, "llama.attention.scale is -1");
  expect_key_refused("rope.freq_base", 0.0f, "llama.rope.freq_base is 0, expected more");
  expect_key_refused("rope.freq_base", 1e13f, "llama.rope.freq_base is ");
  expect_key_refused("rope.scaling.factor", -2.0f, "llama.rope.scaling.factor is -2");
  expect_key_refused("rope.scaling.factor", 1e-45f, "llama.rope.scaling.factor is too small");
  expect_key_refused("rope.scaling.attn_factor", 0.0f, "llama.rope.scaling.attn_factor is 0");
  for (const std::string name : {"attention.layer_norm_rms_epsilon", "attention.scale",
                                 "rope.freq_base", "rope.scaling.factor"}) {
    for (const float value :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      expect_key_refused(name, value, "llama." + name);
    }
    expect_key_refused(name, 1u, "llama." + name);
  }
}

TEST(config, refuses_rotations_that_it_does_not_know) {
  for (const char* type : {"dynamic", ""}) {
    expect_key_refused("rope.scaling.type", type,
                       std::string("llama.rope.scaling.type is '") + type +
                           "', expected 'none', 'linear', 'yarn' or 'longrope'");
  }
  expect_key_refused("rope.scaling.type", "yarn", "llama.rope.scaling.factor is below 1");
}

TEST(config, refuses_a_vocabulary_that_is_not_the_embeddings) {
  expect_key_refused("vocab_size", 71u,
                     "llama.vocab_size is another number, but token_embd.weight has 70 rows");
  expect_key_refused("vocab_size", 69u,
                     "llama.vocab_size is another number, but token_embd.weight has 70 rows");
  const auto with_tokens = [](std::size_t count) {
    return tiny_model({}).writer().add_array("tokenizer.ggml.tokens",
                                             std::vector<std::string>(count, "x"));
  };
  refusal([&] { config_of(with_tokens(71)); },
          "tokenizer.ggml.tokens has 71 tokens, but token_embd.weight has 70 rows");
  EXPECT_EQ(config_of(with_tokens(70)).vocab_size, 70);
  EXPECT_EQ(config_of(with_tokens(60)).vocab_size, 70);  // padded rows
  refusal(
      [] {
        config_of(tiny_model({})
                      .writer({"token_embd.weight"})
                      .add_tensor("token_embd.weight", std::vector<std::int64_t>{64},
                                  std::vector<float>(64)));
      },
      "token_embd.weight has shape 64 x 1, expected 64 (llama.embedding_length) x vocabulary");
}

}  // namespace
}  // namespace rocmforge::testing
