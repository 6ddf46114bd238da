// Text to token ids and back.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/byte_level.hpp>
#include <rocmforge/text/byte_pair_merger.hpp>
#include <rocmforge/text/pre_tokenizer.hpp>
#include <rocmforge/text/special_tokens.hpp>
#include <rocmforge/text/utf8.hpp>
#include <rocmforge/text/vocabulary.hpp>

namespace rocmforge {

/// Whether control tokens appear in decoded text.
enum class control_tokens { hide, show };

/// Longest text that is encoded in one call. (Replacing invalid bytes may triple it, and places in
/// a word are ints.)
inline constexpr std::size_t max_text_bytes = std::size_t{1} << 29;

/// A byte-level BPE tokeniser. Move-only; all its functions are const and may be called by several
/// threads at once.
class tokenizer {
 public:
  /// Throws `error` if `vocab` is inconsistent (see `check`), a merge is malformed or the
  /// pre-tokeniser is unknown.
  explicit tokenizer(vocabulary vocab)
      : vocab_(prepare(std::move(vocab))),
        words_(vocab_.pre),
        specials_(vocab_),
        merger_(vocab_),
        ends_generation_(find_end_of_generation(vocab_)) {
    ids_.reserve(vocab_.tokens.size());
    for (int id = 0; id < vocab_size(); ++id) {
      if (!vocab_.tokens[id].empty()) ids_.emplace(vocab_.tokens[id], id);
    }
  }

  tokenizer(const tokenizer&) = delete;  // ids_ views the vocabulary's strings
  tokenizer(tokenizer&&) = default;
  tokenizer& operator=(const tokenizer&) = delete;
  tokenizer& operator=(tokenizer&&) = default;

  [[nodiscard]] const vocabulary& vocab() const { return vocab_; }
  [[nodiscard]] int vocab_size() const { return static_cast<int>(vocab_.tokens.size()); }

  /// The ids of `text`. Each byte that is not part of well-formed UTF-8 is taken as U+FFFD; nothing
  /// else is normalised.
  ///
  /// @param special      whether control tokens written in `text` become tokens; keep `as_text` for
  /// text from outside
  /// @param add_special  adds bos and eos where the vocabulary asks for them
  /// Throws `error` for a text longer than `max_text_bytes`, or with a byte that the vocabulary has
  /// no token for.
  [[nodiscard]] std::vector<int> encode(std::string_view text,
                                        special_tokens special = special_tokens::as_text,
                                        bool add_special = false) const {
    if (text.size() > max_text_bytes) {
      throw error("text of " + std::to_string(text.size()) + " bytes, expected at most " +
                  std::to_string(max_text_bytes));
    }
    std::vector<int> ids;
    if (add_special && vocab_.add_bos) ids.push_back(vocab_.bos);
    for (const auto& [fragment, token] : specials_.split(text, special)) {
      if (token >= 0) {
        ids.push_back(token);
      } else {
        encode_fragment(replace_invalid_utf8(fragment), ids);
      }
    }
    if (add_special && vocab_.add_eos) ids.push_back(vocab_.eos);
    return ids;
  }

  /// The text of `ids`, always well-formed UTF-8: what is not becomes U+FFFD. Throws `error` for an
  /// id out of range.
  [[nodiscard]] std::string decode(std::span<const int> ids,
                                   control_tokens control = control_tokens::hide) const {
    utf8_stream stream;
    std::string text;
    for (const int id : ids) text += stream.push(token_bytes(id, control));
    return text + stream.finish();
  }

  /// The bytes that the token `id` adds to a text; it may begin or end inside a UTF-8 sequence.
  /// Empty for control tokens (unless they are shown) and unused ones. Throws `error` for an id out
  /// of range.
  [[nodiscard]] std::string token_bytes(int id,
                                        control_tokens control = control_tokens::hide) const {
    const std::string& text = vocab_.tokens[checked(id)];
    switch (vocab_.kinds[id]) {
      case token_kind::control:
      case token_kind::unknown:
        return control == control_tokens::show ? text : std::string();
      case token_kind::user_defined:
        return text;
      case token_kind::unused:
        return {};
      case token_kind::normal:
      case token_kind::byte:
        break;
    }
    return from_byte_level(text);
  }

  /// The token whose text in the vocabulary is exactly `text`, if there is one.
  [[nodiscard]] std::optional<int> find_token(std::string_view text) const {
    const auto found = ids_.find(text);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

  /// Whether `id` steers the model instead of being text. Throws `error` for an id out of range.
  [[nodiscard]] bool is_control(int id) const {
    return rocmforge::is_control(vocab_.kinds[checked(id)]);
  }

  /// Whether a generated text or turn ends with `id`. Throws `error` for an id out of range.
  [[nodiscard]] bool is_end_of_generation(int id) const { return ends_generation_[checked(id)]; }

 private:
  static vocabulary prepare(vocabulary vocab) {
    check(vocab);
    mark_control_tokens(vocab);
    return vocab;
  }

  void encode_fragment(std::string_view text, std::vector<int>& ids) const {
    const bool ignore_merges = words_.family().ignore_merges;
    for (const std::string_view word : words_.split(text)) {
      const auto whole = ignore_merges ? find_token(to_byte_level(word)) : std::nullopt;
      if (whole && !rocmforge::is_control(vocab_.kinds[*whole])) {
        ids.push_back(*whole);
      } else {
        merger_.encode(word, ids);
      }
    }
  }

  int checked(int id) const {
    if (id < 0 || id >= vocab_size()) {
      throw error("token id " + std::to_string(id) + ", expected 0 to " +
                  std::to_string(vocab_size() - 1));
    }
    return id;
  }

  vocabulary vocab_;
  std::unordered_map<std::string_view, int> ids_;
  pre_tokenizer words_;
  special_token_splitter specials_;
  byte_pair_merger merger_;
  std::vector<bool> ends_generation_;
};

/// Decodes ids one at a time. What it gives out, put together, equals `tokenizer::decode` of all
/// ids; a character that spans tokens appears once it is complete. Views the tokeniser, which must
/// outlive it.
class stream_decoder {
 public:
  explicit stream_decoder(const tokenizer& source, control_tokens control = control_tokens::hide)
      : source_(&source), control_(control) {}

  /// Adds a token and returns the text that is decided by now. Throws `error` for an id out of
  /// range.
  [[nodiscard]] std::string push(int id) {
    return stream_.push(source_->token_bytes(id, control_));
  }

  /// Ends the text: U+FFFD if a character was left incomplete, else nothing. The decoder can then
  /// be used again.
  [[nodiscard]] std::string finish() { return stream_.finish(); }

 private:
  const tokenizer* source_;
  control_tokens control_;
  utf8_stream stream_;
};

}  // namespace rocmforge
