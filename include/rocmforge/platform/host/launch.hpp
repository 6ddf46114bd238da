// How the host starts a kernel: on a team of threads, or on the fibers of an emulated device.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "rocmforge/platform/host/block.hpp"
#include "rocmforge/platform/host/half_values.hpp"
#include "rocmforge/platform/host/runtime.hpp"
#include "rocmforge/platform/launch_check.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"
#include "rocmforge/status.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace host_runtime {

/// Memory of one thread for the shared storage of the block it runs, kept between launches.
inline void* thread_storage(std::size_t bytes) {
  struct buffer {
    void* data = nullptr;
    std::size_t capacity = 0;
    ~buffer() { std::free(data); }
  };
  thread_local buffer storage;
  if (storage.capacity < bytes) {
    std::free(storage.data);
    storage.capacity = (bytes + 4095) / 4096 * 4096;
    storage.data = std::aligned_alloc(64, storage.capacity);
    if (storage.data == nullptr) storage.capacity = 0;
  }
  return storage.data;
}

/// Bytes of a block's shared memory: at least one, because the kernel takes a reference to it.
template <class Kernel>
std::size_t storage_bytes(const Kernel& kernel) {
  return std::max<std::size_t>(static_cast<std::size_t>(shared_bytes_of(kernel)), 1);
}

/// A type-erased call of a kernel for one block, so that the code that hands out blocks is compiled
/// once and not for every kernel.
using serial_call = void (*)(const void* kernel, grid_size index, void* shared);

template <class Kernel>
void call_serial(const void* kernel, grid_size index, void* shared) {
  block_context<1, 1> block{};
  block.index = index;
  (*static_cast<const Kernel*>(kernel))(block,
                                        *static_cast<typename Kernel::shared_storage*>(shared));
}

/// Runs the blocks on the team of threads, in any order.
inline void run_serial(serial_call call, const void* kernel, std::size_t shared_bytes,
                       grid_size grid) {
  const std::int64_t num_blocks = std::int64_t{grid.x} * grid.y * grid.z;
  const auto run = [=](std::int64_t i, void* shared) {
    call(kernel,
         {static_cast<int>(i % grid.x), static_cast<int>(i / grid.x % grid.y),
          static_cast<int>(i / grid.x / grid.y)},
         shared);
  };
#if defined(_OPENMP)
  const int threads = num_threads();
  if (threads > 1 && num_blocks > 1) {
    const int chunk = static_cast<int>(std::max<std::int64_t>(1, num_blocks / (8 * threads)));
#pragma omp parallel num_threads(threads)
    {
      void* shared = thread_storage(shared_bytes);
#pragma omp for schedule(dynamic, chunk) nowait
      for (std::int64_t i = 0; i < num_blocks; ++i) run(i, shared);
    }
    return;
  }
#endif
  void* shared = thread_storage(shared_bytes);
  for (std::int64_t i = 0; i < num_blocks; ++i) run(i, shared);
}

}  // namespace host_runtime

namespace emulation {

#if defined(ROCMFORGE_EMULATION)
template <class Kernel>
void call_lane(const void* kernel, block& fibers, grid_size index, int thread, void* shared) {
  (*static_cast<const Kernel*>(kernel))(
      block_context<Kernel::block_size, Kernel::wave_size>{index, thread, &fibers},
      *static_cast<typename Kernel::shared_storage*>(shared));
}

/// @return device_error if a block cannot go on because lanes wait at different places
template <class Kernel>
status start(const char* op, const Kernel& kernel, grid_size grid, stream_ref stream) {
  return stream.submit([=] {
    if (run(&call_lane<Kernel>, &kernel, {Kernel::block_size, Kernel::wave_size},
            host_runtime::storage_bytes(kernel), grid)) {
      return status{};
    }
    return status{status_code::device_error,
                  op,
                  "",
                  "lanes of an emulated block wait at different places",
                  {}};
  });
}
#else
template <class Kernel>
status start(const char* op, const Kernel&, grid_size, stream_ref) {
  return {status_code::unsupported, op, "", "there are no emulated devices", {}};
}
#endif

}  // namespace emulation

namespace platform_launch {

/// The serial host runs blocks of one lane.
inline launch_limits limits_of(const device_properties& device) {
  return {device.wave_size == 1 ? 1 : 1024, device.wave_size,
          static_cast<std::int64_t>(device.shared_bytes), std::numeric_limits<std::int64_t>::max()};
}

template <class Kernel>
status start([[maybe_unused]] const char* op, const Kernel& kernel, grid_size grid,
             stream_ref stream) {
  host_runtime::fill_half_values();
  if constexpr (Kernel::block_size == 1 && Kernel::wave_size == 1) {
    return stream.submit([=] {
      host_runtime::run_serial(&host_runtime::call_serial<Kernel>, &kernel,
                               host_runtime::storage_bytes(kernel), grid);
      return status{};
    });
  } else {
    return emulation::start(op, kernel, grid, stream);
  }
}

}  // namespace platform_launch

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
