// Device-wide sorts on AMD: rocPRIM. See platform/sort.hpp for what the functions do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <rocprim/rocprim_version.hpp>
#include <span>

// rocPRIM before ROCm 6 moves values between lanes with DPP instructions that gfx11 and gfx12 do
// not have.
#if ROCPRIM_VERSION < 300000 && (defined(__GFX11__) || defined(__GFX12__)) && \
    !defined(ROCPRIM_DETAIL_USE_DPP)
#if !defined(ROCPRIM_DISABLE_DPP)
#define ROCPRIM_DISABLE_DPP
#endif
#define ROCPRIM_DETAIL_USE_DPP false
#endif
#include <rocprim/device/device_radix_sort.hpp>

#include "rocmforge/platform/platform.hpp"
#include "rocmforge/status.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace platform_sort {

/// Twice as much as all blocks of a large card take at a time.
inline constexpr int elements_per_sort = 1 << 23;

/// Up to 2048 ranks a row is one block's work, from then on it takes several, which search the row
/// twice each. Not measured on a card yet: the same as on NVIDIA.
inline constexpr int min_top_k = 2049;

inline status status_of(const char* op, hipError_t code) {
  if (code == hipSuccess) return {};
  static_cast<void>(hipGetLastError());  // clears it
  return {
      status_code::device_error, op, "", "rocPRIM failed with error {0}", {static_cast<int>(code)},
      hipGetErrorString(code)};
}

template <class Key>
std::size_t keys_bytes(int count, int begin_bit, int end_bit) {
  std::size_t bytes = 0;
  Key* const keys = nullptr;
  static_cast<void>(
      rocprim::radix_sort_keys(nullptr, bytes, keys, keys, static_cast<unsigned>(count),
                               static_cast<unsigned>(begin_bit), static_cast<unsigned>(end_bit)));
  return bytes;
}

template <class Key>
status sort_keys(const char* op, std::span<std::byte> workspace, const Key* keys_in, Key* keys_out,
                 int count, int begin_bit, int end_bit, stream_ref stream) {
  if (status s = gpu::no_earlier_error(op); !s) return s;
  std::size_t bytes = workspace.size();
  return status_of(
      op, rocprim::radix_sort_keys(workspace.data(), bytes, keys_in, keys_out,
                                   static_cast<unsigned>(count), static_cast<unsigned>(begin_bit),
                                   static_cast<unsigned>(end_bit), stream.native));
}

template <class Key, class Value>
std::size_t pairs_bytes(int count, int begin_bit, int end_bit) {
  std::size_t bytes = 0;
  Key* const keys = nullptr;
  Value* const values = nullptr;
  static_cast<void>(rocprim::radix_sort_pairs(
      nullptr, bytes, keys, keys, values, values, static_cast<unsigned>(count),
      static_cast<unsigned>(begin_bit), static_cast<unsigned>(end_bit)));
  return bytes;
}

template <class Key, class Value>
status sort_pairs(const char* op, std::span<std::byte> workspace, const Key* keys_in, Key* keys_out,
                  const Value* values_in, Value* values_out, int count, int begin_bit, int end_bit,
                  stream_ref stream) {
  if (status s = gpu::no_earlier_error(op); !s) return s;
  std::size_t bytes = workspace.size();
  return status_of(op, rocprim::radix_sort_pairs(
                           workspace.data(), bytes, keys_in, keys_out, values_in, values_out,
                           static_cast<unsigned>(count), static_cast<unsigned>(begin_bit),
                           static_cast<unsigned>(end_bit), stream.native));
}

}  // namespace platform_sort
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
