// What a template finds without being given it: the tests that stand after `is`, and functions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/letter_case.hpp>
#include <rocmforge/text/jinja/methods.hpp>
#include <rocmforge/text/jinja/operators.hpp>
#include <rocmforge/text/jinja/runtime.hpp>

namespace rocmforge::jinja {

namespace detail {

using test_function = bool (*)(runtime&, arguments&);

struct named_test {
  std::string_view name;
  std::size_t num_arguments;  // beside the value itself
  test_function run;
};

inline bool is_remainder(runtime& run, const value& v, const value& divisor, int rest) {
  return equal(apply_binary(run, "%", v, divisor), rest, run.work);
}

/// Whether there are letters, and all of them are of this case.
inline bool is_case(runtime& run, arguments& args, bool upper) {
  const value text = string_of(run, args.positional[0]);
  run.work.take_characters(text.text().size() * 2);
  bool some = false, all = true;
  for_each_character(text.bytes(), [&](std::string_view, char32_t c, std::size_t) {
    some = some || (upper ? is_upper(c) : is_lower(c));
    all = all && !(upper ? is_lower(c) : is_upper(c));
  });
  return some && all;
}

inline constexpr named_test tests[] = {
    {"defined", 0, [](runtime&, arguments& a) { return !a.positional[0].is_undefined(); }},
    {"undefined", 0, [](runtime&, arguments& a) { return a.positional[0].is_undefined(); }},
    {"none", 0, [](runtime&, arguments& a) { return a.positional[0].is_none(); }},
    {"string", 0, [](runtime&, arguments& a) { return a.positional[0].is_string(); }},
    {"number", 0, [](runtime&, arguments& a) { return a.positional[0].is_number(); }},
    {"integer", 0, [](runtime&, arguments& a) { return a.positional[0].is_integer(); }},
    {"float", 0, [](runtime&, arguments& a) { return a.positional[0].is_real(); }},
    {"boolean", 0, [](runtime&, arguments& a) { return a.positional[0].is_bool(); }},
    {"true", 0,
     [](runtime&, arguments& a) { return a.positional[0].is_bool() && a.positional[0].truth(); }},
    {"false", 0,
     [](runtime&, arguments& a) { return a.positional[0].is_bool() && !a.positional[0].truth(); }},
    {"mapping", 0, [](runtime&, arguments& a) { return a.positional[0].is_dict(); }},
    {"sequence", 0,
     [](runtime&, arguments& a) {
       const value& v = a.positional[0];
       return v.is_sequence() || v.is_string() || v.is_dict() || v.is_undefined();
     }},
    {"iterable", 0,
     [](runtime&, arguments& a) {
       const value& v = a.positional[0];
       return v.is_sequence() || v.is_string() || v.is_dict() || v.is_undefined() || v.is_loop();
     }},
    {"callable", 0,
     [](runtime&, arguments& a) {
       const value& v = a.positional[0];
       return v.is_callable() || v.is_undefined() || v.is_loop();
     }},
    {"odd", 0, [](runtime& run, arguments& a) { return is_remainder(run, a.positional[0], 2, 1); }},
    {"even", 0,
     [](runtime& run, arguments& a) { return is_remainder(run, a.positional[0], 2, 0); }},
    {"divisibleby", 1,
     [](runtime& run, arguments& a) {
       return is_remainder(run, a.positional[0], a.positional[1], 0);
     }},
    {"sameas", 1, [](runtime&, arguments& a) { return a.positional[0].same_as(a.positional[1]); }},
    {"in", 1,
     [](runtime& run, arguments& a) { return contains(run, a.positional[1], a.positional[0]); }},
    {"lower", 0, [](runtime& run, arguments& a) { return is_case(run, a, false); }},
    {"upper", 0, [](runtime& run, arguments& a) { return is_case(run, a, true); }},
};

/// The tests that are operators by another name.
inline constexpr std::string_view comparisons[][2] = {
    {"eq", "=="}, {"equalto", "=="},    {"==", "=="}, {"ne", "!="}, {"!=", "!="},
    {"lt", "<"},  {"lessthan", "<"},    {"<", "<"},   {"le", "<="}, {"<=", "<="},
    {"gt", ">"},  {"greaterthan", ">"}, {">", ">"},   {"ge", ">="}, {">=", ">="},
};

}  // namespace detail

inline bool has_test(std::string_view name) {
  for (const auto& known : detail::tests)
    if (known.name == name) return true;
  for (const auto& known : detail::comparisons)
    if (known[0] == name) return true;
  return false;
}

inline bool apply_test(runtime& run, const std::string& name, arguments& given) {
  const runtime::level inside(run);
  if (!has_test(name)) throw error("there is no test '" + printable(name, 40) + "'");
  if (!given.named.empty()) throw error("test '" + name + "' takes no argument by name");
  const auto require = [&](std::size_t count) {
    if (given.positional.size() != count + 1)
      throw error("test '" + name + "' takes " + std::to_string(count) + " arguments, not " +
                  std::to_string(given.positional.size() - 1));
  };
  for (const auto& known : detail::tests) {
    if (known.name != name) continue;
    require(known.num_arguments);
    return known.run(run, given);
  }
  for (const auto& known : detail::comparisons) {
    if (known[0] != name) continue;
    require(1);
    return compare(run, std::string(known[1]), given.positional[0], given.positional[1]);
  }
  return false;
}

// Functions.

namespace detail {

inline value call_range(runtime& run, arguments& args) {
  const parameters given("range", args, {"start", "stop", "step"});
  const bool has_start = given.has(1);
  const std::int64_t first = has_start ? given.integer(0) : 0;
  const std::int64_t last = given.integer(has_start ? 1 : 0), step = given.integer(2, 1);
  if (step == 0) throw error("range: the step is zero");
  // As jinja2's sandbox.
  constexpr std::size_t max_items = 100'000;
  std::vector<value> items;
  for (std::int64_t i = first; step > 0 ? i < last : i > last;) {
    if (items.size() == max_items) throw error("range: more than 100000 items");
    run.work.take_value_bytes(sizeof(value));
    items.emplace_back(i);
    if (step > 0 ? i > highest_integer - step : i < lowest_integer - step) break;
    i += step;
  }
  return run.list(std::move(items));
}

/// dict() and namespace(): of a dict, of pairs, and of arguments with names.
inline mapping make_mapping(runtime& run, arguments& args) {
  if (args.positional.size() > 1) throw error("dict takes at most one argument without a name");
  mapping made;
  if (!args.positional.empty()) {
    const value& from = args.positional[0];
    const std::vector<value> pairs = from.is_dict() ? pairs_of(run, from) : items_of(run, from);
    for (const value& pair : pairs) {
      const std::vector<value> parts = items_of(run, pair);
      if (parts.size() != 2) throw error("dict: expected pairs of key and value");
      set_item(run, made, parts[0], parts[1]);
    }
  }
  for (const auto& [name, item] : args.named) set_item(run, made, value(name), item);
  return made;
}

inline value call_dict(runtime& run, arguments& args) {
  return run.dict(make_mapping(run, args));
}

inline value call_namespace(runtime& run, arguments& args) {
  mapping made = make_mapping(run, args);
  made.is = mapping::kind::name_space;
  return run.dict(std::move(made));
}

inline value call_raise_exception(runtime& run, arguments& args) {
  const parameters given("raise_exception", args, {"message"});
  throw error("the template says: " + printable(string_of(run, given.at(0)).bytes(), 300));
}

inline std::string two_digits(int number, char fill = '0') {
  std::string text = std::to_string(number);
  return text.size() < 2 ? fill + text : text;
}

/// Date and time by a format as strftime's, in English.
inline std::string format_time(runtime& run, const std::string& format, const std::tm& time) {
  constexpr std::array<std::string_view, 7> days = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
  constexpr std::array<std::string_view, 12> months = {
      "January", "February", "March",     "April",   "May",      "June",
      "July",    "August",   "September", "October", "November", "December"};
  const auto day = days[static_cast<std::size_t>(time.tm_wday) % 7];
  const auto month = months[static_cast<std::size_t>(time.tm_mon) % 12];
  const int hour12 = time.tm_hour % 12 == 0 ? 12 : time.tm_hour % 12;
  run.work.take_value_bytes(format.size(), 9);
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    char what = format[++i];
    const bool is_plain = what == '-' && i + 1 < format.size();
    if (is_plain) what = format[++i];
    const auto number = [&](int n) { out += is_plain ? std::to_string(n) : two_digits(n); };
    switch (what) {
      case 'Y':
        out += std::to_string(time.tm_year + 1900);
        break;
      case 'y':
        number(time.tm_year % 100);
        break;
      case 'm':
        number(time.tm_mon + 1);
        break;
      case 'd':
        number(time.tm_mday);
        break;
      case 'e':
        out += two_digits(time.tm_mday, is_plain ? '0' : ' ');
        break;
      case 'H':
        number(time.tm_hour);
        break;
      case 'I':
        number(hour12);
        break;
      case 'M':
        number(time.tm_min);
        break;
      case 'S':
        number(time.tm_sec);
        break;
      case 'j': {
        const std::string text = std::to_string(time.tm_yday + 1);
        out += is_plain ? text : std::string(3 - std::min<std::size_t>(3, text.size()), '0') + text;
        break;
      }
      case 'p':
        out += time.tm_hour < 12 ? "AM" : "PM";
        break;
      case 'A':
        out += day;
        break;
      case 'a':
        out += day.substr(0, 3);
        break;
      case 'B':
        out += month;
        break;
      case 'b':
      case 'h':
        out += month.substr(0, 3);
        break;
      case 'w':
        out += std::to_string(time.tm_wday);
        break;
      case 'F':
        out += std::to_string(time.tm_year + 1900) + "-" + two_digits(time.tm_mon + 1) + "-" +
               two_digits(time.tm_mday);
        break;
      case 'D':
        out += two_digits(time.tm_mon + 1) + "/" + two_digits(time.tm_mday) + "/" +
               two_digits(time.tm_year % 100);
        break;
      case 'T':
        out += two_digits(time.tm_hour) + ":" + two_digits(time.tm_min) + ":" +
               two_digits(time.tm_sec);
        break;
      case 'R':
        out += two_digits(time.tm_hour) + ":" + two_digits(time.tm_min);
        break;
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case '%':
        out += '%';
        break;
      default:
        throw error("strftime_now: unknown format '%" + printable(std::string(1, what)) + "'");
    }
  }
  return out;
}

inline value call_strftime_now(runtime& run, arguments& args) {
  const parameters given("strftime_now", args, {"format"});
  return value(format_time(run, given.text(0).bytes(), run.now()));
}

struct named_function {
  std::string_view name;
  value (*call)(runtime&, arguments&);
};

inline constexpr named_function functions[] = {
    {"range", call_range},
    {"dict", call_dict},
    {"namespace", call_namespace},
    {"raise_exception", call_raise_exception},
    {"strftime_now", call_strftime_now},
};

}  // namespace detail

/// The function of this name, or nothing.
inline std::optional<value> find_function(runtime& run, std::string_view name) {
  for (const detail::named_function& known : detail::functions)
    if (known.name == name) return run.function(std::string(name), known.call);
  return std::nullopt;
}

}  // namespace rocmforge::jinja
