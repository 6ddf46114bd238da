// WordPiece: words, their longest beginnings, what becomes of accents and case, and equality with
// llama.cpp.
#include <rocmforge/tokenizer.hpp>

#include "support/small_vocabulary.hpp"
#include "support/vocabulary_data.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace rocmforge {
namespace {

using testing::add_token;
using testing::ids;
using testing::message_of;
using testing::pieces;
using testing::strings;

vocabulary wordpiece_vocabulary(const strings& tokens) {
  vocabulary vocab;
  vocab.model = tokenizer_model::wordpiece;
  for (const char* control : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) {
    add_token(vocab, control, token_kind::control);
  }
  for (const std::string& token : tokens) add_token(vocab, token);
  vocab.unknown = 1;
  vocab.bos = 2;
  vocab.separator = 3;
  vocab.add_bos = vocab.add_separator = true;
  return vocab;
}

TEST(wordpiece, the_longest_beginning_of_a_word_then_of_its_rest) {
  const tokenizer words(wordpiece_vocabulary({"▁un", "▁unaff", "aff", "able", "abl", "e", "▁"}));
  EXPECT_EQ(pieces(words, "unaffable"), (strings{"▁unaff", "able"}));
  EXPECT_EQ(pieces(words, "unable"), (strings{"▁un", "able"}));
  EXPECT_EQ(pieces(words, " able\t\n un "), (strings{"▁", "able", "▁un"}));
}

TEST(wordpiece, a_word_that_is_not_made_of_tokens_is_unknown_as_a_whole) {
  const tokenizer words(wordpiece_vocabulary({"▁a", "b", "▁c"}));
  EXPECT_EQ(pieces(words, "abx c"), (strings{"[UNK]", "▁c"}));
  EXPECT_EQ(pieces(words, "ab"), (strings{"▁a", "b"}));
  EXPECT_EQ(pieces(words, ""), strings{});
}

TEST(wordpiece, punctuation_and_chinese_characters_are_words) {
  const tokenizer words(wordpiece_vocabulary({"▁a", "▁,", "▁世", "▁+", "▁–", "°"}));
  EXPECT_EQ(pieces(words, "a,a+a–a°世世"),
            (strings{"▁a", "▁,", "▁a", "▁+", "▁a", "▁–", "▁a", "°", "▁世", "▁世"}));
}

TEST(wordpiece, case_and_accents_go_and_control_characters_too) {
  vocabulary vocab = wordpiece_vocabulary({"▁cafe", "▁σ", "▁Café", "▁co", "op"});
  const tokenizer words(vocab);
  EXPECT_EQ(pieces(words, "CAFÉ Café cafe\u0301 Σ"), (strings{"▁cafe", "▁cafe", "▁cafe", "▁σ"}));
  EXPECT_EQ(pieces(words, "co\u00ADop co\u200Bop co\x01op\uFFFD"),
            (strings{"▁co", "op", "▁co", "op", "▁co", "op"}));
  vocab.lowercase = false;
  EXPECT_EQ(pieces(tokenizer(vocab), "Café cafe"), (strings{"▁Café", "▁cafe"}));
}

TEST(wordpiece, begins_with_cls_and_ends_with_sep_where_asked_for) {
  const tokenizer words(wordpiece_vocabulary({"▁a"}));
  EXPECT_EQ(words.encode("a", special_tokens::as_text, true), (ids{2, 4, 3}));
  EXPECT_EQ(words.encode("", special_tokens::as_text, true), (ids{2, 3}));
  EXPECT_EQ(words.encode("a[SEP]a", special_tokens::parse), (ids{4, 3, 4}));
  EXPECT_EQ(words.encode("[SEP]"), (ids{1, 1, 1}));  // a bracket, a word and a bracket
  EXPECT_EQ(words.decode(ids{2, 4, 4, 3}), " a a");
}

TEST(wordpiece, needs_an_unknown_token) {
  vocabulary vocab = wordpiece_vocabulary({"▁a"});
  vocab.unknown = -1;
  const std::string message = message_of([&] { tokenizer words(vocab); });
  EXPECT_NE(message.find("no unknown token id"), std::string::npos) << message;
}

TEST(wordpiece, a_word_of_a_million_letters) {
  const tokenizer words(wordpiece_vocabulary({"▁a", "aa", "a"}));
  EXPECT_EQ(words.encode(std::string(1'000'001, 'a')).size(), 500'001u);
  EXPECT_EQ(words.encode(std::string(1'000'000, 'a') + "b"), ids{1});
  EXPECT_EQ(words.encode(std::string(1'000'000, ' ')), ids{});
}

TEST(wordpiece, cases_of_bge) {
  const auto data = testing::read_vocabulary_data("bert-bge");
  EXPECT_EQ(testing::expect_the_ids_of_all_cases(data, tokenizer(data.vocab)), 91);
}

// FNV-1a over all pairs that UnicodeData.txt has, as Python's unicodedata (14.0) gives them.
std::uint64_t sum_of_changes(char32_t (*map)(char32_t), bool bases_only, int& num_changes) {
  std::uint64_t sum = 14695981039346656037u;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    if (bases_only && base_character(c) != c) continue;
    if (map(c) == c) continue;
    ++num_changes;
    for (const char32_t value : {c, map(c)}) {
      for (int shift = 0; shift < 32; shift += 8) {
        sum = (sum ^ (value >> shift & 0xFF)) * 1099511628211u;
      }
    }
  }
  return sum;
}

TEST(unicode, bases_and_lower_cases_are_those_of_the_standard) {
  int num_bases = 0;
  EXPECT_EQ(sum_of_changes(base_character, false, num_bases), 0xFE21DB14230F5F7u);
  EXPECT_EQ(num_bases, 13233);
  int num_lower = 0;
  EXPECT_EQ(sum_of_changes(lower_case, true, num_lower), 0x786DE2E771C6A70Du);
  EXPECT_EQ(num_lower, 1053);
  EXPECT_EQ(base_character(U'É'), U'E');
  EXPECT_EQ(base_character(U'각'), U'\u1100');
  EXPECT_EQ(base_character(U'-'), U'-');
  EXPECT_EQ(lower_case(U'Ж'), U'ж');
}

}  // namespace
}  // namespace rocmforge
