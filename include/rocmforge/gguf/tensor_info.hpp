// The description of one tensor in a GGUF file.
#pragma once

#include <rocmforge/gguf/types.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
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

/// Whether a tensor has these extents, the fastest first. Axes of 1 at the end count for nothing:
/// some programs write [n, 1, 1, 1] for [n].
inline bool has_shape(const tensor_info& tensor, std::span<const std::int64_t> extents) {
  for (std::size_t axis = 0; axis < tensor.extent.size(); ++axis) {
    if (tensor.extent[axis] != (axis < extents.size() ? extents[axis] : 1)) return false;
  }
  return extents.size() <= tensor.extent.size();
}

/// The extents in the file, such as "64 x 96".
inline std::string shape_text(const tensor_info& tensor) {
  std::string text;
  for (int axis = 0; axis < tensor.rank; ++axis)
    text +=
        (axis == 0 ? "" : " x ") + std::to_string(tensor.extent[static_cast<std::size_t>(axis)]);
  return text;
}

}  // namespace rocmforge::gguf
