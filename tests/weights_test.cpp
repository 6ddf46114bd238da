// A model's weights: loaded, and refused if one is missing, left over, of another shape or of a
// type that no kernel takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <rocmforge/model/config.hpp>
#include <rocmforge/model/weight_kernels.hpp>
#include <rocmforge/model/weights.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/tiny_model.hpp"

namespace rocmforge::testing {
namespace {

using gguf::tensor_type;

model_weights load(const gguf_writer& writer) {
  const gguf::file file = open(writer);
  const model_config config = read_model_config(file);
  return weight_loader(file, config, {}).load();
}

/// A model with every tensor that a file may have, and the names of them.
struct complete_model {
  tiny_model tiny;
  std::vector<std::string> names;
  std::vector<std::vector<std::int64_t>> extents;

  complete_model()
      : tiny({.architecture = "qwen2",
              .tied = false,
              .rope_factors = true,
              .biased = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up",
                         "ffn_down"}}) {
    const gguf::file file = open(tiny.writer());
    for (const gguf::tensor_info& info : file.tensors()) {
      names.emplace_back(info.name);
      extents.emplace_back(info.extent.begin(), info.extent.begin() + info.rank);
    }
  }
  /// With another tensor in place of one.
  gguf_writer with(const std::string& name, const std::vector<std::int64_t>& extent) const {
    std::size_t count = 1;
    for (const std::int64_t e : extent) count *= std::size_t(e);
    return tiny.writer({name}).add_tensor(name, extent, std::vector<float>(count, 1.0f));
  }
};

TEST(weights, of_a_complete_file) {
  const complete_model model;
  const model_weights weights = load(model.tiny.writer());
  EXPECT_EQ(weights.layers.size(), 2u);
  EXPECT_EQ(weights.rope_factors.size(), 16u);
  EXPECT_EQ(weights.output.out_dim(), 70);
  EXPECT_EQ(&weights.output_or_embedding(), &weights.output);
  const model_weights tied = load(tiny_model({}).writer());
  EXPECT_EQ(tied.rope_factors.size(), 0u);
  EXPECT_EQ(&tied.output_or_embedding(), &tied.embedding);
}

TEST(weights, refuse_a_file_without_a_tensor) {
  const complete_model model;
  const std::set<std::string> optional = {"output.weight", "rope_freqs.weight"};
  int missing = 0;
  for (const std::string& name : model.names) {
    SCOPED_TRACE(name);
    if (optional.contains(name) || name.ends_with(".bias")) {
      EXPECT_NO_THROW(load(model.tiny.writer({name})));
    } else {
      refusal([&] { load(model.tiny.writer({name})); }, "has no tensor '" + name + "'");
      ++missing;
    }
  }
  EXPECT_EQ(missing, 2 + 2 * 9);
}

TEST(weights, refuse_a_tensor_of_another_shape) {
  const complete_model model;
  for (std::size_t i = 0; i < model.names.size(); ++i) {
    const std::string& name = model.names[i];
    SCOPED_TRACE(name);
    auto extent = model.extents[i];
    ++extent[0];
    refusal([&] { load(model.with(name, extent)); }, "has shape " + std::to_string(extent[0]));
    if (extent.size() == 2) {
      extent = {
          model.extents[i][0],
          model.extents[i][1] + 1};  // of the embedding, it is then the output that does not fit
      refusal([&] { load(model.with(name, extent)); },
              " x " + std::to_string(model.extents[i][1] + (name == "token_embd.weight" ? 0 : 1)) +
                  ", expected " + std::to_string(extent[0]) + " x ");
    }
    if (name == "token_embd.weight") continue;
    extent = model.extents[i];
    extent.push_back(2);
    refusal([&] { load(model.with(name, extent)); }, "tensor '" + name + "' has shape ");
  }
}

// Some programs write [n, 1, 1, 1] for [n].
TEST(weights, may_have_axes_of_1_at_their_ends) {
  const complete_model model;
  for (std::size_t i = 0; i < model.names.size(); ++i) {
    SCOPED_TRACE(model.names[i]);
    auto extent = model.extents[i];
    extent.push_back(1);
    EXPECT_EQ(load(model.with(model.names[i], extent)).layers.size(), 2u);
    extent.resize(4, 1);
    EXPECT_EQ(load(model.with(model.names[i], extent)).layers.size(), 2u);
  }
}

// Queries, keys and values of Qwen 2 have biases; files of models that were trained without, or
// that had zeros there, leave them out.
TEST(weights, of_qwen2_need_no_biases) {
  for (const std::set<std::string>& biased : {std::set<std::string>{}, {"attn_k"}}) {
    const tiny_model tiny({.architecture = "qwen2", .biased = biased});
    EXPECT_EQ(load(tiny.writer()).layers.size(), 2u);
  }
}

TEST(weights, refuse_a_tensor_that_is_not_part_of_the_model) {
  const auto refused = [](const tiny_model& tiny, const std::string& name, std::int64_t size) {
    refusal(
        [&] {
          load(tiny.writer().add_tensor(name, std::vector{size},
                                        std::vector<float>(std::size_t(size), 1.0f)));
        },
        "tensor '" + name + "' is not part of the architecture 'llama'");
  };
  const tiny_model tiny({.rope_factors = true});
  refused(tiny, "blk.0.attn_q_norm.weight", 32);
  refused(tiny, "blk.0.attn_q.scale", 1);
  refused(tiny, "blk.0.rope_freqs.weight", 16);  // there is one for all layers
  refused(tiny, "blk.2.attn_norm.weight", 64);
  refused(tiny, "token_embd.bias", 70);
  refused(tiny, "blk.0.attn_norm.bias", 64);
  refused(tiny_model({.fused_qkv = true}), "blk.0.attn_q.bias", 96);
  refusal([] { load(tiny_model({}).writer({"llama.block_count"}).add("llama.block_count", 1u)); },
          "tensor 'blk.1.attn_norm.weight' is not part of the architecture 'llama'");
  refusal([] { load(tiny_model({}).writer({"llama.block_count"}).add("llama.block_count", 3u)); },
          "has no tensor 'blk.2.attn_norm.weight'");
  // Fused and separate at the same time.
  refusal(
      [] {
        load(tiny_model({.fused_qkv = true})
                 .writer()
                 .add_tensor("blk.0.attn_q.weight", std::vector<std::int64_t>{64, 96},
                             std::vector<float>(64 * 96)));
      },
      "tensor 'blk.0.attn_q.weight' is not part of the architecture 'llama'");
}

TEST(weights, refuse_types_that_no_kernel_takes) {
  for (std::uint32_t id = 0; id < 64; ++id) {
    const gguf::type_traits* traits = gguf::find_type(id);
    if (traits == nullptr) continue;
    const auto type = static_cast<tensor_type>(id);
    const std::set<std::string_view> refused = {"i8", "i16", "i32", "i64", "f64"};
    const std::int64_t in_dim = 256;
    const byte_vector bytes(
        std::size_t(96 * in_dim / traits->block_elements * traits->block_bytes));
    const auto writer = tiny_model({.hidden_dim = 256})
                            .writer({"blk.1.ffn_up.weight"})
                            .add_tensor("blk.1.ffn_up.weight", type, {in_dim, 96}, bytes);
    if (!refused.contains(traits->name)) {
      EXPECT_NO_THROW(load(writer)) << traits->name;
    } else {
      refusal([&] { load(writer); }, "tensor 'blk.1.ffn_up.weight' has type " +
                                         std::string(traits->name) +
                                         ", expected f32, f16, bf16 or a block-quantized type");
    }
  }
  refusal(
      [] {
        load(tiny_model({})
                 .writer({"output_norm.weight"})
                 .add_tensor("output_norm.weight", tensor_type::q8_0, {64}, byte_vector(68)));
      },
      "tensor 'output_norm.weight' has type q8_0, expected f32, f16 or bf16");
}

TEST(weights, refuse_rope_factors_that_cannot_divide) {
  for (const float wrong : {0.0f, -1.0f, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> factors(16, 1.0f);
    factors[7] = wrong;
    refusal(
        [&] {
          load(tiny_model({}).writer().add_tensor("rope_freqs.weight",
                                                  std::vector<std::int64_t>{16}, factors));
        },
        "tensor 'rope_freqs.weight' has a factor that is not finite and above 0");
  }
}

TEST(weights, report_their_progress) {
  const gguf::file file = open(tiny_model({}).writer());
  const model_config config = read_model_config(file);
  std::vector<double> fractions;
  const model_weights weights = weight_loader(file, config, {}, [&](double fraction) {
                                  fractions.push_back(fraction);
                                }).load();
  EXPECT_EQ(weights.layers.size(), 2u);
  EXPECT_EQ(fractions.size(), file.tensors().size());
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_EQ(fractions.back(), 1.0);
}

}  // namespace
}  // namespace rocmforge::testing
