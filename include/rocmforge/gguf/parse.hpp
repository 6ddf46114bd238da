// The GGUF parser: turns untrusted bytes into an index, or throws. Every read is checked against
// the end of the file, and every count against the bytes that are left before memory is allocated
// for it. The time is linear in the size of the file's header, except that names are sorted.
// Source: ggml's docs/gguf.md.
#pragma once

#include <rocmforge/gguf/byte_reader.hpp>
#include <rocmforge/gguf/index.hpp>
#include <rocmforge/gguf/limits.hpp>
#include <rocmforge/gguf/parse_metadata.hpp>
#include <rocmforge/gguf/parse_tensors.hpp>
#include <rocmforge/gguf/split.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocmforge::gguf {
namespace detail {

struct header {
  std::uint32_t version;
  std::uint64_t num_tensors;
  std::uint64_t num_metadata_keys;
};

inline void check_magic(std::span<const std::byte> bytes, const byte_reader& reader) {
  constexpr std::string_view magic = "GGUF";
  constexpr std::size_t header_bytes = 24;
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min(bytes.size(), magic.size()));
  if (start.empty()) reader.fail(0, "the file is empty, expected a GGUF file");
  if (start != magic.substr(0, start.size())) {
    reader.fail(0, "not a GGUF file: starts with '" + printable(start) + "', expected 'GGUF'");
  }
  if (bytes.size() < header_bytes) {
    reader.fail(0, "truncated: the header has " + std::to_string(header_bytes) +
                       " bytes, the file ends after " + std::to_string(bytes.size()));
  }
}

inline std::uint64_t parse_count(byte_reader& reader, const std::string& what, std::uint64_t max) {
  const std::uint64_t at = reader.offset();
  const auto count = reader.read<std::uint64_t>(what);
  if (count > max) {
    reader.fail(at, "the file declares " + std::to_string(count) + " " + what +
                        ", expected at most " + std::to_string(max));
  }
  return count;
}

inline header parse_header(std::span<const std::byte> bytes, byte_reader& reader) {
  check_magic(bytes, reader);
  reader.take(4, "magic");
  const std::uint64_t at = reader.offset();
  const auto version = reader.read<std::uint32_t>("version");
  if (version != 0 && (version & 0xffff) == 0) {
    reader.fail(at, "the file is byte-swapped (big-endian), expected a little-endian GGUF file");
  }
  if (version != 2 && version != 3) {
    reader.fail(at,
                "GGUF version " + std::to_string(version) + " is not supported, expected 2 or 3");
  }
  const std::uint64_t num_tensors = parse_count(reader, "tensors", limits::max_tensors);
  const std::uint64_t num_keys = parse_count(reader, "metadata keys", limits::max_metadata_keys);
  // The fewest bytes of a tensor's description: name 8 + 1, rank 4, extent 8, type 4, offset 8; of
  // a key: name 8 + 1, type 4, value 1.
  const std::uint64_t min_bytes = 33 * num_tensors + 14 * num_keys;
  if (min_bytes > reader.remaining()) {
    reader.fail(at + 4, "truncated: " + std::to_string(num_tensors) + " tensors and " +
                            std::to_string(num_keys) + " metadata keys take at least " +
                            std::to_string(min_bytes) + " bytes, the file ends after " +
                            std::to_string(reader.remaining()));
  }
  return {version, num_tensors, num_keys};
}

inline std::uint32_t find_alignment(const byte_reader& reader, const metadata_entry* entry,
                                    const std::string& file) {
  if (!entry) return 32;
  const auto fail = [&](const std::string& value) {
    reader.fail(entry->offset, "metadata key 'general.alignment': value is " + value +
                                   ", expected u32, a power of two from " +
                                   std::to_string(limits::min_alignment) + " to " +
                                   std::to_string(limits::max_alignment));
  };
  if (entry->type != value_type::u32) fail(type_text(*entry));
  const auto alignment = read_scalar<std::uint32_t>(*entry, file);
  if (!std::has_single_bit(alignment) || alignment < limits::min_alignment ||
      alignment > limits::max_alignment) {
    fail(std::to_string(alignment));
  }
  return alignment;
}

inline void sort_names(const byte_reader& reader, name_lookup& names, const std::string& what) {
  if (const auto repeated = names.sort()) {
    reader.fail(reader.offset_of(*repeated),
                "the " + what + " '" + printable(*repeated) + "' occurs twice");
  }
}

/// Parses one file, which may be a part of a split model.
inline contents parse_file(std::span<const std::byte> bytes, const std::string& path) {
  contents result;
  result.paths.push_back(path);
  byte_reader reader(bytes, path);
  const header head = parse_header(bytes, reader);
  result.version = head.version;

  result.metadata.reserve(head.num_metadata_keys);
  result.metadata_names.reserve(head.num_metadata_keys);
  for (std::uint64_t i = 0; i < head.num_metadata_keys; ++i) {
    result.metadata.push_back(parse_metadata_entry(reader));
    result.metadata_names.add(result.metadata.back().key);
  }
  sort_names(reader, result.metadata_names, "metadata key");
  result.alignment = find_alignment(reader, result.find_entry("general.alignment"), path);

  result.tensors.reserve(head.num_tensors);
  result.tensor_names.reserve(head.num_tensors);
  for (std::uint64_t i = 0; i < head.num_tensors; ++i) {
    result.tensors.push_back(parse_tensor_info(reader));
    result.tensor_names.add(result.tensors.back().name);
  }
  sort_names(reader, result.tensor_names, "tensor name");
  result.trailing_bytes = place_tensors(reader, result.tensors, bytes, result.alignment);
  return result;
}

}  // namespace detail

/// Parses a model of GGUF version 2 or 3 in one file.
///
/// @param bytes            the whole file; must outlive the result
/// @param name_for_errors  what errors call it, usually its path
/// @return the contents of the file, checked against every rule of the format
///
/// Throws `error` with the offset, what is wrong and what was expected. docs/gguf.md lists the
/// errors.
inline index parse(std::span<const std::byte> bytes, const std::string& name_for_errors) {
  std::vector<detail::contents> one;
  one.push_back(detail::parse_file(bytes, name_for_errors));
  return index(detail::join(std::move(one)));
}

}  // namespace rocmforge::gguf
