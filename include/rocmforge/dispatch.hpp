// From values known at run time to template parameters: the device's wave size, element types, and
// named lists of integers.
#pragma once

#include <type_traits>
#include <utility>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/status.hpp"

namespace rocmforge {

/// Calls `f(std::integral_constant<int, V>{})` for the V in the list that equals `value`.
///
/// Lists stand beside the op they belong to.
///
/// @return what `f` returns, or unsupported with the refused value as {0}; `sentence` says which
/// values there are
template <int... Values, class F>
status dispatch(int_list<Values...>, int value, const char* op, const char* argument,
                const char* sentence, F&& f) {
  status result{status_code::unsupported, op, argument, sentence, {value}};
  static_cast<void>(
      ((value == Values && (result = f(std::integral_constant<int, Values>{}), true)) || ...));
  return result;
}

/// Calls `f(T{})` for the element type that `type` names: float, half or bfloat16.
template <class F>
decltype(auto) dispatch_dtype(dtype type, F&& f) {
  switch (type) {
    case dtype::f16:
      return f(half{});
    case dtype::bf16:
      return f(bfloat16{});
    default:
      return f(float{});
  }
}

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Threads of a block: BlockSize on a GPU, 1 on the serial host.
template <int BlockSize, int WaveSize>
inline constexpr int block_threads = WaveSize == 1 ? 1 : BlockSize;

/// Threads of a block where an op's caller does not say: four waves of 64, eight of 32.
inline constexpr int default_block_size = 256;

/// Calls `f(std::integral_constant<int, W>{})` with the wave size W of the stream's device. `f` is
/// instantiated for the wave sizes of the platform that a block of `BlockSize` can consist of.
///
/// @return what `f` returns, or unsupported on a device with another wave size
template <int BlockSize, class F>
status dispatch_wave_size(const char* op, stream_ref stream, F&& f) {
  static_assert(BlockSize > 0 && BlockSize % 32 == 0 && BlockSize <= 1024,
                "BlockSize must be a multiple of 32, and at most 1024");
  if (devices().empty())
    return {status_code::no_device, op, "", "there is no device", {}, no_device_reason()};
  return dispatch(
      platform_wave_sizes{}, devices()[static_cast<std::size_t>(stream.device())].wave_size, op,
      "stream",
      "the device has waves of {0} lanes; this platform has kernels for 1 (host), 32 and 64",
      [&](auto wave) -> status {
        if constexpr (BlockSize % wave == 0) {
          return f(wave);
        } else {
          return {status_code::unsupported,
                  op,
                  "BlockSize",
                  "is {0}, no multiple of the {1} lanes in a wave of the device",
                  {BlockSize, wave}};
        }
      });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
