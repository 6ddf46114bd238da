// Values as text: Python's str() and repr(), and JSON.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/value.hpp>

namespace rocmforge::jinja {

/// A float as Python writes it: the shortest digits that give it back.
inline std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto scientific =
      std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific);
  std::string text(buffer, scientific.ptr);
  const std::size_t mark = text.find('e');
  const int exponent = std::stoi(text.substr(mark + 1));
  if (exponent >= -4 && exponent < 16) {
    const auto fixed =
        std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed);
    text.assign(buffer, fixed.ptr);
    if (text.find('.') == text.npos) text += ".0";
  }
  return text;
}

namespace detail {

/// Whether repr() shows the character as it is. Of the unassigned ones no table is kept.
inline bool is_printable(char32_t c) {
  return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && c != 0xad && !(is_space(c) && c != ' ') &&
         !(c >= 0x200b && c <= 0x200f) && !(c >= 0x202a && c <= 0x202e) &&
         !(c >= 0x2060 && c <= 0x206f) && !(c >= 0xd800 && c <= 0xf8ff) && c != 0xfeff;
}

inline std::string hex(char32_t c, int digits) {
  std::string text;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
    text += "0123456789abcdef"[c >> shift & 15];
  return text;
}

inline void append_quoted(marked_text& out, const marked_text& text) {
  const std::string& bytes = text.bytes();
  const bool has_single = bytes.find('\'') != bytes.npos,
             has_double = bytes.find('"') != bytes.npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out += std::string(1, quote);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t count = character_bytes(bytes, at);
    const std::string_view character(bytes.data() + at, count);
    const char32_t c = code_point_of(character);
    const bool is_data = text.is_data(at);
    if (c == '\n') {
      out.append("\\n", is_data);
    } else if (c == '\r') {
      out.append("\\r", is_data);
    } else if (c == '\t') {
      out.append("\\t", is_data);
    } else if (c == '\\' || c == static_cast<char32_t>(quote)) {
      out.append(std::string("\\") + static_cast<char>(c), is_data);
    } else if (is_printable(c)) {
      out.append(character, is_data);
    } else {
      out.append(c < 0x100     ? "\\x" + hex(c, 2)
                 : c < 0x10000 ? "\\u" + hex(c, 4)
                               : "\\U" + hex(c, 8),
                 is_data);
    }
    at += count;
  }
  out += std::string(1, quote);
}

inline void append_repr(marked_text& out, const value& v, budget& work, int depth);

}  // namespace detail

/// Python's str().
inline marked_text to_text(const value& v, budget& work) {
  if (v.is_string()) return v.text();
  marked_text out;
  if (!v.is_undefined()) detail::append_repr(out, v, work, 0);
  return out;
}

/// Python's repr().
inline marked_text repr(const value& v, budget& work) {
  marked_text out;
  detail::append_repr(out, v, work, 0);
  return out;
}

inline void detail::append_repr(marked_text& out, const value& v, budget& work, int depth) {
  work.require_value_depth(depth);
  work.take_value_bytes(8);
  work.take_steps();
  if (v.is_undefined()) {
    out += "Undefined";
  } else if (v.is_none()) {
    out += "None";
  } else if (v.is_bool()) {
    out += v.truth() ? "True" : "False";
  } else if (v.is_integer()) {
    out += std::to_string(v.integer());
  } else if (v.is_real()) {
    out += float_text(v.real());
  } else if (v.is_string()) {
    work.take_value_bytes(v.text().size(), 4);
    work.take_characters(v.text().size());
    append_quoted(out, v.text());
  } else if (v.is_sequence()) {
    const auto& items = v.list().items;
    out += v.list().is_tuple ? "(" : "[";
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i != 0) out += ", ";
      append_repr(out, items[i], work, depth + 1);
    }
    out += !v.list().is_tuple ? "]" : items.size() == 1 ? ",)" : ")";
  } else if (v.is_mapping()) {
    const bool is_namespace = v.dict().is == mapping::kind::name_space;
    out += is_namespace ? "<Namespace {" : "{";
    bool first = true;
    for (const auto& [key, item] : v.dict().items) {
      if (!first) out += ", ";
      first = false;
      append_repr(out, key, work, depth + 1);
      out += ": ";
      append_repr(out, item, work, depth + 1);
    }
    out += is_namespace ? "}>" : "}";
  } else {
    out += v.is_loop() ? "<LoopContext>" : "<function " + v.function().name + ">";
  }
}

/// How tojson writes: as Python's json.dumps(ensure_ascii=False).
struct json_format {
  std::optional<std::string> indent;  // of a level; none: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
  bool ascii = false;
};

namespace detail {

inline void append_json_string(marked_text& out, const marked_text& text, bool ascii) {
  out += "\"";
  const std::string& bytes = text.bytes();
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t count = character_bytes(bytes, at);
    const char32_t c = code_point_of(std::string_view(bytes).substr(at, count));
    const bool is_data = text.is_data(at);
    switch (c) {
      case '"':
        out.append("\\\"", is_data);
        break;
      case '\\':
        out.append("\\\\", is_data);
        break;
      case '\n':
        out.append("\\n", is_data);
        break;
      case '\r':
        out.append("\\r", is_data);
        break;
      case '\t':
        out.append("\\t", is_data);
        break;
      case '\b':
        out.append("\\b", is_data);
        break;
      case '\f':
        out.append("\\f", is_data);
        break;
      default:
        if (c < 0x20 || (ascii && c >= 0x7f && c < 0x10000)) {
          out.append("\\u" + hex(c, 4), is_data);
        } else if (ascii && c >= 0x10000) {
          out.append("\\u" + hex(0xd800 + ((c - 0x10000) >> 10), 4) + "\\u" +
                         hex(0xdc00 + ((c - 0x10000) & 0x3ff), 4),
                     is_data);
        } else {
          out.append(std::string_view(bytes).substr(at, count), is_data);
        }
    }
    at += count;
  }
  out += "\"";
}

inline void append_json(marked_text& out, const value& v, const json_format& format, budget& work,
                        int depth) {
  work.require_value_depth(depth);
  work.take_value_bytes(8 + format.item_separator.size() + format.key_separator.size());
  work.take_steps();
  const auto new_line = [&](int level) {
    if (!format.indent) return;
    work.take_value_bytes(format.indent->size() + 1, static_cast<std::size_t>(level) + 1);
    out += "\n";
    for (int i = 0; i < level; ++i) out += *format.indent;
  };
  if (v.is_none()) {
    out += "null";
  } else if (v.is_bool()) {
    out += v.truth() ? "true" : "false";
  } else if (v.is_integer()) {
    out += std::to_string(v.integer());
  } else if (v.is_real()) {
    out += std::isnan(v.real())   ? "NaN"
           : std::isinf(v.real()) ? (v.real() < 0 ? "-Infinity" : "Infinity")
                                  : float_text(v.real());
  } else if (v.is_string()) {
    work.take_value_bytes(v.text().size(), 6);
    work.take_characters(v.text().size());
    append_json_string(out, v.text(), format.ascii);
  } else if (v.is_sequence()) {
    const auto& items = v.list().items;
    out += "[";
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i != 0) out += format.item_separator;
      new_line(depth + 1);
      append_json(out, items[i], format, work, depth + 1);
    }
    if (!items.empty()) new_line(depth);
    out += "]";
  } else if (v.is_dict()) {
    std::vector<const std::pair<value, value>*> items;
    work.take_value_bytes(v.dict().items.size(), sizeof(void*));
    for (const auto& item : v.dict().items) items.push_back(&item);
    if (format.sort_keys)
      sort_stably(items,
                  [&](const auto* x, const auto* y) { return less(x->first, y->first, work); });
    out += "{";
    bool first = true;
    for (const auto* pair : items) {
      const auto& [key, item] = *pair;
      if (!first) out += format.item_separator;
      first = false;
      new_line(depth + 1);
      if (key.is_string()) {
        work.take_value_bytes(key.text().size(), 6);
        append_json_string(out, key.text(), format.ascii);
      } else {
        marked_text name;
        append_json(name, key, format, work, depth + 1);
        append_json_string(out, name, format.ascii);
      }
      out += format.key_separator;
      append_json(out, item, format, work, depth + 1);
    }
    if (!items.empty()) new_line(depth);
    out += "}";
  } else {
    throw error(v.is_undefined() && !v.why_undefined().empty()
                    ? v.why_undefined()
                    : std::string("tojson: a value of type ") + v.type_name() + " has no JSON");
  }
}

}  // namespace detail

inline marked_text to_json(const value& v, const json_format& format, budget& work) {
  marked_text out;
  detail::append_json(out, v, format, work, 0);
  return out;
}

}  // namespace rocmforge::jinja
