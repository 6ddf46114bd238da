// A block of a GPU.
#pragma once

#include <type_traits>

#include "rocmforge/platform/gpu/runtime.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// What one lane knows of its block, and how it talks to the others. Every lane of a block must
/// reach each barrier, and every lane of a wave each shuffle.
template <int BlockSize, int WaveSize>
struct block_context {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int num_waves = BlockSize / WaveSize;

  grid_size index;  // of the block in the grid
  int thread;       // 0 to BlockSize - 1

  ROCMFORGE_DEVICE int lane() const { return thread % WaveSize; }
  ROCMFORGE_DEVICE int wave() const { return gpu::uniform(thread / WaveSize); }

  /// Waits for all lanes of the block; what they wrote to shared memory before is visible after.
  ROCMFORGE_DEVICE void barrier() const {
#if defined(__HIP_DEVICE_COMPILE__) || defined(__CUDA_ARCH__)
    __syncthreads();
#endif
  }
  /// The same for the lanes of a wave among themselves.
  ROCMFORGE_DEVICE void wave_barrier() const {
    gpu::wave_barrier();
  }
  /// The value of the lane whose number within the wave is this lane's XOR Mask.
  template <int Mask, class T>
  ROCMFORGE_DEVICE T shuffle_xor(T value) const {
    static_assert(sizeof(T) == 4 && Mask > 0 && Mask < WaveSize);
    return __builtin_bit_cast(T, gpu::exchange_xor<Mask, WaveSize>(__builtin_bit_cast(int, value)));
  }
  /// The value of lane `source` of the wave.
  template <class T>
  ROCMFORGE_DEVICE T shuffle(T value, int source) const {
    static_assert(sizeof(T) == 4);
    return __builtin_bit_cast(T, gpu::exchange<WaveSize>(__builtin_bit_cast(int, value), source));
  }
  /// Adds to an unsigned number in shared memory while other lanes may add to it too: whole
  /// numbers, so that the sum does not depend on who comes first.
  /// @return what it was before
  template <class T>
  ROCMFORGE_DEVICE T atomic_add(T& shared, T value) const {
    static_assert(std::is_unsigned_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    return gpu::atomic_add(shared, value);
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
