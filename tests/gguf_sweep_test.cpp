// Sweeps over a small complete model: the file cut at every byte, and every byte changed. Each is
// refused by the reader, by the hyper-parameters or by the weights, or loaded rightly.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/gguf_fixture.hpp"
#include "support/model_exercise.hpp"
#include "support/tiny_model.hpp"

namespace rocmforge::testing {
namespace {

/// How many inputs came how far; in the log and in the results' file.
class tally {
 public:
  void count(accepted_by how) { ++counts_[static_cast<std::size_t>(how)]; }
  int by(accepted_by how) const { return counts_[static_cast<std::size_t>(how)]; }
  int loaded() const { return by(accepted_by::weights); }
  int inputs() const { return counts_[0] + counts_[1] + counts_[2] + counts_[3]; }

  void report(const char* what) const {
    const std::pair<const char*, int> numbers[] = {
        {"inputs", inputs()},
        {"refused_by_the_reader", by(accepted_by::nothing)},
        {"refused_by_the_hyper_parameters", by(accepted_by::reader)},
        {"refused_by_the_weights", by(accepted_by::config)},
        {"loaded", loaded()}};
    std::printf("%s:", what);
    for (const auto& [name, number] : numbers) {
      ::testing::Test::RecordProperty(name, number);
      std::printf(" %s=%d", name, number);
    }
    std::printf("\n");
  }

 private:
  int counts_[4] = {};
};

/// One layer, weights of three formats.
byte_vector model_bytes() {
  return tiny_model({.num_layers = 1,
                     .hidden_dim = 32,
                     .ffn_dim = 32,
                     .vocab_size = 3,
                     .num_heads = 2,
                     .num_kv_heads = 1,
                     .head_dim = 16,
                     .context_length = 8,
                     .rotary_dim = 16,
                     .type_of =
                         [](const std::string& name) {
                           if (name.ends_with("norm.weight")) return gguf::tensor_type::f16;
                           return name == "token_embd.weight" ? gguf::tensor_type::q8_0
                                                              : gguf::tensor_type::q4_0;
                         }})
      .writer()
      .add_array("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "c"})
      .bytes();
}

/// Where the tensors' data starts and ends.
std::pair<std::size_t, std::size_t> data_of(const byte_vector& bytes) {
  const gguf::index model = gguf::parse(bytes, "model.gguf");
  const gguf::tensor_info& last = model.tensors().back();
  return {model.tensors().front().offset, last.offset + last.num_bytes};
}

// R4; S6 S7
TEST(gguf_sweep, EveryTruncation) {
  const byte_vector bytes = model_bytes();
  const std::size_t end = data_of(bytes).second;
  tally seen;
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const accepted_by how = exercise_model(std::span(bytes).first(length));
    seen.count(how);
    // The last padding may be missing, and nothing else.
    EXPECT_EQ(how, length >= end ? accepted_by::weights : accepted_by::nothing) << length;
  }
  seen.report("truncations");
  EXPECT_EQ(seen.inputs(), static_cast<int>(bytes.size()) + 1);
  EXPECT_EQ(seen.loaded(), static_cast<int>(bytes.size() - end) + 1);
}

/// Every bit of every byte flipped, and every byte made 0, 255, one more and one less.
TEST(gguf_sweep, EveryByteChanged) {
  const byte_vector original = model_bytes();
  const std::size_t start = data_of(original).first;
  byte_vector bytes = original;
  tally head, data;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int value = std::to_integer<int>(original[i]);
    std::vector<int> changes = {0, 255, value + 1, value - 1};
    for (int bit = 0; bit < 8; ++bit) changes.push_back(value ^ 1 << bit);
    for (const int change : changes) {
      bytes[i] = std::byte(change);
      (i < start ? head : data).count(exercise_model(bytes));
    }
    bytes[i] = original[i];
  }
  head.report("changes of the head");
  data.report("changes of the data");
  EXPECT_EQ(head.inputs(), static_cast<int>(12 * start));
  // Weights are what they are; those that divide are not in this model.
  EXPECT_EQ(data.loaded(), static_cast<int>(12 * (bytes.size() - start)));
  // Names, types, extents and counts are most of the head, so that most of it is refused.
  EXPECT_GT(head.inputs() - head.loaded(), head.inputs() / 2);
  for (const auto how :
       {accepted_by::nothing, accepted_by::reader, accepted_by::config, accepted_by::weights}) {
    EXPECT_GT(head.by(how), 100);
  }
}

}  // namespace
}  // namespace rocmforge::testing
