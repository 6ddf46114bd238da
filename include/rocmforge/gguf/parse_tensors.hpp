// The tensor section: packed descriptions, then the data, each tensor padded to the file's
// alignment.
#pragma once

#include <rocmforge/gguf/byte_reader.hpp>
#include <rocmforge/gguf/limits.hpp>
#include <rocmforge/gguf/tensor_info.hpp>
#include <rocmforge/gguf/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

namespace rocmforge::gguf::detail {

/// The size of a tensor in bytes. An error if it does not fit in 64 bits.
inline std::uint64_t checked_num_bytes(const byte_reader& reader, const tensor_info& info,
                                       std::uint64_t at) {
  const type_traits& traits = traits_of(info.type);
  if (info.extent[0] % traits.block_elements != 0) {
    reader.fail(at, "extent 0 is " + std::to_string(info.extent[0]) + ", expected a multiple of " +
                        std::to_string(traits.block_elements) + " for type " +
                        std::string(traits.name));
  }
  auto total = static_cast<std::uint64_t>(traits.block_bytes);
  for (std::size_t axis = 0; axis < info.extent.size(); ++axis) {
    const auto factor = static_cast<std::uint64_t>(
        axis == 0 ? info.extent[0] / traits.block_elements : info.extent[axis]);
    if (factor > std::numeric_limits<std::uint64_t>::max() / total) {
      reader.fail(at, "its size in bytes does not fit in 64 bits");
    }
    total *= factor;
  }
  return total;
}

/// Reads one description. Its offset is relative to the data section until `place_tensors`.
inline tensor_info parse_tensor_info(byte_reader& reader) {
  tensor_info info;
  info.name = reader.read_name("tensor name", limits::max_tensor_name_bytes, ' ');
  reader.set_subject("tensor", info.name);
  const std::uint64_t rank_at = reader.offset();
  const auto rank = reader.read<std::uint32_t>("rank");
  if (rank < 1 || rank > info.extent.size()) {
    reader.fail(rank_at, "rank is " + std::to_string(rank) + ", expected 1 to " +
                             std::to_string(info.extent.size()));
  }
  info.rank = static_cast<int>(rank);
  const std::uint64_t extents_at = reader.offset();
  for (std::uint32_t axis = 0; axis < rank; ++axis) {
    const std::uint64_t at = reader.offset();
    const auto extent = reader.read<std::uint64_t>("extent");
    if (extent < 1 || extent > limits::max_extent) {
      reader.fail(at, "extent " + std::to_string(axis) + " is " + std::to_string(extent) +
                          ", expected 1 to " + std::to_string(limits::max_extent));
    }
    info.extent[axis] = static_cast<std::int64_t>(extent);
  }
  const std::uint64_t type_at = reader.offset();
  const auto type = reader.read<std::uint32_t>("type");
  if (!find_type(type)) reader.fail(type_at, refused_type_reason(type));
  info.type = static_cast<tensor_type>(type);
  info.num_bytes = checked_num_bytes(reader, info, extents_at);
  info.offset = reader.read<std::uint64_t>("data offset");
  reader.clear_subject();
  return info;
}

/// Finds each tensor's data. Tensors must follow each other in file order, with padding up to the
/// alignment and no other gaps, so that no two overlap and no bytes hide between them. The padding
/// after the last tensor may be missing, and other bytes may follow it: nobody reads those.
///
/// @param reader  at the end of the descriptions
/// @param bytes   the whole file
/// @return the number of bytes that follow the last tensor and its padding
inline std::uint64_t place_tensors(byte_reader& reader, std::span<tensor_info> tensors,
                                   std::span<const std::byte> bytes, std::uint32_t alignment) {
  // The sums here do not overflow: each is at most a file's size plus an alignment.
  const auto padded = [&](std::uint64_t offset) {
    return (offset + alignment - 1) / alignment * alignment;
  };
  std::uint64_t end = reader.offset();
  const std::uint64_t data_start = padded(end);
  for (tensor_info& info : tensors) {
    reader.set_subject("tensor", info.name);
    const std::uint64_t at = reader.offset_of(info.name);
    const std::uint64_t start = padded(end);
    if (info.offset % alignment != 0) {
      reader.fail(at, "data offset is " + std::to_string(info.offset) +
                          ", expected a multiple of the alignment " + std::to_string(alignment));
    }
    if (info.offset != start - data_start) {
      reader.fail(at, "data offset is " + std::to_string(info.offset) + ", expected " +
                          std::to_string(start - data_start) + ": it would " +
                          (info.offset < start - data_start ? "overlap" : "leave a gap after") +
                          " the data before it");
    }
    if (start > bytes.size() || info.num_bytes > bytes.size() - start) {
      reader.fail(at, "truncated: its " + std::to_string(info.num_bytes) + " bytes start at " +
                          std::to_string(start) + ", the file ends at " +
                          std::to_string(bytes.size()));
    }
    info.offset = start;
    info.data = bytes.data() + start;
    end = start + info.num_bytes;
  }
  reader.clear_subject();
  return bytes.size() - std::min<std::uint64_t>(padded(end), bytes.size());
}

}  // namespace rocmforge::gguf::detail
