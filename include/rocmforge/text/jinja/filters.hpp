// What stands after |.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/characters.hpp>
#include <rocmforge/text/jinja/methods.hpp>
#include <rocmforge/text/jinja/operators.hpp>
#include <rocmforge/text/jinja/runtime.hpp>
#include <rocmforge/text/jinja/tests.hpp>
#include <rocmforge/text/jinja/text_format.hpp>

namespace rocmforge::jinja {

namespace detail {

using filter = value (*)(runtime&, arguments&);

struct named_filter {
  std::string_view name;
  filter run;
};

/// A value without the arguments after it.
inline const value& only_value(const char* name, arguments& args) {
  return parameters(name, args, {"value"}).at(0);
}

inline std::size_t to_size(std::int64_t number) {
  return static_cast<std::size_t>(std::max<std::int64_t>(number, 0));
}

// Numbers.

inline value filter_abs(runtime&, arguments& args) {
  const value& v = only_value("abs", args);
  if (v.is_undefined()) throw error(v.why_undefined());
  if (v.is_real()) return std::fabs(v.real());
  if (!v.is_whole()) throw error(std::string("abs is not defined for ") + v.type_name());
  return v.integer() < 0 ? negate(v) : value(v.integer());
}

/// A number as Python's float() reads it.
inline std::optional<double> read_real(runtime& run, const marked_text& text) {
  const std::string bytes = strip(run, text, side::both).bytes();
  std::string digits;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto is_number = [&](std::size_t at) {
      return at < bytes.size() && is_decimal(static_cast<unsigned char>(bytes[at]));
    };
    if (bytes[i] == '_' && i > 0 && is_number(i - 1) && is_number(i + 1)) continue;
    digits += bytes[i] >= 'A' && bytes[i] <= 'Z' ? static_cast<char>(bytes[i] + 32) : bytes[i];
  }
  bool negative = false;
  if (digits.starts_with('+') || digits.starts_with('-')) {
    negative = digits[0] == '-';
    digits.erase(0, 1);
  }
  double number = 0;
  if (digits == "inf" || digits == "infinity") {
    number = std::numeric_limits<double>::infinity();
  } else if (digits == "nan") {
    number = std::numeric_limits<double>::quiet_NaN();
  } else {
    if (digits.empty() || digits.find_first_not_of("0123456789.e+-") != digits.npos ||
        digits[0] == '-')
      return std::nullopt;
    const char* last = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), last, number);
    if (read.ptr != last) return std::nullopt;
    if (read.ec == std::errc::result_out_of_range) {
      const std::size_t mark = digits.find('e');
      const bool is_small = mark != digits.npos ? digits.find('-', mark) != digits.npos
                                                : digits.find('.') != digits.npos;
      number = is_small ? 0.0 : std::numeric_limits<double>::infinity();
    } else if (read.ec != std::errc()) {
      return std::nullopt;
    }
  }
  return negative ? -number : number;
}

/// A number as Python's int() reads it; nothing if it is none.
inline std::optional<std::int64_t> read_integer(runtime& run, const marked_text& text,
                                                std::int64_t base) {
  std::string digits;
  const std::string bytes = strip(run, text, side::both).bytes();
  std::size_t at = 0;
  bool negative = false;
  if (!bytes.empty() && (bytes[0] == '+' || bytes[0] == '-')) negative = bytes[at++] == '-';
  if (at + 1 < bytes.size() && bytes[at] == '0') {
    const char mark = static_cast<char>(bytes[at + 1] | 0x20);
    const int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked != 0 && (base == marked || base == 0)) {
      base = marked;
      at += 2;
      if (at < bytes.size() && bytes[at] == '_') ++at;
    }
  }
  if (base == 0) base = 10;
  bool after_digit = false;
  for (; at < bytes.size(); ++at) {
    if (bytes[at] == '_') {
      if (!after_digit) return std::nullopt;
      after_digit = false;
      continue;
    }
    digits += bytes[at];
    after_digit = true;
  }
  if (!after_digit || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  std::int64_t number = 0;
  if (negative) digits.insert(digits.begin(), '-');
  const char* last = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), last, number, static_cast<int>(base));
  if (read.ptr != last) return std::nullopt;
  if (read.ec == std::errc::result_out_of_range) fail_range();
  return number;
}

inline std::optional<std::int64_t> truncated(double number) {
  if (std::isnan(number) || std::isinf(number)) return std::nullopt;
  if (!(std::fabs(number) < 9.2e18)) fail_range();
  return static_cast<std::int64_t>(number);
}

inline value filter_int(runtime& run, arguments& args) {
  const parameters given("int", args, {"value", "default", "base"});
  const value& v = given.at(0);
  const value otherwise = given.get(1, 0);
  if (v.is_undefined()) throw error(v.why_undefined());
  if (v.is_whole()) return v.integer();
  std::optional<std::int64_t> result;
  if (v.is_real()) {
    if (std::isinf(v.real())) throw error("int: the number is infinite");
    result = truncated(v.real());
  } else if (v.is_string()) {
    const std::int64_t base = given.integer(2, 10);
    if (base != 0 && (base < 2 || base > 36)) throw error("int: a base is 0 or 2 to 36");
    result = read_integer(run, v.text(), base);
    if (!result) {
      if (const auto real = read_real(run, v.text())) result = truncated(*real);
    }
  }
  return result ? value(*result) : otherwise;
}

inline value filter_float(runtime& run, arguments& args) {
  const parameters given("float", args, {"value", "default"});
  const value& v = given.at(0);
  if (v.is_undefined()) throw error(v.why_undefined());
  if (v.is_number()) return v.real();
  if (v.is_string())
    if (const auto number = read_real(run, v.text())) return *number;
  return given.get(1, 0.0);
}

inline double round_real(double number, std::int64_t precision) {
  if (std::isnan(number) || std::isinf(number) || precision > 330) return number;
  if (precision < 0) {
    if (precision < -310) return std::copysign(0.0, number);
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(number / unit) * unit;
  }
  char buffer[700];
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, number,
                                     std::chars_format::fixed, static_cast<int>(precision));
  double result = number;
  std::from_chars(buffer, written.ptr, result);
  return result;
}

inline value filter_round(runtime&, arguments& args) {
  const parameters given("round", args, {"value", "precision", "method"});
  const value& v = given.at(0);
  const std::int64_t precision = given.integer(1, 0);
  const std::string mode = given.text(2, "common").bytes();
  if (v.is_undefined()) throw error(v.why_undefined());
  if (!v.is_number()) throw error(std::string("round is not defined for ") + v.type_name());
  if (mode == "common") {
    if (v.is_real()) return round_real(v.real(), precision);
    if (precision >= 0) return v.integer();
    if (precision < -18) return 0;
    std::int64_t unit = 1;
    for (std::int64_t i = 0; i < -precision; ++i) unit *= 10;
    std::int64_t down = divide_integers(v.integer(), unit);
    const std::int64_t rest = modulo_integers(v.integer(), unit);
    if (rest > unit - rest || (rest == unit - rest && down % 2 != 0)) ++down;
    return multiply_integers(down, unit);
  }
  if (mode != "ceil" && mode != "floor")
    throw error("round: a method is 'common', 'ceil' or 'floor'");
  if (precision < -300 || precision > 300) throw error("round: the precision is too large");
  const double unit = std::pow(10.0, static_cast<double>(precision));
  const double scaled = v.real() * unit;
  return (mode == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit;
}

// Texts.

inline value filter_string(runtime& run, arguments& args) {
  return string_of(run, only_value("string", args));
}

template <letter_case How>
value filter_case(runtime& run, arguments& args) {
  const value text = string_of(run, only_value("upper, lower and capitalize", args));
  arguments none_given;
  return call_case<How>(run, text, none_given);
}

/// A word begins after white space and opening brackets.
inline value filter_title(runtime& run, arguments& args) {
  const value text = string_of(run, only_value("title", args));
  run.work.take_value_bytes(text.text().size() + 64, 2);
  run.work.take_characters(text.text().size() * 2);
  marked_text out;
  std::size_t first = 0;
  bool in_word = false;
  const auto flush = [&](std::size_t end) {
    out += in_case(text.text().part(first, end - first), letter_case::capitalize);
    first = end;
  };
  for_each_character(text.bytes(), [&](std::string_view, char32_t c, std::size_t at) {
    const bool separates = is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    if (at != 0 && separates == in_word) flush(at);
    in_word = !separates;
  });
  flush(text.bytes().size());
  return out;
}

inline value filter_trim(runtime& run, arguments& args) {
  const parameters given("trim", args, {"value", "chars"});
  const value text = string_of(run, given.at(0));
  return strip(run, text.text(), side::both, optional_text(run, given, 1));
}

inline value filter_replace(runtime& run, arguments& args) {
  const parameters given("replace", args, {"s", "old", "new", "count"});
  const value text = string_of(run, given.at(0)), from = string_of(run, given.at(1)),
              to = string_of(run, given.at(2));
  return replace(run, text.text(), from.text(), to.text(),
                 given.has_value(3) ? given.integer(3) : -1);
}

inline value filter_center(runtime& run, arguments& args) {
  const parameters given("center", args, {"value", "width"});
  return justify(run, string_of(run, given.at(0)), given.integer(1, 80), side::both,
                 marked_text(" "));
}

inline value filter_format(runtime& run, arguments& args) {
  if (args.positional.size() > 1 && !args.named.empty())
    throw error("format takes arguments with or without names, not both");
  const value text = string_of(run, args.positional.at(0));
  if (!args.named.empty()) {
    mapping items;
    for (const auto& [name, item] : args.named) items.set(value(name), item);
    return format_percent(run, text.text(), run.dict(std::move(items)));
  }
  return format_percent(run, text.text(),
                        run.tuple({args.positional.begin() + 1, args.positional.end()}));
}

inline value filter_indent(runtime& run, arguments& args) {
  const parameters given("indent", args, {"s", "width", "first", "blank"});
  const value text(given.text(0));
  value indentation("    ");
  if (given.has(1)) {
    indentation = given.at(1).is_string() ? given.at(1) : repeat(run, " ", given.integer(1));
  }
  arguments none_given;
  run.work.take_value_bytes(text.bytes().size() + 1);
  marked_text with_end = text.text();
  with_end += "\n";
  const value lines = call_splitlines(run, value(with_end), none_given);
  marked_text out;
  const std::vector<value>& items = lines.list().items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const marked_text& line = items[i].text();
    const bool indents = i == 0 ? given.truth(2) : given.truth(3) || !line.empty();
    run.work.take_value_bytes(1 + line.size() + (indents ? indentation.bytes().size() : 0));
    run.work.take_steps();
    if (i != 0) out += "\n";
    if (indents) out += indentation.text();
    out += line;
  }
  return out;
}

inline value filter_truncate(runtime& run, arguments& args) {
  const parameters given("truncate", args, {"s", "length", "killwords", "end", "leeway"});
  const value& text = given.at(0);
  const std::int64_t length = given.integer(1, 255);
  const value end(given.text(3, "..."));
  const std::int64_t leeway = given.has_value(4) ? given.integer(4) : 5;
  const std::int64_t end_length = length_of(run, end);
  if (length < end_length) throw error("truncate: the end is longer than the length");
  if (leeway < 0) throw error("truncate: the leeway is negative");
  const std::int64_t size = length_of(run, text);
  if (size <= leeway || size - leeway <= length) return text;
  if (!text.is_string())
    throw error(std::string("truncate is not defined for ") + text.type_name());
  run.work.take_value_bytes(text.text().size() + end.text().size() + 64);
  run.work.take_characters(text.text().size());
  marked_text out = first_characters(text.text(), to_size(length - end_length));
  if (!given.truth(2)) {
    const std::size_t space = out.bytes().rfind(' ');
    if (space != std::string::npos) out = out.part(0, space);
  }
  out += end.text();
  return out;
}

inline value filter_wordcount(runtime& run, arguments& args) {
  const value text = string_of(run, only_value("wordcount", args));
  run.work.take_characters(text.text().size() * 2);
  std::int64_t count = 0;
  bool in_word = false;
  for_each_character(text.bytes(), [&](std::string_view, char32_t c, std::size_t) {
    const bool is_word = is_letter_or_digit(c) || c == '_';
    count += is_word && !in_word;
    in_word = is_word;
  });
  return count;
}

/// Lines of at most `width` characters; words break after hyphens and, if they must, anywhere.
inline value filter_wordwrap(runtime& run, arguments& args) {
  const parameters given("wordwrap", args,
                         {"s", "width", "break_long_words", "wrapstring", "break_on_hyphens"});
  const value text = string_of(run, given.at(0));
  const std::int64_t width = given.integer(1, 79);
  if (width <= 0) throw error("wordwrap: the width is not positive");
  const bool breaks_words = given.truth(2, true), breaks_hyphens = given.truth(4, true);
  const marked_text new_line = given.has_value(3) ? given.text(3) : marked_text("\n");
  arguments none_given;
  const value lines = call_splitlines(run, text, none_given);
  run.work.take_value_bytes(text.text().size() + 64, 2);
  run.work.take_value_bytes(text.text().size() / to_size(width) + lines.list().items.size() + 1,
                            new_line.size() + 1);
  marked_text out;
  bool is_first_line = true;
  for (const value& line : lines.list().items) {
    // Chunks: runs of white space and pieces of words.
    const marked_text& body = line.text();
    const std::string& bytes = body.bytes();
    run.work.take_value_bytes(bytes.size(), 3 * sizeof(std::size_t));
    run.work.take_characters(bytes.size() * 4);
    const std::vector<std::size_t> starts = character_starts(bytes);
    const std::size_t count = starts.size() - 1;
    const auto character = [&](std::size_t i) {
      return code_point_of(std::string_view(bytes).substr(starts[i], starts[i + 1] - starts[i]));
    };
    const auto is_word = [&](std::size_t i) {
      return i < count && (is_letter_or_digit(character(i)) || character(i) == '_');
    };
    const auto is_letter_at = [&](std::size_t i) { return i < count && is_letter(character(i)); };
    std::vector<std::pair<std::size_t, std::size_t>> chunks;
    for (std::size_t i = 0, first = 0; i < count; ++i) {
      const bool space = is_space(character(i));
      bool ends = i + 1 == count || is_space(character(i + 1)) != space;
      if (!ends && breaks_hyphens && character(i) == '-' && i >= first + 2)
        ends = is_letter_at(i - 1) && is_word(i - 2) && is_word(i + 1) &&
               (is_letter_at(i + 2) || (is_word(i + 2) && is_letter_at(i + 3)));
      if (!ends) continue;
      chunks.emplace_back(first, i + 1);
      first = i + 1;
    }
    if (!is_first_line) out += new_line;
    is_first_line = false;
    const auto is_blank = [&](const auto& chunk) { return is_space(character(chunk.first)); };
    bool wrapped = false;
    for (std::size_t next = 0; next < chunks.size();) {
      run.work.take_steps();
      if (wrapped && is_blank(chunks[next])) {
        ++next;
        continue;
      }
      const std::size_t first = chunks[next].first;
      std::size_t last = first, chunk = next;
      while (chunk < chunks.size() && chunks[chunk].second - first <= to_size(width))
        last = chunks[chunk++].second;
      if (chunk < chunks.size() && chunks[chunk].second - chunks[chunk].first > to_size(width)) {
        if (breaks_words) {
          last = first + to_size(width);
          chunks[chunk].first = last;
        } else if (chunk == next) {
          last = chunks[chunk++].second;
        }
      }
      next = chunk;
      std::size_t end = last;
      if (chunk > 0 && end > first) {
        std::size_t back = end;
        while (back > first && is_space(character(back - 1))) --back;
        end = back;
      }
      if (end > first) {
        if (wrapped) out += new_line;
        out += body.part(starts[first], starts[end] - starts[first]);
        wrapped = true;
      }
    }
  }
  return out;
}

inline value filter_escape(runtime& run, arguments& args) {
  const value text = string_of(run, only_value("escape", args));
  run.work.take_value_bytes(text.text().size() + 64, 5);
  run.work.take_characters(text.text().size());
  constexpr std::string_view characters = "&<>'\"";
  constexpr std::string_view names[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
  marked_text out;
  for (std::size_t i = 0; i < text.bytes().size(); ++i) {
    const std::size_t found = characters.find(text.bytes()[i]);
    out.append(
        found == characters.npos ? std::string_view(text.bytes()).substr(i, 1) : names[found],
        text.text().is_data(i));
  }
  return out;
}

inline value filter_striptags(runtime& run, arguments& args) {
  const value text = string_of(run, only_value("striptags", args));
  const std::string& bytes = text.bytes();
  run.work.take_value_bytes(bytes.size() + 64, 2);
  run.work.take_characters(bytes.size() * 2);
  const auto without = [&](const marked_text& from, const std::string& open,
                           const std::string& close) {
    marked_text out;
    std::size_t at = 0;
    for (;;) {
      const std::size_t first = from.bytes().find(open, at);
      const std::size_t last = first == std::string::npos ? first : from.bytes().find(close, first);
      if (last == std::string::npos) break;
      out += from.part(at, first - at);
      at = last + close.size();
    }
    out += from.part(at);
    return out;
  };
  const marked_text plain = without(without(text.text(), "<!--", "-->"), "<", ">");
  marked_text out = join(run, marked_text(" "), split(run, plain, std::nullopt, -1, side::left));
  constexpr std::string_view names[][2] = {{"&lt;", "<"},   {"&gt;", ">"},  {"&quot;", "\""},
                                           {"&#34;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}};
  for (const auto& [name, character] : names)
    out =
        replace(run, out, marked_text(std::string(name)), marked_text(std::string(character)), -1);
  return out;
}

inline void append_url(marked_text& out, const marked_text& text, bool in_query) {
  constexpr std::string_view plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text.bytes()[i];
    if (plain.find(c) != plain.npos || (c == '/' && !in_query)) {
      out.append(std::string(1, c), text.is_data(i));
    } else if (c == ' ' && in_query) {
      out.append("+", text.is_data(i));
    } else {
      const auto byte = static_cast<unsigned char>(c);
      const char escaped[] = {'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
      out.append(std::string_view(escaped, 3), text.is_data(i));
    }
  }
}

inline value filter_urlencode(runtime& run, arguments& args) {
  const value& v = only_value("urlencode", args);
  marked_text out;
  const auto take = [&](const value& item, bool in_query) {
    const value text = string_of(run, item);
    run.work.take_value_bytes(text.text().size() + 8, 3);
    run.work.take_characters(text.text().size());
    append_url(out, text.text(), in_query);
  };
  if (!v.is_dict() && !v.is_sequence()) {
    take(v, false);
    return out;
  }
  const std::vector<value> pairs = v.is_dict() ? pairs_of(run, v) : v.list().items;
  bool first = true;
  for (const value& pair : pairs) {
    const std::vector<value> parts = items_of(run, pair);
    if (parts.size() != 2) throw error("urlencode: expected pairs of key and value");
    if (!first) out += "&";
    first = false;
    take(parts[0], true);
    out += "=";
    take(parts[1], true);
  }
  return out;
}

inline value filter_tojson(runtime& run, arguments& args) {
  const parameters given("tojson", args,
                         {"value", "ensure_ascii", "indent", "separators", "sort_keys"});
  json_format format;
  format.ascii = given.truth(1);
  if (given.has_value(2)) {
    if (given.at(2).is_string()) {
      run.work.take_value_bytes(given.at(2).bytes().size());
      format.indent = given.at(2).bytes();
    } else {
      const std::int64_t spaces = given.integer(2);
      if (spaces > 1000) throw error("tojson: the indent is larger than 1000");
      format.indent = std::string(to_size(spaces), ' ');
    }
    format.item_separator = ",";
  }
  if (given.has_value(3)) {
    const std::vector<value> separators = items_of(run, given.at(3));
    if (separators.size() != 2 || !separators[0].is_string() || !separators[1].is_string())
      throw error("tojson: separators are two texts");
    format.item_separator = separators[0].bytes();
    format.key_separator = separators[1].bytes();
  }
  format.sort_keys = given.truth(4);
  return to_json(given.at(0), format, run.work);
}

/// The value with the keys of its dicts in order.
inline value with_sorted_keys(runtime& run, const value& v, int depth = 0) {
  run.work.require_value_depth(depth);
  run.work.take_steps();
  if (v.is_sequence()) {
    std::vector<value> items = items_of(run, v);
    for (value& item : items) item = with_sorted_keys(run, item, depth + 1);
    return run.list(std::move(items), v.list().is_tuple);
  }
  if (!v.is_dict()) return v;
  run.work.take_value_bytes(v.dict().items.size(), 4 * sizeof(value));
  mapping sorted{v.dict().items};
  sort_stably(sorted.items,
              [&](const auto& a, const auto& b) { return less(a.first, b.first, run.work); });
  for (auto& [key, item] : sorted.items) item = with_sorted_keys(run, item, depth + 1);
  return run.dict(std::move(sorted));
}

inline value filter_pprint(runtime& run, arguments& args) {
  const value v = with_sorted_keys(run, only_value("pprint", args));
  marked_text out = repr(v, run.work);
  if (num_characters(out.bytes()) > 80) throw error("pprint: more than one line is not supported");
  return out;
}

// Lists.

inline value filter_list(runtime& run, arguments& args) {
  return run.list(items_of(run, only_value("list", args)));
}

inline value filter_length(runtime& run, arguments& args) {
  return length_of(run, only_value("length", args));
}

inline value filter_first(runtime& run, arguments& args) {
  const value& v = only_value("first", args);
  if (v.is_string() || v.is_sequence()) {
    if (auto found = item_at(run, v, 0)) return *found;
    return undefined{"No first item, sequence was empty."};
  }
  const std::vector<value> items = items_of(run, v);
  return items.empty() ? value(undefined{"No first item, sequence was empty."}) : items[0];
}

inline value filter_last(runtime& run, arguments& args) {
  const value& v = only_value("last", args);
  if (v.is_string() || v.is_sequence()) {
    if (auto found = item_at(run, v, -1)) return *found;
    return undefined{"No last item, sequence was empty."};
  }
  const std::vector<value> items = items_of(run, v);
  return items.empty() ? value(undefined{"No last item, sequence was empty."}) : items.back();
}

inline value filter_reverse(runtime& run, arguments& args) {
  const value& v = only_value("reverse", args);
  if (v.is_string()) return slice_of(run, v, none{}, none{}, -1);
  std::vector<value> items = items_of(run, v);
  std::ranges::reverse(items);
  return run.list(std::move(items));
}

inline value filter_default(runtime&, arguments& args) {
  const parameters given("default", args, {"value", "default_value", "boolean"});
  const value& v = given.at(0);
  const bool replaces = v.is_undefined() || (given.truth(2) && !v.truth());
  return replaces ? given.get(1, "") : v;
}

/// "a.b.0" as a way to an item; each part is looked up in turn.
class item_path {
 public:
  item_path(runtime& run, const value& path, value otherwise = {})
      : otherwise_(std::move(otherwise)) {
    if (path.is_none() || path.is_undefined()) return;
    if (!path.is_string()) {
      parts_.push_back(path);
      return;
    }
    for (const value& part : split(run, path.text(), ".", -1, side::left)) {
      std::int64_t number = 0;
      const std::string& bytes = part.bytes();
      const auto read = std::from_chars(bytes.data(), bytes.data() + bytes.size(), number);
      const bool is_number = !bytes.empty() && bytes[0] != '-' && read.ec == std::errc() &&
                             read.ptr == bytes.data() + bytes.size();
      parts_.push_back(is_number ? value(number) : part);
    }
  }

  [[nodiscard]] value find(runtime& run, value item) const {
    for (const value& part : parts_) {
      run.work.take_steps();
      item = get_item(run, item, part);
      if (item.is_undefined() && !otherwise_.is_undefined() && !otherwise_.is_none())
        item = otherwise_;
    }
    return item;
  }

 private:
  std::vector<value> parts_;
  value otherwise_;
};

/// What texts are compared by where case does not count.
inline value without_case(runtime& run, const value& v, bool case_sensitive) {
  if (case_sensitive || !v.is_string()) return v;
  arguments none_given;
  return call_case<letter_case::lower>(run, v, none_given);
}

inline value filter_join(runtime& run, arguments& args) {
  const parameters given("join", args, {"value", "d", "attribute"});
  const value separator = string_of(run, given.get(1, ""));
  std::vector<value> items = items_of(run, given.at(0));
  const item_path path(run, given.get(2, none{}));
  for (value& item : items) item = string_of(run, path.find(run, item));
  return join(run, separator.text(), items);
}

inline value filter_sum(runtime& run, arguments& args) {
  const parameters given("sum", args, {"iterable", "attribute", "start"});
  const item_path path(run, given.get(1, none{}));
  value sum = given.get(2, 0);
  for (const value& item : items_of(run, given.at(0)))
    sum = apply_binary(run, "+", sum, path.find(run, item));
  return sum;
}

template <bool Largest>
value filter_extreme(runtime& run, arguments& args) {
  const parameters given(Largest ? "max" : "min", args, {"value", "case_sensitive", "attribute"});
  const item_path path(run, given.get(2, none{}));
  const std::vector<value> items = items_of(run, given.at(0));
  if (items.empty()) return undefined{"No aggregated item, sequence was empty."};
  std::size_t best = 0;
  value best_key = without_case(run, path.find(run, items[0]), given.truth(1));
  for (std::size_t i = 1; i < items.size(); ++i) {
    value key = without_case(run, path.find(run, items[i]), given.truth(1));
    if (Largest ? less(best_key, key, run.work) : less(key, best_key, run.work)) {
      best = i;
      best_key = std::move(key);
    }
  }
  return items[best];
}

struct keyed_item {
  value key;
  value item;
};

/// The items in the order of their keys.
inline std::vector<value> sorted(runtime& run, std::vector<keyed_item> items, bool reverse) {
  // Python keeps equal items in their order with reverse too.
  run.work.take_value_bytes(items.size(), 2 * sizeof(keyed_item));
  const auto before = [&](const value& a, const value& b) {
    // Equal keys need no order: undefined ones have none.
    return !equal(a, b, run.work) && less(a, b, run.work);
  };
  sort_stably(items, [&](const keyed_item& a, const keyed_item& b) {
    return reverse ? before(b.key, a.key) : before(a.key, b.key);
  });
  std::vector<value> result;
  for (keyed_item& entry : items) result.push_back(std::move(entry.item));
  return result;
}

inline value filter_sort(runtime& run, arguments& args) {
  const parameters given("sort", args, {"value", "reverse", "case_sensitive", "attribute"});
  std::vector<item_path> paths;
  const value attribute = given.get(3, none{});
  if (attribute.is_string()) {
    for (const value& path : split(run, attribute.text(), ",", -1, side::left))
      paths.emplace_back(run, path);
  } else {
    paths.emplace_back(run, attribute);
  }
  std::vector<keyed_item> items;
  for (const value& item : items_of(run, given.at(0))) {
    std::vector<value> keys;
    for (const item_path& path : paths)
      keys.push_back(without_case(run, path.find(run, item), given.truth(2)));
    const value key = keys.size() == 1 ? keys[0] : run.list(std::move(keys));
    items.push_back({key, item});
  }
  return run.list(sorted(run, std::move(items), given.truth(1)));
}

inline value filter_dictsort(runtime& run, arguments& args) {
  const parameters given("dictsort", args, {"value", "case_sensitive", "by", "reverse"});
  const std::string by = given.text(2, "key").bytes();
  if (by != "key" && by != "value") throw error("dictsort: `by` is 'key' or 'value'");
  if (given.at(0).is_undefined()) throw error(given.at(0).why_undefined());
  std::vector<keyed_item> items;
  for (const value& pair : pairs_of(run, given.at(0))) {
    const value& key = pair.list().items[by == "key" ? 0 : 1];
    items.push_back({without_case(run, key, given.truth(1)), pair});
  }
  return run.list(sorted(run, std::move(items), given.truth(3)));
}

inline value filter_unique(runtime& run, arguments& args) {
  const parameters given("unique", args, {"value", "case_sensitive", "attribute"});
  const item_path path(run, given.get(2, none{}));
  std::vector<value> seen, result;
  for (const value& item : items_of(run, given.at(0))) {
    const value key = without_case(run, path.find(run, item), given.truth(1));
    if (key.is_sequence() && !key.list().is_tuple) throw error("unique: a list has no hash");
    if (key.is_dict()) throw error("unique: a dict has no hash");
    bool is_new = true;
    for (std::size_t i = 0; is_new && i < seen.size(); ++i) is_new = !equal(seen[i], key, run.work);
    if (!is_new) continue;
    seen.push_back(key);
    result.push_back(item);
  }
  return run.list(std::move(result));
}

inline value filter_groupby(runtime& run, arguments& args) {
  const parameters given("groupby", args, {"value", "attribute", "default", "case_sensitive"});
  const item_path path(run, given.at(1), given.get(2, {}));
  std::vector<keyed_item> items;
  for (const value& item : items_of(run, given.at(0)))
    items.push_back({without_case(run, path.find(run, item), given.truth(3)), item});
  std::vector<value> groups, group;
  value key;
  const auto close_group = [&] {
    if (group.empty()) return;
    const value name = path.find(run, group[0]);
    value pair = run.tuple({name, run.list(std::exchange(group, {}))});
    pair.list().is_group = true;
    groups.push_back(pair);
  };
  for (const value& item : sorted(run, std::move(items), false)) {
    value next = without_case(run, path.find(run, item), given.truth(3));
    if (!group.empty() && !equal(next, key, run.work)) close_group();
    key = std::move(next);
    group.push_back(item);
  }
  close_group();
  return run.list(std::move(groups));
}

inline value filter_batch(runtime& run, arguments& args) {
  const parameters given("batch", args, {"value", "linecount", "fill_with"});
  const std::int64_t count = given.integer(1);
  if (count <= 0) throw error("batch: the count is not positive");
  std::vector<value> batches, batch;
  for (const value& item : items_of(run, given.at(0))) {
    if (batch.size() == to_size(count)) batches.push_back(run.list(std::exchange(batch, {})));
    batch.push_back(item);
  }
  if (!batch.empty()) {
    if (given.has_value(2) && batch.size() < to_size(count)) {
      run.work.take_value_bytes(to_size(count), sizeof(value));
      batch.resize(to_size(count), given.at(2));
    }
    batches.push_back(run.list(std::move(batch)));
  }
  return run.list(std::move(batches));
}

inline value filter_slice(runtime& run, arguments& args) {
  const parameters given("slice", args, {"value", "slices", "fill_with"});
  const std::int64_t count = given.integer(1);
  if (count <= 0) throw error("slice: the number of slices is not positive");
  const std::vector<value> items = items_of(run, given.at(0));
  const std::size_t slices = to_size(count), size = items.size() / slices,
                    longer = items.size() % slices;
  run.work.take_value_bytes(slices, 2 * sizeof(value));
  std::vector<value> result;
  std::size_t at = 0;
  for (std::size_t i = 0; i < slices; ++i) {
    const std::size_t end = at + size + (i < longer ? 1 : 0);
    std::vector<value> part(items.begin() + static_cast<std::ptrdiff_t>(at),
                            items.begin() + static_cast<std::ptrdiff_t>(end));
    if (given.has_value(2) && i >= longer) part.push_back(given.at(2));
    result.push_back(run.list(std::move(part)));
    at = end;
  }
  return run.list(std::move(result));
}

inline value filter_items(runtime& run, arguments& args) {
  return run.list(pairs_of(run, only_value("items", args)));
}

inline value filter_attr(runtime& run, arguments& args) {
  const parameters given("attr", args, {"obj", "name"});
  const value name = string_of(run, given.at(1));
  const value& v = given.at(0);
  if (v.is_dict() && find_method(v, name.bytes()) == nullptr)
    return undefined{"'dict' has no attribute '" + printable(name.bytes(), 40) + "'"};
  return get_attribute(run, v, name.bytes());
}

/// The arguments after the first `count`, for a filter or test that takes `item`.
inline arguments pass_on(runtime& run, const arguments& args, std::size_t count,
                         const value& item) {
  run.work.take_steps(1 + args.positional.size());
  arguments result;
  result.positional.push_back(item);
  for (std::size_t i = count; i < args.positional.size(); ++i)
    result.positional.push_back(args.positional[i]);
  result.named = args.named;
  return result;
}

inline value filter_map(runtime& run, arguments& args) {
  if (!args.positional.at(0).truth()) return run.list({});
  const std::vector<value> items = items_of(run, args.positional.at(0));
  std::vector<value> result;
  if (args.positional.size() == 1) {
    value path = none{}, otherwise;
    for (const auto& [name, item] : args.named) {
      if (name == "attribute") {
        path = item;
      } else if (name == "default") {
        otherwise = item;
      } else {
        throw error("map has no argument named '" + printable(name, 40) + "'");
      }
    }
    if (path.is_none()) throw error("map takes a filter's name or an attribute");
    const item_path finder(run, path, otherwise);
    for (const value& item : items) result.push_back(finder.find(run, item));
  } else {
    if (!args.positional[1].is_string()) throw error("map takes a filter's name");
    const std::string name = args.positional[1].bytes();
    for (const value& item : items) {
      arguments given = pass_on(run, args, 2, item);
      result.push_back(apply_filter(run, name, given));
    }
  }
  return run.list(std::move(result));
}

/// select, reject, selectattr and rejectattr.
template <bool Selects, bool ByAttribute>
value filter_select(runtime& run, arguments& args) {
  constexpr std::size_t at = ByAttribute ? 2 : 1;           // of the test's name
  if (!args.positional.at(0).truth()) return run.list({});  // None too
  if (args.positional.size() < at) throw error("selectattr and rejectattr take an attribute");
  const item_path path(run, ByAttribute ? args.positional[1] : value(none{}));
  std::vector<value> result;
  for (const value& item : items_of(run, args.positional[0])) {
    const value looked_at = path.find(run, item);
    bool passes = false;
    if (args.positional.size() > at) {
      if (!args.positional[at].is_string()) throw error("select and reject take a test's name");
      arguments given = pass_on(run, args, at + 1, looked_at);
      passes = apply_test(run, args.positional[at].bytes(), given);
    } else {
      run.work.take_steps();
      passes = looked_at.truth();
    }
    if (passes == Selects) result.push_back(item);
  }
  return run.list(std::move(result));
}

inline constexpr named_filter filters[] = {
    {"abs", filter_abs},
    {"attr", filter_attr},
    {"batch", filter_batch},
    {"capitalize", filter_case<letter_case::capitalize>},
    {"center", filter_center},
    {"count", filter_length},
    {"d", filter_default},
    {"default", filter_default},
    {"dictsort", filter_dictsort},
    {"e", filter_escape},
    {"escape", filter_escape},
    {"first", filter_first},
    {"float", filter_float},
    {"forceescape", filter_escape},
    {"format", filter_format},
    {"groupby", filter_groupby},
    {"indent", filter_indent},
    {"int", filter_int},
    {"items", filter_items},
    {"join", filter_join},
    {"last", filter_last},
    {"length", filter_length},
    {"list", filter_list},
    {"lower", filter_case<letter_case::lower>},
    {"map", filter_map},
    {"max", filter_extreme<true>},
    {"min", filter_extreme<false>},
    {"pprint", filter_pprint},
    {"reject", filter_select<false, false>},
    {"rejectattr", filter_select<false, true>},
    {"replace", filter_replace},
    {"reverse", filter_reverse},
    {"round", filter_round},
    {"safe", filter_string},
    {"select", filter_select<true, false>},
    {"selectattr", filter_select<true, true>},
    {"slice", filter_slice},
    {"sort", filter_sort},
    {"string", filter_string},
    {"striptags", filter_striptags},
    {"sum", filter_sum},
    {"title", filter_title},
    {"tojson", filter_tojson},
    {"trim", filter_trim},
    {"truncate", filter_truncate},
    {"unique", filter_unique},
    {"upper", filter_case<letter_case::upper>},
    {"urlencode", filter_urlencode},
    {"wordcount", filter_wordcount},
    {"wordwrap", filter_wordwrap},
};

inline filter find_filter(std::string_view name) {
  for (const named_filter& known : filters)
    if (known.name == name) return known.run;
  return nullptr;
}

}  // namespace detail

inline bool has_filter(std::string_view name) {
  return detail::find_filter(name) != nullptr;
}

/// @param given  the value first
inline value apply_filter(runtime& run, const std::string& name, arguments& given) {
  const runtime::level inside(run);
  run.work.take_steps();
  const detail::filter found = detail::find_filter(name);
  if (found == nullptr) throw error("there is no filter '" + printable(name, 40) + "'");
  return found(run, given);
}

}  // namespace rocmforge::jinja
