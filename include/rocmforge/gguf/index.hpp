// The contents of a parsed GGUF model: its metadata, read by type, and the places of its tensors.
#pragma once

#include <rocmforge/error.hpp>
#include <rocmforge/gguf/name_lookup.hpp>
#include <rocmforge/gguf/tensor_info.hpp>
#include <rocmforge/gguf/value.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocmforge::gguf {

namespace detail {

/// The contents of one file, or the joined contents of the files of a split model.
struct contents {
  std::vector<std::string> paths;
  std::uint32_t version = 0;
  std::uint32_t alignment = 0;
  std::uint64_t trailing_bytes = 0;
  std::vector<metadata_entry> metadata;
  std::vector<tensor_info> tensors;
  name_lookup metadata_names;
  name_lookup tensor_names;

  const metadata_entry* find_entry(std::string_view key) const {
    const auto at = metadata_names.find(key);
    return at ? &metadata[*at] : nullptr;
  }
};

}  // namespace detail

/// A parsed model of one file, or of several if it is split. Holds views of the bytes it was parsed
/// from, which must outlive it. Its own memory is at most a small multiple of the size of the
/// files' headers.
class index {
 public:
  explicit index(detail::contents contents) : contents_(std::move(contents)) {}
  index(index&&) = default;
  index& operator=(index&&) = default;

  /// The name given to `parse`, usually the file's path; for a split model that of the first file.
  const std::string& path() const { return contents_.paths.front(); }
  /// All files of the model, in order.
  std::span<const std::string> paths() const { return contents_.paths; }
  std::uint32_t version() const { return contents_.version; }
  /// The alignment of every tensor's offset from the start of the data section, in bytes. For a
  /// split model that of the first file; the other files may have different ones.
  std::uint32_t alignment() const { return contents_.alignment; }

  /// The number of bytes after the last tensor and its padding, in all files together. They are no
  /// part of the model; some programs append something there.
  std::uint64_t trailing_bytes() const { return contents_.trailing_bytes; }

  /// All tensors, in file order.
  std::span<const tensor_info> tensors() const { return contents_.tensors; }
  /// Null if there is no such tensor.
  const tensor_info* find_tensor(std::string_view name) const {
    const auto at = contents_.tensor_names.find(name);
    return at ? &contents_.tensors[*at] : nullptr;
  }
  /// Throws `error` if there is no such tensor.
  const tensor_info& tensor(std::string_view name) const {
    if (const tensor_info* info = find_tensor(name)) return *info;
    throw error(path(), error::no_offset, "has no tensor '" + printable(name) + "'");
  }

  /// All metadata, in file order; for a split model that of the first file.
  std::span<const metadata_entry> metadata() const { return contents_.metadata; }
  bool contains(std::string_view key) const { return contents_.find_entry(key) != nullptr; }

  /// The value of `key`. Throws `error` if the key is absent, or as `find` does.
  template <metadata_target T>
  T get(std::string_view key) const {
    return detail::read_scalar<T>(entry(key, detail::expectation<T>()), path());
  }

  /// The value of `key`, or nothing if the key is absent.
  ///
  /// @tparam T  bool, an integer, float, double or std::string_view (raw bytes in the file, not
  /// checked to be UTF-8).
  ///            Integers convert from any integer type if the value is in range, floats from f32
  ///            and f64; a float that is not finite is refused.
  /// Throws `error` with the key, its offset, its value or type, and what was expected.
  template <metadata_target T>
  std::optional<T> find(std::string_view key) const {
    const metadata_entry* found = contents_.find_entry(key);
    if (!found) return std::nullopt;
    return detail::read_scalar<T>(*found, path());
  }

  /// The elements of the array `key`, converted like `find`'s value. Throws `error` also if the key
  /// is absent.
  template <metadata_target T>
  std::vector<T> get_array(std::string_view key) const {
    return detail::read_array<T>(entry(key, "array of " + detail::expectation<T>()), path());
  }

 private:
  const metadata_entry& entry(std::string_view key, const std::string& expected) const {
    if (const metadata_entry* found = contents_.find_entry(key)) return *found;
    throw error(path(), error::no_offset,
                "metadata key '" + printable(key) + "' is missing, expected " + expected);
  }

  detail::contents contents_;
};

}  // namespace rocmforge::gguf
