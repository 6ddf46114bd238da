// Writes GGUF files for tests: valid ones by default, hostile ones through the raw functions and
// patch(). Shares no code with the reader except the list of types.
#pragma once

#include <rocmforge/gguf/types.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace rocmforge::testing {

using byte_vector = std::vector<std::byte>;

inline void append(byte_vector& bytes, std::span<const std::byte> more) {
  // Grown first: of an insertion that has to allocate, g++ 12 believes that it overflows.
  const std::size_t size = bytes.size();
  bytes.resize(size + more.size());
  std::copy(more.begin(), more.end(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
}

/// Appends a number, or a length-prefixed string, as a GGUF file stores it.
template <class T>
void append_value(byte_vector& bytes, const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    const std::string_view text = value;
    append_value(bytes, std::uint64_t{text.size()});
    append(bytes, std::as_bytes(std::span(text)));
  } else {
    static_assert(std::is_arithmetic_v<T>);
    append(bytes, std::as_bytes(std::span(&value, 1)));
  }
}

/// Overwrites the number at `offset`.
template <class T>
void patch(byte_vector& bytes, std::size_t offset, T value) {
  if (offset + sizeof value > bytes.size()) throw std::out_of_range("patch: past the end");
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

/// Builds a file: add metadata and tensors, then take bytes() or write(path).
class gguf_writer {
 public:
  // Offsets of the header's fields, for patch().
  static constexpr std::size_t version_offset = 4;
  static constexpr std::size_t num_tensors_offset = 8;
  static constexpr std::size_t num_keys_offset = 16;

  /// Offsets of a key's fields. `key` is that of its length; an array's element type is at `value`,
  /// its count at `value` + 4 and its elements at `value` + 12.
  struct key_offsets {
    std::size_t key, type, value;
  };
  /// Offsets of a tensor's fields. `name` is that of its length.
  struct tensor_offsets {
    std::size_t name, rank, extents, type, data_offset;
  };

  /// An alignment other than 32 is also written to the metadata.
  explicit gguf_writer(std::uint32_t version = 3, std::uint32_t alignment = 32)
      : version_(version), alignment_(alignment) {
    if (alignment != 32) add("general.alignment", alignment);
  }

  /// @param value  bool, an integer, float, double, or anything that converts to std::string_view;
  /// stored as just that
  template <class T>
  gguf_writer& add(std::string_view key, const T& value) {
    byte_vector encoded;
    append_value(encoded, value);
    return add_raw(key, type_id<T>(), encoded);
  }

  template <class T>
  gguf_writer& add_array(std::string_view key, const std::vector<T>& values) {
    byte_vector encoded;
    append_value(encoded, type_id<T>());
    append_value(encoded, std::uint64_t{values.size()});
    for (const T& value : values) append_value(encoded, value);
    return add_raw(key, static_cast<std::uint32_t>(gguf::value_type::array), encoded);
  }

  /// Any type id with any bytes.
  gguf_writer& add_raw(std::string_view key, std::uint32_t type, std::span<const std::byte> value) {
    keys_.push_back({std::string(key), type, {value.begin(), value.end()}});
    return *this;
  }

  /// @param extent  fastest-varying first
  /// @param data    as many bytes as type and extent ask for, else std::invalid_argument
  gguf_writer& add_tensor(std::string_view name, gguf::tensor_type type,
                          const std::vector<std::int64_t>& extent,
                          std::span<const std::byte> data) {
    const auto& traits = gguf::traits_of(type);
    std::int64_t num_bytes = traits.block_bytes;
    for (const std::int64_t count : extent) num_bytes *= count;
    if (num_bytes / traits.block_elements != static_cast<std::int64_t>(data.size())) {
      throw std::invalid_argument("gguf_writer: " + std::string(name) + " has " +
                                  std::to_string(data.size()) + " bytes, expected " +
                                  std::to_string(num_bytes / traits.block_elements));
    }
    data_.resize(padded(data_.size()));
    add_raw_tensor(name, {extent.begin(), extent.end()}, static_cast<std::uint32_t>(type),
                   data_.size());
    append(data_, data);
    return *this;
  }

  /// An f32 tensor.
  gguf_writer& add_tensor(std::string_view name, const std::vector<std::int64_t>& extent,
                          std::span<const float> values) {
    return add_tensor(name, gguf::tensor_type::f32, extent, std::as_bytes(values));
  }

  /// Any description, and no data.
  gguf_writer& add_raw_tensor(std::string_view name, const std::vector<std::uint64_t>& extent,
                              std::uint32_t type, std::uint64_t offset) {
    tensors_.push_back({std::string(name), extent, type, offset});
    return *this;
  }

  /// The whole file. The last tensor is padded too.
  byte_vector bytes() const {
    byte_vector result = head();
    if (tensors_.empty()) return result;
    result.resize(padded(result.size()));
    append(result, data_);
    result.resize(padded(result.size()));
    return result;
  }

  void write(const std::string& path) const {
    const byte_vector contents = bytes();
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(contents.data()),
              static_cast<std::streamsize>(contents.size()));
    out.close();
    if (!out) throw std::runtime_error("gguf_writer: cannot write " + path);
  }

  /// Where a key will be in bytes(); it must have been added.
  key_offsets offsets_of_key(std::string_view key) const {
    std::size_t at = 24;
    for (const key_value& entry : keys_) {
      const std::size_t type = at + 8 + entry.key.size();
      if (entry.key == key) return {at, type, type + 4};
      at = type + 4 + entry.value.size();
    }
    throw std::out_of_range("gguf_writer: no key " + std::string(key));
  }

  /// Where a tensor's description will be in bytes() if no more keys are added; the tensor must
  /// have been added.
  tensor_offsets offsets_of_tensor(std::string_view name) const {
    std::size_t at = 24;
    for (const key_value& entry : keys_) at += 8 + entry.key.size() + 4 + entry.value.size();
    for (const tensor& entry : tensors_) {
      const std::size_t rank = at + 8 + entry.name.size();
      const std::size_t type = rank + 4 + 8 * entry.extent.size();
      if (entry.name == name) return {at, rank, rank + 4, type, type + 4};
      at = type + 12;
    }
    throw std::out_of_range("gguf_writer: no tensor " + std::string(name));
  }

 private:
  struct key_value {
    std::string key;
    std::uint32_t type;
    byte_vector value;
  };
  struct tensor {
    std::string name;
    std::vector<std::uint64_t> extent;
    std::uint32_t type;
    std::uint64_t offset;
  };

  template <class T>
  static std::uint32_t type_id() {
    using enum gguf::value_type;
    constexpr auto type = [] {
      if constexpr (std::is_convertible_v<const T&, std::string_view>)
        return string;
      else if constexpr (std::same_as<T, bool>)
        return boolean;
      else if constexpr (std::same_as<T, float>)
        return f32;
      else if constexpr (std::same_as<T, double>)
        return f64;
      else if constexpr (sizeof(T) == 1)
        return std::is_signed_v<T> ? i8 : u8;
      else if constexpr (sizeof(T) == 2)
        return std::is_signed_v<T> ? i16 : u16;
      else if constexpr (sizeof(T) == 4)
        return std::is_signed_v<T> ? i32 : u32;
      else
        return std::is_signed_v<T> ? i64 : u64;
    }();
    return static_cast<std::uint32_t>(type);
  }

  byte_vector head() const {
    byte_vector result;
    append(result, std::as_bytes(std::span(std::string_view("GGUF"))));
    append_value(result, version_);
    append_value(result, std::uint64_t{tensors_.size()});
    append_value(result, std::uint64_t{keys_.size()});
    for (const key_value& entry : keys_) {
      append_value(result, entry.key);
      append_value(result, entry.type);
      append(result, entry.value);
    }
    for (const tensor& entry : tensors_) {
      append_value(result, entry.name);
      append_value(result, static_cast<std::uint32_t>(entry.extent.size()));
      for (const std::uint64_t extent : entry.extent) append_value(result, extent);
      append_value(result, entry.type);
      append_value(result, entry.offset);
    }
    return result;
  }

  std::size_t padded(std::size_t offset) const {
    const std::size_t unit = std::max<std::uint32_t>(alignment_, 1);
    return (offset + unit - 1) / unit * unit;
  }

  std::uint32_t version_;
  std::uint32_t alignment_;
  std::vector<key_value> keys_;
  std::vector<tensor> tensors_;
  byte_vector data_;
};

}  // namespace rocmforge::testing
