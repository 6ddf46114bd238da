// What stands after `is`.
#pragma once

#include <cmath>
#include <string>
#include <string_view>

#include <rocmforge/text/jinja/characters.hpp>
#include <rocmforge/text/jinja/methods.hpp>
#include <rocmforge/text/jinja/operators.hpp>
#include <rocmforge/text/jinja/runtime.hpp>

namespace rocmforge::jinja {

bool has_filter(std::string_view name);
bool has_test(std::string_view name);

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

inline bool is_case(runtime& run, arguments& args, bool upper) {
  const value text = string_of(run, args.positional[0]);
  arguments no_arguments;
  return (upper ? call_is_case<true> : call_is_case<false>)(run, text, no_arguments).truth();
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
    {"escaped", 0, [](runtime&, arguments&) { return false; }},
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
    {"filter", 0,
     [](runtime&, arguments& a) {
       return a.positional[0].is_string() && has_filter(a.positional[0].bytes());
     }},
    {"test", 0,
     [](runtime&, arguments& a) {
       return a.positional[0].is_string() && has_test(a.positional[0].bytes());
     }},
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

}  // namespace rocmforge::jinja
