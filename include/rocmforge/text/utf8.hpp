// UTF-8 as The Unicode Standard defines it (table 3-7): no overlong forms, no surrogates, nothing
// above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rocmforge {

/// U+FFFD, shown in place of bytes that are not UTF-8.
inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

/// The first character of a string of bytes.
struct utf8_prefix {
  enum class state {
    complete,    // one well-formed character
    incomplete,  // a character cut off by the end of the string
    invalid      // not the start of a character
  };
  state is;
  std::size_t num_bytes;  // of the character, or of the longest prefix of one (at least 1)
};

/// Examines the first character of `bytes`, which must not be empty.
inline utf8_prefix inspect_utf8(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {utf8_prefix::state::complete, 1};
  if (lead < 0xC2 || lead > 0xF4) return {utf8_prefix::state::invalid, 1};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) return {utf8_prefix::state::incomplete, i};
    // The range of the second byte excludes overlong forms, surrogates and values above U+10FFFF.
    const unsigned lowest = i > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned highest = i > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte(i) < lowest || byte(i) > highest) return {utf8_prefix::state::invalid, i};
  }
  return {utf8_prefix::state::complete, length};
}

/// The code point of one well-formed character.
inline char32_t decode_utf8(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  constexpr unsigned char lead_bits[] = {0x7F, 0x1F, 0x0F, 0x07};
  char32_t code_point = byte(0) & lead_bits[character.size() - 1];
  for (std::size_t i = 1; i < character.size(); ++i)
    code_point = code_point << 6 | (byte(i) & 0x3F);
  return code_point;
}

/// Appends the UTF-8 of `code_point`, which is at most U+10FFFF.
inline void append_utf8(std::string& text, char32_t code_point) {
  const auto append_tail = [&](int num_bytes) {
    for (int shift = 6 * (num_bytes - 1); shift >= 0; shift -= 6) {
      text += static_cast<char>(0x80 | (code_point >> shift & 0x3F));
    }
  };
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xC0 | code_point >> 6);
    append_tail(1);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xE0 | code_point >> 12);
    append_tail(2);
  } else {
    text += static_cast<char>(0xF0 | code_point >> 18);
    append_tail(3);
  }
}

/// `text` with every byte replaced by U+FFFD that is not part of a well-formed character.
inline std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto [is, num_bytes] = inspect_utf8(text);
    if (is == utf8_prefix::state::complete) {
      result += text.substr(0, num_bytes);
    } else {
      for (std::size_t i = 0; i < num_bytes; ++i) result += replacement_character;
    }
    text.remove_prefix(num_bytes);
  }
  return result;
}

/// Turns bytes that arrive piece by piece into well-formed UTF-8. A character is returned once it
/// is complete. In an ill-formed sequence each maximal subpart of a character becomes one U+FFFD
/// (Unicode 15, section 3.9).
class utf8_stream {
 public:
  /// Adds `bytes` and returns the text that is complete so far.
  std::string push(std::string_view bytes) {
    pending_ += bytes;
    std::string result;
    std::size_t at = 0;
    while (at < pending_.size()) {
      const std::string_view rest = std::string_view(pending_).substr(at);
      const auto [is, num_bytes] = inspect_utf8(rest);
      if (is == utf8_prefix::state::incomplete) break;
      const bool complete = is == utf8_prefix::state::complete;
      result += complete ? rest.substr(0, num_bytes) : replacement_character;
      at += num_bytes;
    }
    pending_.erase(0, at);
    return result;
  }

  /// Ends the stream: returns U+FFFD if a character is incomplete, otherwise nothing. The stream
  /// can be used again.
  std::string finish() {
    const bool cut_off = !pending_.empty();
    pending_.clear();
    return cut_off ? std::string(replacement_character) : std::string();
  }

 private:
  std::string pending_;  // at most 3 bytes between calls
};

}  // namespace rocmforge
