// Tokenisers from damaged files: seeded mutations of a small vocabulary of each model.
#include <rocmforge/tokenizer.hpp>

#include "support/gguf_writer.hpp"
#include "support/tokenizer_exercise.hpp"
#include "support/vocabulary_data.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace rocmforge {
namespace {

using testing::byte_vector;
using testing::exercise_tokenizer;

struct seed {
  const char* model;
  const char* chat_template;
};
constexpr seed seeds[] = {{"gpt2", "<|im_start|>"},
                          {"llama", "[INST] <<SYS>> bos_token + '[INST]' content.strip()"},
                          {"bert", ""},
                          {"t5", "<start_of_turn>"}};

/// A file with a vocabulary of about twenty tokens of that model.
byte_vector vocabulary_file(const seed& of) {
  std::vector<std::string> tokens = {"<unk>",         "<s>",        "</s>",
                                     "<|im_start|>",  "<|im_end|>", "<start_of_turn>",
                                     "<end_of_turn>", "<0x0A>",     "<0xC3>"};
  std::vector<std::int32_t> kinds = {2, 3, 3, 3, 3, 3, 3, 6, 6};
  std::vector<float> scores(tokens.size(), 0.0f);
  for (const char* text : {"▁", "H", "e", "l", "o",  "He", "ll", "ello", "▁Hello", "hello", "Ġ",
                           "ö", "w", "1", "2", "12", "d",  "s",  "<",    "▁w",     "ré"}) {
    tokens.push_back(text);
    kinds.push_back(1);
    scores.push_back(-static_cast<float>(tokens.size()));
  }
  testing::gguf_writer writer;
  const auto key = [](const char* name) { return "tokenizer.ggml." + std::string(name); };
  writer.add(key("model"), std::string(of.model)).add(key("pre"), std::string("llama-bpe"));
  writer.add_array(key("tokens"), tokens).add_array(key("token_type"), kinds);
  writer.add_array(key("scores"), scores);
  writer.add_array(key("merges"), std::vector<std::string>{"l l", "H e", "1 2", "e ll"});
  for (const char* id : {"bos_token_id", "unknown_token_id", "eos_token_id"}) {
    writer.add(key(id), static_cast<std::uint32_t>(id[0] == 'b' ? 1 : id[0] == 'e' ? 2 : 0));
  }
  writer.add(key("add_bos_token"), true).add(key("add_space_prefix"), true);
  writer.add("tokenizer.chat_template", std::string(of.chat_template));
  if (of.model == std::string("t5")) {
    const std::string rules = testing::read_vocabulary_data("unigram").vocab.precompiled_charsmap;
    writer.add_array(key("precompiled_charsmap"),
                     std::vector<std::uint8_t>(rules.begin(), rules.end()));
  }
  return writer.bytes();
}

TEST(tokenizer_fuzz, the_seeds_are_sound) {
  for (const seed& of : seeds) EXPECT_TRUE(exercise_tokenizer(vocabulary_file(of))) << of.model;
}

TEST(tokenizer_fuzz, every_single_byte_change) {
  for (const seed& of : seeds) {
    const byte_vector original = vocabulary_file(of);
    byte_vector bytes = original;
    int num_accepted = 0;
    int num_refused = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (const unsigned change : {0u, 0xFFu, static_cast<unsigned>(original[i]) + 1}) {
        bytes[i] = static_cast<std::byte>(change);
        ++(exercise_tokenizer(bytes) ? num_accepted : num_refused);
      }
      bytes[i] = original[i];
    }
    EXPECT_GT(num_accepted, 500) << of.model;
    EXPECT_GT(num_refused, 500) << of.model;
  }
}

TEST(tokenizer_fuzz, seeded_mutations) {
  std::mt19937_64 random(20240131);
  static constexpr std::uint64_t numbers[] = {
      0, 1, 2, 6, 7, 40, 255, 0x7FFFFFFF, 1u << 31, 0xFFFFFFFF, 1ull << 32, ~0ull};
  std::vector<byte_vector> files;
  for (const seed& of : seeds) files.push_back(vocabulary_file(of));
  int num_accepted = 0;
  constexpr int num_runs = 8000;
  for (int run = 0; run < num_runs; ++run) {
    byte_vector bytes = files[static_cast<std::size_t>(run) % files.size()];
    for (std::uint64_t i = 0; i <= random() % 5; ++i) {
      const std::size_t at = random() % (bytes.size() - 8);
      switch (random() % 4) {
        case 0:
          bytes[at] ^= std::byte(1 << random() % 8);
          break;
        case 1:
          bytes[at] = std::byte(random());
          break;
        case 2:
          testing::patch(bytes, at, static_cast<std::uint32_t>(numbers[random() % 12]));
          break;
        default:  // a piece of the file over another
          for (std::size_t k = 0; k < 8; ++k) bytes[at + k] = bytes[(at * 7 + k) % bytes.size()];
      }
    }
    num_accepted += exercise_tokenizer(bytes);
  }
  EXPECT_GT(num_accepted, num_runs / 20);
  EXPECT_LT(num_accepted, num_runs);
}

}  // namespace
}  // namespace rocmforge
