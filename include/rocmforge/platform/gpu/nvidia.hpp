// NVIDIA: CUDA's runtime under the names that gpu/runtime.hpp uses.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <limits>
#include <string>

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"

#define ROCMFORGE_RUNTIME(name) cuda##name
#define ROCMFORGE_WAVES_PER_SIMD(count)

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

inline constexpr char platform_name[] = "nvidia";

/// Capabilities of the pass that is being compiled; see gpu/amd.hpp.
namespace arch {
#if defined(__CUDA_ARCH__)
inline constexpr int wave_size = 32;
#else
inline constexpr int wave_size = 0;
#endif
/// Static shared memory is limited to 48 KiB; dynamic shared memory can opt in to more.
inline constexpr bool shared_memory_is_dynamic = true;
inline constexpr int max_shared_bytes =
    101376;  // the smallest opt-in limit from sm_80 on (sm_86, sm_89)
inline constexpr int word_alignment = 16;
inline constexpr bool shared_words_lie_anywhere = false;
}  // namespace arch

/// Wave sizes that kernels are compiled for.
using platform_wave_sizes = int_list<32>;

/// Waves of a block that takes one chunk of the keys of attention_decode. Here a few, that have the
/// loads of a chunk in flight together.
inline constexpr int split_block_waves = 4;

/// Registers that a lane can have at most in a block of this size.
constexpr int max_lane_registers(int block_size, int /*wave_size*/) {
  return 65536 / block_size < 255 ? 65536 / block_size : 255;
}

namespace gpu {

template <int Mask, int WaveSize>
ROCMFORGE_DEVICE int exchange_xor(int value) {
#if defined(__CUDA_ARCH__)
  return __shfl_xor_sync(0xffffffffu, value, Mask);
#else
  return value;
#endif
}

template <int WaveSize>
ROCMFORGE_DEVICE int exchange(int value, int source_lane) {
#if defined(__CUDA_ARCH__)
  return __shfl_sync(0xffffffffu, value, source_lane);
#else
  return source_lane ? value : value;
#endif
}

template <class T>
ROCMFORGE_DEVICE T atomic_add([[maybe_unused]] T& shared, T value) {
#if defined(__CUDA_ARCH__)
  using word = std::conditional_t<sizeof(T) == 8, unsigned long long, unsigned>;
  return atomicAdd_block(reinterpret_cast<word*>(&shared), word{value});
#else
  return value;
#endif
}

template <class Words, class Elements>
ROCMFORGE_DEVICE void store_at_once(Words* p, const Elements& value) {
  Words raw;
  __builtin_memcpy(&raw, &value, sizeof(Elements));
  *p = raw;
}

/// See amd.hpp, which has a use for these.
ROCMFORGE_DEVICE int uniform(int value) {
  return value;
}
ROCMFORGE_DEVICE unsigned as_it_is(unsigned word) {
  return word;
}

/// Reads a small struct from device memory, never shared memory.
template <class Words>
ROCMFORGE_DEVICE Words load_global(const Words* p) {
  return *p;
}

/// Waits for the lanes of the wave; what they wrote to shared memory before is visible after.
ROCMFORGE_DEVICE void wave_barrier() {
#if defined(__CUDA_ARCH__)
  __syncwarp();
#endif
}

/// A word of shared memory from an address that is a multiple of 4.
template <class Byte>
ROCMFORGE_DEVICE unsigned load_shared_word(const Byte* p) {
  return *reinterpret_cast<const unsigned*>(p);
}

/// Bytes First and First + 1 of a word, each in the lower half of 16 bits with a byte of `above`
/// above it.
template <int First>
ROCMFORGE_DEVICE unsigned bytes_below(unsigned word, [[maybe_unused]] unsigned above) {
#if defined(__CUDA_ARCH__)
  return __byte_perm(word, above, First == 0 ? 0x4140 : 0x4342);
#else
  return word;
#endif
}
/// a and b, rounded to halves: one instruction, where those that round a single one are slow.
ROCMFORGE_DEVICE unsigned pack_halves(float a, float b) {
#if defined(__CUDA_ARCH__)
  unsigned pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(b), "f"(a));
  return pair;
#else
  return __half_as_ushort(__float2half_rn(a)) |
         static_cast<unsigned>(__half_as_ushort(__float2half_rn(b))) << 16;
#endif
}
/// The sums of two pairs of halves.
ROCMFORGE_DEVICE unsigned add_halves(unsigned a, [[maybe_unused]] unsigned b) {
#if defined(__CUDA_ARCH__)
  unsigned sums;
  asm("add.rn.f16x2 %0, %1, %2;" : "=r"(sums) : "r"(a), "r"(b));
  return sums;
#else
  return a;
#endif
}
/// a0 b0 + a1 b1 + sum.
ROCMFORGE_DEVICE float dot_halves([[maybe_unused]] unsigned a, [[maybe_unused]] unsigned b,
                                  float sum) {
#if defined(__CUDA_ARCH__)
  const auto product = [&](int shift) {
    const auto value = [&](unsigned pair) {
      return __half2float(__half(__half_raw{static_cast<unsigned short>(pair >> shift)}));
    };
    return value(a) * value(b);
  };
  return product(0) + (product(16) + sum);
#else
  return sum;
#endif
}

/// Bytes of high and low, which count from 4 and from 0, that the bytes 0 to 7 of `indices` name.
ROCMFORGE_DEVICE unsigned select_bytes([[maybe_unused]] unsigned high,
                                       [[maybe_unused]] unsigned low, unsigned indices) {
#if defined(__CUDA_ARCH__)
  const unsigned digits =
      (indices & 7u) | (indices >> 4 & 0x70u) | (indices >> 8 & 0x700u) | (indices >> 12 & 0x7000u);
  return __byte_perm(low, high, digits);
#else
  return indices;
#endif
}

/// Instructions take a kernel's members from constant memory: there is nothing to be gained here.
template <class Kernel>
ROCMFORGE_DEVICE const Kernel& arguments_again(const Kernel& kernel) {
  return kernel;
}

ROCMFORGE_DEVICE void keep_stores_apart() {}

ROCMFORGE_DEVICE void trap() {
#if defined(__CUDA_ARCH__)
  __trap();
#endif
}

#if defined(__CUDA_ARCH__)
/// The block's shared memory, as much of it as the launch asked for.
template <class Kernel>
ROCMFORGE_DEVICE typename Kernel::shared_storage& shared_memory() {
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  return *reinterpret_cast<typename Kernel::shared_storage*>(shared_bytes);
}
#endif

inline cudaError_t allocate_host(void** pointer, std::size_t bytes) {
  return cudaHostAlloc(pointer, bytes, cudaHostAllocDefault);
}
inline cudaError_t free_host(void* pointer) {
  return cudaFreeHost(pointer);
}

/// 0 for a handle that is none. A stream that is being captured, and the default stream while any
/// is, must not be asked: they are taken to be the current device's.
inline int device_of(cudaStream_t stream) {
  int device = 0;
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusActive;
  if (stream == nullptr || cudaStreamIsCapturing(stream, &capture) != cudaSuccess ||
      capture != cudaStreamCaptureStatusNone) {
    return cudaGetDevice(&device) == cudaSuccess ? device : 0;
  }
  return cudaStreamGetDevice(stream, &device) == cudaSuccess ? device : 0;
}

inline cudaError_t query_device(int device, device_properties& properties) {
  cudaDeviceProp native{};
  const cudaError_t code = cudaGetDeviceProperties(&native, device);
  if (code != cudaSuccess) return code;
  properties.name = native.name;
  properties.architecture = "sm_" + std::to_string(native.major) + std::to_string(native.minor);
  properties.wave_size = native.warpSize;
  properties.num_compute_units = native.multiProcessorCount;
  properties.shared_bytes = native.sharedMemPerBlockOptin;
  properties.memory_bytes = native.totalGlobalMem;
  return code;
}

/// CUDA limits the blocks of a grid, to as many as an int can count, and not its lanes.
inline constexpr std::int64_t max_grid_lanes_x = std::numeric_limits<std::int64_t>::max();

/// CUDA packs a version as major * 1000 + minor * 10.
inline std::string version_text(const char* what, int version) {
  return std::string("CUDA ") + what + std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10);
}

}  // namespace gpu

namespace device {

/// Whether the dot product of two pairs of halves is one instruction.
inline constexpr bool has_half_dot = false;

/// 2^x, one instruction.
ROCMFORGE_DEVICE float exp2_of(float x) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}

}  // namespace device

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
