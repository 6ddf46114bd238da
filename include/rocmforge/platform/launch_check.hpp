// The refusals of a launch that need no runtime.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"
#include "rocmforge/status.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// A kernel that knows only at its launch how much shared memory it wants: `shared_tail_bytes()` of
/// it lie behind `shared_storage`, from `&shared + 1` on.
template <class Kernel>
concept has_shared_tail = requires(const Kernel& functor) {
  { functor.shared_tail_bytes() } -> std::same_as<int>;
};

/// Bytes of shared memory of a block.
template <class Kernel>
constexpr std::int64_t shared_bytes_of([[maybe_unused]] const Kernel& functor) {
  using storage = typename Kernel::shared_storage;
  constexpr std::int64_t bytes = std::is_empty_v<storage> ? 0 : std::int64_t{sizeof(storage)};
  if constexpr (has_shared_tail<Kernel>) {
    return bytes + functor.shared_tail_bytes();
  } else {
    return bytes;
  }
}

/// What a kernel was compiled for.
struct kernel_requirements {
  int block_size;
  int wave_size;
  std::int64_t shared_bytes;
};

/// What a device and its runtime take.
struct launch_limits {
  int block_size;             // lanes of a block, at most
  int wave_size;              // lanes of a wave, exactly
  std::int64_t shared_bytes;  // of a block
  std::int64_t grid_lanes_x;  // lanes of a grid along x: blocks times lanes of a block
};

/// @return success, or why the launch is refused: invalid_shape for the grid, unsupported for the
/// kernel. Not inlined: every launcher has it, for each of its kernels.
[[gnu::noinline]] constexpr status check_launch(const char* op, const kernel_requirements& kernel,
                                                grid_size grid, const launch_limits& device) {
  if (grid.x < 0 || grid.y < 0 || grid.z < 0 || grid.y > 65535 || grid.z > 65535) {
    return {status_code::invalid_shape,
            op,
            "",
            "a grid of {0} x {1} x {2} blocks is larger than 2^31-1 x 65535 x 65535",
            {grid.x, grid.y, grid.z}};
  }
  if (kernel.wave_size != device.wave_size) {
    return {status_code::unsupported,
            op,
            "",
            "the kernel is for waves of {0} lanes, the device has waves of {1}",
            {kernel.wave_size, device.wave_size}};
  }
  if (kernel.block_size > device.block_size) {
    return {status_code::unsupported,
            op,
            "",
            "the kernel is for blocks of {0} lanes, the device has blocks of at most {1}",
            {kernel.block_size, device.block_size}};
  }
  if (kernel.shared_bytes > device.shared_bytes) {
    return {status_code::unsupported,
            op,
            "",
            "the kernel needs {0} bytes of shared memory, a block of this device has {1}",
            {kernel.shared_bytes, device.shared_bytes}};
  }
  if (std::int64_t{grid.x} * kernel.block_size > device.grid_lanes_x) {
    return {status_code::invalid_shape,
            op,
            "",
            "a grid of {0} blocks of {1} lanes along x, the device takes {2} lanes",
            {grid.x, kernel.block_size, device.grid_lanes_x}};
  }
  return {};
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
