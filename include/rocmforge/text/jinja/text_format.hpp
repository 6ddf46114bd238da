// How Python puts values into texts: the % operator and str.format.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/characters.hpp>
#include <rocmforge/text/jinja/runtime.hpp>

namespace rocmforge::jinja {

/// What a field asks for: [[fill]align][sign][#][0][width][,][.precision][type].
struct field_format {
  std::string fill = " ";
  char align = '\0';  // < > ^ =
  char sign = '-';
  bool alternate = false;
  std::size_t width = 0;
  char grouping = '\0';
  std::optional<std::size_t> precision;
  char type = '\0';
};

namespace detail {

inline constexpr std::size_t max_precision = 300;

/// Reads digits; fails where they are more than a format may ask for.
inline std::optional<std::size_t> read_size(std::string_view text, std::size_t& at) {
  const std::size_t first = at;
  std::size_t size = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    size = size * 10 + static_cast<std::size_t>(text[at] - '0');
    if (size > 100'000'000) throw error("a width or precision is too large");
  }
  return at == first ? std::nullopt : std::optional(size);
}

inline field_format parse_field_format(std::string_view text) {
  field_format format;
  constexpr std::string_view aligns = "<>^=";
  std::size_t at = 0;
  if (!text.empty()) {
    const std::size_t first = character_bytes(text, 0);
    if (first < text.size() && aligns.find(text[first]) != aligns.npos) {
      format.fill = text.substr(0, first);
      format.align = text[first];
      at = first + 1;
    } else if (aligns.find(text[0]) != aligns.npos) {
      format.align = text[at++];
    }
  }
  const auto next_is = [&](char c) { return at < text.size() && text[at] == c; };
  if (next_is('+') || next_is('-') || next_is(' ')) format.sign = text[at++];
  if (next_is('#')) {
    format.alternate = true;
    ++at;
  }
  if (next_is('0')) {
    ++at;
    if (format.align == '\0') {
      format.fill = "0";
      format.align = '=';
    }
  }
  format.width = read_size(text, at).value_or(0);
  if (next_is(',') || next_is('_')) format.grouping = text[at++];
  if (next_is('.')) {
    ++at;
    format.precision = read_size(text, at);
    if (!format.precision) throw error("a format lacks its precision");
  }
  if (at < text.size()) format.type = text[at++];
  if (at != text.size()) throw error("unknown format '" + printable(text, 40) + "'");
  return format;
}

/// Digits of a number without its sign, in groups where the format asks for them.
inline std::string group_digits(const std::string& digits, char separator, std::size_t size) {
  std::size_t end = 0;
  while (end < digits.size() && (separator == '_' || (digits[end] >= '0' && digits[end] <= '9')) &&
         digits[end] != '.')
    ++end;
  std::string result;
  for (std::size_t i = 0; i < end; ++i) {
    if (i != 0 && (end - i) % size == 0) result += separator;
    result += digits[i];
  }
  return result + digits.substr(end);
}

inline std::string integer_digits(std::uint64_t magnitude, int base) {
  char buffer[72];
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, magnitude, base);
  return {buffer, written.ptr};
}

/// A finite or infinite number, not negative, in one of e f g % or none.
inline std::string real_digits(double magnitude, char type, std::optional<std::size_t> precision,
                               bool alternate, bool after_percent) {
  const char lower = static_cast<char>(type | 0x20);
  const bool uppercase = type == 'E' || type == 'F' || type == 'G';
  std::string result;
  if (std::isnan(magnitude) || std::isinf(magnitude)) {
    result = std::isnan(magnitude) ? "nan" : "inf";
  } else if (type == '\0' && !precision) {
    result = float_text(magnitude);
  } else {
    if (precision.value_or(6) > max_precision)
      throw error("a precision is larger than " + std::to_string(max_precision));
    int digits = static_cast<int>(precision.value_or(6));
    const bool general = type == '\0' || lower == 'g';
    if (general && digits == 0) digits = 1;
    char buffer[1024];
    const auto form = lower == 'e' ? std::chars_format::scientific
                      : general    ? std::chars_format::general
                                   : std::chars_format::fixed;
    const double number = type == '%' ? magnitude * 100 : magnitude;
    if (std::isinf(number)) {
      result = "inf";
    } else if (type == '\0') {
      // As g, but with a digit after the point, and an exponent where that would not fit.
      const auto written = std::to_chars(buffer, buffer + sizeof buffer, number,
                                         std::chars_format::scientific, digits - 1);
      const std::string scientific(buffer, written.ptr);
      const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
      const auto end = std::to_chars(buffer, buffer + sizeof buffer, number, form, digits);
      result.assign(buffer, end.ptr);
      const bool has_exponent = result.find('e') != result.npos;
      if (!has_exponent && exponent >= digits - 1) {
        // 12.0 with two digits is 1.2e+01.
        std::string mantissa = scientific.substr(0, scientific.find('e'));
        if (mantissa.find('.') != mantissa.npos) {
          mantissa.erase(mantissa.find_last_not_of('0') + 1);
          if (mantissa.back() == '.') mantissa.pop_back();
        }
        result = mantissa + scientific.substr(scientific.find('e'));
      } else if (!has_exponent && result.find('.') == result.npos) {
        result += ".0";
      }
    } else {
      const auto written = std::to_chars(buffer, buffer + sizeof buffer, number, form, digits);
      result.assign(buffer, written.ptr);
    }
  }
  if (type == '%' && !after_percent) result += '%';
  if (alternate && result.find_first_of(".n") == result.npos)
    result.insert(std::min(result.find('e'), result.size()), ".");
  if (uppercase)
    for (char& c : result)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return result;
}

/// Fills `body` up to the width of the format.
inline marked_text pad(runtime& run, const field_format& format, std::string_view sign,
                       const marked_text& body, char default_align) {
  const std::size_t length = num_characters(body.bytes()) + sign.size();
  const std::size_t missing = format.width > length ? format.width - length : 0;
  run.work.take_value_bytes(body.size() + 16);
  run.work.take_value_bytes(missing, format.fill.size());
  const char align = format.align == '\0' ? default_align : format.align;
  const std::size_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  marked_text out;
  const auto fill = [&](std::size_t count) {
    std::string filling;
    for (std::size_t i = 0; i < count; ++i) filling += format.fill;
    out += filling;
  };
  if (align == '=') out += sign;
  fill(left);
  if (align != '=') out += sign;
  out += body;
  fill(missing - left);
  return out;
}

inline std::string sign_of(bool negative, char sign) {
  return negative ? "-" : sign == '-' ? "" : std::string(1, sign);
}

inline marked_text format_integer(runtime& run, std::int64_t number, const field_format& format) {
  const char type = format.type == '\0' ? 'd' : format.type;
  const char lower = static_cast<char>(type | 0x20);
  if (type == 'c') {
    if (number < 0 || number > 0x10ffff || (number >= 0xd800 && number < 0xe000))
      throw error("%c: " + std::to_string(number) + " is no character");
    std::string character;
    append_utf8(character, static_cast<char32_t>(number));
    return pad(run, format, "", marked_text(character), '<');
  }
  const std::uint64_t magnitude =
      number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  std::string digits, sign = sign_of(number < 0, format.sign);
  if (type == 'd' || type == 'n') {
    digits = integer_digits(magnitude, 10);
  } else if (lower == 'x' || type == 'o' || type == 'b') {
    digits = integer_digits(magnitude, lower == 'x' ? 16 : type == 'o' ? 8 : 2);
    if (type == 'X')
      for (char& c : digits)
        if (c >= 'a') c = static_cast<char>(c - 32);
    if (format.alternate) sign += std::string("0") + type;
  } else {
    throw error("unknown format '" + printable(std::string(1, type)) + "' for an int");
  }
  if (format.precision) throw error("a precision is not allowed for an int");
  if (format.grouping != '\0')
    digits = group_digits(digits, format.grouping, type == 'd' || type == 'n' ? 3 : 4);
  return pad(run, format, sign, marked_text(digits), '>');
}

inline marked_text format_real(runtime& run, double number, const field_format& format) {
  constexpr std::string_view types = "eEfFgGn%";
  if (format.type != '\0' && types.find(format.type) == types.npos)
    throw error("unknown format '" + printable(std::string(1, format.type)) + "' for a float");
  const char type = format.type == 'n' ? 'g' : format.type;
  const bool negative = std::signbit(number) && !std::isnan(number);
  std::string digits =
      real_digits(std::fabs(number), type, format.precision, format.alternate, false);
  if (format.grouping != '\0') digits = group_digits(digits, format.grouping, 3);
  return pad(run, format, sign_of(negative, format.sign), marked_text(digits), '>');
}

/// The first `count` characters.
inline marked_text first_characters(const marked_text& text, std::size_t count) {
  std::size_t at = 0;
  for (; count > 0 && at < text.size(); --count) at += character_bytes(text.bytes(), at);
  return text.part(0, at);
}

}  // namespace detail

/// Python's format().
inline marked_text format_value(runtime& run, const value& v, std::string_view text) {
  if (text.empty()) return string_of(run, v).text();
  const field_format format = detail::parse_field_format(text);
  constexpr std::string_view real_types = "eEfFgG%";
  const bool as_real = format.type != '\0' && real_types.find(format.type) != real_types.npos;
  if (v.is_real() || (v.is_whole() && as_real)) return detail::format_real(run, v.real(), format);
  if (v.is_whole() && !(v.is_bool() && format.type == 's'))
    return detail::format_integer(run, v.integer(), format);
  if (!v.is_string())
    throw error(std::string("a value of type ") + v.type_name() + " takes no format");
  if (format.type != '\0' && format.type != 's')
    throw error("unknown format '" + printable(std::string(1, format.type)) + "' for a str");
  if (format.align == '=' && format.fill != "0") throw error("'=' does not align a str");
  run.work.take_characters(v.text().size());
  const marked_text body =
      format.precision ? detail::first_characters(v.text(), *format.precision) : v.text();
  field_format plain = format;
  if (plain.align == '=') plain.align = '<';
  return detail::pad(run, plain, "", body, '<');
}

/// Python's text % values.
inline marked_text format_percent(runtime& run, const marked_text& text, const value& values) {
  const std::string& bytes = text.bytes();
  const bool is_tuple = values.is_sequence() && values.list().is_tuple;
  std::size_t next = 0;
  const auto take = [&]() -> value {
    const std::size_t i = next++;
    if (is_tuple) {
      if (i >= values.list().items.size()) throw error("not enough values for the format");
      return values.list().items[i];
    }
    if (i > 0) throw error("not enough values for the format");
    return values;
  };
  run.work.take_value_bytes(bytes.size());
  run.work.take_characters(bytes.size());
  marked_text out;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t percent = std::min(bytes.find('%', at), bytes.size());
    out += text.part(at, percent - at);
    at = percent + 1;
    if (percent == bytes.size()) break;
    run.work.take_steps();
    std::optional<value> chosen;
    if (at < bytes.size() && bytes[at] == '(') {
      const std::size_t close = bytes.find(')', at);
      if (close == bytes.npos) throw error("a format has no ')'");
      if (!values.is_dict()) throw error("a format with names needs a dict");
      const value* found =
          find_key(values.dict(), value(bytes.substr(at + 1, close - at - 1)), run.work);
      if (found == nullptr)
        throw error("no value '" + printable(bytes.substr(at + 1, close - at - 1), 40) +
                    "' for the format");
      chosen = *found;
      next = 1;
      at = close + 1;
    }
    field_format format;
    bool zero = false, left = false;
    for (; at < bytes.size() && std::string_view("-+ #0").find(bytes[at]) != std::string::npos;
         ++at) {
      if (bytes[at] == '-') left = true;
      if (bytes[at] == '0') zero = true;
      if (bytes[at] == '#') format.alternate = true;
      if (bytes[at] == '+' || (bytes[at] == ' ' && format.sign != '+')) format.sign = bytes[at];
    }
    const auto read_count = [&]() -> std::optional<std::size_t> {
      if (at >= bytes.size() || bytes[at] != '*') return detail::read_size(bytes, at);
      ++at;
      const value count = take();
      if (!count.is_whole()) throw error("* in a format takes an int");
      std::int64_t size = count.integer();
      if (size < 0) left = true;
      if (size < -100'000'000 || size > 100'000'000) throw error("a width is too large");
      return static_cast<std::size_t>(size < 0 ? -size : size);
    };
    format.width = read_count().value_or(0);
    if (at < bytes.size() && bytes[at] == '.') {
      ++at;
      format.precision = read_count().value_or(0);
    }
    while (at < bytes.size() && std::string_view("hlL").find(bytes[at]) != std::string::npos) ++at;
    if (at >= bytes.size()) throw error("a format is cut off");
    const char type = bytes[at++];
    if (type == '%') {
      out += "%";
      continue;
    }
    const value v = chosen ? *chosen : take();
    if (v.is_undefined() && type != 's' && type != 'r') throw error(v.why_undefined());
    format.align = left ? '<' : '>';
    switch (type) {
      case 's':
      case 'r':
      case 'a': {
        marked_text body = type == 's' ? string_of(run, v).text() : repr(v, run.work);
        if (format.precision) body = detail::first_characters(body, *format.precision);
        out += detail::pad(run, format, "", body, '<');
        break;
      }
      case 'c':
        if (v.is_string()) {
          if (num_characters(v.bytes()) != 1) throw error("%c takes one character");
          out += detail::pad(run, format, "", v.text(), '<');
          break;
        }
        [[fallthrough]];
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o': {
        const bool is_decimal = type == 'd' || type == 'i' || type == 'u';
        if (!v.is_whole() && !(is_decimal && v.is_real()))
          throw error(std::string("%") + type + " takes a number, not " + v.type_name());
        if (v.is_real() && !(std::fabs(v.real()) < 9e18)) throw error("the number is too large");
        if (zero && !left) {
          format.fill = "0";
          format.align = '=';
        }
        std::int64_t number = v.is_real() ? static_cast<std::int64_t>(v.real()) : v.integer();
        format.type = is_decimal ? 'd' : type;
        if (format.precision && type != 'c') {  // digits at least
          if (*format.precision > detail::max_precision) throw error("a precision is too large");
          field_format digits;
          digits.type = format.type;
          digits.fill = "0";
          digits.align = '=';
          digits.width = *format.precision;
          const bool negative = number < 0;
          if (negative) number = -(number + 1);
          std::string body =
              detail::integer_digits(negative ? static_cast<std::uint64_t>(number) + 1
                                              : static_cast<std::uint64_t>(number),
                                     type == 'x' || type == 'X' ? 16
                                     : type == 'o'              ? 8
                                                                : 10);
          if (body.size() < digits.width) body.insert(0, digits.width - body.size(), '0');
          if (type == 'X') body = in_case(marked_text(body), letter_case::upper).bytes();
          std::string sign = detail::sign_of(negative, format.sign);
          if (format.alternate && !is_decimal) sign += std::string("0") + type;
          out += detail::pad(run, format, sign, marked_text(body), '>');
          break;
        }
        format.precision.reset();
        out += detail::format_integer(run, number, format);
        break;
      }
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G': {
        if (!v.is_number())
          throw error(std::string("%") + type + " takes a number, not " + v.type_name());
        if (zero && !left) {
          format.fill = "0";
          format.align = '=';
        }
        format.type = type;
        out += detail::format_real(run, v.real(), format);
        break;
      }
      default:
        throw error(std::string("unknown format '%") + printable(std::string(1, type)) + "'");
    }
  }
  if (is_tuple ? next < values.list().items.size()
               : next == 0 && !values.is_dict() && !values.is_undefined() &&
                     !(values.is_sequence() && !is_tuple))
    throw error("more values than the format takes");
  return out;
}

/// Looks up what follows a name in a field: .name or [key].
using field_lookup = std::function<value(const value&, const value& key, bool is_attribute)>;

namespace detail {

inline value find_field(runtime& run, std::string_view name, arguments& given, std::size_t& next,
                        const field_lookup& look_up) {
  std::size_t end = std::min(name.find_first_of(".["), name.size());
  const std::string_view first = name.substr(0, end);
  value result;
  std::size_t at = 0;
  const std::optional<std::size_t> number = read_size(first, at);
  if (first.empty() || (number && at == first.size())) {
    const std::size_t i = first.empty() ? next++ : *number;
    if (i >= given.positional.size()) throw error("format: no argument " + std::to_string(i));
    result = given.positional[i];
  } else {
    const auto found = std::find_if(given.named.begin(), given.named.end(),
                                    [&](const auto& named) { return named.first == first; });
    if (found == given.named.end())
      throw error("format: no argument '" + printable(first, 40) + "'");
    result = found->second;
  }
  while (end < name.size()) {
    run.work.take_steps();
    if (name[end] == '.') {
      const std::size_t stop = std::min(name.find_first_of(".[", end + 1), name.size());
      result = look_up(result, value(std::string(name.substr(end + 1, stop - end - 1))), true);
      end = stop;
    } else {
      const std::size_t stop = name.find(']', end);
      if (name[end] != '[' || stop == name.npos) throw error("format: a field has no ']'");
      const std::string_view key = name.substr(end + 1, stop - end - 1);
      std::size_t read = 0;
      const auto index = read_size(key, read);
      result = look_up(result,
                       index && read == key.size() ? value(static_cast<std::int64_t>(*index))
                                                   : value(std::string(key)),
                       false);
      end = stop + 1;
    }
  }
  return result;
}

}  // namespace detail

/// Python's text.format(...).
inline marked_text format_braces(runtime& run, const marked_text& text, arguments& given,
                                 const field_lookup& look_up) {
  const std::string& bytes = text.bytes();
  run.work.take_value_bytes(bytes.size());
  run.work.take_characters(bytes.size());
  marked_text out;
  std::size_t next = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const char c = bytes[at];
    if (c != '{' && c != '}') {
      const std::size_t stop = std::min(bytes.find_first_of("{}", at), bytes.size());
      out += text.part(at, stop - at);
      at = stop;
      continue;
    }
    if (at + 1 < bytes.size() && bytes[at + 1] == c) {
      out += text.part(at, 1);
      at += 2;
      continue;
    }
    if (c == '}') throw error("format: a single '}'");
    // The field may itself have fields, in its format.
    std::size_t end = at + 1;
    for (int open = 1; end < bytes.size(); ++end) {
      if (bytes[end] == '{') ++open;
      if (bytes[end] == '}' && --open == 0) break;
    }
    if (end >= bytes.size()) throw error("format: a '{' has no '}'");
    const std::string_view field = std::string_view(bytes).substr(at + 1, end - at - 1);
    run.work.take_steps(1 + field.size() / 16);
    const std::size_t name_end = std::min(field.find_first_of("!:"), field.size());
    value v = detail::find_field(run, field.substr(0, name_end), given, next, look_up);
    std::size_t format_start = name_end;
    if (name_end < field.size() && field[name_end] == '!') {
      const char how = name_end + 1 < field.size() ? field[name_end + 1] : '\0';
      if (how != 'r' && how != 's' && how != 'a') throw error("format: expected !r or !s");
      v = value(how == 's' ? string_of(run, v).text() : repr(v, run.work));
      format_start = name_end + 2;
      if (format_start < field.size() && field[format_start] != ':')
        throw error("format: expected ':' after a conversion");
    }
    std::string format;
    if (format_start < field.size()) {
      const std::string_view rest = field.substr(format_start + 1);
      for (std::size_t i = 0; i < rest.size();) {
        const std::size_t open = std::min(rest.find('{', i), rest.size());
        format += rest.substr(i, open - i);
        if (open == rest.size()) break;
        const std::size_t close = rest.find('}', open);
        if (close == rest.npos) throw error("format: a '{' has no '}'");
        const value inner =
            detail::find_field(run, rest.substr(open + 1, close - open - 1), given, next, look_up);
        format += string_of(run, inner).bytes();
        i = close + 1;
      }
    }
    const marked_text written = format_value(run, v, format);
    run.work.take_value_bytes(written.size());
    out += written;
    at = end + 1;
  }
  return out;
}

}  // namespace rocmforge::jinja
