#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <rocmforge/error.hpp>
#include <string_view>

namespace gguf_info {
namespace {

namespace gguf = rocmforge::gguf;
using json = nlohmann::ordered_json;
using rocmforge::printable;

template <class T>
json value_as(const gguf::index& model, const gguf::metadata_entry& entry) {
  if (entry.type == gguf::value_type::array) return model.get_array<T>(entry.key);
  return model.get<T>(entry.key);
}

/// f32 or f64 as they are: the reader itself refuses numbers that are not finite.
template <class T>
json numbers_of(const gguf::metadata_entry& entry) {
  std::vector<T> values(entry.count);
  if (!values.empty()) std::memcpy(values.data(), entry.payload.data(), entry.payload.size());
  return entry.type == gguf::value_type::array ? json(values) : json(values.front());
}

json value_of(const gguf::index& model, const gguf::metadata_entry& entry) {
  switch (entry.element_type) {
    case gguf::value_type::boolean:
      return value_as<bool>(model, entry);
    case gguf::value_type::string:
      return value_as<std::string_view>(model, entry);
    case gguf::value_type::f32:
      return numbers_of<float>(entry);
    case gguf::value_type::f64:
      return numbers_of<double>(entry);
    case gguf::value_type::u64:
      return value_as<std::uint64_t>(model, entry);
    default:
      return value_as<std::int64_t>(model, entry);
  }
}

std::string type_of(const gguf::metadata_entry& entry) {
  const std::string element(gguf::name_of(entry.element_type));
  return entry.type == gguf::value_type::array ? "array of " + element : element;
}

/// A value on one line of a terminal, whatever bytes a string has.
std::string line_of(const json& value) {
  if (value.is_string()) return "\"" + printable(value.get_ref<const std::string&>(), 100) + "\"";
  if (value.is_number_float()) {
    const auto number = value.get<double>();
    const auto single = static_cast<float>(number);
    // Of an f32, as few digits as an f32 needs.
    return single == number ? fmt::format("{}", single) : fmt::format("{}", number);
  }
  if (!value.is_array()) return value.dump();
  constexpr std::size_t max_shown = 4;
  std::vector<std::string> shown;
  for (const json& element : value) {
    if (shown.size() == max_shown) break;
    shown.push_back(line_of(element));
  }
  if (value.size() > max_shown) shown.push_back(fmt::format("... ({} in all)", value.size()));
  return fmt::format("[{}]", fmt::join(shown, ", "));
}

std::string shape_of(const gguf::tensor_info& tensor) {
  return fmt::format("{}",
                     fmt::join(tensor.extent.begin(), tensor.extent.begin() + tensor.rank, " x "));
}

}  // namespace

std::string text_report(const gguf::index& model, const std::vector<std::string>& sums) {
  std::string text;
  const auto out = std::back_inserter(text);
  std::uint64_t num_bytes = 0;
  std::size_t name_width = 0, shape_width = 0, key_width = 0;
  for (const gguf::tensor_info& tensor : model.tensors()) {
    num_bytes += tensor.num_bytes;
    name_width = std::max(name_width, printable(tensor.name).size());
    shape_width = std::max(shape_width, shape_of(tensor).size());
  }
  for (const gguf::metadata_entry& entry : model.metadata()) {
    key_width = std::max(key_width, std::min<std::size_t>(printable(entry.key).size(), 48));
  }
  for (const std::string& path : model.paths()) fmt::format_to(out, "{}\n", printable(path, 4096));
  fmt::format_to(out, "GGUF version {}, alignment {}; {} keys; {} tensors of {} bytes\n",
                 model.version(), model.alignment(), model.metadata().size(),
                 model.tensors().size(), num_bytes);
  if (model.trailing_bytes() != 0) {
    fmt::format_to(out, "{} bytes after the last tensor are no part of the model\n",
                   model.trailing_bytes());
  }
  if (!model.metadata().empty()) text += '\n';
  for (const gguf::metadata_entry& entry : model.metadata()) {
    fmt::format_to(out, "{:<{}}  {:<15}  {}\n", printable(entry.key), key_width, type_of(entry),
                   line_of(value_of(model, entry)));
  }
  if (!model.tensors().empty()) text += '\n';
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    const gguf::tensor_info& tensor = model.tensors()[i];
    fmt::format_to(out, "{:<{}}  {:<7}  {:<{}}  {:>11}", printable(tensor.name), name_width,
                   gguf::traits_of(tensor.type).name, shape_of(tensor), shape_width,
                   tensor.num_bytes);
    if (model.paths().size() > 1) fmt::format_to(out, "  file {}", tensor.file + 1);
    if (!sums.empty()) fmt::format_to(out, "  {}", sums[i]);
    text += '\n';
  }
  return text;
}

std::string json_report(const gguf::index& model, const std::vector<std::string>& sums) {
  json metadata = json::object();
  for (const gguf::metadata_entry& entry : model.metadata()) {
    metadata[std::string(entry.key)] = {{"type", type_of(entry)},
                                        {"value", value_of(model, entry)}};
  }
  json tensors = json::array();
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    const gguf::tensor_info& tensor = model.tensors()[i];
    json& entry = tensors.emplace_back();
    entry["name"] = tensor.name;
    entry["type"] = gguf::traits_of(tensor.type).name;
    entry["extent"] = json(std::vector(tensor.extent.begin(), tensor.extent.begin() + tensor.rank));
    entry["file"] = tensor.file;
    entry["offset"] = tensor.offset;
    entry["num_bytes"] = tensor.num_bytes;
    if (!sums.empty()) entry["sha256"] = sums[i];
  }
  const json report = {{"files", std::vector(model.paths().begin(), model.paths().end())},
                       {"version", model.version()},
                       {"alignment", model.alignment()},
                       {"trailing_bytes", model.trailing_bytes()},
                       {"metadata", std::move(metadata)},
                       {"tensors", std::move(tensors)}};
  return report.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace gguf_info
