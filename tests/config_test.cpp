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
}

TEST(config, of_qwen2) {
  const model_config c = config_of(tiny_model({.architecture = "qwen2"}).writer());
  EXPECT_EQ(c.architecture.name, "qwen2");
  EXPECT_TRUE(c.architecture.rope_half_split);
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

// As llama.cpp has it: files that were made before these keys were invented are of models that had
// the same values.
TEST(config, has_the_constants_that_old_files_leave_out) {
  const model_config gemma2 = config_of(tiny_model({.architecture = "gemma2"}).writer());
  EXPECT_EQ(gemma2.attention_soft_cap, 50);
  EXPECT_EQ(gemma2.logits_soft_cap, 30);
  EXPECT_EQ(gemma2.sliding_window, 4096);
  EXPECT_EQ(gemma2.global_every, 2);
  const model_config uncapped = config_of(tiny_model({.architecture = "gemma2"})
                                              .writer()
                                              .add("gemma2.attn_logit_softcapping", 0.0f)
                                              .add("gemma2.final_logit_softcapping", 0.0f));
  EXPECT_EQ(uncapped.attention_soft_cap, 0);
  EXPECT_EQ(uncapped.logits_soft_cap, 0);
  for (const architecture_traits& a : architectures) {
    SCOPED_TRACE(a.name);
    if (a.name == "gemma2") continue;
    const std::string name(a.name);
    const model_config c =
        config_of(tiny_model({.architecture = name})
                      .writer({name + ".rope.freq_base", name + ".attention.head_count_kv"}));
    EXPECT_EQ(c.attention_soft_cap, 0);
    EXPECT_EQ(c.logits_soft_cap, 0);
    EXPECT_EQ(c.sliding_window, 0);
    EXPECT_EQ(c.rope_theta, 10000);
    EXPECT_EQ(c.num_kv_heads, 3);
    EXPECT_EQ(c.original_context, c.context_length);
  }
}

/// A llama file with an array in place of a number.
template <class T>
gguf_writer with_array(const std::string& key, const std::vector<T>& values) {
  return tiny_model({}).writer({"llama." + key}).add_array("llama." + key, values);
}

TEST(config, takes_a_value_for_each_layer_where_they_agree) {
  EXPECT_EQ(config_of(with_array("attention.head_count_kv", std::vector{1u, 1u})).num_kv_heads, 1);
  EXPECT_EQ(config_of(with_array("attention.head_count", std::vector{3, 3})).num_heads, 3);
  EXPECT_EQ(config_of(with_array("feed_forward_length", std::vector{96u, 96u})).ffn_dim, 96);
  EXPECT_EQ(config_of(with_array("attention.sliding_window", std::vector{8u, 8u})).sliding_window,
            8);
  EXPECT_EQ(config_of(with_array("rope.freq_base", std::vector{500.0f, 500.0f})).rope_theta, 500);
  EXPECT_EQ(config_of(with_array("expert_used_count", std::vector{0u, 0u})).num_layers, 2);
}

TEST(config, refuses_layers_of_different_shapes) {
  for (const std::string key : {"attention.head_count", "attention.head_count_kv",
                                "feed_forward_length", "attention.key_length"}) {
    refusal(
        [&] {
          config_of(with_array(key, std::vector{2u, 1u}));
        },
        "llama." + key + " is 2 and 1: layers of different shapes are not supported");
    refusal(
        [&] {
          config_of(with_array(key, std::vector{2u, 2u, 2u}));
        },
        "llama." + key + " has 3 values, expected 2, one for each layer");
    refusal([&] { config_of(with_array(key, std::vector<std::uint32_t>{})); },
            "llama." + key + " has 0 values, expected 2, one for each layer");
    refusal(
        [&] {
          config_of(with_array(key, std::vector<std::string>{"1", "1"}));
        },
        "llama." + key);
  }
  refusal([] { config_of(with_array("block_count", std::vector{2u, 2u})); }, "llama.block_count");
  for (const std::string key :
       {"attention.key_length_swa", "attention.value_length_swa", "rope.dimension_count_swa"}) {
    EXPECT_EQ(config_of(tiny_model({}).writer().add("llama." + key, 32u)).head_dim, 32);
    expect_key_refused(key, 16u,
                       "llama." + key +
                           " is 16 where other layers have 32: layers of different shapes are "
                           "not supported");
  }
}

TEST(config, follows_a_pattern_of_windows_given_layer_by_layer) {
  const auto gemma3 = [](auto values) {
    return config_of(tiny_model({.architecture = "gemma3", .num_layers = 3, .window = 8})
                         .writer()
                         .add_array("gemma3.attention.sliding_window_pattern", values));
  };
  const auto local = [](const model_config& c) {
    std::string layers;
    for (int layer = 0; layer < c.num_layers; ++layer) layers += c.is_local(layer) ? 'l' : 'g';
    return layers;
  };
  EXPECT_EQ(local(gemma3(std::vector<bool>{true, false, true})), "lgl");
  EXPECT_EQ(local(gemma3(std::vector<std::uint32_t>{0, 1, 1})), "gll");
  refusal(
      [&] {
        gemma3(std::vector<bool>{true, false});
      },
      "gemma3.attention.sliding_window_pattern has 2 values, expected 3, one for each layer");
  // Also where the architecture has none of its own.
  EXPECT_EQ(local(config_of(tiny_model({.num_layers = 3, .window = 8})
                                .writer()
                                .add("llama.attention.sliding_window_pattern", 3u))),
            "llg");
}

TEST(config, refuses_what_would_change_the_result_and_is_not_implemented) {
  expect_key_refused("attention.causal", false,
                     "llama.attention.causal is not supported, expected true, with which it "
                     "changes nothing");
  EXPECT_EQ(config_of(tiny_model({}).writer().add("llama.attention.causal", true)).num_layers, 2);
  for (const model_config_reader::neutral_key& key : model_config_reader::neutral_keys) {
    const std::string name(key.name);
    SCOPED_TRACE(name);
    const auto with = [&](auto value) {
      return config_of(tiny_model({}).writer().add("llama." + name, value));
    };
    EXPECT_EQ(with(static_cast<std::int32_t>(key.value)).num_layers, 2);
    if (name == "expert_count") continue;  // has a message of its own
    EXPECT_EQ(with(static_cast<float>(key.value)).num_layers, 2);
    EXPECT_EQ(with(key.value != 0).num_layers, 2);
    const std::string expected = "llama." + name + " is not supported, expected ";
    expect_key_refused(name, 3u, expected);
    expect_key_refused(name, 0.25f, expected);
    expect_key_refused(name, "yes", expected);
  }
  refusal(
      [] {
        config_of(tiny_model({}).writer().add_array("llama.rope.dimension_sections",
                                                    std::vector{8, 4, 4, 0}));
      },
      "llama.rope.dimension_sections is not supported, expected 0, with which it changes nothing");
  for (const std::string key :
       {"attention.q_lora_rank", "attention.indexer.head_count", "rope.new", "attn_res.block_size",
        "expert_group_scale", "moe_latent_size", "activation.situ_beta"}) {
    expect_key_refused(key, 1u,
                       "the key llama." + key + " is not supported: it may change the results");
  }
}

TEST(config, ignores_keys_that_change_nothing) {
  auto writer = tiny_model({}).writer();
  for (const std::string_view key : model_config_reader::harmless_keys)
    writer.add("llama." + std::string(key), 7.0f);
  writer.add("llama.tensor_data_layout", "Meta AI original pth")
      .add("llama.pooling_type", 3u)
      .add("clip.vision.attention.head_count", 12u)
      .add("general.rope", true);
  EXPECT_EQ(config_of(writer).num_layers, 2);
}

TEST(config, takes_the_name_of_its_own_activation) {
  const auto named = [](const std::string& architecture, const char* name) {
    return config_of(tiny_model({.architecture = architecture})
                         .writer()
                         .add(architecture + ".hidden_activation", name));
  };
  EXPECT_EQ(named("llama", "silu").num_layers, 2);
  EXPECT_EQ(named("gemma2", "gelu_pytorch_tanh").num_layers, 2);
  refusal([&] { named("llama", "relu"); },
          "llama.hidden_activation is 'relu', expected 'silu' for the architecture 'llama'");
  refusal([&] { named("gemma2", "silu"); },
          "gemma2.hidden_activation is 'silu', expected 'gelu_pytorch_tanh' for the architecture "
          "'gemma2'");
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
                         {"attention.sliding_window", 0, std::numeric_limits<int>::max()}}) {
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

TEST(config, takes_the_vocabulary_from_the_embedding) {
  for (const std::uint32_t key : {0u, 69u, 71u})
    EXPECT_EQ(config_of(tiny_model({}).writer().add("llama.vocab_size", key)).vocab_size, 70);
  const auto with_tokens = [](std::size_t count) {
    return tiny_model({}).writer().add_array("tokenizer.ggml.tokens",
                                             std::vector<std::string>(count, "x"));
  };
  refusal([&] { config_of(with_tokens(71)); },
          "tokenizer.ggml.tokens has 71 tokens, but token_embd.weight has 70 rows");
  EXPECT_EQ(config_of(with_tokens(70)).vocab_size, 70);
  EXPECT_EQ(config_of(with_tokens(60)).vocab_size, 70);  // padded rows
  const auto with_embedding = [](const std::vector<std::int64_t>& extent) {
    std::size_t count = 1;
    for (const std::int64_t e : extent) count *= std::size_t(e);
    return tiny_model({})
        .writer({"token_embd.weight"})
        .add_tensor("token_embd.weight", extent, std::vector<float>(count));
  };
  EXPECT_EQ(config_of(with_embedding({64, 70, 1, 1})).vocab_size, 70);
  const std::string expected = ", expected 64 (llama.embedding_length) x vocabulary";
  refusal([&] { config_of(with_embedding({64})); }, "token_embd.weight has shape 64" + expected);
  refusal(
      [&] {
        config_of(with_embedding({64, 70, 2}));
      },
      "token_embd.weight has shape 64 x 70 x 2" + expected);
}

}  // namespace
}  // namespace rocmforge::testing
