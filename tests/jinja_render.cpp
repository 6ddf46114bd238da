// Renders chat templates for jinja_compare_test.py. Reads JSON cases, one a line, from standard
// input: {"template": ..., "context": {...}}; writes one line for each: {"text": ...} and the bytes
// that are data, or {"error": ...}. Texts of the context are data, but for those whose names end in
// "_token".
#include <rocmforge/text/jinja.hpp>

#include "support/jinja_clock.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace rocmforge::jinja {
namespace {

value from_json(const nlohmann::ordered_json& json, bool is_data) {
  switch (json.type()) {
    case nlohmann::ordered_json::value_t::null:
      return none{};
    case nlohmann::ordered_json::value_t::boolean:
      return json.get<bool>();
    case nlohmann::ordered_json::value_t::number_integer:
    case nlohmann::ordered_json::value_t::number_unsigned:
      return json.get<std::int64_t>();
    case nlohmann::ordered_json::value_t::number_float:
      return json.get<double>();
    case nlohmann::ordered_json::value_t::string:
      return marked_text(json.get<std::string>(), is_data);
    case nlohmann::ordered_json::value_t::array: {
      sequence items;
      for (const auto& item : json) items.items.push_back(from_json(item, is_data));
      return items;
    }
    default: {
      mapping items;
      for (const auto& [name, item] : json.items())
        items.items.emplace_back(name, from_json(item, is_data && !name.ends_with("_token")));
      return items;
    }
  }
}

nlohmann::ordered_json render(const nlohmann::ordered_json& given) {
  try {
    const chat_template source(given.at("template").get<std::string>());
    const value context = from_json(given.at("context"), true);
    render_options options;
    options.clock = testing::monday;
    std::string text, data;
    for (const segment& part : source.render(context.dict(), options)) {
      text += part.text;
      if (part.is_data) data += part.text;
    }
    return {{"text", text}, {"data", data}};
  } catch (const error& what) {
    return {{"error", what.what()}};
  }
}

}  // namespace
}  // namespace rocmforge::jinja

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);)
    std::cout << rocmforge::jinja::render(nlohmann::ordered_json::parse(line))
                     .dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace)
              << "\n";
}
