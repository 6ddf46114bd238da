// The vocabulary of a language model, as a GGUF file carries it under tokenizer.*.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/pre_tokenizer_patterns.hpp>

namespace rocmforge {

/// How text becomes tokens, by the name in tokenizer.ggml.model.
enum class tokenizer_model : std::uint8_t {
  byte_pair,  // "gpt2": bytes of words, merged by rank
  spm,        // "llama": characters, merged by score (SentencePiece's BPE)
  wordpiece,  // "bert": the longest known beginning of a word, then of the rest
  unigram     // "t5": the likeliest way to cut the text (SentencePiece's unigram model)
};

/// What a token is for; the numbers are those of tokenizer.ggml.token_type.
enum class token_kind : std::uint8_t {
  normal = 1,        // text as the model writes it
  unknown = 2,       // stands for what cannot be written
  control = 3,       // steers the model and is no text
  user_defined = 4,  // literal text that is always one token
  unused = 5,
  byte = 6  // "<0x41>": a byte that is no character of the vocabulary
};

/// Whether tokens of this kind steer the model instead of being text: text from outside never
/// becomes one.
inline bool is_control(token_kind kind) {
  return kind == token_kind::control || kind == token_kind::unknown;
}

/// A vocabulary as data. `tokenizer` checks it and works with it. Ids that the vocabulary does not
/// have are -1.
struct vocabulary {
  tokenizer_model model = tokenizer_model::byte_pair;
  std::vector<std::string> tokens;  // by id; an empty one is a place that no text leads to
  std::vector<token_kind> kinds;    // one for each token
  std::vector<float> scores;        // spm, unigram: one for each token; the highest is the best
  std::vector<std::string> merges;  // byte_pair: "left right", the first to be applied first
  std::string pre;                  // byte_pair: name of the pre-tokenizer
  int bos = -1;                     // beginning of sequence; of a WordPiece vocabulary, [CLS]
  int eos = -1;                     // end of sequence
  int eot = -1;                     // end of turn
  int eom = -1;                     // end of message
  int unknown = -1;
  int separator = -1;  // of a WordPiece vocabulary, [SEP]
  int padding = -1;
  int mask = -1;
  int fim_pad = -1;  // fill in the middle: the three that end a text
  int fim_rep = -1;
  int fim_sep = -1;
  bool add_bos = false;           // a text that is to be completed begins with bos
  bool add_eos = false;           // and ends with eos
  bool add_separator = false;     // or, of a WordPiece vocabulary, with the separator
  bool add_space_prefix = false;  // spm, unigram: a text begins with a space that is not written
  bool clean_spaces = false;      // spaces before punctuation are for the tokens alone
  bool remove_extra_whitespaces = false;  // unigram: a run of spaces is one
  bool escape_whitespaces = true;         // unigram: tokens have U+2581 for a space
  bool lowercase = true;                  // wordpiece: lower case, no accents
  std::string precompiled_charsmap;       // unigram: see `charsmap`; may be empty
  std::vector<int> strips_left;           // special tokens that swallow the white space before them
  std::vector<int> strips_right;          // and after them
  std::string chat_template;              // empty if there is none; looked at, never executed
  std::string source;                     // file the vocabulary is from, for messages
};

/// Longest text of one token in bytes.
inline constexpr std::size_t max_token_bytes = 65536;

/// Throws the error `message` about `vocab`, with its file where it has one.
[[noreturn]] inline void refuse(const vocabulary& vocab, const std::string& message) {
  if (vocab.source.empty()) throw error("vocabulary: " + message);
  throw error(vocab.source, error::no_offset, message);
}

/// The byte that a token of kind `byte` stands for: "<0x", two hexadecimal digits, ">", and nothing
/// else.
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

namespace vocabulary_detail {

inline void check_tokens(const vocabulary& vocab) {
  const std::size_t num_tokens = vocab.tokens.size();
  if (num_tokens == 0) refuse(vocab, "no tokens, expected at least one");
  if (num_tokens > INT32_MAX) refuse(vocab, "too many tokens, expected at most 2147483647");
  const auto expect_one_each = [&](std::size_t count, const char* what) {
    if (count == num_tokens) return;
    refuse(vocab, std::to_string(count) + what + ", expected " + std::to_string(num_tokens) +
                      ", one for each token");
  };
  expect_one_each(vocab.kinds.size(), " token types");
  const bool has_scores =
      vocab.model == tokenizer_model::spm || vocab.model == tokenizer_model::unigram;
  if (has_scores) expect_one_each(vocab.scores.size(), " scores");

  std::unordered_set<std::string_view> seen;
  seen.reserve(num_tokens);
  for (std::size_t id = 0; id < num_tokens; ++id) {
    const std::string& text = vocab.tokens[id];
    const auto where = [&] { return "token " + std::to_string(id) + " "; };
    if (text.size() > max_token_bytes) {
      refuse(vocab, where() + "has " + std::to_string(text.size()) + " bytes, expected at most " +
                        std::to_string(max_token_bytes));
    }
    if (!text.empty() && !seen.insert(text).second) {
      refuse(vocab,
             where() + "repeats the text \"" + printable(text) + "\", expected unique tokens");
    }
    if (vocab.kinds[id] < token_kind::normal || vocab.kinds[id] > token_kind::byte) {
      refuse(vocab, where() + "has type " + std::to_string(static_cast<int>(vocab.kinds[id])) +
                        ", expected 1 to 6");
    }
    if (vocab.model != tokenizer_model::byte_pair && vocab.kinds[id] == token_kind::byte &&
        !byte_of_token(text)) {
      refuse(vocab, where() + "is of type byte and has the text \"" + printable(text) +
                        "\", expected <0x00> to <0xFF>");
    }
    if (has_scores && !std::isfinite(vocab.scores[id])) {
      refuse(vocab, where() + "has no finite score");
    }
  }
}

inline void check_ids(const vocabulary& vocab) {
  const int num_tokens = static_cast<int>(vocab.tokens.size());
  const auto check_id = [&](std::string_view name, int id, int lowest) {
    if (id >= lowest && id < num_tokens) return;
    refuse(vocab, std::string(name) + " token id is " + std::to_string(id) +
                      ", expected less than the number of tokens, " + std::to_string(num_tokens));
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
  for (const int id : vocab.strips_left) check_id("left-stripping", id, 0);
  for (const int id : vocab.strips_right) check_id("right-stripping", id, 0);
  if (vocab.add_bos && vocab.bos < 0)
    refuse(vocab, "add_bos_token is set, expected a bos token id");
  if (vocab.add_eos && vocab.eos < 0)
    refuse(vocab, "add_eos_token is set, expected an eos token id");
  if (vocab.add_separator && vocab.separator < 0)
    refuse(vocab, "add_sep_token is set, expected a separator token id");
  if (vocab.model == tokenizer_model::wordpiece && vocab.unknown < 0)
    refuse(vocab, "no unknown token id, expected one: not every word is made of these tokens");
}

}  // namespace vocabulary_detail

/// Throws `error` unless `vocab` is consistent: at least one token; a kind each, and none outside
/// the enum; a finite score each where the model has scores; no token twice and none longer than
/// `max_token_bytes`; bytes written as "<0x41>"; every id in range; the tokens present that are to
/// be added, and for WordPiece an unknown one; for byte pairs a known pre-tokenizer.
inline void check(const vocabulary& vocab) {
  vocabulary_detail::check_tokens(vocab);
  vocabulary_detail::check_ids(vocab);
  if (vocab.model != tokenizer_model::byte_pair) return;
  try {
    (void)find_pre_tokenizer_family(vocab.pre);
  } catch (const error& unknown) {
    refuse(vocab, unknown.what());
  }
}

}  // namespace rocmforge
