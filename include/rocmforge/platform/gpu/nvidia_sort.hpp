// Device-wide sorts on NVIDIA: CUB. See platform/sort.hpp for what the functions do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cub/device/device_radix_sort.cuh>
#include <span>

#include "rocmforge/platform/platform.hpp"
#include "rocmforge/status.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace platform_sort {

/// Twice as much as all blocks of a large card take at a time.
inline constexpr int elements_per_sort = 1 << 23;

/// Up to 2048 ranks a row is one block's work, from then on it takes several, which search the row
/// twice each.
inline constexpr int min_top_k = 2049;

inline status status_of(const char* op, cudaError_t code) {
  if (code == cudaSuccess) return {};
  static_cast<void>(cudaGetLastError());  // clears it
  return {status_code::device_error, op, "", "CUB failed with error {0}", {static_cast<int>(code)},
          cudaGetErrorString(code)};
}

template <class Key>
std::size_t keys_bytes(int count, int begin_bit, int end_bit) {
  std::size_t bytes = 0;
  static_cast<void>(cub::DeviceRadixSort::SortKeys(nullptr, bytes, static_cast<const Key*>(nullptr),
                                                   static_cast<Key*>(nullptr), count, begin_bit,
                                                   end_bit));
  return bytes;
}

template <class Key>
status sort_keys(const char* op, std::span<std::byte> workspace, const Key* keys_in, Key* keys_out,
                 int count, int begin_bit, int end_bit, stream_ref stream) {
  if (status s = gpu::no_earlier_error(op); !s) return s;
  std::size_t bytes = workspace.size();
  return status_of(op, cub::DeviceRadixSort::SortKeys(workspace.data(), bytes, keys_in, keys_out,
                                                      count, begin_bit, end_bit, stream.native));
}

template <class Key, class Value>
std::size_t pairs_bytes(int count, int begin_bit, int end_bit) {
  std::size_t bytes = 0;
  static_cast<void>(cub::DeviceRadixSort::SortPairs(
      nullptr, bytes, static_cast<const Key*>(nullptr), static_cast<Key*>(nullptr),
      static_cast<const Value*>(nullptr), static_cast<Value*>(nullptr), count, begin_bit, end_bit));
  return bytes;
}

template <class Key, class Value>
status sort_pairs(const char* op, std::span<std::byte> workspace, const Key* keys_in, Key* keys_out,
                  const Value* values_in, Value* values_out, int count, int begin_bit, int end_bit,
                  stream_ref stream) {
  if (status s = gpu::no_earlier_error(op); !s) return s;
  std::size_t bytes = workspace.size();
  return status_of(
      op, cub::DeviceRadixSort::SortPairs(workspace.data(), bytes, keys_in, keys_out, values_in,
                                          values_out, count, begin_bit, end_bit, stream.native));
}

}  // namespace platform_sort
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
