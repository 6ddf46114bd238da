// The description of one tensor in a GGUF file.
#pragma once

#include <rocmforge/gguf/types.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rocmforge::gguf {

/// One tensor. Name and data are views of the file's bytes.
struct tensor_info {
  std::string_view name;
  tensor_type type = tensor_type::f32;
  int rank = 0;
  std::array<std::int64_t, 4> extent = {1, 1, 1, 1};  ///< extent[0] varies fastest; unused axes: 1
  std::uint64_t offset = 0;                           ///< in bytes from the start of its file
  std::uint64_t num_bytes = 0;
  const std::byte* data = nullptr;
  std::uint32_t file = 0;  ///< of a split model: index into its paths
};

}  // namespace rocmforge::gguf
