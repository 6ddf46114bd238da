// Operators with the meaning that Python gives them, subscripts and slices among them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/runtime.hpp>

namespace rocmforge::jinja {

namespace detail {

inline constexpr std::int64_t lowest_integer = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t highest_integer = std::numeric_limits<std::int64_t>::max();

[[noreturn]] inline void fail_range() {
  throw error("an integer needs more than 64 bits");
}

inline std::int64_t add_integers(std::int64_t a, std::int64_t b) {
  if (b > 0 ? a > highest_integer - b : a < lowest_integer - b) fail_range();
  return a + b;
}

inline std::int64_t subtract_integers(std::int64_t a, std::int64_t b) {
  if (b < 0 ? a > highest_integer + b : a < lowest_integer + b) fail_range();
  return a - b;
}

inline std::int64_t multiply_integers(std::int64_t a, std::int64_t b) {
  if (a == 0 || b == 0) return 0;
  const auto magnitude = [](std::int64_t n) {
    return n < 0 ? 0 - static_cast<std::uint64_t>(n) : static_cast<std::uint64_t>(n);
  };
  const bool negative = (a < 0) != (b < 0);
  const std::uint64_t limit = static_cast<std::uint64_t>(highest_integer) + (negative ? 1 : 0);
  if (magnitude(a) > limit / magnitude(b)) fail_range();
  const std::uint64_t product = magnitude(a) * magnitude(b);
  return static_cast<std::int64_t>(negative ? 0 - product : product);
}

[[noreturn]] inline void fail_division() {
  throw error("division by zero");
}

/// Rounded down.
inline std::int64_t divide_integers(std::int64_t a, std::int64_t b) {
  if (b == 0) fail_division();
  if (b == -1) return subtract_integers(0, a);
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}

/// With the sign of the divisor.
inline std::int64_t modulo_integers(std::int64_t a, std::int64_t b) {
  if (b == 0) fail_division();
  if (b == -1) return 0;
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

inline double modulo_reals(double a, double b) {
  if (b == 0) fail_division();
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

inline double divide_reals(double a, double b) {
  if (b == 0) fail_division();
  return std::floor(a / b);
}

inline value power(const value& a, const value& b) {
  if (a.is_whole() && b.is_whole() && b.integer() >= 0) {
    std::int64_t base = a.integer(), exponent = b.integer(), result = 1;
    if (base == 0 || base == 1) return exponent == 0 ? value(1) : value(base);
    if (base == -1) return exponent % 2 == 0 ? value(1) : value(-1);
    if (exponent > 63) fail_range();
    for (; exponent > 0; --exponent) result = multiply_integers(result, base);
    return result;
  }
  const double base = a.real(), exponent = b.real();
  if (base == 0 && exponent < 0) fail_division();
  const double result = std::pow(base, exponent);
  if (std::isnan(result) && !std::isnan(base) && !std::isnan(exponent))
    throw error("a negative number has no such power");
  if (std::isinf(result) && !std::isinf(base) && !std::isinf(exponent))
    throw error("a float is out of range");
  return result;
}

inline value repeat(runtime& run, const value& what, std::int64_t count) {
  const std::size_t times = static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
  if (what.is_string()) {
    run.work.take_value_bytes(what.text().size(), times);
    const std::size_t size = what.text().size() * times;
    marked_text out = what.text().part(0, size);
    while (out.size() < size) out += out.part(0, size - out.size());  // twice as long
    return out;
  }
  const std::vector<value>& items = what.list().items;
  run.work.take_value_bytes(items.size() * sizeof(value), times);
  std::vector<value> result;
  if (!items.empty())
    for (std::size_t i = 0; i < times; ++i) result.insert(result.end(), items.begin(), items.end());
  return run.list(std::move(result), what.list().is_tuple);
}

/// Python's text % values, of which there are %s, %d and %%.
inline marked_text format_percent(runtime& run, const marked_text& text, const value& values) {
  const bool is_tuple = values.is_sequence() && values.list().is_tuple;
  const std::size_t count = is_tuple ? values.list().items.size() : 1;
  const std::string& bytes = text.bytes();
  run.work.take_value_bytes(bytes.size() + 64);
  marked_text out;
  std::size_t next = 0, at = 0;
  for (std::size_t mark = bytes.find('%'); mark != bytes.npos; mark = bytes.find('%', at)) {
    out += text.part(at, mark - at);
    at = mark + 2;
    const char what = at <= bytes.size() ? bytes[mark + 1] : '\0';
    if (what == '%') {
      out += "%";
      continue;
    }
    if (what != 's' && what != 'd') throw error("a format has %s, %d and %% and no other fields");
    if (next == count) throw error("a format has more fields than values");
    const value& v = is_tuple ? values.list().items[next] : values;
    ++next;
    if (what == 'd' && !v.is_whole()) throw error(std::string("%d is not for ") + v.type_name());
    const value written = what == 'd' ? value(std::to_string(v.integer())) : string_of(run, v);
    run.work.take_value_bytes(written.text().size());
    out += written.text();
  }
  if (next < (is_tuple || !values.is_dict() ? count : 0))
    throw error("a format has fewer fields than values");
  out += text.part(at);
  return out;
}

}  // namespace detail

/// `text` is one of + - * / // % ** ~.
inline value apply_binary(runtime& run, const std::string& text, const value& a, const value& b) {
  if (text == "~") {
    const value left = string_of(run, a), right = string_of(run, b);
    run.work.take_value_bytes(left.text().size() + right.text().size() + 64);
    marked_text out = left.text();
    out += right.text();
    return out;
  }
  if (text == "%" && a.is_string()) return value(detail::format_percent(run, a.text(), b));
  for (const value* v : {&a, &b})
    if (v->is_undefined()) throw error(v->why_undefined());
  if (a.is_number() && b.is_number()) {
    const bool whole = a.is_whole() && b.is_whole();
    switch (text[0]) {
      case '+':
        if (whole) return detail::add_integers(a.integer(), b.integer());
        return a.real() + b.real();
      case '-':
        if (whole) return detail::subtract_integers(a.integer(), b.integer());
        return a.real() - b.real();
      case '*':
        if (text.size() == 2) return detail::power(a, b);
        if (whole) return detail::multiply_integers(a.integer(), b.integer());
        return a.real() * b.real();
      case '/':
        if (text.size() == 2) {
          if (whole) return detail::divide_integers(a.integer(), b.integer());
          return detail::divide_reals(a.real(), b.real());
        }
        if (b.real() == 0) detail::fail_division();
        return a.real() / b.real();
      default:
        if (whole) return detail::modulo_integers(a.integer(), b.integer());
        return detail::modulo_reals(a.real(), b.real());
    }
  }
  if (text == "+" && a.is_string() && b.is_string()) {
    run.work.take_value_bytes(a.text().size() + b.text().size() + 64);
    marked_text out = a.text();
    out += b.text();
    return out;
  }
  if (text == "+" && a.is_sequence() && b.is_sequence() && a.list().is_tuple == b.list().is_tuple) {
    run.work.take_value_bytes(a.list().items.size() + b.list().items.size(), sizeof(value));
    std::vector<value> items = a.list().items;
    items.insert(items.end(), b.list().items.begin(), b.list().items.end());
    return run.list(std::move(items), a.list().is_tuple);
  }
  if (text == "*" && (a.is_string() || a.is_sequence()) && b.is_whole())
    return detail::repeat(run, a, b.integer());
  if (text == "*" && (b.is_string() || b.is_sequence()) && a.is_whole())
    return detail::repeat(run, b, a.integer());
  throw error("'" + text + "' is not defined between " + a.type_name() + " and " + b.type_name());
}

inline value negate(const value& v) {
  if (v.is_undefined()) throw error(v.why_undefined());
  if (v.is_whole()) return detail::subtract_integers(0, v.integer());
  if (v.is_real()) return -v.real();
  throw error(std::string("'-' is not defined for ") + v.type_name());
}

/// Where `part` begins in `text`, from `first` on, or npos; charges for the search.
inline std::size_t find_text(runtime& run, std::string_view text, std::string_view part,
                             std::size_t first = 0) {
  if (first > text.size() || part.size() > text.size() - first) return text.npos;
  if (part.size() <= 64) {
    const std::size_t found = text.find(part, first);
    run.work.take_steps(1 + (std::min(found, text.size()) - first) / 16);
    return found;
  }
  // Knuth, Morris and Pratt: no text takes longer than its length.
  run.work.take_value_bytes(part.size(), sizeof(std::size_t));
  run.work.take_characters(part.size());
  std::vector<std::size_t> border(part.size() + 1, 0);
  for (std::size_t i = 1, length = 0; i < part.size(); ++i) {
    while (length > 0 && part[i] != part[length]) length = border[length];
    if (part[i] == part[length]) ++length;
    border[i + 1] = length;
  }
  for (std::size_t i = first, length = 0; i < text.size(); ++i) {
    if (i % 16 == 0) run.work.take_steps();
    while (length > 0 && text[i] != part[length]) length = border[length];
    if (text[i] == part[length]) ++length;
    if (length == part.size()) return i + 1 - length;
  }
  return text.npos;
}

/// Python's `item in container`.
inline bool contains(runtime& run, const value& container, const value& item) {
  if (container.is_undefined()) return false;
  if (container.is_string()) {
    if (!item.is_string())
      throw error(std::string("'in' a str takes a str, not ") + item.type_name());
    return find_text(run, container.bytes(), item.bytes()) != std::string::npos;
  }
  if (container.is_sequence()) {
    for (const value& other : container.list().items)
      if (equal(other, item, run.work)) return true;
    return false;
  }
  if (container.is_dict()) {
    if (item.is_undefined()) return false;
    return find_key(container.dict(), item, run.work) != nullptr;
  }
  throw error(std::string("'in' is not defined for ") + container.type_name());
}

/// `text` is one of == != < <= > >= in, not in.
inline bool compare(runtime& run, const std::string& text, const value& a, const value& b) {
  if (text == "==") return equal(a, b, run.work);
  if (text == "!=") return !equal(a, b, run.work);
  if (text == "in") return contains(run, b, a);
  if (text == "not in") return !contains(run, b, a);
  const bool swapped = text[0] == '>';
  const value &low = swapped ? b : a, &high = swapped ? a : b;
  if (text.size() == 1) return less(low, high, run.work, text.c_str());
  if (low.is_real() || high.is_real()) {  // NaN has no order
    if (low.is_number() && high.is_number()) return low.real() <= high.real();
  }
  return !less(high, low, run.work, text.c_str());
}

/// The item of a list or text, counted from the end where the index is negative, or nothing.
inline std::optional<value> item_at(runtime& run, const value& base, std::int64_t index) {
  if (base.is_sequence()) {
    const auto& items = base.list().items;
    const auto size = static_cast<std::int64_t>(items.size());
    if (index < -size || index >= size) return std::nullopt;
    return items[static_cast<std::size_t>(index < 0 ? index + size : index)];
  }
  const marked_text& text = base.text();
  const auto bytes = static_cast<std::int64_t>(text.size());
  if (index < -bytes || index >= bytes) return std::nullopt;
  if (index < 0) index += length_of(run, base);
  if (index < 0) return std::nullopt;
  std::size_t at = 0;
  run.work.take_steps(1 + static_cast<std::size_t>(index) / 16);
  for (; index > 0 && at < text.size(); --index) at += character_bytes(text.bytes(), at);
  if (at >= text.size()) return std::nullopt;
  return value(text.part(at, character_bytes(text.bytes(), at)));
}

/// base[first:last:step]; None and undefined stand for what is not given.
inline value slice_of(runtime& run, const value& base, const value& first, const value& last,
                      const value& step) {
  if (base.is_undefined()) throw error(base.why_undefined());
  if (!base.is_string() && !base.is_sequence())
    throw error(std::string("'") + base.type_name() + "' has no slices");
  const auto number = [](const value& v) -> std::optional<std::int64_t> {
    if (v.is_none()) return std::nullopt;
    if (v.is_undefined()) throw error(v.why_undefined());
    if (!v.is_whole()) throw error(std::string("a slice takes int, not ") + v.type_name());
    return v.integer();
  };
  const std::int64_t stride = number(step).value_or(1);
  if (stride == 0) throw error("the step of a slice is zero");
  const std::int64_t size = length_of(run, base);
  const auto place = [&](std::optional<std::int64_t> given, std::int64_t otherwise) {
    if (!given) return otherwise;
    const std::int64_t at = *given < 0 ? std::max<std::int64_t>(*given, -size - 1) + size : *given;
    return stride > 0 ? std::clamp<std::int64_t>(at, 0, size)
                      : std::clamp<std::int64_t>(at, -1, size - 1);
  };
  const std::int64_t from = place(number(first), stride > 0 ? 0 : size - 1);
  const std::int64_t to = place(number(last), stride > 0 ? size : -1);
  const auto each = [&](auto&& take) {
    std::int64_t i = from;
    while (stride > 0 ? i < to : i > to) {
      take(static_cast<std::size_t>(i));
      if (stride > 0 ? stride >= to - i : stride <= to - i) break;
      i += stride;
    }
  };
  if (base.is_sequence()) {
    std::vector<value> items;
    if (stride > 0 ? from < to : from > to) {
      const auto span = static_cast<std::uint64_t>(stride > 0 ? to - from : from - to);
      run.work.take_value_bytes(span / (stride > 0 ? static_cast<std::uint64_t>(stride)
                                                   : 0 - static_cast<std::uint64_t>(stride)) +
                                    1,
                                sizeof(value));
    }
    each([&](std::size_t i) { items.push_back(base.list().items[i]); });
    return run.list(std::move(items), base.list().is_tuple);
  }
  const marked_text& text = base.text();
  run.work.take_value_bytes(text.size() + 64);
  run.work.take_characters(text.size());
  if (static_cast<std::size_t>(size) == text.size() && stride == 1)
    return text.part(static_cast<std::size_t>(from),
                     static_cast<std::size_t>(std::max(to - from, std::int64_t{0})));
  run.work.take_value_bytes(text.size(), sizeof(std::size_t));
  const std::vector<std::size_t> starts = character_starts(text.bytes());
  if (stride == 1) {
    const std::size_t start = starts[static_cast<std::size_t>(from)];
    return text.part(start, starts[static_cast<std::size_t>(std::max(from, to))] - start);
  }
  marked_text out;
  each([&](std::size_t i) { out += text.part(starts[i], starts[i + 1] - starts[i]); });
  return out;
}

}  // namespace rocmforge::jinja
