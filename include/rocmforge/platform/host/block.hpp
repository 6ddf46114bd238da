// A block of the host. On the serial device it is one lane, and all that lanes do together is
// nothing; on the emulated ones it is fibers (emulation.hpp).
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"

#if defined(ROCMFORGE_EMULATION)
#include "rocmforge/platform/host/emulation.hpp"
#endif

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
  int thread = 0;   // 0 to BlockSize - 1
#if defined(ROCMFORGE_EMULATION)
  emulation::block* fibers = nullptr;
#endif

  ROCMFORGE_DEVICE int lane() const {
    return thread % WaveSize;
  }
  ROCMFORGE_DEVICE int wave() const {
    return thread / WaveSize;
  }

  /// Waits for all lanes of the block; what they wrote to shared memory before is visible after.
  ROCMFORGE_DEVICE void barrier() const {
#if defined(ROCMFORGE_EMULATION)
    if constexpr (BlockSize > 1) fibers->barrier(thread);
#endif
  }
  /// The same for the lanes of a wave among themselves.
  ROCMFORGE_DEVICE void wave_barrier() const {
#if defined(ROCMFORGE_EMULATION)
    if constexpr (BlockSize > 1) fibers->exchange(thread, 0, thread);
#endif
  }
  /// The value of the lane whose number within the wave is this lane's XOR Mask.
  template <int Mask, class T>
  ROCMFORGE_DEVICE T shuffle_xor(T value) const {
    static_assert(sizeof(T) == 4 && Mask > 0 && Mask < WaveSize);
    return shuffle(value, lane() ^ Mask);
  }
  /// The value of lane `source` of the wave.
  template <class T>
  ROCMFORGE_DEVICE T shuffle(T value, [[maybe_unused]] int source) const {
    static_assert(sizeof(T) == 4);
#if defined(ROCMFORGE_EMULATION)
    if constexpr (BlockSize > 1) {
      const int other = wave() * WaveSize + source % WaveSize;
      return __builtin_bit_cast(
          T, fibers->exchange(thread, __builtin_bit_cast(std::uint32_t, value), other));
    }
#endif
    return value;
  }
  /// Adds to an unsigned number in shared memory while other lanes may add to it too: whole
  /// numbers, so that the sum does not depend on who comes first.
  /// @return what it was before
  template <class T>
  ROCMFORGE_DEVICE T atomic_add(T& shared, T value) const {
    static_assert(std::is_unsigned_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    const T before = shared;  // lanes are fibers of one thread
    shared += value;
    return before;
  }
};

namespace device {

/// The same kernel: only GPUs have reason to read its members again.
template <class Kernel>
ROCMFORGE_DEVICE const Kernel& reloaded(const Kernel& kernel) {
  return kernel;
}

/// 2^x.
ROCMFORGE_DEVICE float exp2_of(float x) {
  return std::exp2(x);
}

}  // namespace device

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
