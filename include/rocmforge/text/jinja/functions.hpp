// The functions that a template finds without being given them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/methods.hpp>
#include <rocmforge/text/jinja/runtime.hpp>

namespace rocmforge::jinja {

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

inline value call_cycler(runtime& run, arguments& args) {
  if (args.positional.empty()) throw error("cycler: there are no items");
  const value items = run.list(args.positional);
  mapping made;
  made.is = mapping::kind::name_space;
  made.set("current", args.positional[0]);
  const value object = run.dict(std::move(made));
  const value place = run.list({value(0)});
  // The object lives as long as the run: these do not outlive it.
  mapping* const self = &object.dict();
  self->set("next", run.function("next", [items, place, self](runtime&, arguments&) {
    const std::vector<value>& all = items.list().items;
    value& at = place.list().items[0];
    const value result = all[static_cast<std::size_t>(at.integer())];
    at = (at.integer() + 1) % static_cast<std::int64_t>(all.size());
    self->set("current", all[static_cast<std::size_t>(at.integer())]);
    return result;
  }));
  self->set("reset", run.function("reset", [items, place, self](runtime&, arguments&) {
    place.list().items[0] = 0;
    self->set("current", items.list().items[0]);
    return value(none{});
  }));
  return object;
}

inline value call_joiner(runtime& run, arguments& args) {
  const parameters given("joiner", args, {"sep"});
  const value separator = given.get(0, ", "), used = run.list({value(false)});
  return run.function("joiner", [separator, used](runtime&, arguments&) {
    value& before = used.list().items[0];
    if (before.truth()) return separator;
    before = true;
    return value("");
  });
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
    {"cycler", call_cycler},
    {"joiner", call_joiner},
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
