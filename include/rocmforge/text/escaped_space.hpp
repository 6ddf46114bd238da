// Spaces and bytes in the SentencePiece and BERT vocabularies of GGUF files.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <rocmforge/text/token_table.hpp>

namespace rocmforge {

/// U+2581, which stands for a space in the texts of tokens.
inline constexpr std::string_view escaped_space = "\xE2\x96\x81";

/// `text` with each space replaced by U+2581.
inline std::string escape_spaces(std::string_view text) {
  std::string result;
  result.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (c == ' ') {
      result += escaped_space;
    } else {
      result += c;
    }
  }
  return result;
}

/// `text` with each U+2581 replaced by a space.
inline std::string unescape_spaces(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const bool is_space = text.starts_with(escaped_space);
    result += is_space ? ' ' : text[0];
    text.remove_prefix(is_space ? escaped_space.size() : 1);
  }
  return result;
}

/// The bytes that a token with this text and kind stands for.
inline std::string unescaped_bytes_of(std::string_view text, token_kind kind) {
  if (kind != token_kind::byte) return unescape_spaces(text);
  return std::string(1, static_cast<char>(byte_of_token(text).value_or(0)));
}

/// The token for each byte: "<0x41>" if there is one, otherwise the character; -1 for neither.
inline std::array<int, 256> find_byte_tokens(const token_table& tokens) {
  std::array<int, 256> result{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    result[byte] = tokens.find_text(std::string(1, static_cast<char>(byte))).value_or(-1);
  }
  const vocabulary& vocab = tokens.vocab();
  for (int id = 0; id < tokens.size(); ++id) {
    if (vocab.kinds[id] != token_kind::byte) continue;
    const auto byte = byte_of_token(vocab.tokens[id]);
    if (byte && tokens.find(vocab.tokens[id]) == id) result[*byte] = id;  // the first of several
  }
  return result;
}

}  // namespace rocmforge
