// Text that remembers which of its bytes are data: what a message says may not become a special
// token, what the template itself writes may.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/utf8.hpp>

namespace rocmforge::jinja {

/// UTF-8 with a mark for each byte: whether it is data or the template's own. Bytes that are not
/// UTF-8 count as one character each.
class marked_text {
 public:
  marked_text() = default;
  /// @param is_data  of all bytes
  explicit marked_text(std::string bytes, bool is_data = false) : bytes_(std::move(bytes)) {
    if (is_data) marks_.assign(bytes_.size(), '\1');
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] bool is_data(std::size_t at) const { return !marks_.empty() && marks_[at] != 0; }

  /// Bytes `first` to `first + count`.
  [[nodiscard]] marked_text part(std::size_t first, std::size_t count = std::string::npos) const {
    marked_text result;
    result.bytes_ = bytes_.substr(first, count);
    if (!marks_.empty()) result.marks_ = marks_.substr(first, count);
    return result;
  }

  marked_text& operator+=(const marked_text& other) {
    if (!marks_.empty() || !other.marks_.empty()) {
      marks_.resize(bytes_.size());
      marks_ += other.marks_;
      marks_.resize(bytes_.size() + other.bytes_.size());
    }
    bytes_ += other.bytes_;
    return *this;
  }
  marked_text& operator+=(std::string_view template_text) {
    bytes_ += template_text;
    if (!marks_.empty()) marks_.resize(bytes_.size());
    return *this;
  }
  /// Appends text with the mark that it replaces something of.
  void append(std::string_view text, bool is_data) {
    if (is_data || !marks_.empty()) {
      marks_.resize(bytes_.size());
      marks_.append(text.size(), is_data ? '\1' : '\0');
    }
    bytes_ += text;
  }

 private:
  std::string bytes_;
  std::string marks_;  // '\1' for data; empty where nothing is
};

/// Bytes of the character that starts at `at`.
inline std::size_t character_bytes(std::string_view text, std::size_t at) {
  const auto [is, num_bytes] = inspect_utf8(text.substr(at, 4));
  return is == utf8_prefix::state::complete ? num_bytes : 1;
}

/// Where each character of the text starts, and where the last one ends.
inline std::vector<std::size_t> character_starts(std::string_view text) {
  std::vector<std::size_t> starts;
  starts.reserve(text.size() + 1);
  for (std::size_t at = 0; at < text.size(); at += character_bytes(text, at)) starts.push_back(at);
  starts.push_back(text.size());
  return starts;
}

inline std::size_t num_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += character_bytes(text, at)) ++count;
  return count;
}

/// The code point of a character; a byte that is not UTF-8 is itself.
inline char32_t code_point_of(std::string_view character) {
  return inspect_utf8(character).is == utf8_prefix::state::complete
             ? decode_utf8(character)
             : static_cast<unsigned char>(character[0]);
}

/// White space as Python's str.isspace knows it.
inline bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

}  // namespace rocmforge::jinja
