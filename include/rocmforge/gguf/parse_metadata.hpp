// The metadata section: keys with typed values, packed.
#pragma once

#include <rocmforge/gguf/byte_reader.hpp>
#include <rocmforge/gguf/limits.hpp>
#include <rocmforge/gguf/types.hpp>
#include <rocmforge/gguf/value.hpp>

#include <cstdint>
#include <string>

namespace rocmforge::gguf::detail {

inline value_type parse_value_type(byte_reader& reader) {
  const std::uint64_t at = reader.offset();
  const auto type = reader.read<std::uint32_t>("value type");
  if (type >= value_types.size()) {
    reader.fail(at, "value type " + std::to_string(type) + " is unknown, expected 0 to " +
                        std::to_string(value_types.size() - 1));
  }
  return static_cast<value_type>(type);
}

inline void check_metadata_end(const byte_reader& reader, std::uint64_t end) {
  if (end > limits::max_metadata_bytes) {
    reader.fail(reader.offset(), "the metadata is longer than " +
                                     std::to_string(limits::max_metadata_bytes) + " bytes");
  }
}

inline void parse_array_head(byte_reader& reader, metadata_entry& entry) {
  const std::uint64_t type_at = reader.offset();
  entry.element_type = parse_value_type(reader);
  if (entry.element_type == value_type::array) {
    reader.fail(type_at, "value is an array of arrays, which is not supported");
  }
  const std::uint64_t count_at = reader.offset();
  entry.count = reader.read<std::uint64_t>("array length");
  if (entry.count > limits::max_array_elements) {
    reader.fail(count_at, "value is " + type_text(entry) + ", expected at most " +
                              std::to_string(limits::max_array_elements) + " elements");
  }
  const std::uint64_t min_bytes = entry.count * traits_of(entry.element_type).min_bytes;
  if (min_bytes > reader.remaining()) {
    reader.fail(count_at, "truncated: value is " + type_text(entry) + " of at least " +
                              std::to_string(min_bytes) + " bytes, the file ends after " +
                              std::to_string(reader.remaining()));
  }
  check_metadata_end(reader, reader.offset() + min_bytes);  // before the elements are read
}

inline metadata_entry parse_metadata_entry(byte_reader& reader) {
  metadata_entry entry;
  entry.key = reader.read_name("metadata key", limits::max_key_bytes, '!');
  reader.set_subject("metadata key", entry.key);
  entry.type = parse_value_type(reader);
  entry.element_type = entry.type;
  if (entry.type == value_type::array) parse_array_head(reader, entry);
  entry.offset = reader.offset();
  if (entry.element_type == value_type::string) {
    for (std::uint64_t i = 0; i < entry.count; ++i) reader.read<std::string_view>("string");
  } else if (entry.element_type == value_type::boolean) {
    for (std::uint64_t i = 0; i < entry.count; ++i) reader.read<bool>("bool");
  } else {
    reader.take(entry.count * traits_of(entry.element_type).min_bytes, "value");
  }
  entry.payload = reader.since(entry.offset);
  check_metadata_end(reader, reader.offset());
  reader.clear_subject();
  return entry;
}

}  // namespace rocmforge::gguf::detail
