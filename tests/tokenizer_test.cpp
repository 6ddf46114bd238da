// Tokenisers: words, merges, special tokens, decoding, what is refused, and equality with llama.cpp
// on a real vocabulary.
#include <rocmforge/tokenizer.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/gguf_writer.hpp"

namespace rocmforge {
namespace {

using strings = std::vector<std::string>;
using ids = std::vector<int>;

// Ids 0 to 255 are the bytes; then what `merges` make; then <|im_start|> and <|im_end|>.
vocabulary small_vocabulary(const strings& merges = {}, std::string pre = "gpt-2") {
  vocabulary vocab;
  for (int byte = 0; byte < 256; ++byte) {
    vocab.tokens.push_back(to_byte_level(std::string(1, static_cast<char>(byte))));
  }
  for (const std::string& merge : merges) {
    std::string merged = merge;
    merged.erase(merged.find(' '), 1);
    if (std::ranges::find(vocab.tokens, merged) == vocab.tokens.end()) {
      vocab.tokens.push_back(merged);
    }
  }
  vocab.kinds.assign(vocab.tokens.size(), token_kind::normal);
  vocab.merges = merges;
  vocab.pre = std::move(pre);
  for (const char* control : {"<|im_start|>", "<|im_end|>"}) {
    vocab.tokens.push_back(control);
    vocab.kinds.push_back(token_kind::control);
  }
  return vocab;
}

int add_token(vocabulary& vocab, const std::string& text, token_kind kind) {
  vocab.tokens.push_back(text);
  vocab.kinds.push_back(kind);
  return static_cast<int>(vocab.tokens.size()) - 1;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const error& refused) {
    return refused.what();
  }
  return "nothing was refused";
}

ids bytes_of(std::string_view text) {
  ids result;
  for (const char c : text) result.push_back(static_cast<unsigned char>(c));
  return result;
}

strings split(std::string_view pre, std::string_view text) {
  const auto words = pre_tokenizer(pre).split(text);
  return {words.begin(), words.end()};
}

// --- words ------------------------------------------------------------------------------------

TEST(pre_tokenizer, llama_bpe) {
  EXPECT_EQ(split("llama-bpe", "Hello, y'all! It'S 12345 ok"),
            (strings{"Hello", ",", " y", "'all", "!", " It", "'S", " ", "123", "45", " ok"}));
  EXPECT_EQ(split("llama-bpe", "a  b \n\n c\n"), (strings{"a", " ", " b", " \n\n", " c", "\n"}));
  EXPECT_EQ(split("llama-bpe", "x\t\ty  "), (strings{"x", "\t", "\ty", "  "}));
  EXPECT_EQ(split("llama-bpe", " !?\r\n\nq"), (strings{" !?\r\n\n", "q"}));
  EXPECT_EQ(split("llama-bpe", "    Hello\n    Hello"),
            (strings{"   ", " Hello", "\n", "   ", " Hello"}));
  // U+017F is an s in caseless matching, but not in a contraction.
  EXPECT_EQ(split("llama-bpe", "x'\u017Fa"), (strings{"x", "'\u017Fa"}));
}

TEST(pre_tokenizer, qwen2_takes_digits_one_by_one) {
  EXPECT_EQ(split("qwen2", "I'LL take 123\u0663"),
            (strings{"I", "'LL", " take", " ", "1", "2", "3", "\u0663"}));
}

TEST(pre_tokenizer, gpt_2) {
  EXPECT_EQ(split("gpt-2", "I'LL I'll 12345 a\n\nb!?"),
            (strings{"I", "'", "LL", " I", "'ll", " 12345", " a", "\n", "\n", "b", "!?"}));
  // White space is Unicode's White_Space: U+0085 and U+3000 are, U+180E is not.
  EXPECT_EQ(split("gpt-2", "a\u0085!\u3000?\u180E!"),
            (strings{"a", "\u0085", "!", "\u3000", "?\u180E!"}));
}

TEST(pre_tokenizer, smollm_isolates_digits_first) {
  EXPECT_EQ(split("smollm", "abc 12 d3e"), (strings{"abc", " ", "1", "2", " d", "3", "e"}));
}

TEST(pre_tokenizer, tekken_parts_words_where_the_case_rises) {
  EXPECT_EQ(split("tekken", "CamelCaseHTTPServer 12 a/b/"),
            (strings{"Camel", "Case", "HTTPServer", " ", "1", "2", " a", "/b", "/"}));
  EXPECT_EQ(split("tekken", "//\n/x"), (strings{"//\n/", "x"}));
  EXPECT_EQ(split("tekken", "e\u0301\u00C9a \u4E16\u754C"),
            (strings{"e\u0301", "\u00C9a", " \u4E16\u754C"}));
}

TEST(pre_tokenizer, deepseek) {
  EXPECT_EQ(split("deepseek-llm", "Hi there,\n\u4E16\u754C123 x  "),
            (strings{"Hi", " there", ",", "\n", "\u4E16\u754C", "123", " x", "  "}));
  EXPECT_EQ(split("deepseek-v3", "12345 \u4E16\u3067\u3059.foo it's"),
            (strings{"123", "45", " ", "\u4E16\u3067\u3059", ".foo", " it", "'s"}));
  EXPECT_EQ(split("deepseek-coder", "foo(bar) 12\n"),
            (strings{"foo", "(", "bar", ")", " ", "1", "2", "\n"}));
}

TEST(pre_tokenizer, words_of_every_family_make_up_the_text) {
  std::mt19937 random(1);
  const strings parts = {"a",  "B",      "'s",     "'LL",    " ",      "  ",        "\n",
                         "\r", "7",      "12",     "!",      "_",      "\u00E9",    "\u4E16",
                         "-",  "\u3000", "\u0301", "\u0085", "\u0663", "\U0001F680"};
  for (const pre_tokenizer_family& family : pre_tokenizer_families) {
    for (const std::string_view name : family.names) {
      const pre_tokenizer words(name);
      const pre_tokenizer interpreted(name, /*use_jit=*/false);
      for (int repeat = 0; repeat < 50; ++repeat) {
        std::string text;
        for (int i = 0; i < 20; ++i) text += parts[random() % parts.size()];
        std::string joined;
        for (const std::string_view word : words.split(text)) {
          EXPECT_FALSE(word.empty());
          joined += word;
        }
        EXPECT_EQ(joined, text) << name;
        EXPECT_EQ(interpreted.split(text), words.split(text)) << name;
      }
    }
  }
}

// A pattern with quadratic time would run into the match limit, or take many minutes.
TEST(pre_tokenizer, long_runs_take_linear_time_compiled_and_interpreted) {
  for (const pre_tokenizer_family& family : pre_tokenizer_families) {
    const pre_tokenizer compiled(family.names[0]);
    const pre_tokenizer interpreted(family.names[0], /*use_jit=*/false);
    for (const std::string run : {"a", "A", " ", "\n", "7", ".", "\u4E16", "\u0301", " \n", "'"}) {
      std::string text;
      while (text.size() < 300'000) text += run;
      text += "\u4E16";
      const auto words = compiled.split(text);
      std::size_t size = 0;
      for (const std::string_view word : words) size += word.size();
      EXPECT_EQ(size, text.size()) << family.names[0] << " \"" << run << "\"";
      EXPECT_EQ(interpreted.split(text), words) << family.names[0] << " \"" << run << "\"";
    }
  }
}

TEST(pre_tokenizer, unknown_and_missing_names_are_refused_with_the_known_ones) {
  const std::string unknown = message_of([] { pre_tokenizer words("gpt-\n17"); });
  EXPECT_NE(unknown.find("unknown pre-tokeniser \"gpt-\\x0a17\""), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("llama-bpe, "), std::string::npos) << unknown;
  const std::string missing = message_of([] { pre_tokenizer words(""); });
  EXPECT_NE(missing.find("tokenizer.ggml.pre"), std::string::npos) << missing;
  EXPECT_NE(missing.find("smollm, "), std::string::npos) << missing;
}

// --- merges -----------------------------------------------------------------------------------

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

TEST(encode, a_byte_without_a_token_is_refused_by_name) {
  vocabulary vocab = small_vocabulary();
  vocab.tokens[0x04] = "unrelated";
  const tokenizer words(std::move(vocab));
  const std::string message = message_of([&] { (void)words.encode("a\x04"); });
  EXPECT_NE(message.find("byte \\x04"), std::string::npos) << message;
}

TEST(encode, each_invalid_byte_becomes_a_replacement_character) {
  const tokenizer words(small_vocabulary());
  const ids bad = bytes_of("\uFFFD");
  const auto expect = [&](std::string_view text, int num_bad) {
    ids expected = {'a'};
    for (int i = 0; i < num_bad; ++i) expected.insert(expected.end(), bad.begin(), bad.end());
    expected.push_back('b');
    EXPECT_EQ(words.encode("a" + std::string(text) + "b"), expected);
  };
  expect("\x80", 1);
  expect("\xFF", 1);
  expect("\xE2\x82", 2);          // cut off
  expect("\xC0\xAF", 2);          // overlong
  expect("\xED\xA0\x80", 3);      // surrogate
  expect("\xF4\x90\x80\x80", 4);  // above U+10FFFF
  EXPECT_EQ(words.encode("\xE2\x82").size(), 6u);
  EXPECT_EQ(words.encode("\U0010FFFF"), bytes_of("\U0010FFFF"));
}

// --- special tokens ---------------------------------------------------------------------------

TEST(special_tokens, are_text_unless_parsed) {
  const tokenizer words(small_vocabulary());
  const int start = *words.find_token("<|im_start|>");
  const int end = *words.find_token("<|im_end|>");
  EXPECT_EQ(words.encode("<|im_end|>"), bytes_of("<|im_end|>"));
  EXPECT_EQ(words.encode("<|im_start|><|im_start|>a<|im_end|>", special_tokens::parse),
            (ids{start, start, 'a', end}));
  EXPECT_EQ(words.encode("<|im_end", special_tokens::parse), bytes_of("<|im_end"));
}

TEST(special_tokens, the_longest_is_found_first_over_the_whole_text) {
  vocabulary vocab = small_vocabulary();
  const int ab = add_token(vocab, "ab", token_kind::control);
  const int bcd = add_token(vocab, "bcd", token_kind::control);
  const tokenizer words(std::move(vocab));
  EXPECT_EQ(words.encode("abcdab", special_tokens::parse), (ids{'a', bcd, ab}));
  EXPECT_EQ(words.encode("abab", special_tokens::parse), (ids{ab, ab}));
}

TEST(special_tokens, user_defined_ones_are_found_in_any_text) {
  vocabulary vocab = small_vocabulary();
  const int tag = add_token(vocab, "<tag>", token_kind::user_defined);
  const tokenizer words(std::move(vocab));
  EXPECT_EQ(words.encode("a<tag>b"), (ids{'a', tag, 'b'}));
  EXPECT_EQ(words.decode(ids{'a', tag, 'b'}), "a<tag>b");
}

TEST(special_tokens, markers_of_turns_are_control_tokens_whatever_the_file_says) {
  vocabulary vocab = small_vocabulary();
  vocab.kinds[256] = vocab.kinds[257] = token_kind::user_defined;
  const tokenizer words(std::move(vocab));
  EXPECT_EQ(words.encode("<|im_start|><|im_end|>"), bytes_of("<|im_start|><|im_end|>"));
}

TEST(special_tokens, bos_and_eos_only_where_asked_for) {
  vocabulary vocab = small_vocabulary();
  vocab.bos = 256;
  vocab.eos = 257;
  EXPECT_EQ(tokenizer(vocab).encode("a", special_tokens::as_text, true), (ids{'a'}));
  vocab.add_bos = vocab.add_eos = true;
  const tokenizer words(vocab);
  EXPECT_EQ(words.encode("a", special_tokens::as_text, true), (ids{256, 'a', 257}));
  EXPECT_EQ(words.encode("", special_tokens::as_text, true), (ids{256, 257}));
  EXPECT_EQ(words.encode("a"), (ids{'a'}));
}

TEST(special_tokens, end_of_generation) {
  vocabulary vocab = small_vocabulary();
  vocab.eos = 0;
  vocab.eot = 1;
  vocab.eom = 2;
  vocab.fim_pad = 3;
  vocab.fim_rep = 4;
  vocab.fim_sep = 5;
  vocab.bos = vocab.padding = 6;
  const int html = add_token(vocab, "</s>", token_kind::normal);
  const int text_end = add_token(vocab, "<|endoftext|>", token_kind::control);
  const tokenizer words(std::move(vocab));
  for (const int id : {0, 1, 2, 3, 4, 5, 257, text_end})
    EXPECT_TRUE(words.is_end_of_generation(id));
  for (const int id : {6, 7, 256, html}) EXPECT_FALSE(words.is_end_of_generation(id)) << id;
  EXPECT_EQ(words.encode("</s>"), bytes_of("</s>"));
}

// --- decoding ---------------------------------------------------------------------------------

TEST(decode, control_tokens_are_hidden_unless_shown) {
  const tokenizer words(small_vocabulary());
  const ids text = words.encode("<|im_start|>hi<|im_end|>", special_tokens::parse);
  EXPECT_EQ(words.decode(text), "hi");
  EXPECT_EQ(words.decode(text, control_tokens::show), "<|im_start|>hi<|im_end|>");
  EXPECT_TRUE(words.is_control(text[0]));
  EXPECT_FALSE(words.is_control('h'));
}

TEST(decode, ids_out_of_range_are_refused) {
  const tokenizer words(small_vocabulary());
  EXPECT_EQ(words.vocab_size(), 258);
  for (const int id : {-1, 258}) {
    EXPECT_THROW((void)words.decode(ids{id}), error);
    EXPECT_THROW((void)words.token_bytes(id), error);
    EXPECT_THROW((void)words.is_control(id), error);
    EXPECT_THROW((void)words.is_end_of_generation(id), error);
    EXPECT_THROW((void)stream_decoder(words).push(id), error);
  }
}

TEST(decode, ill_formed_bytes_are_replaced_as_unicode_recommends) {
  const tokenizer words(small_vocabulary());
  const std::string bad = "\uFFFD";
  const auto decoded = [&](std::string_view bytes) { return words.decode(bytes_of(bytes)); };
  // The tables 3-8 to 3-11 of The Unicode Standard 15.
  EXPECT_EQ(decoded("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            bad + bad + bad + bad + bad + bad + bad + bad + "A");
  EXPECT_EQ(decoded("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            bad + bad + bad + bad + bad + bad + bad + bad + "A");
  EXPECT_EQ(decoded("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            bad + bad + bad + bad + bad + "A" + bad + bad + "B");
  EXPECT_EQ(decoded("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), bad + bad + bad + bad + "A");
  EXPECT_EQ(decoded("a\xE2\x82"), "a" + bad);
}

TEST(stream_decoder, holds_back_until_a_character_is_complete) {
  const tokenizer words(small_vocabulary());
  stream_decoder stream(words);
  EXPECT_EQ(stream.push('a'), "a");
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.push(0x9F), "");
  EXPECT_EQ(stream.push(0x9A), "");
  EXPECT_EQ(stream.push(0x80), "\U0001F680");
  EXPECT_EQ(stream.push(0xE2), "");
  EXPECT_EQ(stream.push(256), "");  // a control token shows nothing
  EXPECT_EQ(stream.push('b'), "\uFFFDb");
  EXPECT_EQ(stream.push(0xE2), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(stream_decoder, equals_decode_and_gives_whole_characters_on_random_ids) {
  const tokenizer words(small_vocabulary());
  std::mt19937 random(3);
  const ids often = bytes_of("a\u00E9\u4E16\U0001F680\xED\xF4\xC0");
  for (int repeat = 0; repeat < 2000; ++repeat) {
    ids some;
    for (int i = 0; i < 12; ++i) {
      some.push_back(random() % 4 ? often[random() % often.size()]
                                  : static_cast<int>(random() % 258));
    }
    stream_decoder stream(words);
    std::string text;
    for (const int id : some) {
      const std::string part = stream.push(id);
      EXPECT_EQ(replace_invalid_utf8(part), part);
      text += part;
    }
    EXPECT_EQ(text + stream.finish(), words.decode(some));
  }
}

TEST(tokenizer, works_after_a_move) {
  tokenizer first(small_vocabulary({"a b"}, "llama-bpe"));
  const tokenizer second = std::move(first);
  EXPECT_EQ(second.encode("ab"), (ids{256}));
  EXPECT_EQ(second.find_token("<|im_end|>"), 258);
}

// --- what is refused --------------------------------------------------------------------------

TEST(vocabulary, inconsistent_ones_are_refused_with_the_reason) {
  const auto expect = [](const std::string& reason, const std::function<void(vocabulary&)>& spoil) {
    vocabulary vocab = small_vocabulary({"a b"});
    EXPECT_NO_THROW(tokenizer{vocab});
    spoil(vocab);
    vocab.source = "some.gguf";
    const std::string message = message_of([&] { tokenizer words(vocab); });
    EXPECT_NE(message.find(reason), std::string::npos) << message << "\nexpected: " << reason;
    EXPECT_EQ(message.rfind("some.gguf: ", 0), 0u) << message;
  };
  expect("no tokens", [](vocabulary& v) { v.tokens.clear(); });
  expect("258 token types, expected 259", [](vocabulary& v) { v.kinds.pop_back(); });
  expect("token 5 has type 7, expected 1 to 6", [](vocabulary& v) { v.kinds[5] = token_kind{7}; });
  expect("token 5 has type 0", [](vocabulary& v) { v.kinds[5] = token_kind{0}; });
  expect("token 98 repeats the text \"a\"", [](vocabulary& v) { v.tokens[98] = "a"; });
  expect("token 9 has 65537 bytes, expected at most 65536",
         [](vocabulary& v) { v.tokens[9].assign(65537, 'x'); });
  expect("bos token id is 259, expected less than the number of tokens, 259",
         [](vocabulary& v) { v.bos = 259; });
  expect("eos token id is 2147483647", [](vocabulary& v) { v.eos = 2147483647; });
  expect("eot token id is -2", [](vocabulary& v) { v.eot = -2; });
  expect("eom token id", [](vocabulary& v) { v.eom = 300; });
  expect("unknown token id", [](vocabulary& v) { v.unknown = 300; });
  expect("padding token id", [](vocabulary& v) { v.padding = 300; });
  expect("fim_pad token id", [](vocabulary& v) { v.fim_pad = 300; });
  expect("fim_rep token id", [](vocabulary& v) { v.fim_rep = 300; });
  expect("fim_sep token id", [](vocabulary& v) { v.fim_sep = 300; });
  expect("expected a bos token id", [](vocabulary& v) { v.add_bos = true; });
  expect("expected an eos token id", [](vocabulary& v) { v.add_eos = true; });
  expect("unknown pre-tokeniser \"other\", expected one of ",
         [](vocabulary& v) { v.pre = "other"; });
  for (const std::string merge : {"ab", "", " ", "a ", " a"}) {
    expect("merge 1 is \"" + merge + "\"", [&](vocabulary& v) { v.merges.push_back(merge); });
  }
}

TEST(vocabulary, empty_tokens_may_repeat_and_are_reached_by_no_text) {
  vocabulary vocab = small_vocabulary();
  const int empty = add_token(vocab, "", token_kind::normal);
  add_token(vocab, "", token_kind::control);
  const tokenizer words(std::move(vocab));
  EXPECT_EQ(words.encode("ab", special_tokens::parse), bytes_of("ab"));
  EXPECT_EQ(words.decode(ids{empty}), "");
}

// A file with the small vocabulary, after `change` had its way; it is gone when this is.
class vocabulary_file {
 public:
  struct contents {
    std::map<std::string, std::string> strings = {{"model", "gpt2"}, {"pre", "gpt-2"}};
    std::map<std::string, std::uint32_t> numbers;
    std::map<std::string, bool> flags;
    std::vector<std::int32_t> kinds;
    std::vector<float> float_kinds;
    bool tokens = true;
    bool merges = true;
  };

  explicit vocabulary_file(const std::function<void(contents&)>& change) {
    contents file;
    change(file);
    testing::gguf_writer writer;
    writer.add("general.architecture", std::string("llama"));
    for (const auto& [key, value] : file.strings) writer.add("tokenizer.ggml." + key, value);
    for (const auto& [key, value] : file.numbers) writer.add("tokenizer.ggml." + key, value);
    for (const auto& [key, value] : file.flags) writer.add("tokenizer.ggml." + key, value);
    if (!file.kinds.empty()) writer.add_array("tokenizer.ggml.token_type", file.kinds);
    if (!file.float_kinds.empty()) writer.add_array("tokenizer.ggml.token_type", file.float_kinds);
    if (file.tokens) writer.add_array("tokenizer.ggml.tokens", small_vocabulary({"a b"}).tokens);
    if (file.merges) writer.add_array("tokenizer.ggml.merges", strings{"a b"});
    writer.add("tokenizer.chat_template", std::string("{{ cycler.__init__ }}"));
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = (std::filesystem::temp_directory_path() /
             ("rocmforge_" + std::string(test->name()) + "_" +
              std::to_string(std::random_device{}()) + ".gguf"))
                .string();
    writer.write(path_);
  }
  ~vocabulary_file() { std::filesystem::remove(path_); }
  vocabulary_file(const vocabulary_file&) = delete;
  vocabulary_file& operator=(const vocabulary_file&) = delete;

  [[nodiscard]] vocabulary load() const { return load_vocabulary(gguf::file(path_)); }

 private:
  std::string path_;
};

TEST(load_vocabulary, reads_what_the_file_says) {
  const vocabulary_file file([](auto& contents) {
    contents.numbers = {{"bos_token_id", 256}, {"eos_token_id", 257}, {"eot_token_id", 3}};
    contents.flags = {{"add_bos_token", true}, {"add_eos_token", true}};
    contents.kinds.assign(259, 1);
    contents.kinds[257] = contents.kinds[258] = 3;
  });
  const vocabulary vocab = file.load();
  EXPECT_EQ(vocab.tokens, small_vocabulary({"a b"}).tokens);
  EXPECT_EQ(vocab.merges, strings{"a b"});
  EXPECT_EQ(vocab.kinds[257], token_kind::control);
  EXPECT_EQ(vocab.bos, 256);
  EXPECT_EQ(vocab.eos, 257);
  EXPECT_EQ(vocab.eot, 3);
  EXPECT_EQ(vocab.unknown, -1);
  EXPECT_TRUE(vocab.add_bos);
  EXPECT_TRUE(vocab.add_eos);
  EXPECT_EQ(vocab.chat_template, "{{ cycler.__init__ }}");
  EXPECT_EQ(tokenizer(vocab).encode("ab"), (ids{256}));
}

TEST(load_vocabulary, the_family_decides_about_bos_where_the_file_does_not) {
  const auto adds_bos = [](const char* pre, bool has_bos, std::map<std::string, bool> flags) {
    return vocabulary_file([&](auto& contents) {
             contents.strings["pre"] = pre;
             if (has_bos) contents.numbers["bos_token_id"] = 256;
             contents.flags = std::move(flags);
           })
        .load()
        .add_bos;
  };
  EXPECT_TRUE(adds_bos("llama-bpe", true, {}));
  EXPECT_TRUE(adds_bos("tekken", true, {}));
  EXPECT_FALSE(adds_bos("llama-bpe", false, {}));
  EXPECT_FALSE(adds_bos("llama-bpe", true, {{"add_bos_token", false}}));
  EXPECT_FALSE(adds_bos("qwen2", true, {}));
  EXPECT_TRUE(adds_bos("qwen2", true, {{"add_bos_token", true}}));
}

TEST(load_vocabulary, refuses_what_it_cannot_use) {
  const auto expect = [](const std::string& reason,
                         const std::function<void(vocabulary_file::contents&)>& spoil) {
    const vocabulary_file file(spoil);
    const std::string message = message_of([&] { (void)file.load(); });
    EXPECT_NE(message.find(reason), std::string::npos) << message << "\nexpected: " << reason;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  };
  expect("tokenizer.ggml.model", [](auto& c) { c.strings.erase("model"); });
  expect("tokeniser \"llama\" is not supported, expected \"gpt2\"",
         [](auto& c) { c.strings["model"] = "llama"; });
  expect("no pre-tokeniser is named", [](auto& c) { c.strings.erase("pre"); });
  expect("unknown pre-tokeniser \"x\"", [](auto& c) { c.strings["pre"] = "x"; });
  expect("tokenizer.ggml.tokens", [](auto& c) { c.tokens = false; });
  expect("tokenizer.ggml.merges", [](auto& c) { c.merges = false; });
  expect("258 token types, expected 259", [](auto& c) { c.kinds.assign(258, 1); });
  expect("has type 9", [](auto& c) { c.kinds.assign(259, 9); });
  expect("tokenizer.ggml.token_type", [](auto& c) { c.kinds.assign(259, -1); });
  expect("tokenizer.ggml.token_type", [](auto& c) { c.float_kinds.assign(259, 1.0f); });
  expect("eos token id is 259", [](auto& c) { c.numbers["eos_token_id"] = 259; });
  expect("eos_token_id", [](auto& c) { c.numbers["eos_token_id"] = 0xFFFFFFFF; });
  expect("expected a bos token id", [](auto& c) { c.flags["add_bos_token"] = true; });
  expect("eot_token_id", [](auto& c) { c.strings["eot_token_id"] = "7"; });
}

// --- a real vocabulary ------------------------------------------------------------------------

TEST(smollm2, equals_llama_cpp) {
  const char* path = std::getenv("ROCMFORGE_TEST_MODEL");
  if (path == nullptr) {
    GTEST_SKIP() << "ROCMFORGE_TEST_MODEL does not name SmolLM2-135M-Instruct.Q4_1.gguf";
  }
  const tokenizer words(load_vocabulary(gguf::file(path)));
  const auto data = std::filesystem::path(__FILE__).parent_path() / "data/tokenizer_smollm2.json";
  std::ifstream in(data);
  ASSERT_TRUE(in) << data;
  const auto cases = nlohmann::json::parse(in).at("cases");
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
