// SentencePiece's byte pairs: merges by score, spaces, bytes, and equality with llama.cpp and with
// SentencePiece.
#include <rocmforge/tokenizer.hpp>

#include "support/gguf_writer.hpp"
#include "support/small_vocabulary.hpp"
#include "support/vocabulary_data.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <functional>
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
using testing::read_vocabulary_data;
using testing::strings;

constexpr int first_byte = 3;  // the id of <0x00>

// <unk>, <s>, </s>, the 256 bytes, then `tokens` with falling scores.
vocabulary spm_vocabulary(const strings& tokens) {
  vocabulary vocab;
  vocab.model = tokenizer_model::spm;
  add_token(vocab, "<unk>", token_kind::unknown);
  add_token(vocab, "<s>", token_kind::control);
  add_token(vocab, "</s>", token_kind::control);
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
    add_token(vocab, text, token_kind::byte);
  }
  float score = 0;
  for (const std::string& token : tokens) add_token(vocab, token, token_kind::normal, --score);
  vocab.unknown = 0;
  vocab.bos = 1;
  vocab.eos = 2;
  vocab.add_space_prefix = true;
  return vocab;
}

ids find_all(const tokenizer& words, const strings& tokens) {
  ids result;
  for (const std::string& token : tokens) result.push_back(words.find_token(token).value());
  return result;
}

TEST(spm, the_highest_score_is_merged_first_then_the_leftmost) {
  vocabulary vocab = spm_vocabulary({"a", "b", "c", "bc", "ab", "aa"});
  vocab.add_space_prefix = false;
  const tokenizer words(vocab);
  EXPECT_EQ(words.encode("abc"), find_all(words, {"a", "bc"}));
  EXPECT_EQ(words.encode("aaa"), find_all(words, {"aa", "a"}));
  vocab.scores.back() = vocab.scores[vocab.scores.size() - 2];  // "aa" as good as "ab"
  EXPECT_EQ(tokenizer(vocab).encode("aab"), find_all(words, {"aa", "b"}));
}

TEST(spm, a_space_stands_before_a_text_and_after_a_special_token) {
  const tokenizer words(spm_vocabulary({"▁", "a", "▁a", "▁▁"}));
  const int bos = 1;
  EXPECT_EQ(words.encode("a"), find_all(words, {"▁a"}));
  EXPECT_EQ(words.encode(" a"), find_all(words, {"▁", "▁a"}));
  EXPECT_EQ(words.encode(""), ids{});
  EXPECT_EQ(words.encode("a<s>a", special_tokens::parse),
            (ids{words.find_token("▁a").value(), bos, words.find_token("▁a").value()}));
  ids more;
  const text_part part{"a", special_tokens::as_text};
  words.append({&part, 1}, /*continues=*/true, more);
  EXPECT_EQ(more, find_all(words, {"a"}));
}

TEST(spm, what_is_no_character_of_the_vocabulary_becomes_bytes) {
  vocabulary vocab = spm_vocabulary({"▁", "a"});
  vocab.add_space_prefix = false;
  const tokenizer words(vocab);
  EXPECT_EQ(words.encode("é"), (ids{first_byte + 0xC3, first_byte + 0xA9}));
  EXPECT_EQ(words.encode("a\xFF"), (ids{words.find_token("a").value(), first_byte + 0xFF}));
  EXPECT_EQ(words.encode("\xE2\x82"), (ids{first_byte + 0xE2, first_byte + 0x82}));
  EXPECT_EQ(words.decode(words.encode("é\na")), "é\na");
}

// Some files say that byte tokens are normal, or user-defined; others do not say it of any token.
TEST(spm, byte_tokens_are_known_by_their_text) {
  for (const token_kind kind : {token_kind::normal, token_kind::user_defined}) {
    vocabulary vocab = spm_vocabulary({"a", "b", "ab"});
    vocab.add_space_prefix = false;
    vocab.kinds[first_byte + '\n'] = kind;
    const tokenizer one(vocab);
    EXPECT_EQ(one.encode("ab\né"), (ids{one.find_token("ab").value(), first_byte + '\n',
                                        first_byte + 0xC3, first_byte + 0xA9}));
    EXPECT_EQ(one.decode(one.encode("ab\né")), "ab\né");
    for (int byte = 0; byte < 256; ++byte) vocab.kinds[first_byte + byte] = kind;
    const tokenizer all(vocab);
    EXPECT_EQ(all.encode("ab\né"), one.encode("ab\né"));
    EXPECT_EQ(all.decode(all.encode("<0x0A>")), "<0x0A>");
  }
}

TEST(spm, a_file_without_types_of_tokens) {
  vocabulary vocab = spm_vocabulary({"a", "b", "ab", "<", "s", ">"});
  testing::gguf_writer writer;
  writer.add("tokenizer.ggml.model", "llama")
      .add_array("tokenizer.ggml.tokens", vocab.tokens)
      .add_array("tokenizer.ggml.scores", vocab.scores)
      .add("tokenizer.ggml.add_space_prefix", false);
  const auto bytes = writer.bytes();
  const tokenizer words(load_vocabulary(gguf::parse(bytes, "m.gguf")));
  EXPECT_EQ(words.encode("ab\né"), (ids{words.find_token("ab").value(), first_byte + '\n',
                                        first_byte + 0xC3, first_byte + 0xA9}));
  EXPECT_EQ(words.encode("<s>"), find_all(words, {"<", "s", ">"}));  // no bos
  EXPECT_EQ(words.encode("<s>", special_tokens::parse), (ids{1}));
  EXPECT_EQ(words.decode(ids{0, 1, 2}), "");
}

TEST(spm, a_file_without_scores_merges_from_the_left) {
  vocabulary vocab = spm_vocabulary({"a", "b", "c", "bc", "ab"});
  vocab.add_space_prefix = false;
  testing::gguf_writer writer;
  writer.add("tokenizer.ggml.model", "llama")
      .add_array("tokenizer.ggml.tokens", vocab.tokens)
      .add("tokenizer.ggml.add_space_prefix", false);
  const auto bytes = writer.bytes();
  const tokenizer words(load_vocabulary(gguf::parse(bytes, "m.gguf")));
  EXPECT_EQ(words.encode("abc"), find_all(words, {"ab", "c"}));
  const tokenizer scored(vocab);  // where "bc" comes first
  EXPECT_EQ(scored.encode("abc"), find_all(scored, {"a", "bc"}));
}

TEST(spm, a_byte_without_a_token_is_refused_by_name) {
  vocabulary vocab = spm_vocabulary({"a"});
  vocab.tokens[first_byte + 4] = "unrelated";
  vocab.kinds[first_byte + 4] = token_kind::normal;
  vocab.add_space_prefix = false;
  const tokenizer words(vocab);
  const std::string message = message_of([&] { (void)words.encode("a\x04"); });
  EXPECT_NE(message.find("byte \\x04"), std::string::npos) << message;
}

TEST(spm, text_never_becomes_a_control_token_or_a_byte) {
  vocabulary vocab = spm_vocabulary({"<", "s", ">", "<s", "0", "x", "4", "1", "<0", "x4", "1>"});
  vocab.add_space_prefix = false;
  const tokenizer words(vocab);
  EXPECT_EQ(words.encode("<s>"), find_all(words, {"<s", ">"}));
  for (const int id : words.encode("<0x41>")) {
    EXPECT_NE(vocab.kinds[static_cast<std::size_t>(id)], token_kind::byte);
  }
  EXPECT_EQ(words.decode(words.encode("<0x41>")), "<0x41>");
}

TEST(spm, decoding_drops_the_space_before_the_text_alone) {
  const tokenizer words(spm_vocabulary({"▁", "a", "▁a"}));
  const int word = words.find_token("▁a").value();
  EXPECT_EQ(words.decode(ids{word, word}), "a a");
  EXPECT_EQ(words.decode(ids{1, word}), " a");  // as llama.cpp: bos is the first token
  stream_decoder from_start(words);
  EXPECT_EQ(from_start.push(word), "a");
  EXPECT_EQ(from_start.push(word), " a");
  stream_decoder after_prompt(words, control_tokens::hide, /*continues=*/true);
  EXPECT_EQ(after_prompt.push(word), " a");
}

TEST(spm, streaming_never_splits_a_character) {
  const tokenizer words(spm_vocabulary({"▁"}));
  stream_decoder stream(words);
  EXPECT_EQ(stream.push(first_byte + 0xF0), "");
  EXPECT_EQ(stream.push(first_byte + 0x9F), "");
  EXPECT_EQ(stream.push(first_byte + 0x9A), "");
  EXPECT_EQ(stream.push(first_byte + 0x80), "\U0001F680");
  EXPECT_EQ(stream.push(first_byte + 0xE2), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
}

TEST(spm, equals_a_plain_search_on_random_vocabularies) {
  std::mt19937 random(4);
  for (int round = 0; round < 30; ++round) {
    strings tokens = {"a", "b", "c"};
    while (tokens.size() < 25) {
      const std::string token = tokens[random() % tokens.size()] + tokens[random() % tokens.size()];
      if (token.size() < 9 && std::ranges::find(tokens, token) == tokens.end()) {
        tokens.push_back(token);
      }
    }
    vocabulary vocab = spm_vocabulary(tokens);
    vocab.add_space_prefix = false;
    for (float& score : vocab.scores) score = static_cast<float>(random() % 12);  // with ties
    const tokenizer words(vocab);
    for (int repeat = 0; repeat < 50; ++repeat) {
      strings symbols;
      std::string text;
      for (unsigned i = 0; i < 1 + random() % 40; ++i) symbols.emplace_back(1, "abc"[random() % 3]);
      for (const std::string& symbol : symbols) text += symbol;
      while (true) {
        std::size_t best = symbols.size();
        float best_score = 0;
        for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
          const auto id = words.find_token(symbols[i] + symbols[i + 1]);
          if (!id) continue;
          const float score = vocab.scores[static_cast<std::size_t>(*id)];
          if (best == symbols.size() || score > best_score) {
            best = i;
            best_score = score;
          }
        }
        if (best == symbols.size()) break;
        symbols[best] += symbols[best + 1];
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
      }
      EXPECT_EQ(words.encode(text), find_all(words, symbols)) << text;
    }
  }
}

TEST(spm, a_run_of_a_million_letters) {
  const tokenizer words(spm_vocabulary({"▁", "a", "aa", "aaaa"}));
  const ids result = words.encode(std::string(1'000'002, 'a'));
  ASSERT_EQ(result.size(), 250'002u);
  EXPECT_EQ(result[1], words.find_token("aaaa"));
  EXPECT_EQ(result.back(), words.find_token("aa"));
  EXPECT_EQ(words.encode(std::string(1'000'000, ' ')).size(), 1'000'001u);
}

TEST(spm, published_cases_of_llama_2) {
  const auto data = read_vocabulary_data("llama-spm");
  EXPECT_EQ(expect_the_ids_of_all_cases(data, tokenizer(data.vocab)), 91);
}

// Phi-3's special tokens swallow the white space after them, but for three.
TEST(spm, cases_of_phi_3) {
  auto data = read_vocabulary_data("phi-3");
  for (std::size_t id = 0; id < data.vocab.tokens.size(); ++id) {
    const std::string& text = data.vocab.tokens[id];
    const token_kind kind = data.vocab.kinds[id];
    const bool special = is_control(kind) || kind == token_kind::user_defined || text == "</s>";
    if (special && text != "<unk>" && text != "<s>" && text != "<|endoftext|>") {
      data.vocab.strips_right.push_back(static_cast<int>(id));
    }
  }
  EXPECT_EQ(expect_the_ids_of_all_cases(data, tokenizer(data.vocab)), 92);
}

TEST(spm, a_model_trained_by_sentencepiece) {
  const auto data = read_vocabulary_data("spm_small");
  const tokenizer words(data.vocab);
  EXPECT_EQ(expect_the_ids_of_all_cases(data, words), 159);
  for (const auto& example : data.cases) {
    const auto text = example.at("text").get<std::string>();
    if (text.find("▁") != std::string::npos) continue;  // it would come back as a space
    EXPECT_EQ(words.decode(words.encode(text)), text);
  }
}

TEST(spm, inconsistent_vocabularies_are_refused) {
  const auto expect = [](const std::string& reason, const std::function<void(vocabulary&)>& spoil) {
    vocabulary vocab = spm_vocabulary({"a"});
    EXPECT_NO_THROW(tokenizer{vocab});
    spoil(vocab);
    const std::string message = message_of([&] { tokenizer words(vocab); });
    EXPECT_NE(message.find(reason), std::string::npos) << message << "\nexpected: " << reason;
  };
  expect("259 scores, expected 260", [](vocabulary& v) { v.scores.pop_back(); });
  expect("0 scores", [](vocabulary& v) { v.scores.clear(); });
  expect("token 5 has no finite score", [](vocabulary& v) { v.scores[5] = NAN; });
  for (const char* text : {"<0x-1>", "<0xZZ>", "<0x>", "<0x1>", "<0x 1>", "<0x041>", "0x41", ""}) {
    expect("is of type byte and has the text \"" + std::string(text) + "\"",
           [&](vocabulary& v) { v.tokens[first_byte + 0x41] = text; });
  }
}

}  // namespace
}  // namespace rocmforge
