// SentencePiece's unigram model: the best cut, unknown characters, normalization, and equality with
// SentencePiece.
#include <rocmforge/tokenizer.hpp>

#include "support/small_vocabulary.hpp"
#include "support/vocabulary_data.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocmforge {
namespace {

using testing::add_token;
using testing::expect_the_ids_of_all_cases;
using testing::ids;
using testing::message_of;
using testing::pieces;
using testing::read_vocabulary_data;
using testing::strings;

constexpr int unknown = 2;

vocabulary unigram_vocabulary(const std::vector<std::pair<std::string, float>>& tokens) {
  vocabulary vocab;
  vocab.model = tokenizer_model::unigram;
  add_token(vocab, "<pad>", token_kind::control);
  add_token(vocab, "</s>", token_kind::control);
  add_token(vocab, "<unk>", token_kind::unknown);
  for (const auto& [text, score] : tokens) add_token(vocab, text, token_kind::normal, score);
  vocab.unknown = unknown;
  vocab.eos = 1;
  vocab.add_eos = true;
  return vocab;
}

TEST(unigram, the_cut_with_the_highest_sum_of_scores) {
  const tokenizer words(unigram_vocabulary(
      {{"a", -3}, {"b", -3}, {"c", -3}, {"ab", -4}, {"bc", -3.5f}, {"abc", -9}}));
  EXPECT_EQ(pieces(words, "abc"), (strings{"a", "bc"}));
  EXPECT_EQ(pieces(words, "abab"), (strings{"ab", "ab"}));
  EXPECT_EQ(words.encode("ab", special_tokens::as_text, true).back(), 1);
}

TEST(unigram, user_defined_tokens_cost_nothing) {
  vocabulary vocab = unigram_vocabulary({{"a", -1}, {"b", -1}});
  add_token(vocab, "ab", token_kind::user_defined, -99);
  EXPECT_EQ(pieces(tokenizer(vocab), "aabb"), (strings{"a", "ab", "b"}));
}

TEST(unigram, a_run_of_unknown_characters_is_one_unknown_token) {
  const tokenizer words(unigram_vocabulary({{"a", -1}, {"é", -2}}));
  EXPECT_EQ(pieces(words, "aЖ世\U0001F680a"), (strings{"a", "<unk>", "a"}));
  EXPECT_EQ(pieces(words, "éxé"), (strings{"é", "<unk>", "é"}));
  EXPECT_EQ(pieces(words, "x"), (strings{"<unk>"}));
  EXPECT_EQ(pieces(words, ""), strings{});
}

TEST(unigram, an_unknown_character_costs_ten_more_than_the_worst_token) {
  EXPECT_EQ(pieces(tokenizer(unigram_vocabulary({{"a", 9.5f}, {"xa", 0}})), "xa"), (strings{"xa"}));
  EXPECT_EQ(pieces(tokenizer(unigram_vocabulary({{"a", 10.5f}, {"xa", 0}})), "xa"),
            (strings{"<unk>", "a"}));
}

TEST(unigram, with_a_token_for_each_byte_nothing_is_unknown) {
  vocabulary vocab = unigram_vocabulary({{"a", -1}});
  vocab.unknown = -1;
  EXPECT_NE(message_of([&] { tokenizer words(vocab); }).find("neither an unknown token id"),
            std::string::npos);
  const int first_of_bytes = static_cast<int>(vocab.tokens.size());
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
    add_token(vocab, text, token_kind::byte);
  }
  const tokenizer words(vocab);
  EXPECT_EQ(words.encode("aé"), (ids{3, first_of_bytes + 0xC3, first_of_bytes + 0xA9}));
  EXPECT_EQ(words.decode(words.encode("a世\U0001F680")), "a世\U0001F680");
}

TEST(unigram, spaces_before_and_within_a_text) {
  vocabulary vocab = unigram_vocabulary({{"▁", -2}, {"a", -2}, {" ", -2}});
  EXPECT_EQ(pieces(tokenizer(vocab), " a  a "), (strings{"▁", "a", "▁", "▁", "a", "▁"}));
  vocab.add_space_prefix = true;
  EXPECT_EQ(pieces(tokenizer(vocab), "a a"), (strings{"▁", "a", "▁", "a"}));
  vocab.remove_extra_whitespaces = true;
  EXPECT_EQ(pieces(tokenizer(vocab), "  a   a  "), (strings{"▁", "a", "▁", "a"}));
  EXPECT_EQ(tokenizer(vocab).decode(tokenizer(vocab).encode("a a")), "a a");
  vocab.escape_whitespaces = false;
  EXPECT_EQ(pieces(tokenizer(vocab), "a a"), (strings{" ", "a", " ", "a"}));
}

TEST(unigram, equals_all_cuts_on_random_vocabularies) {
  std::mt19937 random(6);
  for (int round = 0; round < 40; ++round) {
    std::map<std::string, float> scores = {{"a", -5.0f}, {"b", -6.0f}};
    while (scores.size() < 14) {
      std::string text;
      for (unsigned i = 0; i < 2 + random() % 4; ++i) text += "ab"[random() % 2];
      scores.emplace(text, -static_cast<float>(random() % 2000) / 100);
    }
    const tokenizer words(unigram_vocabulary({scores.begin(), scores.end()}));
    for (int repeat = 0; repeat < 30; ++repeat) {
      std::string text;
      for (unsigned i = 0; i < 1 + random() % 12; ++i) text += "ab"[random() % 2];
      const std::function<double(std::string_view)> best = [&](std::string_view rest) {
        if (rest.empty()) return 0.0;
        double result = -std::numeric_limits<double>::infinity();
        for (const auto& [token, score] : scores) {
          if (rest.starts_with(token))
            result = std::max(result, score + best(rest.substr(token.size())));
        }
        return result;
      };
      double sum = 0;
      std::string joined;
      for (const std::string& piece : pieces(words, text)) {
        sum += scores.at(piece);
        joined += piece;
      }
      EXPECT_EQ(joined, text);
      EXPECT_NEAR(sum, best(text), 1e-9) << text;
    }
  }
}

TEST(unigram, a_run_of_a_million_letters) {
  const tokenizer words(unigram_vocabulary({{"a", -2}, {"aa", -3}, {"aaaa", -4}}));
  EXPECT_EQ(words.encode(std::string(1'000'002, 'a')).size(), 250'001u);
  EXPECT_EQ(words.encode(std::string(1'000'000, 'x')), ids{unknown});
}

TEST(unigram, models_trained_by_sentencepiece) {
  const auto with_rules = read_vocabulary_data("unigram");
  EXPECT_FALSE(with_rules.vocab.precompiled_charsmap.empty());
  EXPECT_EQ(expect_the_ids_of_all_cases(with_rules, tokenizer(with_rules.vocab)), 140);
  const auto with_bytes = read_vocabulary_data("unigram_bytes");
  EXPECT_EQ(expect_the_ids_of_all_cases(with_bytes, tokenizer(with_bytes.vocab)), 135);
}

// --- normalization rules ----------------------------------------------------------------------

const std::string& compiled_rules() {
  static const std::string rules = read_vocabulary_data("unigram").vocab.precompiled_charsmap;
  return rules;
}

TEST(charsmap, the_longest_rule_counts) {
  const charsmap rules(compiled_rules());
  const auto replaced = [&](std::string_view text) -> std::string {
    const auto found = rules.find(text);
    return found ? std::to_string(found->num_bytes) + ":" + std::string(found->replacement) : "-";
  };
  EXPECT_EQ(replaced("\uFF21bc"), "3:A");
  EXPECT_EQ(replaced("e\u0301"), "3:é");
  EXPECT_EQ(replaced("e\u0302"), "-");
  EXPECT_EQ(replaced("e"), "-");
  EXPECT_EQ(replaced("\u00ADx"), "2:");
  EXPECT_EQ(replaced("abc"), "-");
  EXPECT_EQ(replaced(""), "-");
  EXPECT_EQ(replaced(std::string_view("\0a", 2)), "-");
  EXPECT_FALSE(charsmap().find("a"));
}

TEST(charsmap, sizes_that_cannot_be_are_refused) {
  const std::string& good = compiled_rules();
  EXPECT_NO_THROW(charsmap{good});
  const auto with_trie_bytes = [&](std::uint32_t size) {
    std::string changed = good;
    for (int i = 0; i < 4; ++i)
      changed[static_cast<std::size_t>(i)] = static_cast<char>(size >> 8 * i);
    return changed;
  };
  const auto num_bytes = static_cast<std::uint32_t>(good.size());
  for (const std::uint32_t size : {0u, 1u, 3u, 6u, num_bytes - 4, num_bytes, num_bytes + 4,
                                   0x7FFFFFFCu, 0xFFFFFFFCu, 0xFFFFFFFFu}) {
    EXPECT_THROW(charsmap{with_trie_bytes(size)}, error) << size;
  }
  const std::size_t trie_end = 4 + static_cast<unsigned char>(good[0]) +
                               std::size_t{256} * static_cast<unsigned char>(good[1]);
  for (std::size_t size = 1; size < good.size(); ++size) {
    const std::string cut = good.substr(0, size);
    if (size > trie_end && cut.back() == '\0') {  // fewer replacements, but whole ones
      EXPECT_NO_THROW(charsmap{cut}) << size;
    } else {
      EXPECT_THROW(charsmap{cut}, error) << size;
    }
  }
  vocabulary vocab = unigram_vocabulary({{"a", -1}});
  vocab.precompiled_charsmap = "abc";
  EXPECT_NE(message_of([&] { tokenizer words(vocab); }).find("precompiled_charsmap has 3 bytes"),
            std::string::npos);
}

// Whatever the nodes say, a search ends and stays inside. (The address sanitizer sees the rest.)
TEST(charsmap, damaged_tries_are_searched_safely) {
  std::mt19937 random(7);
  const std::string& good = compiled_rules();
  const strings texts = {"\uFF21\uFF22e\u0301\uFB01", "aaaaaaaa", "\xFF\xFE\x01\x80",
                         "e\u0301\u00AD"};
  int num_found = 0;
  for (int run = 0; run < 20'000; ++run) {
    std::string damaged = good;
    for (unsigned i = 0; i <= random() % 8; ++i) {
      damaged[4 + random() % (damaged.size() - 4)] = static_cast<char>(random());
    }
    damaged.back() = '\0';
    const charsmap rules(damaged);
    for (const std::string& text : texts) {
      for (std::size_t at = 0; at < text.size(); ++at) {
        const auto found = rules.find(std::string_view(text).substr(at));
        if (!found) continue;
        ++num_found;
        ASSERT_GE(found->num_bytes, 1u);
        ASSERT_LE(found->num_bytes, text.size() - at);
        ASSERT_LT(found->replacement.size(), damaged.size());
      }
    }
  }
  EXPECT_GT(num_found, 10'000);
}

}  // namespace
}  // namespace rocmforge
