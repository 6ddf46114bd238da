// What a parsed GGUF file contains: its metadata, read by type, and where its tensors are.
#pragma once

#include <rocmforge/error.hpp>
#include <rocmforge/gguf/name_lookup.hpp>
#include <rocmforge/gguf/tensor_info.hpp>
#include <rocmforge/gguf/value.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocmforge::gguf {

class index;
index parse(std::span<const std::byte> bytes, const std::string& name_for_errors);

/// A parsed file. Holds views of the bytes it was parsed from, which must outlive it; its own
/// memory is at most a small multiple of the file's head.
class index {
 public:
  index(index&&) = default;
  index& operator=(index&&) = default;

  /// The name given to `parse`, usually the file's path.
  const std::string& path() const { return path_; }
  std::uint32_t version() const { return version_; }
  /// Every tensor's offset from the start of the data section is a multiple of this.
  std::uint32_t alignment() const { return alignment_; }

  /// All tensors, in file order.
  std::span<const tensor_info> tensors() const { return tensors_; }
  /// Null if there is no such tensor.
  const tensor_info* find_tensor(std::string_view name) const {
    const auto at = tensor_lookup_.find(name);
    return at ? &tensors_[*at] : nullptr;
  }
  /// Throws `error` if there is no such tensor.
  const tensor_info& tensor(std::string_view name) const {
    if (const tensor_info* info = find_tensor(name)) return *info;
    throw error(path_, error::no_offset, "has no tensor '" + printable(name) + "'");
  }

  /// All metadata, in file order.
  std::span<const metadata_entry> metadata() const { return metadata_; }
  bool contains(std::string_view key) const { return find_entry(key) != nullptr; }

  /// The value of `key`. Throws `error` if the key is absent, or as `find` does.
  template <metadata_target T>
  T get(std::string_view key) const {
    return detail::read_scalar<T>(entry(key, detail::expectation<T>()), path_);
  }

  /// The value of `key`, or nothing if the key is absent.
  ///
  /// @tparam T  bool, an integer, float, double or std::string_view (raw bytes in the file, not
  /// checked to be UTF-8).
  ///            Integers convert from any integer type if the value is in range, floats from f32
  ///            and f64; a float that is not finite is refused.
  /// Throws `error` with the key, its offset, what it is and what was expected.
  template <metadata_target T>
  std::optional<T> find(std::string_view key) const {
    const metadata_entry* found = find_entry(key);
    if (!found) return std::nullopt;
    return detail::read_scalar<T>(*found, path_);
  }

  /// The elements of the array `key`, converted like `find`'s value. Throws `error` also if the key
  /// is absent.
  template <metadata_target T>
  std::vector<T> get_array(std::string_view key) const {
    return detail::read_array<T>(entry(key, "array of " + detail::expectation<T>()), path_);
  }

 private:
  friend index parse(std::span<const std::byte> bytes, const std::string& name_for_errors);

  explicit index(std::string path) : path_(std::move(path)) {}

  const metadata_entry* find_entry(std::string_view key) const {
    const auto at = metadata_lookup_.find(key);
    return at ? &metadata_[*at] : nullptr;
  }
  const metadata_entry& entry(std::string_view key, const std::string& expected) const {
    if (const metadata_entry* found = find_entry(key)) return *found;
    throw error(path_, error::no_offset,
                "metadata key '" + printable(key) + "' is missing, expected " + expected);
  }

  std::string path_;
  std::uint32_t version_ = 0;
  std::uint32_t alignment_ = 0;
  std::vector<metadata_entry> metadata_;
  std::vector<tensor_info> tensors_;
  detail::name_lookup metadata_lookup_;
  detail::name_lookup tensor_lookup_;
};

}  // namespace rocmforge::gguf
