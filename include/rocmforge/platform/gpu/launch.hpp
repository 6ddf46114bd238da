// How a GPU starts a kernel: the one entry point, and the runtime's call.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/platform/gpu/block.hpp"
#include "rocmforge/platform/gpu/runtime.hpp"
#include "rocmforge/platform/launch_check.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"
#include "rocmforge/status.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace gpu {

/// Waves per SIMD for which the compiler must leave registers: those of one block, or
/// `Kernel::min_waves`.
template <class Kernel>
inline constexpr int min_waves = (Kernel::block_size / Kernel::wave_size + 3) / 4;
template <class Kernel>
requires requires {
  Kernel::min_waves;
}
inline constexpr int min_waves<Kernel> = Kernel::min_waves;

/// The one entry point of every kernel. A pass whose waves are of another size gets a trap, and is
/// never launched.
template <class Kernel>
__global__ void __launch_bounds__(Kernel::block_size) ROCMFORGE_WAVES_PER_SIMD(min_waves<Kernel>)
    entry([[maybe_unused]] const Kernel kernel) {
#if defined(__HIP_DEVICE_COMPILE__) || defined(__CUDA_ARCH__)
  if constexpr (Kernel::wave_size == arch::wave_size &&
                sizeof(typename Kernel::shared_storage) <= arch::max_shared_bytes) {
    const block_context<Kernel::block_size, Kernel::wave_size> block{
        {static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z)},
        static_cast<int>(threadIdx.x)};
    kernel(block, shared_memory<Kernel>());
  } else {
    trap();
  }
#endif
}

/// rocPRIM and CUB ask the runtime for its last error and would take an earlier one of the
/// program's for their own (rocPRIM would also clear it). So where there is one, they are not
/// called.
inline status no_earlier_error(const char* op) {
  const result code = ROCMFORGE_RUNTIME(PeekAtLastError)();
  if (code == ROCMFORGE_RUNTIME(Success)) return {};
  return {status_code::device_error,
          op,
          "",
          "an earlier call of the program left error {0} with the runtime; read it first",
          {static_cast<int>(code)},
          ROCMFORGE_RUNTIME(GetErrorString)(code)};
}

}  // namespace gpu

namespace device {

/// Re-reads the kernel's arguments. The compiler loads them all into scalar registers (SGPRs) at
/// entry, and on gfx9 several views that are live across a loop exceed their number. Use it for
/// arguments that are needed only after the loop.
///
/// @param kernel  the functor that was launched, not a member of another
template <class Kernel>
ROCMFORGE_DEVICE const Kernel& reloaded(const Kernel& kernel) {
  return gpu::arguments_again(kernel);
}

}  // namespace device

namespace platform_launch {

/// The entry of a kernel that wants more than max_shared_bytes is a trap, whatever the device has.
inline launch_limits limits_of(const device_properties& device) {
  const auto shared_bytes = static_cast<std::int64_t>(device.shared_bytes);
  return {1024, device.wave_size,
          shared_bytes < arch::max_shared_bytes ? shared_bytes : arch::max_shared_bytes,
          gpu::max_grid_lanes_x};
}

template <class Kernel>
status start(const char* op, const Kernel& kernel, grid_size grid, stream_ref stream) {
  constexpr bool is_dynamic = arch::shared_memory_is_dynamic || has_shared_tail<Kernel>;
  const auto dynamic_bytes = static_cast<std::size_t>(is_dynamic ? shared_bytes_of(kernel) : 0);
  const auto* const entry = reinterpret_cast<const void*>(&gpu::entry<Kernel>);
  gpu::result code = ROCMFORGE_RUNTIME(Success);
  if (arch::shared_memory_is_dynamic && dynamic_bytes > 49152) {
    code = ROCMFORGE_RUNTIME(FuncSetAttribute)(
        entry, ROCMFORGE_RUNTIME(FuncAttributeMaxDynamicSharedMemorySize),
        static_cast<int>(dynamic_bytes));
  }
  if (code == ROCMFORGE_RUNTIME(Success)) {
    // The call returns its own error. An earlier one of the caller's, which the runtime keeps, is
    // neither reported nor cleared.
    void* arguments[] = {const_cast<Kernel*>(&kernel)};
    code = ROCMFORGE_RUNTIME(LaunchKernel)(
        entry,
        dim3(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
             static_cast<unsigned>(grid.z)),
        dim3(Kernel::block_size), arguments, dynamic_bytes, stream.native);
  }
  if (code == ROCMFORGE_RUNTIME(Success)) return {};
  return {status_code::device_error,
          op,
          "",
          "the runtime refused the launch with error {0}",
          {static_cast<int>(code)},
          ROCMFORGE_RUNTIME(GetErrorString)(code)};
}

}  // namespace platform_launch

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
