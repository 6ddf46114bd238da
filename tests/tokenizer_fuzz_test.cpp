// Tokenizers from damaged files: seeded mutations of a small vocabulary of each model.
#include <rocmforge/tokenizer.hpp>

#include "support/gguf_writer.hpp"
#include "support/tokenizer_exercise.hpp"
#include "support/vocabulary_files.hpp"

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
using testing::vocabulary_file;
using testing::vocabulary_files;

TEST(tokenizer_fuzz, the_seeds_are_sound) {
  for (const byte_vector& file : vocabulary_files()) EXPECT_TRUE(exercise_tokenizer(file));
  const byte_vector file = vocabulary_file("t5", "");
  const vocabulary vocab = load_vocabulary(gguf::parse(file, "t5.gguf"));
  const charsmap map(vocab.precompiled_charsmap);
  const auto rule = map.find("xx");
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->num_bytes, 1u);
  EXPECT_EQ(rule->replacement, "y");
}

TEST(tokenizer_fuzz, every_single_byte_change) {
  for (const byte_vector& original : vocabulary_files()) {
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
    EXPECT_GT(num_accepted, 500);
    EXPECT_GT(num_refused, 500);
  }
}

TEST(tokenizer_fuzz, seeded_mutations) {
  std::mt19937_64 random(20240131);
  static constexpr std::uint64_t numbers[] = {
      0, 1, 2, 6, 7, 40, 255, 0x7FFFFFFF, 1u << 31, 0xFFFFFFFF, 1ull << 32, ~0ull};
  const std::vector<byte_vector> files = vocabulary_files();
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
