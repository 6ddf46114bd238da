// Metadata values and their checked conversion to C++ types.
#pragma once

#include <rocmforge/error.hpp>
#include <rocmforge/gguf/byte_reader.hpp>
#include <rocmforge/gguf/types.hpp>

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace rocmforge::gguf {

/// One key and the place of its value, as views of the file's bytes.
struct metadata_entry {
  std::string_view key;
  value_type type = value_type::u8;          ///< `array` if it is one
  value_type element_type = value_type::u8;  ///< of the elements of an array, otherwise `type`
  std::uint64_t count = 1;                   ///< number of elements; 1 if not an array
  std::uint64_t offset = 0;  ///< of the first element, in bytes from the start of the file
  std::span<const std::byte> payload;  ///< the elements as stored
};

namespace detail {

template <class T>
concept integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;
template <class T>
concept floating = std::same_as<T, float> || std::same_as<T, double>;

}  // namespace detail

/// The C++ types that a metadata value can be read as.
template <class T>
concept metadata_target = detail::integer<T> || detail::floating<T> || std::same_as<T, bool> ||
    std::same_as<T, std::string_view>;

namespace detail {

/// Whether a value stored as a `Stored` may be read as a `T` if it is in range.
template <class T, class Stored>
inline constexpr bool same_kind = std::same_as<T, Stored> || (integer<T> && integer<Stored>) ||
                                  (floating<T> && floating<Stored>);

/// "u32", or "array of 3 u32".
inline std::string type_text(const metadata_entry& entry) {
  const std::string element(traits_of(entry.element_type).name);
  if (entry.type != value_type::array) return element;
  return "array of " + std::to_string(entry.count) + " " + element;
}

/// The values that a `T` can hold, for errors.
template <metadata_target T>
std::string expectation() {
  if constexpr (integer<T>) {
    return "integer from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
           std::to_string(std::numeric_limits<T>::max());
  } else if constexpr (floating<T>) {
    return std::same_as<T, float> ? "finite number in the range of f32" : "finite number";
  } else {
    return std::same_as<T, bool> ? "bool" : "string";
  }
}

template <class T>
std::string number_text(T value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// Calls `use` with a std::type_identity of the C++ type that stores a `type`.
template <class Use>
void visit_type(value_type type, const Use& use) {
  switch (type) {
    case value_type::u8:
      return use(std::type_identity<std::uint8_t>{});
    case value_type::i8:
      return use(std::type_identity<std::int8_t>{});
    case value_type::u16:
      return use(std::type_identity<std::uint16_t>{});
    case value_type::i16:
      return use(std::type_identity<std::int16_t>{});
    case value_type::u32:
      return use(std::type_identity<std::uint32_t>{});
    case value_type::i32:
      return use(std::type_identity<std::int32_t>{});
    case value_type::f32:
      return use(std::type_identity<float>{});
    case value_type::boolean:
      return use(std::type_identity<bool>{});
    case value_type::string:
      return use(std::type_identity<std::string_view>{});
    case value_type::u64:
      return use(std::type_identity<std::uint64_t>{});
    case value_type::i64:
      return use(std::type_identity<std::int64_t>{});
    case value_type::f64:
      return use(std::type_identity<double>{});
    case value_type::array:
      break;  // cannot occur: the parser refuses arrays of arrays
  }
}

template <metadata_target T, class Stored>
requires same_kind<T, Stored> T read_value(byte_reader& reader) {
  const std::uint64_t at = reader.offset();
  const auto stored = reader.read<Stored>("value");
  bool in_range = true;
  if constexpr (integer<T>) in_range = std::in_range<T>(stored);
  if constexpr (floating<T>)
    in_range = std::abs(stored) <= std::numeric_limits<T>::max();  // false for NaN
  if constexpr (integer<T> || floating<T>) {
    if (!in_range) {
      reader.fail(at, "value is " + number_text(stored) + ", expected " + expectation<T>());
    }
  }
  return static_cast<T>(stored);
}

/// Converts the elements of `entry` to `T` and passes them to `use` in order.
template <metadata_target T, class Use>
void for_each_value(const metadata_entry& entry, bool expect_array, const std::string& file,
                    const Use& use) {
  byte_reader reader(entry.payload, file, entry.offset);
  reader.set_subject("metadata key", entry.key);
  const auto fail_type = [&] {
    reader.fail(entry.offset, "value is " + type_text(entry) + ", expected " +
                                  (expect_array ? "array of " : "") + expectation<T>());
  };
  if (expect_array != (entry.type == value_type::array)) fail_type();
  visit_type(entry.element_type, [&]<class Stored>(std::type_identity<Stored>) {
    if constexpr (same_kind<T, Stored>) {
      for (std::uint64_t i = 0; i < entry.count; ++i) use(read_value<T, Stored>(reader));
    } else {
      fail_type();
    }
  });
}

template <metadata_target T>
T read_scalar(const metadata_entry& entry, const std::string& file) {
  T result{};
  for_each_value<T>(entry, false, file, [&](T value) { result = value; });
  return result;
}

template <metadata_target T>
std::vector<T> read_array(const metadata_entry& entry, const std::string& file) {
  std::vector<T> result;
  result.reserve(entry.count);
  for_each_value<T>(entry, true, file, [&](T value) { result.push_back(value); });
  return result;
}

}  // namespace detail
}  // namespace rocmforge::gguf
