// The exception that files and models throw. Kernels and launchers return a `status` instead.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "rocmforge/platform/standard.hpp"

namespace rocmforge {

/// Bytes of an untrusted string made safe for one line of a terminal: anything outside printable
/// ASCII becomes \xNN, and what is longer than `max_length` is cut with "...".
inline std::string printable(std::string_view text, std::size_t max_length = 80) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  for (const char c : text.substr(0, max_length)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      result += c;
    } else {
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  if (text.size() > max_length) result += "...";
  return result;
}

/// Thrown for a file or a model that cannot be used. `what()` is one line: where, what is wrong,
/// what was expected.
class error : public std::runtime_error {
 public:
  static constexpr std::uint64_t no_offset = ~std::uint64_t{0};

  [[gnu::always_inline]] explicit error(const std::string& message) : std::runtime_error(message) {}

  /// @param file     the file's path
  /// @param offset   byte offset of the fault in the file, or `no_offset`
  /// @param message  what is wrong and what was expected
  error(std::string file, std::uint64_t offset, const std::string& message)
      : std::runtime_error(file +
                           (offset == no_offset ? "" : ": offset " + std::to_string(offset)) +
                           ": " + message),
        file_(std::move(file)),
        offset_(offset) {}

  [[nodiscard]] const std::string& file() const noexcept { return file_; }
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

 private:
  std::string file_;
  std::uint64_t offset_ = no_offset;
};

}  // namespace rocmforge
