// The byte-level alphabet of GPT-2's vocabulary: one printable character stands for each byte.
// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, and the vocabulary
// published with it.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <rocmforge/text/utf8.hpp>

namespace rocmforge {

/// The code point that stands for each byte: a printable Latin-1 character stands for itself, the
/// other bytes are numbered from U+0100 on.
inline constexpr std::array<char16_t, 256> byte_level_alphabet = [] {
  std::array<char16_t, 256> result{};
  char16_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    result[byte] = printable ? static_cast<char16_t>(byte) : next++;
  }
  return result;
}();

/// Writes `bytes` in the byte-level alphabet, as UTF-8.
inline std::string to_byte_level(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size() + bytes.size() / 2);
  for (const char c : bytes) {
    const char16_t code_point = byte_level_alphabet[static_cast<unsigned char>(c)];
    if (code_point < 0x80) {
      result += static_cast<char>(code_point);
    } else {
      result += static_cast<char>(0xC0 | (code_point >> 6));
      result += static_cast<char>(0x80 | (code_point & 0x3F));
    }
  }
  return result;
}

/// The bytes that `text` stands for. Characters outside the alphabet, which occur in manually added
/// tokens of some vocabularies, stand for themselves.
inline std::string from_byte_level(std::string_view text) {
  static constexpr auto byte_of = [] {
    std::array<short, 0x144> result{};
    result.fill(-1);
    for (unsigned byte = 0; byte < 256; ++byte) {
      result[byte_level_alphabet[byte]] = static_cast<short>(byte);
    }
    return result;
  }();
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto [is, num_bytes] = inspect_utf8(text);
    const std::string_view character = text.substr(0, num_bytes);
    unsigned code_point = static_cast<unsigned char>(character[0]);
    if (num_bytes == 2) {
      code_point = ((code_point & 0x1F) << 6) | (static_cast<unsigned char>(character[1]) & 0x3F);
    }
    const bool in_alphabet = is == utf8_prefix::state::complete && num_bytes <= 2 &&
                             code_point < byte_of.size() && byte_of[code_point] >= 0;
    if (in_alphabet) {
      result += static_cast<char>(byte_of[code_point]);
    } else {
      result += character;
    }
    text.remove_prefix(num_bytes);
  }
  return result;
}

}  // namespace rocmforge
