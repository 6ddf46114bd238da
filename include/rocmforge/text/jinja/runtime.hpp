// What filters, tests, methods and operators need while a template runs: its limits, the values it
// made, and a way to call.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/jinja/value.hpp>
#include <rocmforge/text/jinja/write.hpp>

namespace rocmforge::jinja {

/// Names of variables and their values: one for each body that has names of its own.
struct scope {
  explicit scope(std::shared_ptr<scope> around) : parent(std::move(around)) {}
  std::shared_ptr<scope> parent;
  std::vector<std::pair<std::size_t, value>> values;  // by the name's number

  [[nodiscard]] value* find(std::size_t name) {
    for (auto& [number, item] : values)
      if (number == name) return &item;
    return nullptr;
  }
  void set(std::size_t name, value item) {
    if (value* old = find(name)) {
      *old = std::move(item);
    } else {
      values.emplace_back(name, std::move(item));
    }
  }
};

/// A run of a template. Lists, dicts and scopes that can come to hold themselves live until its
/// end; then each is emptied, so that no chain of them, however long, is freed recursively.
class runtime {
 public:
  runtime(const limits& limit, std::function<std::tm()> clock)
      : work(limit), clock_(std::move(clock)) {}
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;
  ~runtime() {
    for (const auto& items : sequences_) items->items.clear();
    for (const auto& items : mappings_) items->items.clear();
    for (const auto& names : scopes_) names->values.clear();
    for (const auto& loop : loops_) loop->items.clear();
  }

  budget work;
  int line = 1;  // of what is being evaluated, for messages

  [[nodiscard]] value list(std::vector<value> items, bool is_tuple = false) {
    work.take_value_bytes(96 + items.size() * sizeof(value));
    work.take_steps(1 + items.size() / 16);
    auto made = std::make_shared<sequence>();
    made->items = std::move(items);
    made->is_tuple = is_tuple;
    made->is_mutable = !is_tuple;
    sequences_.push_back(made);
    return value(made);
  }
  [[nodiscard]] value tuple(std::vector<value> items) { return list(std::move(items), true); }
  [[nodiscard]] value dict(mapping items) {
    work.take_value_bytes(96 + items.items.size() * 2 * sizeof(value));
    auto made = std::make_shared<mapping>(std::move(items));
    made->is_mutable = true;
    mappings_.push_back(made);
    return value(made);
  }
  [[nodiscard]] value function(std::string name, std::function<value(runtime&, arguments&)> call) {
    work.take_value_bytes(128);
    return value(callable{std::move(name), std::move(call)});
  }
  void keep(const std::shared_ptr<scope>& names) {
    work.take_value_bytes(128);
    scopes_.push_back(names);
  }
  void keep(const std::shared_ptr<loop_state>& loop) {
    work.take_value_bytes(256);
    loops_.push_back(loop);
  }

  /// Calls what can be called.
  value call(const value& f, arguments& given) {
    const level inside(*this);
    if (f.is_undefined()) throw error(f.why_undefined());
    if (!f.is_callable()) throw error(std::string("'") + f.type_name() + "' cannot be called");
    const value keeps = f;
    return keeps.function().call(*this, given);
  }

  /// How deep evaluation is; the interpreter counts with it too.
  class level {
   public:
    explicit level(runtime& run) : run_(run) { run_.work.require_evaluation_depth(++run_.depth_); }
    ~level() { --run_.depth_; }
    level(const level&) = delete;
    level& operator=(const level&) = delete;

   private:
    runtime& run_;
  };

  [[nodiscard]] std::tm now() const {
    if (clock_) return clock_();
    const std::time_t seconds = std::time(nullptr);
    std::tm result{};
    localtime_r(&seconds, &result);
    return result;
  }

 private:
  std::function<std::tm()> clock_;
  int depth_ = 0;
  std::vector<std::shared_ptr<sequence>> sequences_;
  std::vector<std::shared_ptr<mapping>> mappings_;
  std::vector<std::shared_ptr<scope>> scopes_;
  std::vector<std::shared_ptr<loop_state>> loops_;
};

/// Arguments of a call, matched with the parameters of what is built in.
class parameters {
 public:
  /// @param names  of the parameters, in their order
  parameters(const std::string& function, arguments& given,
             std::initializer_list<std::string_view> names)
      : function_(function), given_(names.size(), nullptr) {
    if (given.positional.size() > names.size())
      throw error(function_ + " takes at most " + std::to_string(names.size()) +
                  " arguments, not " + std::to_string(given.positional.size()));
    for (std::size_t i = 0; i < given.positional.size(); ++i) given_[i] = &given.positional[i];
    for (auto& [name, item] : given.named) {
      const auto found = std::find(names.begin(), names.end(), name);
      const auto at = static_cast<std::size_t>(found - names.begin());
      if (found == names.end())
        throw error(function_ + " has no argument named '" + printable(name, 40) + "'");
      if (given_[at] != nullptr) throw error(function_ + ": '" + name + "' is given twice");
      given_[at] = &item;
    }
  }

  [[nodiscard]] bool has(std::size_t i) const { return given_[i] != nullptr; }
  [[nodiscard]] bool has_value(std::size_t i) const { return has(i) && !given_[i]->is_none(); }
  [[nodiscard]] const value& at(std::size_t i) const {
    if (!has(i)) throw error(function_ + " lacks argument " + std::to_string(i + 1));
    return *given_[i];
  }
  [[nodiscard]] value get(std::size_t i, value otherwise) const {
    return has(i) ? *given_[i] : std::move(otherwise);
  }
  [[nodiscard]] bool truth(std::size_t i, bool otherwise = false) const {
    return has(i) ? given_[i]->truth() : otherwise;
  }
  [[nodiscard]] std::int64_t integer(std::size_t i) const {
    if (at(i).is_undefined()) throw error(at(i).why_undefined());
    if (!at(i).is_whole())
      throw error(function_ + ": argument " + std::to_string(i + 1) + " is of type " +
                  at(i).type_name() + ", expected int");
    return at(i).integer();
  }
  [[nodiscard]] std::int64_t integer(std::size_t i, std::int64_t otherwise) const {
    return has(i) ? integer(i) : otherwise;
  }
  [[nodiscard]] const marked_text& text(std::size_t i) const {
    if (at(i).is_undefined()) throw error(at(i).why_undefined());
    if (!at(i).is_string())
      throw error(function_ + ": argument " + std::to_string(i + 1) + " is of type " +
                  at(i).type_name() + ", expected str");
    return at(i).text();
  }
  [[nodiscard]] marked_text text(std::size_t i, std::string_view otherwise) const {
    return has(i) ? text(i) : marked_text(std::string(otherwise));
  }

 private:
  std::string function_;
  std::vector<const value*> given_;
};

/// The items that a for goes over; a copy, so that the body may change what it goes over.
inline std::vector<value> items_of(runtime& run, const value& v) {
  std::vector<value> items;
  if (v.is_undefined()) return items;
  if (v.is_sequence()) {
    run.work.take_value_bytes(v.list().items.size(), sizeof(value));
    run.work.take_steps(v.list().items.size() / 16);
    return v.list().items;
  }
  if (v.is_dict()) {
    run.work.take_value_bytes(v.dict().items.size(), sizeof(value));
    for (const auto& [key, item] : v.dict().items) items.push_back(key);
    return items;
  }
  if (v.is_string()) {
    const marked_text& text = v.text();
    run.work.take_value_bytes(text.size(), sizeof(value) + sizeof(marked_text) + 16);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t count = character_bytes(text.bytes(), at);
      items.emplace_back(text.part(at, count));
      at += count;
    }
    return items;
  }
  throw error(std::string("'") + v.type_name() + "' has no items to go over");
}

/// How many items or characters there are.
inline std::int64_t length_of(runtime& run, const value& v) {
  if (v.is_undefined()) return 0;
  if (v.is_sequence()) return static_cast<std::int64_t>(v.list().items.size());
  if (v.is_dict()) return static_cast<std::int64_t>(v.dict().items.size());
  if (v.is_string()) {
    run.work.take_characters(v.text().size());
    return static_cast<std::int64_t>(num_characters(v.bytes()));
  }
  throw error(std::string("'") + v.type_name() + "' has no length");
}

/// str() as a value: the value itself, if it is a text.
inline value string_of(runtime& run, const value& v) {
  return v.is_string() ? v : value(to_text(v, run.work));
}

}  // namespace rocmforge::jinja
