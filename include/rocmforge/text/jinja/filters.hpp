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

#include <rocmforge/text/jinja/builtins.hpp>
#include <rocmforge/text/jinja/letter_case.hpp>
#include <rocmforge/text/jinja/methods.hpp>
#include <rocmforge/text/jinja/operators.hpp>
#include <rocmforge/text/jinja/runtime.hpp>

namespace rocmforge::jinja {

value apply_filter(runtime& run, const std::string& name, arguments& given);

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

/// The number that all of the text is, white space around it aside, or nothing.
template <class Number>
std::optional<Number> read_number(runtime& run, const marked_text& text) {
  const marked_text plain = strip(run, text, side::both);
  std::string_view digits = plain.bytes();
  if (digits.starts_with('+')) digits.remove_prefix(1);
  Number number{};
  const char* last = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), last, number);
  if (digits.empty() || plain.bytes().starts_with("+-") || read.ptr != last) return std::nullopt;
  if (read.ec == std::errc::result_out_of_range) fail_range();
  return read.ec == std::errc() ? std::optional(number) : std::nullopt;
}

inline value filter_int(runtime& run, arguments& args) {
  const parameters given("int", args, {"value", "default"});
  const value& v = given.at(0);
  if (v.is_undefined()) throw error(v.why_undefined());
  if (v.is_whole()) return v.integer();
  std::optional<double> real;
  if (v.is_real()) real = v.real();
  if (v.is_string()) {
    if (const auto number = read_number<std::int64_t>(run, v.text())) return *number;
    real = read_number<double>(run, v.text());
  }
  if (!real || std::isnan(*real)) return given.get(1, 0);
  if (!(std::fabs(*real) < 9.2e18)) fail_range();
  return static_cast<std::int64_t>(*real);
}

inline value filter_float(runtime& run, arguments& args) {
  const parameters given("float", args, {"value", "default"});
  const value& v = given.at(0);
  if (v.is_undefined()) throw error(v.why_undefined());
  if (v.is_number()) return v.real();
  if (v.is_string())
    if (const auto number = read_number<double>(run, v.text())) return *number;
  return given.get(1, 0.0);
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

inline value filter_format(runtime& run, arguments& args) {
  if (!args.named.empty()) throw error("format takes no argument by name");
  const value text = string_of(run, args.positional.at(0));
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

inline value filter_items(runtime& run, arguments& args) {
  return run.list(pairs_of(run, only_value("items", args)));
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
    {"capitalize", filter_case<letter_case::capitalize>},
    {"count", filter_length},
    {"d", filter_default},
    {"default", filter_default},
    {"dictsort", filter_dictsort},
    {"first", filter_first},
    {"float", filter_float},
    {"format", filter_format},
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
    {"reject", filter_select<false, false>},
    {"rejectattr", filter_select<false, true>},
    {"replace", filter_replace},
    {"reverse", filter_reverse},
    {"safe", filter_string},
    {"select", filter_select<true, false>},
    {"selectattr", filter_select<true, true>},
    {"sort", filter_sort},
    {"string", filter_string},
    {"sum", filter_sum},
    {"title", filter_title},
    {"tojson", filter_tojson},
    {"trim", filter_trim},
    {"unique", filter_unique},
    {"upper", filter_case<letter_case::upper>},
};

inline filter find_filter(std::string_view name) {
  for (const named_filter& known : filters)
    if (known.name == name) return known.run;
  return nullptr;
}

}  // namespace detail

/// @param given  the value first
inline value apply_filter(runtime& run, const std::string& name, arguments& given) {
  const runtime::level inside(run);
  run.work.take_steps();
  const detail::filter found = detail::find_filter(name);
  if (found == nullptr) throw error("there is no filter '" + printable(name, 40) + "'");
  return found(run, given);
}

}  // namespace rocmforge::jinja
