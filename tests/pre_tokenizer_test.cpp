// Pre-tokenizers: the words of each family, and equality with llama.cpp.
#include <rocmforge/tokenizer.hpp>

#include "support/small_vocabulary.hpp"
#include "support/vocabulary_data.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocmforge {
namespace {

using testing::message_of;
using testing::strings;

strings split(std::string_view pre, std::string_view text) {
  const auto words = pre_tokenizer(pre).split(text);
  return {words.begin(), words.end()};
}

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

TEST(pre_tokenizer, qwen35_takes_marks_for_letters) {
  EXPECT_EQ(split("qwen35", "e\u0301a 12'S"), (strings{"e\u0301a", " ", "1", "2", "'S"}));
  EXPECT_EQ(split("qwen2", "e\u0301a"), (strings{"e", "\u0301a"}));
}

TEST(pre_tokenizer, gpt_4o_ends_words_with_contractions) {
  EXPECT_EQ(split("gpt-4o", "It's HTTP'S 12345 a/b/"),
            (strings{"It's", " HTTP'S", " ", "123", "45", " a", "/b", "/"}));
  EXPECT_EQ(split("tekken", "It's"), (strings{"It", "'s"}));
}

TEST(pre_tokenizer, falcon_and_default_isolate_punctuation_and_three_digits) {
  EXPECT_EQ(split("falcon", "a+b`` 12345!? x"),
            (strings{"a", "+", "b", "``", " ", "123", "45", "!?", " x"}));
  EXPECT_EQ(split("default", "a+b`` 12345!? x"),
            (strings{"a", "+", "b", "``", " ", "123", "45", "!?", " x"}));
  EXPECT_EQ(split("falcon", "+`"), (strings{"+`"}));
  EXPECT_EQ(split("default", "+`"), (strings{"+", "`"}));
}

// The published pattern tells the case of every letter; this is llama.cpp's.
TEST(pre_tokenizer, tekken_parts_words_where_the_case_rises) {
  EXPECT_EQ(split("tekken", "CamelCaseHTTPServer 12 a/b/"),
            (strings{"Camel", "Case", "HTTPServer", " ", "1", "2", " a", "/b", "/"}));
  EXPECT_EQ(split("tekken", "//\n/x"), (strings{"//\n/", "x"}));
  EXPECT_EQ(split("tekken", "e\u0301\u00C9a \u4E16\u754C"),
            (strings{"e", "\u0301\u00C9a", " \u4E16\u754C"}));
  EXPECT_EQ(split("tekken", "caf\u00E9A"), (strings{"caf\u00E9", "A"}));
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
  EXPECT_NE(unknown.find("unknown pre-tokenizer \"gpt-\\x0a17\""), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("llama-bpe, "), std::string::npos) << unknown;
  const std::string missing = message_of([] { pre_tokenizer words(""); });
  EXPECT_NE(missing.find("tokenizer.ggml.pre"), std::string::npos) << missing;
  EXPECT_NE(missing.find("smollm, "), std::string::npos) << missing;
}

TEST(pre_tokenizer, every_family_equals_llama_cpp) {
  testing::vocabulary_data data = testing::read_vocabulary_data("pre_tokenizers");
  std::map<std::string, tokenizer> tokenizers;
  int num_compared = 0;
  for (const auto& example : data.cases) {
    const auto text = example.at("text").get<std::string>();
    for (const auto& [pre, expected] : example.at("ids").items()) {
      auto found = tokenizers.find(pre);
      if (found == tokenizers.end()) {
        data.vocab.pre = pre;
        found = tokenizers.emplace(pre, tokenizer(data.vocab)).first;
      }
      EXPECT_EQ(data.numbers_of(found->second.encode(text)), expected.get<std::vector<int>>())
          << pre << ": " << text;
      ++num_compared;
    }
  }
  EXPECT_EQ(num_compared, 1152);
  EXPECT_EQ(tokenizers.size(), 12u);
}

TEST(pre_tokenizer, words_of_the_others_equal_llama_cpp) {
  const nlohmann::json data = testing::read_json("vocabularies/pre_tokenizer_words.json");
  const auto texts = data.at("texts").get<strings>();
  int num_compared = 0;
  for (const auto& [name, lists] : data.at("words").items()) {
    const pre_tokenizer words(name);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::vector<std::size_t> sizes;
      for (const std::string_view word : words.split(texts[i])) sizes.push_back(word.size());
      EXPECT_EQ(sizes, lists.at(i).get<std::vector<std::size_t>>()) << name << ": " << texts[i];
      ++num_compared;
    }
  }
  EXPECT_EQ(num_compared, 28 * 40);
}

TEST(pre_tokenizer, flags_of_each_name) {
  struct flags {
    const char* names;
    bool ignore_merges, adds_bos, clean_spaces;
  };
  for (const flags& expected : {
           flags{"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2", true, true,
                 true},
           flags{"dbrx smaug-bpe chatglm-bpe", false, false, true},
           flags{"glm4", true, false, true},
           flags{"qwen2 deepseek-r1-qwen kormo hunyuan grok-2 solar-open qwen35", false, false,
                 false},
           flags{"megrez stablelm2", false, false, true},
           flags{"gpt-2 phi-2 mpt olmo jais exaone4 mellum modern-bert gigachat roberta-bpe", false,
                 false, true},
           flags{"smollm command-r", false, false, false},
           flags{"starcoder refact codeshell exaone minerva-7b", false, false, true},
           flags{"tekken", true, true, false},
           flags{"gpt-4o llama4 kanana2 minimax-m2", false, false, false},
           flags{"deepseek-llm deepseek-v3 hunyuan-dense joyai-llm deepseek-coder", false, false,
                 false},
           flags{"falcon default jais-2 bloom gpt3-finnish exaone-moe mellum2", false, false, true},
           flags{"jina-v5-nano", true, true, true},
           flags{"glm5 minicpm5", true, false, true},
           flags{"youtu granite-embed-multi-97m", true, false, false},
           flags{"f2llmv2 talkie hy_v4 spark2_5 tiny_aya cohere2moe poro-chat viking kimi-k2 "
                 "superbpe bailingmoe bailingmoe2 llada-moe seed-coder ufakzeka afmoe laguna "
                 "sarvam-moe",
                 false, false, false},
           flags{"chameleon", false, true, false},
           flags{"gemma4 granite-embed-multi-311m", false, true, true},
       }) {
    std::istringstream names(expected.names);
    for (std::string name; names >> name;) {
      const pre_tokenizer_family& family = find_pre_tokenizer_family(name);
      EXPECT_EQ(family.ignore_merges, expected.ignore_merges) << name;
      EXPECT_EQ(family.adds_bos, expected.adds_bos) << name;
      EXPECT_EQ(family.clean_spaces, expected.clean_spaces) << name;
    }
  }
  std::set<std::string_view> seen;
  for (const pre_tokenizer_family& family : pre_tokenizer_families) {
    for (const std::string_view name : family.names) EXPECT_TRUE(seen.insert(name).second) << name;
  }
}

}  // namespace
}  // namespace rocmforge
