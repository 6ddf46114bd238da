// What a kernel is, what every platform refuses of a launch, and `launch` itself.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/observe.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/platform/types.hpp"
#include "rocmforge/status.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

// The parts of the concept `kernel`, each true where an earlier one fails, so that a compiler names
// only what is missing.
template <class T>
concept has_block_size = requires {
  {std::integral_constant<int, T::block_size>{}};
};
template <class T>
concept has_wave_size = requires {
  {std::integral_constant<int, T::wave_size>{}};
};
template <class T>
concept has_shared_storage = requires {
  typename T::shared_storage;
};
template <class T>
concept has_kernel_members = has_block_size<T> && has_wave_size<T> && has_shared_storage<T>;
/// For host and device, because on a GPU's platform only such a function may name the call of a
/// device function, even in a requires-expression.
template <class T>
ROCMFORGE_HOST_DEVICE constexpr bool has_kernel_body() {
  return requires(const T& functor, block_context<T::block_size, T::wave_size> block,
                  typename T::shared_storage& shared) {
    functor(block, shared);
  };
}

/// A device functor that `launch` takes: its data members are the kernel's parameters.
///
/// - `static constexpr int block_size`: lanes of a block, a multiple of `wave_size`
/// - `static constexpr int wave_size`: lanes of a wave of the devices that it is for
/// - `struct shared_storage`: what a block has of shared memory, uninitialized
/// - optionally `int shared_tail_bytes() const`: how much more, of a size known at the launch only
/// - `void operator()(block_context<block_size, wave_size>, shared_storage&) const`: what each lane
///   does
template <class T>
concept kernel = has_kernel_members<T> && has_kernel_body<T>();

/// Starts `functor` on `grid` blocks. A grid with no blocks launches nothing.
///
/// @return invalid_shape if the grid is too large; no_device; unsupported if the kernel is for
/// another wave size, for larger blocks or for more shared memory than the device has; device_error
/// with the runtime's code and text
template <class Kernel>
status launch(const char* op, const Kernel& functor, grid_size grid, stream_ref stream) {
  if constexpr (kernel<Kernel>) {
    static_assert(Kernel::block_size > 0 && Kernel::block_size % Kernel::wave_size == 0,
                  "launch: a kernel's block_size is a multiple of its wave_size");
    if (devices().empty())
      return {status_code::no_device, op, "", "there is no device", {}, no_device_reason()};
    const device_properties& device = devices()[static_cast<std::size_t>(stream.device())];
    const kernel_requirements needs{Kernel::block_size, Kernel::wave_size,
                                    shared_bytes_of(functor)};
    launch_limits limits = platform_launch::limits_of(device);
    if (has_shared_tail<Kernel>)
      limits.shared_bytes = static_cast<std::int64_t>(device.shared_bytes);
    const status checked = check_launch(op, needs, grid, limits);
    if (!checked.ok()) return checked;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return {};
    tell_launch<Kernel>(op, device);
    return platform_launch::start(op, functor, grid, stream);
  } else {
    static_assert(has_block_size<Kernel>,
                  "launch: the kernel has no 'static constexpr int block_size'");
    static_assert(has_wave_size<Kernel>,
                  "launch: the kernel has no 'static constexpr int wave_size'");
    static_assert(has_shared_storage<Kernel>,
                  "launch: the kernel has no type 'shared_storage'; 'struct shared_storage {};' if "
                  "it needs none");
    static_assert(!has_kernel_members<Kernel>,
                  "launch: the kernel has no 'void operator()(block_context<block_size, "
                  "wave_size>, shared_storage&) const'");
    return {};
  }
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
