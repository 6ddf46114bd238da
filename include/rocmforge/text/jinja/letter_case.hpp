// Upper and lower case as Python's strings know them, but for what depends on more than one
// character: a final sigma, ligatures, Greek iota subscripts.
// Source: The Unicode Standard 14, UnicodeData.txt, with unicode_case.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>

#include <rocmforge/text/jinja/marked_text.hpp>
#include <rocmforge/text/unicode_case.hpp>

namespace rocmforge::jinja {

namespace detail {

/// The capitals that unicode_case.hpp leaves out because they decompose.
// clang-format off
inline constexpr unicode_detail::lower_run accented_runs[] = {
    {0x00C0, 0x00C5, 1, 32}, {0x00C7, 0x00CF, 1, 32}, {0x00D1, 0x00D6, 1, 32},
    {0x00D9, 0x00DD, 1, 32}, {0x0100, 0x010E, 2, 1}, {0x0112, 0x0124, 2, 1}, {0x0128, 0x012E, 2, 1},
    {0x0134, 0x0136, 2, 1}, {0x0139, 0x013D, 2, 1}, {0x0143, 0x0147, 2, 1}, {0x014C, 0x0150, 2, 1},
    {0x0154, 0x0164, 2, 1}, {0x0168, 0x0176, 2, 1}, {0x0178, 0x0178, 1, -121},
    {0x0179, 0x017D, 2, 1}, {0x01A0, 0x01A0, 1, 1}, {0x01AF, 0x01AF, 1, 1}, {0x01CD, 0x01DB, 2, 1},
    {0x01DE, 0x01E2, 2, 1}, {0x01E6, 0x01EE, 2, 1}, {0x01F4, 0x01F4, 1, 1}, {0x01F8, 0x021A, 2, 1},
    {0x021E, 0x021E, 1, 1}, {0x0226, 0x0232, 2, 1}, {0x0386, 0x0386, 1, 38},
    {0x0388, 0x038A, 1, 37}, {0x038C, 0x038C, 1, 64}, {0x038E, 0x038F, 1, 63},
    {0x03AA, 0x03AB, 1, 32}, {0x0400, 0x0401, 1, 80}, {0x0403, 0x0403, 1, 80},
    {0x0407, 0x0407, 1, 80}, {0x040C, 0x040E, 1, 80}, {0x0419, 0x0419, 1, 32},
    {0x0476, 0x0476, 1, 1}, {0x04C1, 0x04C1, 1, 1}, {0x04D0, 0x04D2, 2, 1}, {0x04D6, 0x04D6, 1, 1},
    {0x04DA, 0x04DE, 2, 1}, {0x04E2, 0x04E6, 2, 1}, {0x04EA, 0x04F4, 2, 1}, {0x04F8, 0x04F8, 1, 1},
    {0x1E00, 0x1E94, 2, 1}, {0x1EA0, 0x1EF8, 2, 1}, {0x1F08, 0x1F0F, 1, -8},
    {0x1F18, 0x1F1D, 1, -8}, {0x1F28, 0x1F2F, 1, -8}, {0x1F38, 0x1F3F, 1, -8},
    {0x1F48, 0x1F4D, 1, -8}, {0x1F59, 0x1F5F, 2, -8}, {0x1F68, 0x1F6F, 1, -8},
    {0x1F88, 0x1F8F, 1, -8}, {0x1F98, 0x1F9F, 1, -8}, {0x1FA8, 0x1FAF, 1, -8},
    {0x1FB8, 0x1FB9, 1, -8}, {0x1FBA, 0x1FBB, 1, -74}, {0x1FBC, 0x1FBC, 1, -9},
    {0x1FC8, 0x1FCB, 1, -86}, {0x1FCC, 0x1FCC, 1, -9}, {0x1FD8, 0x1FD9, 1, -8},
    {0x1FDA, 0x1FDB, 1, -100}, {0x1FE8, 0x1FE9, 1, -8}, {0x1FEA, 0x1FEB, 1, -112},
    {0x1FEC, 0x1FEC, 1, -7}, {0x1FF8, 0x1FF9, 1, -128}, {0x1FFA, 0x1FFB, 1, -126},
    {0x1FFC, 0x1FFC, 1, -9}, {0x2126, 0x2126, 1, -7517}, {0x212A, 0x212A, 1, -8383},
    {0x212B, 0x212B, 1, -8262},
};

/// Characters whose capital has another lower case.
inline constexpr char32_t capitals[][2] = {
    {0x00B5, 0x039C}, {0x0131, 0x0049}, {0x017F, 0x0053}, {0x01C5, 0x01C4}, {0x01C8, 0x01C7},
    {0x01CB, 0x01CA}, {0x01F2, 0x01F1}, {0x0345, 0x0399}, {0x03C2, 0x03A3}, {0x03D0, 0x0392},
    {0x03D1, 0x0398}, {0x03D5, 0x03A6}, {0x03D6, 0x03A0}, {0x03F0, 0x039A}, {0x03F1, 0x03A1},
    {0x03F5, 0x0395}, {0x1C80, 0x0412}, {0x1C81, 0x0414}, {0x1C82, 0x041E}, {0x1C83, 0x0421},
    {0x1C84, 0x0422}, {0x1C85, 0x0422}, {0x1C86, 0x042A}, {0x1C87, 0x0462}, {0x1C88, 0xA64A},
    {0x1E9B, 0x1E60}, {0x1FBE, 0x0399},
};
// clang-format on

/// The lowest capital whose lower case, by one of the runs, is `c`; or `c`.
template <class Runs>
constexpr char32_t find_capital(const Runs& runs, char32_t c) {
  for (const unicode_detail::lower_run& run : runs) {
    const auto capital = static_cast<char32_t>(static_cast<std::int32_t>(c) - run.offset);
    if (capital >= run.first && capital <= run.last && (capital - run.first) % run.step == 0)
      return capital;
  }
  return c;
}

}  // namespace detail

constexpr char32_t to_lower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  const auto* run = unicode_detail::find_run(detail::accented_runs, c);
  if (run != nullptr && c <= run->last && (c - run->first) % run->step == 0)
    return static_cast<char32_t>(static_cast<std::int32_t>(c) + run->offset);
  return lower_case(c);
}

/// The upper case, if it is one character.
constexpr char32_t to_upper(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  if (c == 0xdf) return c;  // its capitals are two
  for (const auto& pair : detail::capitals)
    if (pair[0] == c) return pair[1];
  const char32_t plain = detail::find_capital(unicode_detail::lower_runs, c);
  const char32_t accented = detail::find_capital(detail::accented_runs, c);
  return plain == c ? accented : accented == c ? plain : std::min(plain, accented);
}

constexpr bool is_upper(char32_t c) {
  return to_lower(c) != c;
}
constexpr bool is_lower(char32_t c) {
  return to_upper(c) != c || c == 0xdf || c == 0xaa || c == 0xba || c == 0x138 || c == 0x149;
}

/// Calls `take(bytes of the character, its code point, where it starts)` for each.
template <class Take>
void for_each_character(std::string_view text, Take&& take) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t count = character_bytes(text, at);
    const std::string_view character = text.substr(at, count);
    take(character, code_point_of(character), at);
    at += count;
  }
}

enum class letter_case { lower, upper, title, capitalize };

namespace detail {

/// Appends one character in another case. Bytes that are not UTF-8 stay as they are.
inline void append_in_case(marked_text& out, std::string_view character, char32_t c, bool upper,
                           bool title, bool is_data) {
  if (character.size() == 1 && c >= 0x80) return out.append(character, is_data);
  if (upper && c == 0xdf) return out.append(title ? "Ss" : "SS", is_data);
  std::string bytes;
  append_utf8(bytes, upper ? to_upper(c) : to_lower(c));
  out.append(bytes, is_data);
}

}  // namespace detail

/// Python's lower(), upper(), title() and capitalize().
inline marked_text in_case(const marked_text& text, letter_case how) {
  marked_text out;
  bool after_letter = false;
  for_each_character(text.bytes(), [&](std::string_view character, char32_t c, std::size_t at) {
    const bool first = how == letter_case::title ? !after_letter : at == 0;
    const bool upper = how == letter_case::upper || (how != letter_case::lower && first);
    detail::append_in_case(out, character, c, upper, how != letter_case::upper, text.is_data(at));
    after_letter = is_upper(c) || is_lower(c);
  });
  return out;
}

}  // namespace rocmforge::jinja
