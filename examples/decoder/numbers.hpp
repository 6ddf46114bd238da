// Strict parsing of numbers: the whole text must be a number in the range. Anything else is an
// error of one line.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <rocmforge/error.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace decoder {

/// @param name      the option, for the error
/// @param expected  "a number ...", for the error
/// @param in_range  whether the option allows a value
/// @throws rocmforge::error with one line if `text` is not such a number
template <class T, class Predicate>
T parse_number(std::string_view name, std::string_view text, std::string_view expected,
               const Predicate& in_range) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stopped, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stopped != end || !in_range(value)) {
    throw rocmforge::error(
        fmt::format("{} {}: expected {}", name, rocmforge::printable(text), expected));
  }
  return value;
}

/// An integer in [least, most].
template <class T>
T parse_integer(std::string_view name, std::string_view text, T least, T most) {
  return parse_number<T>(name, text, fmt::format("an integer from {} to {}", least, most),
                         [=](T value) { return least <= value && value <= most; });
}

}  // namespace decoder
