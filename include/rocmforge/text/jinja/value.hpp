// Values of a template, with the meaning that Python gives them: truth, equality and order; and
// what a rendering may cost.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/jinja/marked_text.hpp>

namespace rocmforge::jinja {

class value;
class runtime;

/// The value of a name that was never set. It prints as nothing; most other uses are errors.
struct undefined {
  std::string why;  // "'x' is undefined"
};
struct none {};

struct sequence {
  std::vector<value> items;
  bool is_tuple = false;
  bool is_mutable = false;  // made by the template itself
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

}  // namespace rocmforge::jinja
