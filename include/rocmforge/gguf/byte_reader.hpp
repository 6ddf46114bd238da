// The only code that reads bytes of a GGUF file. Every read is checked against the bytes that are
// left.
#pragma once

#include <rocmforge/error.hpp>
#include <rocmforge/gguf/limits.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace rocmforge::gguf::detail {

static_assert(std::endian::native == std::endian::little, "GGUF values are read in place");

/// Reads little-endian values one after another. Throws `error` with the file, the offset and the
/// subject.
class byte_reader {
 public:
  /// @param bytes  what to read; must outlive the reader and the strings it returns
  /// @param file   for errors; must outlive the reader
  /// @param base   offset of `bytes` in the file
  byte_reader(std::span<const std::byte> bytes, const std::string& file, std::uint64_t base = 0)
      : bytes_(bytes), file_(file), base_(base) {}

  std::uint64_t offset() const { return base_ + position_; }
  std::uint64_t remaining() const { return bytes_.size() - position_; }

  /// Sets what errors say is being read: a kind ("tensor") and an untrusted name.
  void set_subject(std::string_view kind, std::string_view name) {
    kind_ = kind;
    name_ = name;
  }
  void clear_subject() { kind_ = {}; }

  [[noreturn]] void fail(std::uint64_t at, const std::string& message) const {
    const std::string subject =
        kind_.empty() ? "" : std::string(kind_) + " '" + printable(name_) + "': ";
    throw error(file_, at, subject + message);
  }

  std::span<const std::byte> take(std::uint64_t num_bytes, std::string_view what) {
    if (num_bytes > remaining()) {
      fail(offset(), "truncated: the " + std::string(what) + " has " + std::to_string(num_bytes) +
                         " bytes, the file ends after " + std::to_string(remaining()));
    }
    const auto result = bytes_.subspan(position_, num_bytes);
    position_ += num_bytes;
    return result;
  }

  /// A number, a bool (its byte must be 0 or 1), or a length-prefixed string as a view of the
  /// bytes.
  template <class T>
  T read(std::string_view what) {
    if constexpr (std::is_same_v<T, std::string_view>) {
      return read_string(what, limits::max_string_bytes);
    } else if constexpr (std::is_same_v<T, bool>) {
      const std::uint64_t at = offset();
      const auto value = read<std::uint8_t>(what);
      if (value > 1) fail(at, "bool is " + std::to_string(value) + ", expected 0 or 1");
      return value == 1;
    } else {
      static_assert(std::is_arithmetic_v<T>);
      T value;
      std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
      return value;
    }
  }

  std::string_view read_string(std::string_view what, std::uint64_t max_bytes) {
    const std::uint64_t at = offset();
    const auto length = read<std::uint64_t>(what);
    if (length > max_bytes) {
      fail(at, "the " + std::string(what) + " has " + std::to_string(length) +
                   " bytes, expected at most " + std::to_string(max_bytes));
    }
    return as_text(take(length, what));
  }

  /// A key or a tensor name: 1 to `max_bytes` characters from `first_char` to '~'.
  std::string_view read_name(std::string_view what, std::uint64_t max_bytes, char first_char) {
    const std::uint64_t at = offset();
    const std::string_view name = read_string(what, max_bytes);
    if (name.empty()) fail(at, "the " + std::string(what) + " is empty");
    const bool valid =
        std::all_of(name.begin(), name.end(), [&](char c) { return first_char <= c && c <= '~'; });
    if (!valid) {
      fail(at, "the " + std::string(what) + " '" + printable(name) +
                   "' has characters that are not allowed, expected printable ASCII");
    }
    return name;
  }

  /// The bytes from an offset that the reader has passed up to the next byte to read.
  std::span<const std::byte> since(std::uint64_t start) const {
    return bytes_.subspan(start - base_, offset() - start);
  }

  /// The offset in the file of a string that was read.
  std::uint64_t offset_of(std::string_view text) const {
    return base_ + static_cast<std::uint64_t>(text.data() - as_text(bytes_).data());
  }

 private:
  static std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::span<const std::byte> bytes_;
  const std::string& file_;
  std::uint64_t base_;
  std::uint64_t position_ = 0;
  std::string_view kind_;
  std::string_view name_;
};

}  // namespace rocmforge::gguf::detail
