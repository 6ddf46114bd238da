// Tokenizers: special tokens, decoding, and what is refused.
#include <rocmforge/tokenizer.hpp>

#include "support/gguf_writer.hpp"
#include "support/small_vocabulary.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
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

// --- bytes ------------------------------------------------------------------------------------

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

// --- special tokens ----------------------------------------------------------------------------

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

TEST(special_tokens, are_read_only_within_the_parts_that_say_so) {
  const tokenizer words(small_vocabulary());
  const auto encoded = [&](const std::vector<text_part>& parts) {
    ids result;
    words.append(parts, /*continues=*/false, result);
    return result;
  };
  using enum special_tokens;
  const int end = *words.find_token("<|im_end|>");
  EXPECT_EQ(encoded({{"<|im_end|>", parse}, {"<|im_end|>", as_text}, {"<|im_end|>", parse}}),
            (ids{end, '<', '|', 'i', 'm', '_', 'e', 'n', 'd', '|', '>', end}));
  EXPECT_EQ(encoded({{"<|im_", parse}, {"end|>", parse}}), (ids{end}));
  EXPECT_EQ(encoded({{"<|im_", parse}, {"end|>", as_text}}), bytes_of("<|im_end|>"));
  EXPECT_EQ(encoded({{"<|im_", as_text}, {"end|>", parse}}), bytes_of("<|im_end|>"));
  EXPECT_EQ(encoded({}), ids{});
  // Words go over the joints.
  const tokenizer merging(small_vocabulary({"a b"}));
  ids merged;
  const text_part parts[] = {{"a", parse}, {"b", as_text}};
  merging.append(parts, false, merged);
  EXPECT_EQ(merged, (ids{256}));
}

TEST(special_tokens, some_swallow_the_white_space_beside_them) {
  vocabulary vocab = small_vocabulary();
  vocab.strips_left = {256};
  vocab.strips_right = {257};
  const tokenizer words(vocab);
  EXPECT_EQ(words.encode(" a \t<|im_start|> b", special_tokens::parse),
            (ids{' ', 'a', 256, ' ', 'b'}));
  EXPECT_EQ(words.encode("a <|im_end|> \n\u00A0b", special_tokens::parse),
            (ids{'a', ' ', 257, 0xC2, 0xA0, 'b'}));  // of ASCII's white space alone
  EXPECT_EQ(words.encode(" <|im_start|><|im_end|> ", special_tokens::parse), (ids{256, 257}));
  EXPECT_EQ(words.encode("a <|im_end|> b"), bytes_of("a <|im_end|> b"));
}

// What the splitter has to give, the simple way: each token, the longest first and of equally long
// ones the lowest id first, cuts all that is still text.
struct part {
  std::string text;
  int token = -1;
  bool operator==(const part&) const = default;
};
using may_be_control = std::function<bool(std::size_t at, std::size_t size)>;

std::vector<part> split_one_by_one(const vocabulary& vocab, const std::string& text,
                                   const may_be_control& may_be) {
  struct fragment {
    std::size_t begin;
    std::size_t end;
    int token = -1;
  };
  ids order;
  for (int id = 0; id < static_cast<int>(vocab.tokens.size()); ++id) order.push_back(id);
  std::ranges::sort(order, {},
                    [&](int id) { return std::pair(-std::ssize(vocab.tokens[id]), id); });
  const std::string spaces = " \t\n\v\f\r";
  const auto contains = [](const ids& list, int id) { return std::ranges::count(list, id) != 0; };
  std::set<std::string> seen;
  std::vector<fragment> fragments = {{0, text.size()}};
  for (const int id : order) {
    const std::string& token = vocab.tokens[id];
    const bool control = vocab.kinds[id] == token_kind::control;
    if ((!control && vocab.kinds[id] != token_kind::user_defined) || !seen.insert(token).second)
      continue;
    std::vector<fragment> cut;
    for (fragment rest : fragments) {
      for (std::size_t at = rest.begin; rest.token < 0 && at + token.size() <= rest.end;) {
        if (text.compare(at, token.size(), token) != 0 || (control && !may_be(at, token.size()))) {
          ++at;
          continue;
        }
        std::size_t left = at;
        if (contains(vocab.strips_left, id)) {
          while (left > rest.begin && spaces.find(text[left - 1]) != spaces.npos) --left;
        }
        cut.push_back({rest.begin, left});
        cut.push_back({at, at + token.size(), id});
        at += token.size();
        if (contains(vocab.strips_right, id)) {
          while (at < rest.end && spaces.find(text[at]) != spaces.npos) ++at;
        }
        rest.begin = at;
      }
      cut.push_back(rest);
    }
    fragments = std::move(cut);
  }
  std::vector<part> parts;
  for (const auto& [begin, end, token] : fragments) {
    if (begin < end) parts.push_back({text.substr(begin, end - begin), token});
  }
  return parts;
}

std::vector<part> split(const vocabulary& vocab, const std::string& text,
                        const may_be_control& may_be) {
  std::vector<part> parts;
  for (const auto& [piece, token] : special_token_splitter(vocab).split(text, may_be)) {
    parts.push_back({std::string(piece), token});
  }
  return parts;
}

TEST(special_tokens, are_those_that_searching_for_one_after_the_other_finds) {
  std::mt19937 random(4);
  const auto below = [&](std::size_t n) { return random() % n; };
  // Few letters, so that tokens overlap, repeat and contain each other.
  const auto word = [&](std::size_t size) {
    std::string result;
    for (std::size_t i = 0; i < size; ++i) result += "aab \n"[below(5)];
    return result;
  };
  std::size_t num_tokens = 0;
  for (int round = 0; round < 3000; ++round) {
    vocabulary vocab;
    for (std::size_t i = below(12); i > 0; --i) {
      const token_kind kinds[] = {token_kind::normal, token_kind::user_defined,
                                  token_kind::user_defined, token_kind::control};
      const int id = add_token(vocab, word(1 + below(8)), kinds[below(4)]);
      if (below(4) == 0) vocab.strips_left.push_back(id);
      if (below(4) == 0) vocab.strips_right.push_back(id);
    }
    const std::string text = word(below(60));
    const std::size_t begin = below(60), end = begin + below(60);  // where control tokens are read
    const auto may_be = [&](std::size_t at, std::size_t size) {
      return begin <= at && at + size <= end;
    };
    const std::vector<part> parts = split(vocab, text, may_be);
    ASSERT_EQ(parts.size(), split_one_by_one(vocab, text, may_be).size()) << round;
    ASSERT_TRUE(parts == split_one_by_one(vocab, text, may_be)) << round;
    for (const part& p : parts) num_tokens += p.token >= 0;
  }
  EXPECT_GT(num_tokens, 5000u);
}

TEST(special_tokens, many_in_a_text_take_little_longer_than_few) {
  // The processor's time for 65536 tokens of 4 bytes, `num_texts` of them different.
  const auto time_of = [](unsigned num_texts) {
    vocabulary vocab;
    const auto text_of = [](unsigned i) {
      return std::string{'<', static_cast<char>('@' + i % 64), static_cast<char>('@' + i / 64 % 64),
                         static_cast<char>('@' + i / 4096)};
    };
    for (unsigned i = 0; i < num_texts; ++i) {
      add_token(vocab, text_of(i), token_kind::user_defined);
    }
    std::string text;
    std::mt19937 random(5);
    for (int i = 0; i < 65536; ++i) text += text_of(random() % num_texts);
    const special_token_splitter specials(vocab);
    const std::clock_t start = std::clock();
    EXPECT_EQ(specials.split(text, [](std::size_t, std::size_t) { return true; }).size(), 65536u);
    return std::clock() - start;
  };
  // One cut of the whole text for each of them took 200 times as long.
  EXPECT_LT(time_of(16384), 16 * time_of(16));
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
  const int start_of_turn = add_token(vocab, "<start_of_turn>");
  const int bos = vocab.bos = add_token(vocab, "<bos>");
  for (const token_kind kind : {token_kind::user_defined, token_kind::normal}) {
    for (const int id : {256, 257, start_of_turn, bos}) vocab.kinds[id] = kind;
    const tokenizer words(vocab);
    const std::string text = "<bos><start_of_turn><|im_start|><|im_end|>";
    EXPECT_EQ(words.encode(text), bytes_of(text));
    EXPECT_EQ(words.encode(text, special_tokens::parse), (ids{bos, start_of_turn, 256, 257}));
  }
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

// llama.cpp's rules.
TEST(special_tokens, that_end_a_generation_by_their_text) {
  const auto ends = [](const strings& texts, token_kind kind = token_kind::control,
                       int file_sep = -1) {
    vocabulary vocab = small_vocabulary();
    vocab.fim_sep = file_sep;
    for (const std::string& text : texts) add_token(vocab, text, kind);
    const tokenizer words(std::move(vocab));
    std::string result;
    for (const std::string& text : texts)
      result += words.is_end_of_generation(words.find_token(text).value()) ? 'y' : 'n';
    return result;
  };
  EXPECT_EQ(ends({"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"}), "yyy");
  EXPECT_EQ(ends({"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"}, token_kind::normal), "yyy");
  EXPECT_EQ(ends({"<|file_sep|>"}, token_kind::control, 7), "n");  // the file names another one
  EXPECT_EQ(ends({"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"}), "nnn");
  EXPECT_EQ(ends({"<|end|>"}), "y");
  EXPECT_EQ(ends({"<|end|>", "<|return|>"}), "yy");
  EXPECT_EQ(ends({"<|end|>", "<|return|>", "<|call|>"}), "nyy");
  EXPECT_EQ(ends({"<|end|>", "<|flush|>", "<|calls|>"}), "nyy");
  EXPECT_EQ(ends({"[EOT]", "[EOS]", "[e~[", "<turn|>", "<end_of_utterance>"}), "yyyyy");
  EXPECT_EQ(ends({"</s>"}), "y");
  EXPECT_EQ(ends({"</s>", "<|tool_response>"}), "ny");  // Gemma 4's
}

// --- decoding ----------------------------------------------------------------------------------

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

TEST(decode, spaces_before_punctuation_go_where_the_vocabulary_says_so) {
  const auto cleaned = [](std::string_view text) { return without_token_spaces(text); };
  EXPECT_EQ(cleaned("Is it so ? Yes , it is ."), "Is it so? Yes, it is.");
  EXPECT_EQ(cleaned("it 's I 'm we 're you 've he 'd 'tis 'll"),
            "it's I'm we're you've he 'd 'tis 'll");
  EXPECT_EQ(cleaned("a ' b"), "a'b");
  EXPECT_EQ(cleaned("a  ."), "a .");
  EXPECT_EQ(cleaned(" ."), ".");
  EXPECT_EQ(cleaned(""), "");
  vocabulary vocab = small_vocabulary();
  EXPECT_EQ(tokenizer(vocab).decode_clean(bytes_of("a .")), "a .");
  vocab.clean_spaces = true;
  EXPECT_EQ(tokenizer(vocab).decode_clean(bytes_of("a .")), "a.");
  EXPECT_EQ(tokenizer(vocab).decode(bytes_of("a .")), "a .");
}

TEST(tokenizer, works_after_a_move) {
  tokenizer first(small_vocabulary({"a b"}, "llama-bpe"));
  const tokenizer second = std::move(first);
  EXPECT_EQ(second.encode("ab"), (ids{256}));
  EXPECT_EQ(second.find_token("<|im_end|>"), 258);
}

// --- what is refused ---------------------------------------------------------------------------

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
  expect("eos token id is 300", [](vocabulary& v) { v.other_ends = {3, 300}; });
  expect("expected a bos token id", [](vocabulary& v) { v.add_bos = true; });
  expect("expected an eos token id", [](vocabulary& v) { v.add_eos = true; });
  expect("unknown pre-tokenizer \"other\", expected one of ",
         [](vocabulary& v) { v.pre = "other"; });
  for (const std::string merge : {"ab", "", " ", "a ", " a"}) {
    expect("merge 1 is \"" + merge + "\"", [&](vocabulary& v) { v.merges.push_back(merge); });
  }
}

TEST(vocabulary, of_tokens_with_the_same_text_the_first_encodes) {
  vocabulary vocab = small_vocabulary({"a b"});
  const int ab = 256;
  for (const char* text : {"a", "ab", "<|im_start|>"}) add_token(vocab, text);
  const int first = add_token(vocab, "#x", token_kind::user_defined);
  const int second = add_token(vocab, "#x", token_kind::user_defined);
  add_token(vocab, "<|im_end|>", token_kind::control);
  const tokenizer words(std::move(vocab));
  EXPECT_EQ(words.encode("abac"), (ids{ab, 'a', 'c'}));
  EXPECT_EQ(words.encode("#x"), (ids{first}));
  EXPECT_EQ(words.encode("<|im_start|><|im_end|>", special_tokens::parse), (ids{257, 258}));
  EXPECT_EQ(words.decode(ids{first, second}), "#x#x");
  EXPECT_EQ(words.find_token("ab"), ab);

  vocabulary bert;
  bert.model = tokenizer_model::wordpiece;
  for (const char* text : {"[UNK]", "\u2581a", "\u2581a", "b", "\u2581", "b", "bc", "bc"})
    add_token(bert, text);
  bert.unknown = 0;
  EXPECT_EQ(tokenizer(bert).encode("abcb"), (ids{1, 6, 3}));
  vocabulary t5 = bert;
  t5.model = tokenizer_model::unigram;
  t5.scores.assign(t5.tokens.size(), -1.0f);
  EXPECT_EQ(tokenizer(t5).encode("bcb"), (ids{6, 3}));
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
    std::vector<std::int32_t> suppressed;
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
    if (!file.suppressed.empty())
      writer.add_array("tokenizer.ggml.suppress_tokens", file.suppressed);
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

// What a file of another model says, beyond its tokens.
struct other_file {
  std::string model;
  testing::gguf_writer writer;

  explicit other_file(std::string name, int num_tokens = 200) : model(std::move(name)) {
    strings tokens = {"<unk>", "<s>", "</s>"};
    for (int i = 3; i < num_tokens; ++i) tokens.push_back("token" + std::to_string(i));
    tokens.resize(static_cast<std::size_t>(num_tokens));
    writer.add("tokenizer.ggml.model", model);
    writer.add_array("tokenizer.ggml.tokens", tokens);
  }
  other_file& scores(const std::vector<float>& values) {
    writer.add_array("tokenizer.ggml.scores", values);
    return *this;
  }
  template <class T>
  other_file& set(const char* key, T value) {
    writer.add("tokenizer.ggml." + std::string(key), value);
    return *this;
  }
  [[nodiscard]] vocabulary load() const {
    const auto bytes = writer.bytes();
    return load_vocabulary(gguf::parse(bytes, "some.gguf"));
  }
};

TEST(load_vocabulary, each_model_has_its_defaults) {
  const vocabulary spm = other_file("llama").scores(std::vector<float>(200, -1.0f)).load();
  EXPECT_EQ(spm.model, tokenizer_model::spm);
  EXPECT_EQ((ids{spm.bos, spm.eos, spm.unknown}), (ids{1, 2, 0}));
  EXPECT_TRUE(spm.add_bos && spm.add_space_prefix);
  EXPECT_FALSE(spm.add_eos || spm.clean_spaces);

  const vocabulary bert = other_file("bert").load();
  EXPECT_EQ(bert.model, tokenizer_model::wordpiece);
  EXPECT_EQ((ids{bert.bos, bert.unknown, bert.separator, bert.padding, bert.mask}),
            (ids{101, 100, 102, 0, 103}));
  EXPECT_TRUE(bert.add_bos && bert.add_separator && bert.clean_spaces && bert.lowercase);
  EXPECT_FALSE(bert.add_eos || bert.add_space_prefix);

  const vocabulary t5 = other_file("t5").scores(std::vector<float>(200, -1.0f)).load();
  EXPECT_EQ(t5.model, tokenizer_model::unigram);
  EXPECT_EQ((ids{t5.bos, t5.eos, t5.unknown, t5.padding}), (ids{-1, 1, 2, 0}));
  EXPECT_TRUE(t5.add_eos && t5.escape_whitespaces);
  EXPECT_FALSE(t5.add_bos || t5.add_space_prefix || t5.remove_extra_whitespaces);
}

TEST(load_vocabulary, what_the_file_says_goes_before_the_defaults) {
  const vocabulary spm = other_file("llama")
                             .scores(std::vector<float>(200, -1.0f))
                             .set("bos_token_id", 7u)
                             .set("add_bos_token", false)
                             .set("add_eos_token", true)
                             .set("add_space_prefix", false)
                             .load();
  EXPECT_EQ(spm.bos, 7);
  EXPECT_TRUE(!spm.add_bos && spm.add_eos && !spm.add_space_prefix);
  const vocabulary bert =
      other_file("bert").set("cls_token_id", 5u).set("seperator_token_id", 6u).load();
  EXPECT_EQ((ids{bert.bos, bert.separator}), (ids{5, 6}));
  const std::vector<std::int8_t> rules = {4, 0, 0, 0, 0, 0, 0, -128, 0};
  other_file t5("t5");
  t5.scores(std::vector<float>(200, -1.0f)).set("remove_extra_whitespaces", true);
  t5.writer.add_array("tokenizer.ggml.precompiled_charsmap", rules);
  EXPECT_EQ(t5.load().precompiled_charsmap, std::string("\4\0\0\0\0\0\0\x80\0", 9));
  EXPECT_TRUE(t5.load().remove_extra_whitespaces);
  other_file integers("llama");
  integers.writer.add_array("tokenizer.ggml.scores", std::vector<std::int32_t>(200, -3));
  EXPECT_EQ(integers.load().scores, std::vector<float>(200, -3.0f));
}

// Ids that a model has by default are no tokens of a vocabulary that is too small for them.
TEST(load_vocabulary, defaults_beyond_a_small_vocabulary_are_absent) {
  const vocabulary spm = other_file("llama", 1).scores({0}).load();
  EXPECT_EQ((ids{spm.bos, spm.eos, spm.unknown}), (ids{-1, -1, 0}));
  EXPECT_FALSE(spm.add_bos);
  const vocabulary t5 = other_file("t5", 3).scores({0, 0, 0}).load();
  EXPECT_EQ(t5.unknown, 2);
  EXPECT_NE(message_of([] { (void)other_file("bert", 50).load(); }).find("no unknown token id"),
            std::string::npos);
}

// Padding and the like: a generation needs none of them.
TEST(load_vocabulary, ids_that_are_not_needed_are_ignored_where_no_token_has_them) {
  for (const std::string key :
       {"padding_token_id", "mask_token_id", "unknown_token_id", "seperator_token_id",
        "fim_pad_token_id", "fim_rep_token_id", "fim_sep_token_id"}) {
    for (const std::uint32_t number : {259u, 4000000u, 0xFFFFFFFFu}) {
      const vocabulary_file file([&](auto& c) { c.numbers[key] = number; });
      const vocabulary vocab = file.load();
      for (const int id : {vocab.padding, vocab.mask, vocab.unknown, vocab.separator, vocab.fim_pad,
                           vocab.fim_rep, vocab.fim_sep}) {
        EXPECT_EQ(id, -1) << key << " " << number;
      }
    }
  }
  EXPECT_EQ(other_file("llama")
                .scores(std::vector<float>(200))
                .set("unknown_token_id", 200u)
                .load()
                .unknown,
            0);
}

TEST(load_vocabulary, several_tokens_may_end_a_generation) {
  other_file both("llama");
  both.scores(std::vector<float>(200)).set("eos_token_id", 5u);
  both.writer.add_array("tokenizer.ggml.eos_token_ids", std::vector<std::int32_t>{5, 9, 10});
  const vocabulary vocab = both.load();
  EXPECT_EQ(vocab.eos, 5);
  const tokenizer words(vocab);
  for (const int id : {5, 9, 10}) EXPECT_TRUE(words.is_end_of_generation(id)) << id;
  for (const int id : {2, 8, 11}) EXPECT_FALSE(words.is_end_of_generation(id)) << id;
  for (const char* key : {"eos_token_id", "eos_token_ids"}) {
    other_file one("llama");
    one.scores(std::vector<float>(200));
    one.writer.add_array("tokenizer.ggml." + std::string(key), std::vector<std::uint32_t>{7, 3});
    EXPECT_EQ(one.load().eos, 7) << key;
    EXPECT_TRUE(tokenizer(one.load()).is_end_of_generation(3)) << key;
    other_file wrong("llama");
    wrong.scores(std::vector<float>(200));
    wrong.writer.add_array("tokenizer.ggml." + std::string(key),
                           std::vector<std::uint32_t>{7, 200});
    EXPECT_NE(message_of([&] { (void)wrong.load(); }).find("eos token id is 200"),
              std::string::npos);
  }
}

TEST(load_vocabulary, a_file_that_names_no_pre_tokenizer_has_the_default_one) {
  EXPECT_FALSE(vocabulary_file([](auto&) {}).load().pre_is_assumed);
  for (const bool is_empty : {false, true}) {
    const vocabulary_file file([&](auto& contents) {
      contents.strings.erase("pre");
      if (is_empty) contents.strings["pre"] = "";
      contents.numbers["bos_token_id"] = 256;
    });
    const vocabulary vocab = file.load();
    EXPECT_EQ(vocab.pre, "default");
    EXPECT_TRUE(vocab.pre_is_assumed && vocab.clean_spaces);
    EXPECT_FALSE(vocab.add_bos);
    EXPECT_EQ(tokenizer(vocab).encode("ab"), (ids{256}));
  }
}

TEST(load_vocabulary, kimi_k2_needs_no_merges) {
  const vocabulary_file file([](auto& contents) {
    contents.strings["pre"] = "kimi-k2";
    contents.merges = false;
  });
  EXPECT_EQ(tokenizer(file.load()).encode("ab"), bytes_of("ab"));
}

// A score is 0 and a type normal where the file has none.
TEST(load_vocabulary, scores_may_be_missing_and_all_arrays_may_be_too_long) {
  for (const char* model : {"llama", "t5"}) {
    EXPECT_EQ(other_file(model).load().scores, std::vector<float>(200, 0.0f)) << model;
    other_file longer(model);
    longer.scores(std::vector<float>(205, -2.0f));
    std::vector<std::int32_t> kinds(205, 1);
    kinds[1] = 3;
    kinds[204] = 9;
    longer.writer.add_array("tokenizer.ggml.token_type", kinds);
    EXPECT_EQ(longer.load().scores, std::vector<float>(200, -2.0f)) << model;
    EXPECT_EQ(longer.load().kinds.size(), 200u) << model;
    EXPECT_EQ(longer.load().kinds[1], token_kind::control) << model;
  }
}

TEST(load_vocabulary, suppressed_tokens_are_those_that_exist) {
  const auto suppressed = [](std::vector<std::int32_t> numbers) {
    return vocabulary_file([&](auto& contents) { contents.suppressed = std::move(numbers); })
        .load()
        .suppressed;
  };
  EXPECT_EQ(suppressed({}), ids{});
  EXPECT_EQ(suppressed({258, 3, -1, 0, 259, 3, 2000000000}), (ids{0, 3, 258}));
  std::vector<std::int32_t> all;
  for (int id = 0; id < 259; ++id) all.push_back(id);
  EXPECT_NE(message_of([&] { suppressed(all); }).find("suppress_tokens has every token"),
            std::string::npos);
  EXPECT_NE(message_of([] {
              (void)vocabulary_file([](auto& c) { c.numbers["suppress_tokens"] = 3; }).load();
            }).find("tokenizer.ggml.suppress_tokens"),
            std::string::npos);
}

TEST(load_vocabulary, scores_and_bytes_of_other_shapes_are_refused) {
  const auto expect = [](const std::string& reason, const other_file& file) {
    const std::string message = message_of([&] { (void)file.load(); });
    EXPECT_NE(message.find(reason), std::string::npos) << message << "\nexpected: " << reason;
  };
  expect("199 scores, expected 200", other_file("llama").scores(std::vector<float>(199)));
  other_file texts("llama");
  texts.writer.add_array("tokenizer.ggml.scores", strings(200, "0"));
  expect("tokenizer.ggml.scores", texts);
  expect("eos token id is 200",
         other_file("llama").scores(std::vector<float>(200)).set("eos_token_id", 200u));
  expect("separator token id is 4000", other_file("bert").set("seperator_token_id", 4000u));
  expect("eos_token_id",
         other_file("t5").scores(std::vector<float>(200)).set("eos_token_id", 0xFFFFFFFFu));
  expect("expected a bos token id",
         other_file("t5").scores(std::vector<float>(200)).set("add_bos_token", true));
  other_file bytes("llama");
  bytes.scores(std::vector<float>(200));
  std::vector<std::int32_t> kinds(200, 1);
  kinds[50] = 6;
  bytes.writer.add_array("tokenizer.ggml.token_type", kinds);
  expect("token 50 is of type byte and has the text \"token50\"", bytes);
  other_file rules("t5");
  rules.scores(std::vector<float>(200));
  rules.writer.add_array("tokenizer.ggml.precompiled_charsmap", std::vector<std::int32_t>{4, 300});
  expect("the element 300", rules);
}

TEST(load_vocabulary, special_tokens_of_phi_3_swallow_white_space) {
  other_file phi("llama");
  phi.scores(std::vector<float>(200)).writer.add("general.name", std::string("Phi-3 Mini"));
  const vocabulary vocab = phi.load();
  EXPECT_EQ(vocab.strips_right, (ids{2}));  // </s>, and of the others no token is special
  EXPECT_TRUE(vocab.strips_left.empty());
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
  expect(
      "tokenizer \"rwkv\" is not supported, expected one of \"gpt2\", \"llama\", \"bert\", \"t5\", "
      "\"gemma4\"",
      [](auto& c) { c.strings["model"] = "rwkv"; });
  expect("unknown pre-tokenizer \"x\"", [](auto& c) { c.strings["pre"] = "x"; });
  expect("tokenizer.ggml.tokens", [](auto& c) { c.tokens = false; });
  expect("tokenizer.ggml.merges", [](auto& c) { c.merges = false; });
  expect("258 token types, expected 259", [](auto& c) { c.kinds.assign(258, 1); });
  expect("has type 9", [](auto& c) { c.kinds.assign(259, 9); });
  expect("tokenizer.ggml.token_type", [](auto& c) { c.kinds.assign(259, -1); });
  expect("tokenizer.ggml.token_type", [](auto& c) { c.float_kinds.assign(259, 1.0f); });
  expect("tokenizer.ggml.pre", [](auto& c) {
    c.strings.erase("pre");
    c.numbers["pre"] = 2;
  });
  expect("eos token id is 259", [](auto& c) { c.numbers["eos_token_id"] = 259; });
  expect("eos_token_id", [](auto& c) { c.numbers["eos_token_id"] = 0xFFFFFFFF; });
  expect("expected a bos token id", [](auto& c) { c.flags["add_bos_token"] = true; });
  expect("eot_token_id", [](auto& c) { c.strings["eot_token_id"] = "7"; });
}

}  // namespace
}  // namespace rocmforge
