// Byte-level byte-pair encoding: merges, and equality with llama.cpp on real vocabularies.
#include <rocmforge/tokenizer.hpp>

#include "support/gguf_writer.hpp"
#include "support/small_vocabulary.hpp"
#include "support/vocabulary_data.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocmforge {
namespace {

using testing::add_token;
using testing::bytes_of;
using testing::ids;
using testing::message_of;
using testing::small_vocabulary;
using testing::strings;

TEST(byte_level, every_byte_has_its_own_character_and_comes_back) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(from_byte_level(to_byte_level(all)), all);
  EXPECT_EQ(to_byte_level(" \n!"), "\u0120\u010A!");
  EXPECT_EQ(to_byte_level("\xAD"), "\u0143");
  EXPECT_EQ(from_byte_level("a b\u4E16\xFF"), "a b\u4E16\xFF");  // outside the alphabet
}

TEST(merges, lowest_rank_first_then_leftmost) {
  const tokenizer words(small_vocabulary({"b c", "a b", "a a", "aa a"}));
  const auto id = [&](const char* text) { return *words.find_token(text); };
  EXPECT_EQ(words.encode("abc"), (ids{'a', id("bc")}));
  EXPECT_EQ(words.encode("aaaaa"), (ids{id("aa"), id("aaa")}));
  EXPECT_EQ(words.encode("aab"), (ids{'a', id("ab")}));
}

TEST(merges, first_of_equal_pairs_counts) {
  const tokenizer words(small_vocabulary({"a b", "b c", "a b"}));
  EXPECT_EQ(words.encode("abc"), (ids{*words.find_token("ab"), 'c'}));
}

TEST(merges, a_result_that_is_no_token_is_a_step_or_falls_apart_into_bytes) {
  vocabulary vocab = small_vocabulary({"a b", "ab c"});
  vocab.tokens[256] = "unrelated";  // instead of "ab"
  const tokenizer words(std::move(vocab));
  EXPECT_EQ(words.encode("abc"), (ids{*words.find_token("abc")}));
  EXPECT_EQ(words.encode("abd"), bytes_of("abd"));
}

TEST(merges, text_never_becomes_a_control_token) {
  for (const char* pre : {"gpt-2", "llama-bpe"}) {  // the latter looks for whole words first
    vocabulary vocab = small_vocabulary({"! ?", "!? !"}, pre);
    vocab.kinds[256] = token_kind::control;
    vocab.kinds[257] = token_kind::unknown;
    const tokenizer words(std::move(vocab));
    EXPECT_EQ(words.encode("!?!"), bytes_of("!?!")) << pre;
    EXPECT_EQ(words.encode("!?!", special_tokens::parse), (ids{257})) << pre;
  }
}

TEST(merges, a_whole_word_skips_the_merges_where_the_family_says_so) {
  vocabulary vocab = small_vocabulary({}, "llama-bpe");
  const int whole = add_token(vocab, "word", token_kind::normal);
  EXPECT_EQ(tokenizer(vocab).encode("word"), (ids{whole}));
  vocab.pre = "qwen2";
  EXPECT_EQ(tokenizer(vocab).encode("word"), bytes_of("word"));
}

// Merges by looking at every pair each time.
strings merge_plainly(strings symbols,
                      const std::map<std::pair<std::string, std::string>, int>& ranks) {
  while (true) {
    int best_rank = -1;
    std::size_t best = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = ranks.find({symbols[i], symbols[i + 1]});
      if (found == ranks.end() || (best_rank >= 0 && found->second >= best_rank)) continue;
      best_rank = found->second;
      best = i;
    }
    if (best_rank < 0) return symbols;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(merges, equal_a_plain_search_on_random_vocabularies) {
  std::mt19937 random(2);
  for (int round = 0; round < 40; ++round) {
    strings known = {"a", "b", "c"};
    strings merges;
    std::map<std::pair<std::string, std::string>, int> ranks;
    while (merges.size() < 30) {
      const std::string left = known[random() % known.size()];
      const std::string right = known[random() % known.size()];
      if (!ranks.try_emplace({left, right}, static_cast<int>(merges.size())).second) continue;
      merges.push_back(left + " " + right);
      known.push_back(left + right);
    }
    const tokenizer words(small_vocabulary(merges));
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::string word;
      strings symbols;
      for (unsigned i = 0; i < 1 + random() % 40; ++i) symbols.emplace_back(1, "abc"[random() % 3]);
      for (const std::string& symbol : symbols) word += symbol;
      ids expected;
      for (const std::string& symbol : merge_plainly(symbols, ranks)) {
        expected.push_back(*words.find_token(symbol));
      }
      EXPECT_EQ(words.encode(word), expected) << word;
    }
  }
}

TEST(merges, a_word_of_a_million_letters) {
  const tokenizer words(small_vocabulary({"a a", "aa aa"}));
  const ids result = words.encode(std::string(1'000'001, 'a'));
  ASSERT_EQ(result.size(), 250'001u);
  EXPECT_EQ(result.front(), *words.find_token("aaaa"));
  EXPECT_EQ(result.back(), 'a');
}

/// Gemma 4's way: characters, U+2581 for a space, and byte tokens.
vocabulary character_vocabulary(std::string pre = "gemma4") {
  vocabulary vocab;
  vocab.pre = std::move(pre);
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
    add_token(vocab, text, token_kind::byte);
  }
  for (const char* text : {"▁", "a", "é", "▁a", "aé", "\n", "\n\n", "<bos>"})
    add_token(vocab, text);
  vocab.merges = {"▁ a", "a é"};
  vocab.bos = static_cast<int>(vocab.tokens.size()) - 1;
  return vocab;
}

TEST(characters, are_merged_and_otherwise_become_bytes) {
  const tokenizer words(character_vocabulary());
  const auto id = [&](const char* text) { return words.find_token(text).value(); };
  EXPECT_EQ(words.encode(" a aé"), (ids{id("▁a"), id("▁a"), id("é")}));
  EXPECT_EQ(words.encode("aéa"), (ids{id("aé"), id("a")}));
  EXPECT_EQ(words.encode("ñb"), (ids{0xC3, 0xB1, 'b'}));
  EXPECT_EQ(words.encode("a\n\na\n"), (ids{id("a"), id("\n\n"), id("a"), id("\n")}));
  EXPECT_EQ(words.encode("\n\n\n"), (ids{id("\n"), id("\n"), id("\n")}));
  EXPECT_EQ(words.encode("<0x41>"), bytes_of("<0x41>"));
  EXPECT_EQ(words.encode("<bos>"), bytes_of("<bos>"));
  for (const std::string text : {" a aé\n", "ñ  b\n\n\nx", "<0x41>", "\U0001F680"})
    EXPECT_EQ(words.decode(words.encode(text)), text);
  // Sarvam's merges a run of newlines as any other word.
  EXPECT_EQ(tokenizer(character_vocabulary("sarvam-moe")).encode("\n\n"),
            (ids{id("\n"), id("\n")}));
  vocabulary wrong = character_vocabulary();
  wrong.tokens[65] = "A";
  EXPECT_NE(message_of([&] { tokenizer refused(wrong); }).find("token 65 is of type byte"),
            std::string::npos);
}

TEST(characters, of_a_file_of_gemma_4) {
  const vocabulary vocab = character_vocabulary();
  testing::gguf_writer writer;
  std::vector<std::int32_t> kinds;
  for (const token_kind kind : vocab.kinds) kinds.push_back(static_cast<std::int32_t>(kind));
  writer.add("tokenizer.ggml.model", "gemma4")
      .add("tokenizer.ggml.pre", "default")
      .add("tokenizer.ggml.add_bos_token", false)
      .add("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(vocab.bos))
      .add_array("tokenizer.ggml.tokens", vocab.tokens)
      .add_array("tokenizer.ggml.token_type", kinds)
      .add_array("tokenizer.ggml.merges", vocab.merges);
  const auto bytes = writer.bytes();
  const tokenizer words(load_vocabulary(gguf::parse(bytes, "m.gguf")));
  EXPECT_EQ(words.vocab().pre, "gemma4");
  EXPECT_EQ(words.encode(" a", special_tokens::as_text, true),
            (ids{vocab.bos, words.find_token("▁a").value()}));
}

TEST(encode, a_byte_without_a_token_is_refused_by_name) {
  vocabulary vocab = small_vocabulary();
  vocab.tokens[0x04] = "unrelated";
  const tokenizer words(std::move(vocab));
  const std::string message = message_of([&] { (void)words.encode("a\x04"); });
  EXPECT_NE(message.find("byte \\x04"), std::string::npos) << message;
}

// --- real vocabularies ------------------------------------------------------------------------

TEST(byte_pair, published_cases_of_llama_3) {
  const auto data = testing::read_vocabulary_data("llama-bpe");
  EXPECT_EQ(testing::expect_the_ids_of_all_cases(data, tokenizer(data.vocab)), 73);
}

TEST(byte_pair, published_cases_of_qwen_2) {
  const auto data = testing::read_vocabulary_data("qwen2");
  EXPECT_EQ(testing::expect_the_ids_of_all_cases(data, tokenizer(data.vocab)), 73);
}

TEST(smollm2, equals_llama_cpp) {
  const char* path = std::getenv("ROCMFORGE_TEST_MODEL");
  if (path == nullptr) {
    GTEST_SKIP() << "ROCMFORGE_TEST_MODEL does not name SmolLM2-135M-Instruct.Q4_1.gguf";
  }
  const tokenizer words(load_vocabulary(gguf::file(path)));
  const auto cases = testing::read_json("tokenizer_smollm2.json").at("cases");
  EXPECT_EQ(cases.size(), 141u);
  for (const auto& example : cases) {
    const auto text = example.at("text").get<std::string>();
    const bool parse = example.value("parse", false);
    const auto mode = parse ? special_tokens::parse : special_tokens::as_text;
    const auto expected = example.at("ids").get<ids>();
    EXPECT_EQ(words.encode(text, mode), expected) << text;
    EXPECT_EQ(words.decode(expected, control_tokens::show), text);
  }
}

}  // namespace
}  // namespace rocmforge
