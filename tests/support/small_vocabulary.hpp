// A byte-level vocabulary of a few tokens, and what the tests of the tokenizers say again and
// again.
#pragma once

#include <rocmforge/tokenizer.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocmforge::testing {

using strings = std::vector<std::string>;
using ids = std::vector<int>;

/// Ids 0 to 255 are the bytes; then what `merges` make; then <|im_start|> and <|im_end|>.
inline vocabulary small_vocabulary(const strings& merges = {}, std::string pre = "gpt-2") {
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

/// Adds a token with, in vocabularies that have scores, a score. Returns its id.
inline int add_token(vocabulary& vocab, const std::string& text,
                     token_kind kind = token_kind::normal, float score = 0) {
  vocab.tokens.push_back(text);
  vocab.kinds.push_back(kind);
  if (vocab.model == tokenizer_model::spm || vocab.model == tokenizer_model::unigram) {
    vocab.scores.push_back(score);
  }
  return static_cast<int>(vocab.tokens.size()) - 1;
}

/// What a text is cut into, each token as the vocabulary has it.
inline strings pieces(const tokenizer& words, std::string_view text) {
  strings result;
  for (const int id : words.encode(text)) {
    result.push_back(words.vocab().tokens[static_cast<std::size_t>(id)]);
  }
  return result;
}

inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const error& refused) {
    return refused.what();
  }
  return "nothing was refused";
}

inline ids bytes_of(std::string_view text) {
  ids result;
  for (const char c : text) result.push_back(static_cast<unsigned char>(c));
  return result;
}

}  // namespace rocmforge::testing
