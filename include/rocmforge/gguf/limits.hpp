// Upper limits on what a GGUF file may contain: far above any model that exists, and low enough
// that a hostile file costs little time and memory.
#pragma once

#include <cstdint>

namespace rocmforge::gguf::limits {

inline constexpr std::uint64_t max_tensors = 65536;
inline constexpr std::uint64_t max_metadata_keys = 65536;
inline constexpr std::uint64_t max_metadata_bytes = std::uint64_t{256} << 20;
inline constexpr std::uint64_t max_array_elements = std::uint64_t{1} << 26;
inline constexpr std::uint64_t max_string_bytes = std::uint64_t{16} << 20;
inline constexpr std::uint64_t max_key_bytes = 65535;
inline constexpr std::uint64_t max_tensor_name_bytes = 63;
inline constexpr std::uint64_t max_extent = std::uint64_t{1} << 40;
inline constexpr std::uint64_t max_files = 1024;  // of a split model
inline constexpr std::uint32_t min_alignment = 8;
inline constexpr std::uint32_t max_alignment = 65536;

}  // namespace rocmforge::gguf::limits
