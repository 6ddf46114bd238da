// The vocabulary of a byte-level BPE model, as a GGUF file carries it under tokenizer.*.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/gguf.hpp>
#include <rocmforge/text/pre_tokenizer_patterns.hpp>

namespace rocmforge {

/// What a token is for; the numbers are those of tokenizer.ggml.token_type.
enum class token_kind : std::uint8_t {
  normal = 1,        // text in the byte-level alphabet, made by merges
  unknown = 2,       // stands for what cannot be written
  control = 3,       // steers the model and is no text
  user_defined = 4,  // literal text that is always one token
  unused = 5,
  byte = 6
};

/// Whether tokens of this kind steer the model instead of being text: text from outside never
/// becomes one.
inline bool is_control(token_kind kind) {
  return kind == token_kind::control || kind == token_kind::unknown;
}

/// A vocabulary as data. `tokenizer` checks it and works with it. Ids that the vocabulary does not
/// have are -1.
struct vocabulary {
  std::vector<std::string> tokens;  // by id; an empty one is a place that no text leads to
  std::vector<token_kind> kinds;    // one for each token
  std::vector<std::string> merges;  // "left right", the first to be applied first
  std::string pre;                  // name of the pre-tokeniser
  int bos = -1;                     // beginning of sequence
  int eos = -1;                     // end of sequence
  int eot = -1;                     // end of turn
  int eom = -1;                     // end of message
  int unknown = -1;
  int padding = -1;
  int fim_pad = -1;  // fill in the middle: the three that end a text
  int fim_rep = -1;
  int fim_sep = -1;
  bool add_bos = false;       // a text that is to be completed begins with bos
  bool add_eos = false;       // and ends with eos
  std::string chat_template;  // empty if there is none; looked at, never executed
  std::string source;         // file the vocabulary is from, for messages
};

/// Longest text of one token in bytes.
inline constexpr std::size_t max_token_bytes = 65536;

/// Throws the error `message` about `vocab`, with its file where it has one.
[[noreturn]] inline void refuse(const vocabulary& vocab, const std::string& message) {
  if (vocab.source.empty()) throw error("vocabulary: " + message);
  throw error(vocab.source, error::no_offset, message);
}

/// Throws `error` unless `vocab` is consistent: at least one token; a kind each, and none outside
/// the enum; no token twice and none longer than `max_token_bytes`; every id in range; bos and eos
/// present where they are to be added; a known pre-tokeniser.
inline void check(const vocabulary& vocab) {
  const std::size_t num_tokens = vocab.tokens.size();
  if (num_tokens == 0) refuse(vocab, "no tokens, expected at least one");
  if (num_tokens > INT32_MAX) refuse(vocab, "too many tokens, expected at most 2147483647");
  if (vocab.kinds.size() != num_tokens) {
    refuse(vocab, std::to_string(vocab.kinds.size()) + " token types, expected " +
                      std::to_string(num_tokens) + ", one for each token");
  }
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
  }
  const struct {
    std::string_view name;
    int id;
  } special[] = {
      {"bos", vocab.bos},         {"eos", vocab.eos},         {"eot", vocab.eot},
      {"eom", vocab.eom},         {"unknown", vocab.unknown}, {"padding", vocab.padding},
      {"fim_pad", vocab.fim_pad}, {"fim_rep", vocab.fim_rep}, {"fim_sep", vocab.fim_sep}};
  for (const auto& [name, id] : special) {
    if (id < -1 || id >= static_cast<int>(num_tokens)) {
      refuse(vocab, std::string(name) + " token id is " + std::to_string(id) +
                        ", expected less than the number of tokens, " + std::to_string(num_tokens));
    }
  }
  if (vocab.add_bos && vocab.bos < 0)
    refuse(vocab, "add_bos_token is set, expected a bos token id");
  if (vocab.add_eos && vocab.eos < 0)
    refuse(vocab, "add_eos_token is set, expected an eos token id");
  try {
    (void)find_pre_tokenizer_family(vocab.pre);
  } catch (const error& unknown) {
    refuse(vocab, unknown.what());
  }
}

/// Reads the vocabulary of `file` and checks it.
/// Throws `error` if the file has no vocabulary, one of another model than byte-level BPE ("gpt2"),
/// or an inconsistent one.
inline vocabulary load_vocabulary(const gguf::file& file) {
  vocabulary vocab;
  vocab.source = file.path();
  const auto key = [](std::string_view name) { return "tokenizer.ggml." + std::string(name); };

  const auto model = file.get<std::string_view>(key("model"));
  if (model != "gpt2") {
    refuse(vocab, "tokeniser \"" + printable(model) +
                      "\" is not supported, expected \"gpt2\" (byte-level BPE)");
  }
  vocab.pre = file.find<std::string_view>(key("pre"))
                  .value_or("");  // an empty name is refused below, with the names there are

  const auto tokens = file.get_array<std::string_view>(key("tokens"));
  vocab.tokens.assign(tokens.begin(), tokens.end());
  const auto merges = file.get_array<std::string_view>(key("merges"));
  vocab.merges.assign(merges.begin(), merges.end());
  vocab.kinds.assign(tokens.size(), token_kind::normal);
  if (file.contains(key("token_type"))) {
    const auto kinds = file.get_array<std::uint8_t>(key("token_type"));
    vocab.kinds.resize(kinds.size());
    std::transform(kinds.begin(), kinds.end(), vocab.kinds.begin(),
                   [](std::uint8_t kind) { return static_cast<token_kind>(kind); });
  }

  const auto id = [&](std::string_view name) { return file.find<int>(key(name)).value_or(-1); };
  vocab.bos = id("bos_token_id");
  vocab.eos = id("eos_token_id");
  vocab.eot = id("eot_token_id");
  vocab.eom = id("eom_token_id");
  vocab.unknown = id("unknown_token_id");
  vocab.padding = id("padding_token_id");
  vocab.fim_pad = id("fim_pad_token_id");
  vocab.fim_rep = id("fim_rep_token_id");
  vocab.fim_sep = id("fim_sep_token_id");
  vocab.chat_template = file.find<std::string_view>("tokenizer.chat_template").value_or("");
  vocab.add_eos = file.find<bool>(key("add_eos_token")).value_or(false);
  const auto add_bos = file.find<bool>(key("add_bos_token"));
  vocab.add_bos = add_bos.value_or(false);
  check(vocab);
  if (!add_bos) vocab.add_bos = vocab.bos >= 0 && find_pre_tokenizer_family(vocab.pre).adds_bos;
  return vocab;
}

}  // namespace rocmforge
