// Models that are split over several files: each file's number and count in the metadata, the names
// of the files, and joining them. Source: llama.cpp's gguf-split.
#pragma once

#include <rocmforge/error.hpp>
#include <rocmforge/gguf/index.hpp>
#include <rocmforge/gguf/limits.hpp>
#include <rocmforge/gguf/tensor_info.hpp>
#include <rocmforge/gguf/value.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocmforge::gguf::detail {

[[noreturn]] inline void fail_at(const contents& file, std::string_view key,
                                 const std::string& message) {
  const metadata_entry* entry = file.find_entry(key);
  throw error(file.paths.front(), entry ? entry->offset : error::no_offset,
              "metadata key '" + std::string(key) + "': " + message);
}

/// The integer `key`. If it is missing: `absent`, or an error if there is no `absent`.
inline std::uint64_t split_number(const contents& file, std::string_view key,
                                  std::optional<std::uint64_t> absent) {
  const metadata_entry* entry = file.find_entry(key);
  if (entry) return read_scalar<std::uint64_t>(*entry, file.paths.front());
  if (absent) return *absent;
  fail_at(file, key, "is missing, expected an integer, because the model is split");
}

/// The number of files of the model that `file` belongs to. (In a merged model the key is 0.)
inline std::uint64_t num_files(const contents& file) {
  const std::uint64_t count = std::max<std::uint64_t>(split_number(file, "split.count", 1), 1);
  if (count > limits::max_files) {
    fail_at(file, "split.count",
            "the model is split over " + std::to_string(count) + " files, expected at most " +
                std::to_string(limits::max_files));
  }
  return count;
}

/// "-00002-of-00003.gguf" for the file `number` 1 of 3.
inline std::string split_suffix(std::uint64_t number, std::uint64_t count) {
  const auto five_digits = [](std::uint64_t value) {
    const std::string digits = std::to_string(value);
    return std::string(5 - std::min<std::size_t>(digits.size(), 5), '0') + digits;
  };
  return "-" + five_digits(number + 1) + "-of-" + five_digits(count) + ".gguf";
}

/// The paths of all files of a model, given the path of the first. They differ only in their
/// numbers, so that the contents of a file cannot choose which files are opened.
inline std::vector<std::string> split_paths(const contents& first) {
  const std::string& path = first.paths.front();
  const std::uint64_t count = num_files(first);
  if (count == 1) return {path};
  const std::uint64_t number = split_number(first, "split.no", std::nullopt);
  if (number != 0) {
    fail_at(first, "split.no",
            "this is file " + std::to_string(number + 1) + " of " + std::to_string(count) +
                " of a split model, expected the first, whose name ends in '" +
                split_suffix(0, count) + "'");
  }
  const std::string suffix = split_suffix(0, count);
  if (!path.ends_with(suffix)) {
    throw error(path, error::no_offset,
                "the model is split over " + std::to_string(count) +
                    " files, expected a name that ends in '" + suffix + "'");
  }
  std::vector<std::string> result;
  for (std::uint64_t i = 0; i < count; ++i) {
    result.push_back(path.substr(0, path.size() - suffix.size()) + split_suffix(i, count));
  }
  return result;
}

/// Checks that `file` declares itself number `number` of `count`, so that no file is used twice.
inline void check_place(const contents& file, std::uint64_t number, std::uint64_t count,
                        std::uint64_t num_tensors) {
  const auto check = [&](std::string_view key, std::uint64_t expected) {
    // A model in one file may leave the keys out.
    std::optional<std::uint64_t> absent;
    if (count == 1) absent = expected;
    const std::uint64_t value = split_number(file, key, absent);
    if (value != expected) {
      fail_at(file, key,
              "value is " + std::to_string(value) + ", expected " + std::to_string(expected));
    }
  };
  if (count > 1) check("split.count", count);
  check("split.no", number);
  check("split.tensors.count", num_tensors);
}

/// Joins the files of a model, in order: the metadata of the first, the tensors of all.
inline contents join(std::vector<contents> files) {
  const std::uint64_t count = num_files(files.front());
  if (count != files.size()) {
    fail_at(files.front(), "split.count",
            "the model is split over " + std::to_string(count) +
                " files, which open together by the path of the first");
  }
  std::size_t num_tensors = 0;
  for (const contents& file : files) num_tensors += file.tensors.size();
  for (std::size_t i = 0; i < count; ++i) check_place(files[i], i, count, num_tensors);
  contents result = std::move(files.front());
  if (count == 1) return result;

  result.tensors.reserve(num_tensors);
  for (std::size_t i = 1; i < count; ++i) {
    result.paths.push_back(files[i].paths.front());
    result.trailing_bytes += files[i].trailing_bytes;
    for (tensor_info& info : files[i].tensors) {
      info.file = static_cast<std::uint32_t>(i);
      result.tensors.push_back(info);
    }
  }
  result.tensor_names = {};
  result.tensor_names.reserve(num_tensors);
  for (const tensor_info& info : result.tensors) result.tensor_names.add(info.name);
  if (const auto repeated = result.tensor_names.sort()) {
    const auto is_repeated = [&](const tensor_info& info) { return info.name == *repeated; };
    const auto first = std::find_if(result.tensors.begin(), result.tensors.end(), is_repeated);
    const auto second = std::find_if(std::next(first), result.tensors.end(), is_repeated);
    throw error(result.paths[second->file], error::no_offset,
                "tensor '" + printable(*repeated) + "' is also in " + result.paths[first->file]);
  }
  return result;
}

}  // namespace rocmforge::gguf::detail
