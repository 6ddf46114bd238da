// Values of a template, with the meaning that Python gives them: truth, equality, order, str() and
// repr(), and JSON.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/jinja/marked_text.hpp>

namespace rocmforge::jinja {

class value;
class runtime;

/// What a name stands for that nobody has set. Prints as nothing; most else is an error.
struct undefined {
  std::string why;  // "'x' is undefined"
};
struct none {};

struct sequence {
  std::vector<value> items;
  bool is_tuple = false;
  bool is_mutable = false;  // made by the template itself
  bool is_group = false;    // of groupby: its items are also `grouper` and `list`
};

/// Keys in the order of their insertion.
struct mapping {
  enum class kind { dict, name_space };
  std::vector<std::pair<value, value>> items;
  kind is = kind::dict;
  bool is_mutable = false;  // made by the template itself

  [[nodiscard]] value* find(const value& key);
  [[nodiscard]] const value* find(const value& key) const;
  void set(const value& key, value item);
};

/// Arguments of a call.
struct arguments {
  std::vector<value> positional;
  std::vector<std::pair<std::string, value>> named;
};

struct callable {
  std::string name;
  std::function<value(runtime&, arguments&)> call;
};

/// What `loop` is in the body of a for.
struct loop_state;

class value {
 public:
  value() : data_(undefined{}) {}
  value(undefined u) : data_(std::move(u)) {}
  value(none n) : data_(n) {}
  value(bool b) : data_(b) {}
  value(std::int64_t i) : data_(i) {}
  value(int i) : data_(std::int64_t{i}) {}
  value(double d) : data_(d) {}
  value(marked_text text) : data_(std::make_shared<const marked_text>(std::move(text))) {}
  value(std::string text) : value(marked_text(std::move(text))) {}
  value(const char* text) : value(std::string(text)) {}
  value(sequence items) : data_(std::make_shared<sequence>(std::move(items))) {}
  value(mapping items) : data_(std::make_shared<mapping>(std::move(items))) {}
  value(std::shared_ptr<sequence> items) : data_(std::move(items)) {}
  value(std::shared_ptr<mapping> items) : data_(std::move(items)) {}
  value(std::shared_ptr<loop_state> loop) : data_(std::move(loop)) {}
  value(callable f) : data_(std::make_shared<const callable>(std::move(f))) {}

  [[nodiscard]] bool is_undefined() const { return is<undefined>(); }
  [[nodiscard]] bool is_none() const { return is<none>(); }
  [[nodiscard]] bool is_bool() const { return is<bool>(); }
  [[nodiscard]] bool is_integer() const { return is<std::int64_t>(); }
  [[nodiscard]] bool is_real() const { return is<double>(); }
  /// A bool is a number too: 0 or 1.
  [[nodiscard]] bool is_number() const { return is_bool() || is_integer() || is_real(); }
  [[nodiscard]] bool is_whole() const { return is_bool() || is_integer(); }
  [[nodiscard]] bool is_string() const { return is<std::shared_ptr<const marked_text>>(); }
  [[nodiscard]] bool is_sequence() const { return is<std::shared_ptr<sequence>>(); }
  [[nodiscard]] bool is_mapping() const { return is<std::shared_ptr<mapping>>(); }
  [[nodiscard]] bool is_dict() const { return is_mapping() && dict().is == mapping::kind::dict; }
  [[nodiscard]] bool is_callable() const { return is<std::shared_ptr<const callable>>(); }
  [[nodiscard]] bool is_loop() const { return is<std::shared_ptr<loop_state>>(); }

  [[nodiscard]] const std::string& why_undefined() const { return get<undefined>().why; }
  [[nodiscard]] const marked_text& text() const {
    return *get<std::shared_ptr<const marked_text>>();
  }
  [[nodiscard]] const std::string& bytes() const { return text().bytes(); }
  [[nodiscard]] sequence& list() const { return *get<std::shared_ptr<sequence>>(); }
  [[nodiscard]] mapping& dict() const { return *get<std::shared_ptr<mapping>>(); }
  [[nodiscard]] const callable& function() const { return *get<std::shared_ptr<const callable>>(); }
  [[nodiscard]] const std::shared_ptr<loop_state>& loop() const {
    return get<std::shared_ptr<loop_state>>();
  }
  [[nodiscard]] std::int64_t integer() const {
    return is_bool() ? std::int64_t{get<bool>()} : get<std::int64_t>();
  }
  [[nodiscard]] double real() const {
    return is_real() ? get<double>() : static_cast<double>(integer());
  }
  /// Whether both are the same object, and not only equal.
  [[nodiscard]] bool same_as(const value& other) const {
    if (data_.index() != other.data_.index()) return false;
    if (is_string()) return &text() == &other.text() || bytes() == other.bytes();
    if (is_sequence()) return &list() == &other.list();
    if (is_mapping()) return &dict() == &other.dict();
    if (is_callable()) return &function() == &other.function();
    if (is_loop()) return loop() == other.loop();
    if (is_bool()) return get<bool>() == other.get<bool>();
    if (is_integer()) return integer() == other.integer();
    if (is_real()) return real() == other.real();
    return is_none();
  }

  [[nodiscard]] bool truth() const {
    if (is_bool()) return get<bool>();
    if (is_integer()) return integer() != 0;
    if (is_real()) return real() != 0;
    if (is_string()) return !text().empty();
    if (is_sequence()) return !list().items.empty();
    if (is_mapping()) return dict().is != mapping::kind::dict || !dict().items.empty();
    return is_callable() || is_loop();
  }

  /// What messages call its type.
  [[nodiscard]] const char* type_name() const {
    if (is_undefined()) return "undefined";
    if (is_none()) return "None";
    if (is_bool()) return "bool";
    if (is_integer()) return "int";
    if (is_real()) return "float";
    if (is_string()) return "str";
    if (is_sequence()) return list().is_tuple ? "tuple" : "list";
    if (is_mapping()) return is_dict() ? "dict" : "namespace";
    return is_loop() ? "loop" : "function";
  }

 private:
  template <class T>
  [[nodiscard]] bool is() const {
    return std::holds_alternative<T>(data_);
  }
  template <class T>
  [[nodiscard]] const T& get() const {
    return std::get<T>(data_);
  }

  std::variant<undefined, none, bool, std::int64_t, double, std::shared_ptr<const marked_text>,
               std::shared_ptr<sequence>, std::shared_ptr<mapping>, std::shared_ptr<const callable>,
               std::shared_ptr<loop_state>>
      data_;
};

struct loop_state {
  std::vector<value> items;
  std::size_t index = 0;
  int depth = 1;
  std::vector<value> last_changed;
  bool has_changed = false;                              // `changed` was called before
  std::function<value(runtime&, const value&)> recurse;  // of a recursive loop
};

/// What a rendering may cost: a template comes from an untrusted file.
struct limits {
  std::size_t steps = 10'000'000;                    // nodes evaluated, and values looked at
  std::size_t value_bytes = std::size_t{256} << 20;  // of all values that are made
  std::size_t output_bytes = std::size_t{64} << 20;
  int evaluation_depth = 600;  // of expressions, blocks and calls
  int value_depth = 100;       // of values inside values
};

/// What is left of the limits.
class budget {
 public:
  explicit budget(const limits& limit) : left_(limit) {}

  void take_steps(std::size_t count = 1) {
    if (count > left_.steps) throw error("the template takes more steps than are allowed");
    left_.steps -= count;
  }
  /// Bytes of values, before they are made.
  void take_value_bytes(std::size_t count) {
    if (count > left_.value_bytes) throw error("the template makes larger values than are allowed");
    left_.value_bytes -= count;
    take_steps(count / 256);
  }
  /// The same for `count` pieces of `size` bytes.
  void take_value_bytes(std::size_t count, std::size_t size) {
    if (size != 0 && count > left_.value_bytes / size)
      throw error("the template makes larger values than are allowed");
    take_value_bytes(count * size);
  }
  /// A text of `size` bytes is looked at, or made, character by character.
  void take_characters(std::size_t size) { take_steps(size / 4 + 1); }
  void take_output_bytes(std::size_t count) {
    if (count > left_.output_bytes) throw error("the template writes more text than is allowed");
    left_.output_bytes -= count;
  }
  void require_value_depth(int depth) const {
    if (depth > left_.value_depth)
      throw error("a value is nested deeper than " + std::to_string(left_.value_depth) + " levels");
  }
  void require_evaluation_depth(int depth) const {
    if (depth > left_.evaluation_depth)
      throw error("blocks, calls and expressions are nested deeper than " +
                  std::to_string(left_.evaluation_depth) + " levels");
  }

 private:
  limits left_;
};

/// Whether two keys of a dict are the same. Keys are strings, numbers or None.
inline bool equal_keys(const value& a, const value& b) {
  if (a.is_string() && b.is_string()) return a.bytes() == b.bytes();
  if (a.is_whole() && b.is_whole()) return a.integer() == b.integer();
  if (a.is_number() && b.is_number()) return a.real() == b.real();
  return a.is_none() && b.is_none();
}

/// @throws error if the value cannot be a key
inline void require_key(const value& key) {
  if (!key.is_string() && !key.is_number() && !key.is_none())
    throw error(std::string("a value of type ") + key.type_name() + " cannot be a key");
}

/// The item of a key, or null; charges for the search.
inline value* find_key(mapping& items, const value& key, budget& work) {
  require_key(key);
  const std::size_t key_bytes = key.is_string() ? key.bytes().size() : 0;
  work.take_steps(1 + items.items.size() / 8 + items.items.size() * (key_bytes / 64));
  return items.find(key);
}

/// Python's ==.
inline bool equal(const value& a, const value& b, budget& work, int depth = 0) {
  work.require_value_depth(depth);
  work.take_steps();
  if (a.is_number() && b.is_number()) {
    if (a.is_whole() && b.is_whole()) return a.integer() == b.integer();
    return a.real() == b.real();
  }
  if (a.is_string() && b.is_string()) {
    if (a.bytes().size() != b.bytes().size()) return false;
    work.take_steps(a.bytes().size() / 256);
    return a.bytes() == b.bytes();
  }
  if (a.is_sequence() && b.is_sequence()) {
    const sequence &x = a.list(), &y = b.list();
    if (x.is_tuple != y.is_tuple || x.items.size() != y.items.size()) return false;
    for (std::size_t i = 0; i < x.items.size(); ++i)
      if (!equal(x.items[i], y.items[i], work, depth + 1)) return false;
    return true;
  }
  if (a.is_mapping() && b.is_mapping()) {
    mapping &x = a.dict(), &y = b.dict();
    if (&x == &y) return true;
    if (x.is != mapping::kind::dict || y.is != x.is || x.items.size() != y.items.size())
      return false;
    for (const auto& [key, item] : x.items) {
      const value* other = find_key(y, key, work);
      if (other == nullptr || !equal(item, *other, work, depth + 1)) return false;
    }
    return true;
  }
  return (a.is_undefined() && b.is_undefined()) || a.same_as(b);
}

/// Python's <, for what has an order.
inline bool less(const value& a, const value& b, budget& work, const char* operation = "<",
                 int depth = 0) {
  work.require_value_depth(depth);
  work.take_steps();
  for (const value* v : {&a, &b})
    if (v->is_undefined()) throw error(v->why_undefined());
  if (a.is_number() && b.is_number()) {
    if (a.is_whole() && b.is_whole()) return a.integer() < b.integer();
    return a.real() < b.real();
  }
  if (a.is_string() && b.is_string()) {
    work.take_steps(std::min(a.bytes().size(), b.bytes().size()) / 256);
    return a.bytes() < b.bytes();
  }
  if (a.is_sequence() && b.is_sequence() && a.list().is_tuple == b.list().is_tuple) {
    const auto &x = a.list().items, &y = b.list().items;
    for (std::size_t i = 0; i < x.size() && i < y.size(); ++i)
      if (!equal(x[i], y[i], work, depth + 1)) return less(x[i], y[i], work, operation, depth + 1);
    return x.size() < y.size();
  }
  throw error(std::string("'") + operation + "' is not defined between " + a.type_name() + " and " +
              b.type_name());
}

/// A stable sort that bears an order which is none (that of numbers with NaN).
template <class T, class Less>
void sort_stably(std::vector<T>& items, Less&& is_less) {
  std::vector<T> other(items.size());
  for (std::size_t width = 1; width < items.size(); width *= 2) {
    for (std::size_t first = 0; first < items.size(); first += 2 * width) {
      const std::size_t middle = std::min(first + width, items.size());
      const std::size_t last = std::min(first + 2 * width, items.size());
      std::size_t left = first, right = middle;
      for (std::size_t to = first; to < last; ++to) {
        const bool takes_right =
            left == middle || (right != last && is_less(items[right], items[left]));
        other[to] = std::move(items[takes_right ? right++ : left++]);
      }
    }
    items.swap(other);
  }
}

inline value* mapping::find(const value& key) {
  for (auto& [name, item] : items)
    if (equal_keys(name, key)) return &item;
  return nullptr;
}
inline const value* mapping::find(const value& key) const {
  for (const auto& [name, item] : items)
    if (equal_keys(name, key)) return &item;
  return nullptr;
}
inline void mapping::set(const value& key, value item) {
  if (value* old = find(key)) {
    *old = std::move(item);
  } else {
    items.emplace_back(key, std::move(item));
  }
}

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
