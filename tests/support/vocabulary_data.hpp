// The vocabularies under tests/data/vocabularies, with texts and the ids that another
// implementation has for them. Each file says in `about` where it is from.
#pragma once

#include <rocmforge/tokenizer.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rocmforge::testing {

/// A vocabulary of which the file may hold only the tokens that its texts need: `number` is a
/// token's id in the whole vocabulary.
struct vocabulary_data {
  vocabulary vocab;
  std::vector<int> numbers;  // by id
  nlohmann::json cases;      // each with "text", "ids" and, where they are set, flags

  std::vector<int> numbers_of(const std::vector<int>& tokens) const {
    std::vector<int> result;
    for (const int id : tokens) result.push_back(numbers[static_cast<std::size_t>(id)]);
    return result;
  }
};

inline nlohmann::json read_json(std::string_view name) {
  const auto path = std::filesystem::path(__FILE__).parent_path().parent_path() / "data" / name;
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return nlohmann::json::parse(in);
}

inline vocabulary_data read_vocabulary_data(const std::string& name) {
  const nlohmann::json file = read_json("vocabularies/" + name + ".json");
  vocabulary_data data;
  data.cases = file.at("cases");
  vocabulary& vocab = data.vocab;
  const auto model = file.at("model").get<std::string>();
  vocab.model = model == "llama"  ? tokenizer_model::spm
                : model == "bert" ? tokenizer_model::wordpiece
                : model == "t5"   ? tokenizer_model::unigram
                                  : tokenizer_model::byte_pair;
  std::unordered_map<int, int> id_of;
  for (const auto& token : file.at("tokens")) {
    id_of.emplace(token.at(0).get<int>(), static_cast<int>(data.numbers.size()));
    data.numbers.push_back(token.at(0).get<int>());
    vocab.tokens.push_back(token.at(1).get<std::string>());
    vocab.kinds.push_back(static_cast<token_kind>(token.at(2).get<int>()));
    if (token.size() > 3) vocab.scores.push_back(token.at(3).get<float>());
  }
  if (file.contains("merges")) vocab.merges = file.at("merges").get<std::vector<std::string>>();
  if (file.contains("pre") && file.at("pre").is_string()) vocab.pre = file.at("pre");
  const auto special = [&](const char* key) {
    const auto& tokens = file.at("special");
    return tokens.contains(key) ? id_of.at(tokens.at(key).get<int>()) : -1;
  };
  vocab.bos = special("bos");
  vocab.eos = special("eos");
  vocab.unknown = special("unknown");
  vocab.separator = special("separator");
  vocab.padding = special("padding");
  vocab.mask = special("mask");
  vocab.add_bos = vocab.model == tokenizer_model::spm || vocab.model == tokenizer_model::wordpiece;
  vocab.add_separator = vocab.model == tokenizer_model::wordpiece;
  vocab.add_space_prefix = file.value("add_space_prefix", vocab.model == tokenizer_model::spm);
  vocab.remove_extra_whitespaces = file.value("remove_extra_whitespaces", false);
  const auto hex = file.value("precompiled_charsmap", std::string());
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    vocab.precompiled_charsmap += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return data;
}

/// Encodes every text of `data` and compares the ids with those of the file. Returns how many texts
/// there are.
inline int expect_the_ids_of_all_cases(const vocabulary_data& data, const tokenizer& words) {
  for (const auto& example : data.cases) {
    const auto text = example.at("text").get<std::string>();
    const auto mode =
        example.value("parse", false) ? special_tokens::parse : special_tokens::as_text;
    const auto tokens = words.encode(text, mode, example.value("add_special", false));
    EXPECT_EQ(data.numbers_of(tokens), example.at("ids").get<std::vector<int>>()) << text;
  }
  return static_cast<int>(data.cases.size());
}

}  // namespace rocmforge::testing
