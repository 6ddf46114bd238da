// Text to token ids and back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/byte_pair.hpp>
#include <rocmforge/text/clean_spaces.hpp>
#include <rocmforge/text/special_tokens.hpp>
#include <rocmforge/text/spm.hpp>
#include <rocmforge/text/token_table.hpp>
#include <rocmforge/text/unigram.hpp>
#include <rocmforge/text/utf8.hpp>
#include <rocmforge/text/vocabulary.hpp>
#include <rocmforge/text/wordpiece.hpp>

namespace rocmforge {

/// Whether control tokens appear in decoded text.
enum class control_tokens { hide, show };

/// The longest text that one call encodes, in bytes. (Replacing invalid bytes may triple its size,
/// and positions in a word are ints.)
inline constexpr std::size_t max_text_bytes = std::size_t{1} << 29;

/// A part of a text, and whether control tokens are read in it.
struct text_part {
  std::string_view text;
  special_tokens special;
};

/// A tokenizer for any `tokenizer_model`. Move-only. Several threads may call its functions at
/// once.
class tokenizer {
 public:
  /// Throws `error` if `vocab` is inconsistent (see `check`) or its encoder refuses it.
  explicit tokenizer(vocabulary vocab)
      : tokens_(std::make_unique<const token_table>(std::move(vocab))),
        specials_(tokens_->vocab()),
        encoder_(make_encoder(*tokens_)),
        ends_generation_(find_end_of_generation(tokens_->vocab())) {}

  [[nodiscard]] const vocabulary& vocab() const { return tokens_->vocab(); }
  [[nodiscard]] int vocab_size() const { return tokens_->size(); }

  /// The ids of `text`.
  ///
  /// @param special      whether control tokens written in `text` become tokens; `as_text` for
  ///                     untrusted text
  /// @param add_special  add bos, eos and separator if the vocabulary asks for them
  /// Throws `error` for a text longer than `max_text_bytes`, or with a byte that the vocabulary has
  /// no token for.
  [[nodiscard]] std::vector<int> encode(std::string_view text,
                                        special_tokens special = special_tokens::as_text,
                                        bool add_special = false) const {
    std::vector<int> ids;
    if (add_special && vocab().add_bos) ids.push_back(vocab().bos);
    const text_part part{text, special};
    append(std::span(&part, 1), /*continues=*/false, ids);
    if (add_special && vocab().add_eos) ids.push_back(vocab().eos);
    if (add_special && vocab().add_separator) ids.push_back(vocab().separator);
    return ids;
  }

  /// Appends the ids of one text that consists of `parts`. Each part says whether control tokens
  /// are read in it; words may span parts.
  ///
  /// @param continues  the text continues the text of `ids`: no space prefix is added
  /// Throws as the other `encode` does.
  void append(std::span<const text_part> parts, bool continues, std::vector<int>& ids) const {
    std::string text;
    std::vector<stretch> trusted;  // the ranges in which control tokens are read, in order
    for (const text_part& part : parts) {
      const std::size_t begin = text.size();
      if (part.text.size() > max_text_bytes - begin) {
        throw error("text of " + std::to_string(begin + part.text.size()) +
                    " bytes, expected at most " + std::to_string(max_text_bytes));
      }
      text += part.text;
      if (part.special == special_tokens::as_text) continue;
      if (!trusted.empty() && trusted.back().end == begin) {
        trusted.back().end = text.size();
      } else {
        trusted.push_back({begin, text.size()});
      }
    }
    const auto may_be_control = [&](std::size_t at, std::size_t size) {
      const auto after = std::ranges::upper_bound(trusted, at, {}, &stretch::begin);
      return after != trusted.begin() && at + size <= std::prev(after)->end;
    };
    bool starts_text = !continues;
    for (const auto& [fragment, token] : specials_.split(text, may_be_control)) {
      if (token >= 0) {
        ids.push_back(token);
      } else {
        std::visit([&](const auto& model) { model.encode(fragment, starts_text, ids); }, encoder_);
      }
      starts_text = token >= 0;
    }
  }

  /// The text of `ids` as well-formed UTF-8: invalid bytes become U+FFFD. The space prefix that
  /// `encode` adds is dropped. Throws `error` for an id out of range.
  [[nodiscard]] std::string decode(std::span<const int> ids,
                                   control_tokens control = control_tokens::hide) const {
    utf8_stream stream;
    std::string text;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      text +=
          stream.push(i == 0 ? first_token_bytes(ids[i], control) : token_bytes(ids[i], control));
    }
    return text + stream.finish();
  }

  /// The same; if the vocabulary has `clean_spaces`, also without the spaces that its tokens add
  /// before punctuation (see `without_token_spaces`).
  [[nodiscard]] std::string decode_clean(std::span<const int> ids,
                                         control_tokens control = control_tokens::hide) const {
    std::string text = decode(ids, control);
    return vocab().clean_spaces ? without_token_spaces(text) : text;
  }

  /// The bytes of the token `id`; they may start or end inside a UTF-8 sequence. Empty for control
  /// tokens (unless they are shown) and unused ones. Throws `error` for an id out of range.
  [[nodiscard]] std::string token_bytes(int id,
                                        control_tokens control = control_tokens::hide) const {
    const std::string& text = vocab().tokens[checked(id)];
    const token_kind kind = vocab().kinds[id];
    switch (kind) {
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
    return std::visit([&](const auto& model) { return model.bytes_of(text, kind); }, encoder_);
  }

  /// The same for the first token of a text: without the space prefix.
  [[nodiscard]] std::string first_token_bytes(int id,
                                              control_tokens control = control_tokens::hide) const {
    std::string bytes = token_bytes(id, control);
    if (vocab().add_space_prefix && bytes.starts_with(' ')) bytes.erase(0, 1);
    return bytes;
  }

  /// The token whose text in the vocabulary is exactly `text`, if there is one.
  [[nodiscard]] std::optional<int> find_token(std::string_view text) const {
    return tokens_->find(text);
  }

  /// Whether `id` is a control token and not text. Throws `error` for an id out of range.
  [[nodiscard]] bool is_control(int id) const {
    return rocmforge::is_control(vocab().kinds[checked(id)]);
  }

  /// Whether `id` ends a generated text or turn. Throws `error` for an id out of range.
  [[nodiscard]] bool is_end_of_generation(int id) const { return ends_generation_[checked(id)]; }

 private:
  using any_encoder =
      std::variant<byte_pair_encoder, spm_encoder, wordpiece_encoder, unigram_encoder>;
  struct stretch {
    std::size_t begin;
    std::size_t end;
  };

  static any_encoder make_encoder(const token_table& tokens) {
    switch (tokens.vocab().model) {
      case tokenizer_model::byte_pair:
        return byte_pair_encoder(tokens);
      case tokenizer_model::spm:
        return spm_encoder(tokens);
      case tokenizer_model::wordpiece:
        return wordpiece_encoder(tokens);
      case tokenizer_model::unigram:
        return unigram_encoder(tokens);
    }
    refuse_vocabulary(tokens.vocab(), "model is no `tokenizer_model`");
  }

  int checked(int id) const {
    if (id < 0 || id >= vocab_size()) {
      throw error("token id " + std::to_string(id) + ", expected 0 to " +
                  std::to_string(vocab_size() - 1));
    }
    return id;
  }

  std::unique_ptr<const token_table> tokens_;  // the other members hold views of it
  special_token_splitter specials_;
  any_encoder encoder_;
  std::vector<bool> ends_generation_;
};

/// Decodes ids one at a time. Its texts, concatenated, equal `tokenizer::decode` of all ids; a
/// character that spans tokens is returned once it is complete. The tokenizer must outlive it.
class stream_decoder {
 public:
  /// @param continues  the ids continue a text, such as a prompt: a space at their start is kept
  explicit stream_decoder(const tokenizer& source, control_tokens control = control_tokens::hide,
                          bool continues = false)
      : source_(&source), control_(control), is_first_(!continues) {}

  /// Adds a token and returns the text that is complete so far. Throws `error` for an id out of
  /// range.
  [[nodiscard]] std::string push(int id) {
    const bool is_first = std::exchange(is_first_, false);
    return stream_.push(is_first ? source_->first_token_bytes(id, control_)
                                 : source_->token_bytes(id, control_));
  }

  /// Ends the text: returns U+FFFD if a character is incomplete, otherwise nothing. The decoder can
  /// then be used for another text.
  [[nodiscard]] std::string finish() { return stream_.finish(); }

 private:
  const tokenizer* source_;
  control_tokens control_;
  bool is_first_;
  utf8_stream stream_;
};

}  // namespace rocmforge
