// Methods of texts, lists and dicts, and how attributes and items are looked up.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/letter_case.hpp>
#include <rocmforge/text/jinja/operators.hpp>
#include <rocmforge/text/jinja/runtime.hpp>

namespace rocmforge::jinja {

value get_attribute(runtime& run, const value& base, const std::string& name);
value get_item(runtime& run, const value& base, const value& key);

enum class side { left, right, both };

/// Without the characters of `set` (white space, if there is none) at its ends.
inline marked_text strip(runtime& run, const marked_text& text, side where,
                         const std::optional<std::string>& set = std::nullopt) {
  const std::string& bytes = text.bytes();
  run.work.take_value_bytes(bytes.size() + 64);
  std::vector<std::string_view> characters;
  if (set) {
    run.work.take_value_bytes(set->size(), sizeof(std::string_view));
    for_each_character(*set,
                       [&](std::string_view c, char32_t, std::size_t) { characters.push_back(c); });
  }
  const auto goes = [&](std::string_view character) {
    run.work.take_steps(1 + characters.size() / 4);
    if (!set) return is_space(code_point_of(character));
    return std::ranges::find(characters, character) != characters.end();
  };
  std::size_t first = 0, last = bytes.size();
  if (where != side::right) {
    while (first < last) {
      const std::size_t count = character_bytes(bytes, first);
      if (!goes(std::string_view(bytes).substr(first, count))) break;
      first += count;
    }
  }
  if (where != side::left) {
    while (last > first) {
      std::size_t start = last - 1;  // of the last character
      for (std::size_t back = std::min<std::size_t>(4, last - first); back > 0; --back) {
        if (character_bytes(bytes, last - back) == back) {
          start = last - back;
          break;
        }
      }
      if (!goes(std::string_view(bytes).substr(start, last - start))) break;
      last = start;
    }
  }
  return text.part(first, last - first);
}

/// Parts between the separators, at most `max_splits` of them (-1: all) counted from `where`.
/// Without a separator: the words.
inline std::vector<value> split(runtime& run, const marked_text& text,
                                const std::optional<std::string>& separator,
                                std::int64_t max_splits, side where) {
  const std::string& bytes = text.bytes();
  run.work.take_value_bytes(bytes.size() + 64);
  run.work.take_characters(bytes.size());
  std::vector<std::pair<std::size_t, std::size_t>> gaps;  // first and last byte of separators
  const auto take_gap = [&](std::size_t first, std::size_t last) {
    run.work.take_value_bytes(16 + sizeof(value) + sizeof(marked_text));
    run.work.take_steps();
    gaps.emplace_back(first, last);
  };
  std::size_t first_word = 0, last_word = bytes.size();
  if (separator) {
    if (separator->empty()) throw error("split: the separator is empty");
    if (where == side::left) {
      for (std::size_t at = 0;
           max_splits < 0 || gaps.size() < static_cast<std::size_t>(max_splits);) {
        const std::size_t found = find_text(run, bytes, *separator, at);
        if (found == bytes.npos) break;
        at = found + separator->size();
        take_gap(found, at);
      }
    } else {
      run.work.take_steps(bytes.size() / 16 * (1 + separator->size() / 64));
      for (std::size_t end = bytes.size();
           max_splits < 0 || gaps.size() < static_cast<std::size_t>(max_splits);) {
        if (end < separator->size()) break;
        const std::size_t found = bytes.rfind(*separator, end - separator->size());
        if (found == bytes.npos) break;
        take_gap(found, found + separator->size());
        end = found;
      }
      std::ranges::reverse(gaps);
    }
  } else {
    // Runs of white space; those at the ends separate nothing.
    std::size_t start = bytes.npos;
    for_each_character(bytes, [&](std::string_view c, char32_t code, std::size_t at) {
      if (is_space(code)) {
        if (start == bytes.npos) start = at;
        if (at + c.size() == bytes.size()) last_word = start;
      } else if (start != bytes.npos) {
        if (start == 0) {
          first_word = at;
        } else {
          take_gap(start, at);
        }
        start = bytes.npos;
      }
    });
    if (start == 0 || bytes.empty()) return {};
    if (max_splits >= 0 && gaps.size() > static_cast<std::size_t>(max_splits)) {
      const auto extra =
          static_cast<std::ptrdiff_t>(gaps.size() - static_cast<std::size_t>(max_splits));
      if (where == side::left) {
        gaps.erase(gaps.end() - extra, gaps.end());
        last_word = bytes.size();  // the rest keeps the white space at its end
      } else {
        gaps.erase(gaps.begin(), gaps.begin() + extra);
        first_word = 0;
      }
    }
  }
  std::vector<value> parts;
  std::size_t at = first_word;
  for (const auto& [first, last] : gaps) {
    parts.emplace_back(text.part(at, first - at));
    at = last;
  }
  parts.emplace_back(text.part(at, last_word - at));
  return parts;
}

/// `from` replaced by `to`, at most `max_count` times (-1: always).
inline marked_text replace(runtime& run, const marked_text& text, const marked_text& from,
                           const marked_text& to, std::int64_t max_count) {
  const std::string& bytes = text.bytes();
  run.work.take_value_bytes(bytes.size() + 64);
  marked_text out;
  std::size_t at = 0;
  for (std::int64_t count = 0; max_count < 0 || count < max_count; ++count) {
    std::size_t found = at;
    if (from.empty()) {
      if (count > 0) {  // before each character and at the end
        if (at >= bytes.size()) break;
        found = at + character_bytes(bytes, at);
      }
      run.work.take_steps();
    } else {
      found = find_text(run, bytes, from.bytes(), at);
      if (found == bytes.npos) break;
    }
    run.work.take_value_bytes(to.size());
    out += text.part(at, found - at);
    out += to;
    at = found + from.size();
  }
  out += text.part(at);
  return out;
}

inline marked_text join(runtime& run, const marked_text& separator,
                        const std::vector<value>& items) {
  marked_text out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const marked_text& item = items[i].text();
    run.work.take_value_bytes(item.size() + separator.size());
    run.work.take_steps();
    if (i != 0) out += separator;
    out += item;
  }
  return out;
}

namespace detail {

using method = value (*)(runtime&, const value&, arguments&);

struct named_method {
  std::string_view name;
  method call;
};

inline std::optional<std::string> optional_text(runtime& run, const parameters& given,
                                                std::size_t i) {
  if (!given.has_value(i)) return std::nullopt;
  run.work.take_value_bytes(given.text(i).size());
  return given.text(i).bytes();
}

template <side Where>
value call_strip(runtime& run, const value& self, arguments& args) {
  const parameters given("strip", args, {"chars"});
  return strip(run, self.text(), Where, optional_text(run, given, 0));
}

template <side Where>
value call_split(runtime& run, const value& self, arguments& args) {
  const parameters given("split", args, {"sep", "maxsplit"});
  return run.list(
      split(run, self.text(), optional_text(run, given, 0), given.integer(1, -1), Where));
}

inline value call_splitlines(runtime& run, const value& self, arguments& args) {
  const parameters given("splitlines", args, {"keepends"});
  const bool keeps_ends = given.truth(0);
  const marked_text& text = self.text();
  const std::string& bytes = text.bytes();
  run.work.take_value_bytes(bytes.size() + 64);
  run.work.take_characters(bytes.size());
  std::vector<value> lines;
  std::size_t first = 0;
  const auto take_line = [&](std::size_t end, std::size_t next) {
    run.work.take_value_bytes(sizeof(value) + sizeof(marked_text));
    lines.emplace_back(text.part(first, (keeps_ends ? next : end) - first));
    first = next;
  };
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t count = character_bytes(bytes, at);
    const char32_t c = code_point_of(std::string_view(bytes).substr(at, count));
    const bool ends = (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) ||
                      (c == 0x85 && count == 2) || c == 0x2028 || c == 0x2029;
    std::size_t next = at + count;
    if (ends) {
      if (c == '\r' && next < bytes.size() && bytes[next] == '\n') ++next;
      take_line(at, next);
    }
    at = next;
  }
  if (first < bytes.size()) take_line(bytes.size(), bytes.size());
  return run.list(std::move(lines));
}

/// startswith and endswith: of a text, or of one of a tuple of texts.
template <side Where>
value call_starts_or_ends(runtime& run, const value& self, arguments& args) {
  const parameters given(Where == side::left ? "startswith" : "endswith", args, {"prefix"});
  const auto matches = [&](const value& part) {
    if (!part.is_string())
      throw error(std::string("startswith and endswith take str or a tuple of str, not ") +
                  part.type_name());
    run.work.take_steps(1 + part.bytes().size() / 256);
    return Where == side::left ? self.bytes().starts_with(part.bytes())
                               : self.bytes().ends_with(part.bytes());
  };
  const value& what = given.at(0);
  if (!what.is_sequence() || !what.list().is_tuple) return matches(what);
  return std::ranges::any_of(what.list().items, matches);
}

inline value call_replace(runtime& run, const value& self, arguments& args) {
  const parameters given("replace", args, {"old", "new", "count"});
  return replace(run, self.text(), given.text(0), given.text(1), given.integer(2, -1));
}

template <letter_case How>
value call_case(runtime& run, const value& self, arguments& args) {
  const parameters given("upper", args, {});
  run.work.take_value_bytes(self.text().size() + 64, 2);
  run.work.take_characters(self.text().size() * 2);
  return in_case(self.text(), How);
}

/// find and rfind: counted in characters; -1 where the part is not there.
template <side Where>
value call_find(runtime& run, const value& self, arguments& args) {
  const parameters given("find", args, {"sub"});
  const std::string &text = self.bytes(), &part = given.text(0).bytes();
  if (Where == side::right) run.work.take_steps(1 + text.size() / 16 * (1 + part.size() / 64));
  const std::size_t found = Where == side::left ? find_text(run, text, part) : text.rfind(part);
  if (found == text.npos) return -1;
  run.work.take_characters(found);
  return static_cast<std::int64_t>(num_characters(std::string_view(text).substr(0, found)));
}

inline value call_count(runtime& run, const value& self, arguments& args) {
  const parameters given("count", args, {"sub"});
  const std::string &text = self.bytes(), &part = given.text(0).bytes();
  if (part.empty()) return length_of(run, self) + 1;
  std::int64_t count = 0;
  for (std::size_t at = find_text(run, text, part); at != text.npos;
       at = find_text(run, text, part, at + part.size()))
    ++count;
  return count;
}

inline value call_join(runtime& run, const value& self, arguments& args) {
  const parameters given("join", args, {"iterable"});
  const std::vector<value> items = items_of(run, given.at(0));
  for (const value& item : items)
    if (!item.is_string())
      throw error(std::string("join takes items of type str, not ") + item.type_name());
  return join(run, self.text(), items);
}

template <side Where>
value call_remove(runtime& run, const value& self, arguments& args) {
  const parameters given(Where == side::left ? "removeprefix" : "removesuffix", args, {"part"});
  const std::string &text = self.bytes(), &part = given.text(0).bytes();
  run.work.take_value_bytes(text.size() + 64);
  const bool has = Where == side::left ? text.starts_with(part) : text.ends_with(part);
  if (!has) return self;
  return self.text().part(Where == side::left ? part.size() : 0, text.size() - part.size());
}

/// Python's format(), of which there are {}, {0} and {name}.
inline value call_format(runtime& run, const value& self, arguments& args) {
  const marked_text& text = self.text();
  const std::string& bytes = text.bytes();
  run.work.take_value_bytes(bytes.size() + 64);
  run.work.take_characters(bytes.size());
  marked_text out;
  std::size_t next = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
    out += text.part(at, brace - at);
    at = brace + 1;
    if (brace == bytes.size()) break;
    if (at < bytes.size() && bytes[at] == bytes[brace]) {  // {{ and }}
      out += text.part(at++, 1);
      continue;
    }
    const std::size_t end = bytes.find('}', at);
    if (bytes[brace] == '}' || end == bytes.npos) throw error("format: a brace has no partner");
    const std::string name = bytes.substr(at, end - at);
    at = end + 1;
    const bool is_number = !name.empty() && name.find_first_not_of("0123456789") == name.npos;
    const auto named = std::ranges::find(args.named, name, [](const auto& a) { return a.first; });
    value v;
    if (name.empty() || (is_number && name.size() < 9)) {
      const std::size_t i = name.empty() ? next++ : std::stoul(name);
      if (i >= args.positional.size()) throw error("format: no argument " + std::to_string(i));
      v = args.positional[i];
    } else if (named != args.named.end()) {
      v = named->second;
    } else {
      throw error("format: field {" + printable(name, 40) +
                  "}, expected {}, {number} or {name} of an argument");
    }
    const value written = string_of(run, v);
    run.work.take_value_bytes(written.text().size());
    run.work.take_steps(1 + args.named.size() / 16);
    out += written.text();
  }
  return out;
}

inline value call_isdigit(runtime& run, const value& self, arguments& args) {
  const parameters given("isdigit", args, {});
  run.work.take_characters(self.text().size());
  return !self.text().empty() && self.bytes().find_first_not_of("0123456789") == std::string::npos;
}

inline constexpr named_method string_methods[] = {
    {"strip", call_strip<side::both>},
    {"lstrip", call_strip<side::left>},
    {"rstrip", call_strip<side::right>},
    {"split", call_split<side::left>},
    {"rsplit", call_split<side::right>},
    {"splitlines", call_splitlines},
    {"startswith", call_starts_or_ends<side::left>},
    {"endswith", call_starts_or_ends<side::right>},
    {"replace", call_replace},
    {"upper", call_case<letter_case::upper>},
    {"lower", call_case<letter_case::lower>},
    {"title", call_case<letter_case::title>},
    {"capitalize", call_case<letter_case::capitalize>},
    {"find", call_find<side::left>},
    {"rfind", call_find<side::right>},
    {"count", call_count},
    {"join", call_join},
    {"removeprefix", call_remove<side::left>},
    {"removesuffix", call_remove<side::right>},
    {"isdigit", call_isdigit},
    {"format", call_format},
};

// Lists and tuples.

inline std::vector<value>& items_to_change(const value& self) {
  if (!self.list().is_mutable) throw error("a list of the conversation cannot be changed");
  return self.list().items;
}

inline value call_append(runtime& run, const value& self, arguments& args) {
  const parameters given("append", args, {"item"});
  run.work.take_value_bytes(2 * sizeof(value));
  const value item = given.at(0);
  items_to_change(self).push_back(item);
  return none{};
}

inline value call_extend(runtime& run, const value& self, arguments& args) {
  const parameters given("extend", args, {"items"});
  const std::vector<value> added = items_of(run, given.at(0));
  run.work.take_value_bytes(added.size(), 2 * sizeof(value));
  std::vector<value>& items = items_to_change(self);
  items.insert(items.end(), added.begin(), added.end());
  return none{};
}

inline value call_insert(runtime& run, const value& self, arguments& args) {
  const parameters given("insert", args, {"index", "item"});
  std::vector<value>& items = items_to_change(self);
  const auto size = static_cast<std::int64_t>(items.size());
  std::int64_t at = given.integer(0);
  if (at < 0) at = std::max(at, -size) + size;
  run.work.take_value_bytes(2 * sizeof(value));
  run.work.take_steps(1 + items.size() / 4);
  const value item = given.at(1);
  items.insert(items.begin() + static_cast<std::ptrdiff_t>(std::min(at, size)), item);
  return none{};
}

inline value call_list_pop(runtime& run, const value& self, arguments& args) {
  const parameters given("pop", args, {"index"});
  std::vector<value>& items = items_to_change(self);
  const auto size = static_cast<std::int64_t>(items.size());
  std::int64_t at = given.integer(0, -1);
  if (at < -size || at >= size) throw error("pop: there is no such item");
  if (at < 0) at += size;
  run.work.take_steps(1 + static_cast<std::size_t>(size - at) / 4);
  const value item = items[static_cast<std::size_t>(at)];
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
  return item;
}

inline value call_list_index(runtime& run, const value& self, arguments& args) {
  const parameters given("index", args, {"item"});
  const std::vector<value>& items = self.list().items;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (equal(items[i], given.at(0), run.work)) return static_cast<std::int64_t>(i);
  throw error("index: the item is not there");
}

inline constexpr named_method list_methods[] = {
    {"index", call_list_index}, {"append", call_append}, {"extend", call_extend},
    {"insert", call_insert},    {"pop", call_list_pop},
};

// Dicts.

inline mapping& dict_to_change(const value& self) {
  if (!self.dict().is_mutable) throw error("a dict of the conversation cannot be changed");
  return self.dict();
}

inline void set_item(runtime& run, mapping& items, const value& key, value item) {
  if (value* old = find_key(items, key, run.work)) {
    *old = std::move(item);
    return;
  }
  run.work.take_value_bytes(4 * sizeof(value));
  items.items.emplace_back(key, std::move(item));
}

}  // namespace detail

/// Pairs of key and item, as tuples.
inline std::vector<value> pairs_of(runtime& run, const value& dict) {
  if (dict.is_undefined()) return {};
  if (!dict.is_dict())
    throw error(std::string("a dict is expected, not a value of type ") + dict.type_name());
  run.work.take_value_bytes(dict.dict().items.size(), sizeof(value));
  std::vector<value> pairs;
  for (const auto& [key, item] : dict.dict().items) pairs.push_back(run.tuple({key, item}));
  return pairs;
}

namespace detail {

inline value call_items(runtime& run, const value& self, arguments& args) {
  const parameters given("items", args, {});
  return run.list(pairs_of(run, self));
}

inline value call_keys(runtime& run, const value& self, arguments& args) {
  const parameters given("keys", args, {});
  return run.list(items_of(run, self));
}

inline value call_values(runtime& run, const value& self, arguments& args) {
  const parameters given("values", args, {});
  run.work.take_value_bytes(self.dict().items.size(), sizeof(value));
  std::vector<value> items;
  for (const auto& [key, item] : self.dict().items) items.push_back(item);
  return run.list(std::move(items));
}

inline value call_get(runtime& run, const value& self, arguments& args) {
  const parameters given("get", args, {"key", "default"});
  if (given.at(0).is_undefined()) return given.get(1, none{});
  const value* found = find_key(self.dict(), given.at(0), run.work);
  return found != nullptr ? *found : given.get(1, none{});
}

inline value call_update(runtime& run, const value& self, arguments& args) {
  mapping& items = dict_to_change(self);
  if (args.positional.size() > 1) throw error("update takes at most one dict");
  if (!args.positional.empty()) {
    const value& other = args.positional[0];
    if (!other.is_dict()) throw error(std::string("update takes a dict, not ") + other.type_name());
    const auto added = other.dict().items;
    run.work.take_value_bytes(added.size(), 2 * sizeof(value));
    for (const auto& [key, item] : added) set_item(run, items, key, item);
  }
  for (const auto& [name, item] : args.named) set_item(run, items, value(name), item);
  return none{};
}

inline value call_dict_pop(runtime& run, const value& self, arguments& args) {
  const parameters given("pop", args, {"key", "default"});
  mapping& items = dict_to_change(self);
  value* found = find_key(items, given.at(0), run.work);
  if (found == nullptr) {
    if (!given.has(1)) throw error("pop: there is no such key");
    return given.at(1);
  }
  value item = *found;
  run.work.take_steps(1 + items.items.size() / 4);
  std::erase_if(items.items, [&](const auto& pair) { return &pair.second == found; });
  return item;
}

inline constexpr named_method dict_methods[] = {
    {"items", call_items}, {"keys", call_keys},     {"values", call_values},
    {"get", call_get},     {"update", call_update}, {"pop", call_dict_pop},
};

template <std::size_t Size>
method find_in(const named_method (&methods)[Size], std::string_view name) {
  for (const named_method& known : methods)
    if (known.name == name) return known.call;
  return nullptr;
}

/// `loop.name`, if there is such an attribute.
inline std::optional<value> loop_attribute(runtime& run, const std::shared_ptr<loop_state>& loop,
                                           const std::string& name) {
  const auto index = static_cast<std::int64_t>(loop->index);
  const auto length = static_cast<std::int64_t>(loop->items.size());
  if (name == "index") return value(index + 1);
  if (name == "index0") return value(index);
  if (name == "revindex") return value(length - index);
  if (name == "revindex0") return value(length - index - 1);
  if (name == "first") return value(index == 0);
  if (name == "last") return value(index + 1 == length);
  if (name == "length") return value(length);
  if (name == "previtem")
    return index == 0 ? value(undefined{"there is no previous item"})
                      : loop->items[loop->index - 1];
  if (name == "nextitem")
    return index + 1 == length ? value(undefined{"there is no next item"})
                               : loop->items[loop->index + 1];
  if (name == "cycle")
    return run.function("cycle", [loop](runtime&, arguments& args) -> value {
      if (args.positional.empty()) throw error("cycle: there are no items");
      return args.positional[loop->index % args.positional.size()];
    });
  return std::nullopt;
}

}  // namespace detail

/// The method of this name that the value has, or null.
inline detail::method find_method(const value& self, std::string_view name) {
  detail::method found = nullptr;
  if (self.is_string()) {
    found = detail::find_in(detail::string_methods, name);
  } else if (self.is_dict()) {
    found = detail::find_in(detail::dict_methods, name);
  } else if (self.is_sequence()) {
    found = detail::find_in(detail::list_methods, name);
  }
  return found;
}

/// base.name: an attribute, or an item of this name.
inline value get_attribute(runtime& run, const value& base, const std::string& name) {
  if (base.is_undefined()) throw error(base.why_undefined());
  if (const detail::method found = find_method(base, name))
    return run.function(
        name, [found, base](runtime& runs, arguments& args) { return found(runs, base, args); });
  if (base.is_loop()) {
    if (auto found = detail::loop_attribute(run, base.loop(), name)) return *found;
    throw error("loop." + printable(name, 40) + " is not supported");
  } else if (base.is_mapping() && !name.starts_with("__")) {
    if (const value* found = find_key(base.dict(), value(name), run.work)) return *found;
  }
  return undefined{std::string("'") + base.type_name() + "' has no attribute '" +
                   printable(name, 40) + "'"};
}

/// base[key]: an item, or an attribute of this name.
inline value get_item(runtime& run, const value& base, const value& key) {
  if (base.is_undefined()) throw error(base.why_undefined());
  if (base.is_dict() && (key.is_string() || key.is_number() || key.is_none())) {
    if (const value* found = find_key(base.dict(), key, run.work)) return *found;
  }
  if (key.is_string()) return get_attribute(run, base, key.bytes());
  if (key.is_whole() && (base.is_string() || base.is_sequence())) {
    if (auto found = item_at(run, base, key.integer())) return *found;
  }
  return undefined{std::string("'") + base.type_name() + "' has no item " +
                   printable(repr(key, run.work).bytes(), 40)};
}

}  // namespace rocmforge::jinja
