// The vocabulary of a language model, from the keys tokenizer.* of a GGUF file.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/pre_tokenizer_patterns.hpp>

namespace rocmforge {

/// How text is encoded; the comments have the names in tokenizer.ggml.model.
enum class tokenizer_model : std::uint8_t {
  byte_pair,  // "gpt2": bytes of words, merged by rank
  spm,        // "llama": characters, merged by score (SentencePiece's BPE)
  wordpiece,  // "bert": the longest token that is a prefix of a word, then of the rest
  unigram     // "t5": the likeliest way to split the text (SentencePiece's unigram model)
};

/// The kind of a token; the numbers are those in tokenizer.ggml.token_type.
enum class token_kind : std::uint8_t {
  normal = 1,        // text
  unknown = 2,       // stands for text that no other token represents
  control = 3,       // controls the model, is not text
  user_defined = 4,  // literal text that is always one token
  unused = 5,
  byte = 6  // "<0x41>": a byte of a character that is not in the vocabulary
};

/// Whether tokens of this kind control the model and are not text: untrusted text never becomes
/// one.
inline bool is_control(token_kind kind) {
  return kind == token_kind::control || kind == token_kind::unknown;
}

/// The data of a vocabulary, which `tokenizer` checks and uses. Ids of special tokens that it does
/// not have are -1.
struct vocabulary {
  tokenizer_model model = tokenizer_model::byte_pair;
  std::vector<std::string> tokens;   // indexed by id; an empty one is never used for a text, nor is
                                     // one that repeats the text of another before it
  std::vector<token_kind> kinds;     // one for each token
  std::vector<float> scores;         // spm, unigram: one for each token; higher is better
  std::vector<std::string> merges;   // byte_pair: "left right", in order of priority
  std::string pre;                   // byte_pair: name of the pre-tokenizer
  bool pre_is_assumed = false;       // the file names none; its words may be cut in another way
  int bos = -1;                      // beginning of sequence; WordPiece: [CLS]
  int eos = -1;                      // end of sequence
  int eot = -1;                      // end of turn
  int eom = -1;                      // end of message
  std::vector<int> other_ends = {};  // more tokens that end a generation
  std::vector<int> suppressed = {};  // tokens that must not be generated
  int unknown = -1;
  int separator = -1;  // WordPiece: [SEP]
  int padding = -1;
  int mask = -1;
  int fim_pad = -1;  // fill in the middle: the three tokens that end a text
  int fim_rep = -1;
  int fim_sep = -1;
  bool add_bos = false;                   // a text to complete starts with bos
  bool add_eos = false;                   // a text ends with eos
  bool add_separator = false;             // WordPiece: a text ends with the separator
  bool add_space_prefix = false;          // spm, unigram: a space is added before a text
  bool clean_spaces = false;              // decoding removes spaces before punctuation
  bool remove_extra_whitespaces = false;  // unigram: a run of spaces becomes one
  bool escape_whitespaces = true;         // unigram: tokens contain U+2581 for a space
  bool lowercase = true;                  // wordpiece: lower case, no accents
  std::string precompiled_charsmap;       // unigram: see `charsmap`; may be empty
  std::vector<int> strips_left;           // special tokens that remove the white space before them
  std::vector<int> strips_right;          // special tokens that remove the white space after them
  std::string chat_template;              // a program in Jinja; empty if there is none
  std::vector<std::pair<std::string, std::string>> named_chat_templates;  // others, by name
  std::string source;  // path of the file, for messages
};

/// The longest text of a token, in bytes.
inline constexpr std::size_t max_token_bytes = 65536;

/// Throws the error `message` about `vocab`, with the path of its file if it has one.
[[noreturn]] inline void refuse_vocabulary(const vocabulary& vocab, const std::string& message) {
  if (vocab.source.empty()) throw error("vocabulary: " + message);
  throw error(vocab.source, error::no_offset, message);
}

/// The byte of a token of kind `byte`, whose text is "<0x", two hexadecimal digits and ">".
inline std::optional<unsigned char> byte_of_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  unsigned value = 0;
  for (const char c : text.substr(3, 2)) {
    const unsigned digit = c >= '0' && c <= '9'   ? c - '0'
                           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                  : 16;
    if (digit == 16) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<unsigned char>(value);
}

/// Whether characters that are in no token become the tokens of their bytes, "<0x00>" to "<0xFF>".
inline bool falls_back_to_bytes(const vocabulary& vocab) {
  if (vocab.model != tokenizer_model::byte_pair)
    return vocab.model == tokenizer_model::spm || vocab.model == tokenizer_model::unigram;
  return std::ranges::any_of(pre_tokenizer_families, [&](const pre_tokenizer_family& family) {
    return family.characters &&
           std::ranges::find(family.names, vocab.pre) != std::ranges::end(family.names);
  });
}

namespace vocabulary_detail {

inline void check_tokens(const vocabulary& vocab) {
  const std::size_t num_tokens = vocab.tokens.size();
  if (num_tokens == 0) refuse_vocabulary(vocab, "no tokens, expected at least one");
  if (num_tokens > INT32_MAX)
    refuse_vocabulary(vocab, "too many tokens, expected at most 2147483647");
  const auto expect_one_each = [&](std::size_t count, const char* what) {
    if (count == num_tokens) return;
    refuse_vocabulary(vocab, std::to_string(count) + what + ", expected " +
                                 std::to_string(num_tokens) + ", one for each token");
  };
  expect_one_each(vocab.kinds.size(), " token types");
  const bool has_scores =
      vocab.model == tokenizer_model::spm || vocab.model == tokenizer_model::unigram;
  if (has_scores) expect_one_each(vocab.scores.size(), " scores");
  const bool has_byte_tokens =
      falls_back_to_bytes(vocab) || vocab.model == tokenizer_model::wordpiece;

  for (std::size_t id = 0; id < num_tokens; ++id) {
    const std::string& text = vocab.tokens[id];
    const auto where = [&] { return "token " + std::to_string(id) + " "; };
    if (text.size() > max_token_bytes) {
      refuse_vocabulary(vocab, where() + "has " + std::to_string(text.size()) +
                                   " bytes, expected at most " + std::to_string(max_token_bytes));
    }
    if (vocab.kinds[id] < token_kind::normal || vocab.kinds[id] > token_kind::byte) {
      refuse_vocabulary(vocab, where() + "has type " +
                                   std::to_string(static_cast<int>(vocab.kinds[id])) +
                                   ", expected 1 to 6");
    }
    if (has_byte_tokens && vocab.kinds[id] == token_kind::byte && !byte_of_token(text)) {
      refuse_vocabulary(vocab, where() + "is of type byte and has the text \"" + printable(text) +
                                   "\", expected <0x00> to <0xFF>");
    }
    if (has_scores && !std::isfinite(vocab.scores[id])) {
      refuse_vocabulary(vocab, where() + "has no finite score");
    }
  }
}

inline void check_ids(const vocabulary& vocab) {
  const int num_tokens = static_cast<int>(vocab.tokens.size());
  const auto check_id = [&](std::string_view name, int id, int lowest) {
    if (id >= lowest && id < num_tokens) return;
    refuse_vocabulary(vocab, std::string(name) + " token id is " + std::to_string(id) +
                                 ", expected less than the number of tokens, " +
                                 std::to_string(num_tokens));
  };
  const struct {
    std::string_view name;
    int id;
  } special[] = {{"bos", vocab.bos},
                 {"eos", vocab.eos},
                 {"eot", vocab.eot},
                 {"eom", vocab.eom},
                 {"unknown", vocab.unknown},
                 {"padding", vocab.padding},
                 {"mask", vocab.mask},
                 {"fim_pad", vocab.fim_pad},
                 {"fim_rep", vocab.fim_rep},
                 {"fim_sep", vocab.fim_sep},
                 {"separator", vocab.separator}};
  for (const auto& [name, id] : special) check_id(name, id, -1);
  for (const int id : vocab.other_ends) check_id("eos", id, 0);
  for (const int id : vocab.suppressed) check_id("suppressed", id, 0);
  for (const int id : vocab.strips_left) check_id("left-stripping", id, 0);
  for (const int id : vocab.strips_right) check_id("right-stripping", id, 0);
  if (vocab.add_bos && vocab.bos < 0)
    refuse_vocabulary(vocab, "add_bos_token is set, expected a bos token id");
  if (vocab.add_eos && vocab.eos < 0)
    refuse_vocabulary(vocab, "add_eos_token is set, expected an eos token id");
  if (vocab.add_separator && vocab.separator < 0)
    refuse_vocabulary(vocab, "add_sep_token is set, expected a separator token id");
  if (vocab.model == tokenizer_model::wordpiece && vocab.unknown < 0)
    refuse_vocabulary(vocab,
                      "no unknown token id, expected one: not every word is made of these tokens");
}

}  // namespace vocabulary_detail

/// Throws `error` unless `vocab` is consistent: at least one token; a valid kind for each token; a
/// finite score for each if the model has scores; no token longer than `max_token_bytes`; byte
/// tokens written as "<0x41>"; all ids in range; the tokens that `add_bos`, `add_eos` and
/// `add_separator` add; an unknown token for WordPiece; a known pre-tokenizer for byte pairs.
inline void check_vocabulary(const vocabulary& vocab) {
  vocabulary_detail::check_tokens(vocab);
  vocabulary_detail::check_ids(vocab);
  if (vocab.model != tokenizer_model::byte_pair) return;
  try {
    (void)find_pre_tokenizer_family(vocab.pre);
  } catch (const error& unknown) {
    refuse_vocabulary(vocab, unknown.what());
  }
}

}  // namespace rocmforge
