// AMD: HIP's runtime, DPP and swizzles for moves between lanes.
#pragma once

#include <hip/hip_runtime.h>

#include <cstdint>
#include <string>

#include "rocmforge/platform/launch_check.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"

#define ROCMFORGE_RUNTIME(name) hip##name
#define ROCMFORGE_WAVES_PER_SIMD(count) __attribute__((amdgpu_waves_per_eu(count)))

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

inline constexpr char platform_name[] = "amd";

/// Capabilities of the pass that is being compiled. The host pass has none and offers every wave
/// size, so that both passes of a fat binary see the same instantiations.
namespace arch {
#if defined(__HIP_DEVICE_COMPILE__) && defined(__GFX9__)
inline constexpr int wave_size = 64;
#elif defined(__HIP_DEVICE_COMPILE__)
inline constexpr int wave_size = 32;
#else
inline constexpr int wave_size = 0;
#endif
#if defined(__GFX10__) || defined(__GFX11__) || defined(__GFX12__)
inline constexpr bool has_row_xmask = true;
#else
inline constexpr bool has_row_xmask = false;
#endif
/// Shared memory is a variable of the kernel, see gpu::shared_memory.
inline constexpr bool shared_memory_is_dynamic = false;
inline constexpr int max_shared_bytes = 65536;
/// Addresses of wide loads and stores must be multiples of this.
inline constexpr int word_alignment = 4;
/// Words of shared memory may lie at any address: the kernel driver of ROCm sets that up on all
/// GPUs that it supports, and clang takes it for granted.
inline constexpr bool shared_words_lie_anywhere = true;
}  // namespace arch

/// Wave sizes that kernels are compiled for.
using platform_wave_sizes = int_list<32, 64>;

/// See nvidia.hpp. Here one: each wave of a block costs a begin, and a merge at the end.
inline constexpr int split_block_waves = 1;

/// Vector registers that a lane can have at most in a block of this size, on whatever device with
/// this wave size has most. It is the same in every pass, as a static_assert needs it.
constexpr int max_lane_registers(int block_size, int wave_size) {
  const int of_simd = wave_size == 32 ? 1536 : 512;     // RDNA3 and on; CDNA2 and on
  const int addressable = wave_size == 32 ? 256 : 512;  // with AGPRs
  const int simd_waves = (block_size + 4 * wave_size - 1) / (4 * wave_size);
  return of_simd / simd_waves < addressable ? of_simd / simd_waves : addressable;
}

namespace gpu {

/// The value of the lane whose number differs in the bits of Mask. Within a row of 16 lanes this is
/// part of the next instruction (DPP); across rows it goes through the LDS crossbar.
template <int Mask, int WaveSize>
ROCMFORGE_DEVICE int exchange_xor(int value) {
#if defined(__HIP_DEVICE_COMPILE__)
  if constexpr (Mask < 4) {
    constexpr int quad = (0 ^ Mask) | (1 ^ Mask) << 2 | (2 ^ Mask) << 4 | (3 ^ Mask) << 6;
    return __builtin_amdgcn_update_dpp(0, value, quad, 0xf, 0xf, true);
  } else if constexpr (Mask < 16 && arch::has_row_xmask) {
    return __builtin_amdgcn_update_dpp(0, value, 0x160 | Mask, 0xf, 0xf, true);
  } else if constexpr (Mask < 32) {
    return __builtin_amdgcn_ds_swizzle(value, Mask << 10 | 0x1f);
  } else {
    return __builtin_amdgcn_ds_bpermute((static_cast<int>(__lane_id()) ^ Mask) << 2, value);
  }
#else
  return value;
#endif
}

template <int WaveSize>
ROCMFORGE_DEVICE int exchange(int value, int source_lane) {
#if defined(__HIP_DEVICE_COMPILE__)
  return __builtin_amdgcn_ds_bpermute(source_lane << 2, value);
#else
  return source_lane ? value : value;
#endif
}

template <class T>
ROCMFORGE_DEVICE T atomic_add([[maybe_unused]] T& shared, T value) {
#if defined(__HIP_DEVICE_COMPILE__)
  return __hip_atomic_fetch_add(&shared, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
#else
  return value;
#endif
}

/// Copies the bytes of `value` to an address that is aligned for words. They become a vector of
/// words first: of a struct of 16-bit elements clang stores one after the other.
template <class Words, class Elements>
ROCMFORGE_DEVICE void store_at_once(Words* p, const Elements& value) {
  if constexpr (sizeof(Elements) % 4 == 0) {
    constexpr int count = sizeof(Elements) / 4;
    using vector [[gnu::aligned(4)]] = unsigned __attribute__((ext_vector_type(count)));
    *reinterpret_cast<vector*>(p) =
        __builtin_bit_cast(unsigned __attribute__((ext_vector_type(count))), value);
  } else {
    __builtin_memcpy(p, &value, sizeof(Elements));
  }
}

/// Reads a small struct from device memory, never shared memory. Clang finds that out by itself for
/// pointers that it sees come from the arguments, but not for those of arguments_again; of an
/// address that may be shared memory it reads element after element, by "flat" loads.
template <class Words>
ROCMFORGE_DEVICE Words load_global(const Words* p) {
#if defined(__HIP_DEVICE_COMPILE__)
  if constexpr (alignof(Words) >= 4) {
    constexpr int count = sizeof(Words) / 4;
    using vector [[gnu::aligned(4)]] = unsigned __attribute__((ext_vector_type(count)));
    using global = const vector __attribute__((address_space(1)));
    return __builtin_bit_cast(Words, *(global*)p);
  } else if constexpr (sizeof(Words) == 2) {
    using global = const unsigned short __attribute__((address_space(1)));
    return __builtin_bit_cast(Words, *(global*)p);
  }
#endif
  return *p;
}

/// A word of shared memory from any address.
template <class Byte>
ROCMFORGE_DEVICE unsigned load_shared_word(const Byte* p) {
  using word [[gnu::aligned(1), gnu::may_alias]] = unsigned;
  return *reinterpret_cast<const word*>(p);
}

/// Waits for the lanes of the wave; what they wrote to shared memory before is visible after. They
/// run together and shared memory answers a wave in order, so that this only binds the compiler.
ROCMFORGE_DEVICE void wave_barrier() {
#if defined(__HIP_DEVICE_COMPILE__)
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "wavefront");
  __builtin_amdgcn_wave_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "wavefront");
#endif
}

using half2 = _Float16 __attribute__((ext_vector_type(2)));

/// Bytes First and First + 1 of a word, each in the lower half of 16 bits with a byte of `above`
/// above it.
template <int First>
ROCMFORGE_DEVICE unsigned bytes_below(unsigned word, [[maybe_unused]] unsigned above) {
#if defined(__HIP_DEVICE_COMPILE__)
  return __builtin_amdgcn_perm(above, word, First == 0 ? 0x04010400u : 0x04030402u);
#else
  return word;
#endif
}
/// a and b, rounded to halves.
ROCMFORGE_DEVICE unsigned pack_halves(float a, float b) {
  return __builtin_bit_cast(unsigned, half2{static_cast<_Float16>(a), static_cast<_Float16>(b)});
}
/// The sums of two pairs of halves.
ROCMFORGE_DEVICE unsigned add_halves(unsigned a, unsigned b) {
  return __builtin_bit_cast(unsigned, __builtin_bit_cast(half2, a) + __builtin_bit_cast(half2, b));
}
/// a0 b0 + a1 b1 + sum.
ROCMFORGE_DEVICE float dot_halves([[maybe_unused]] unsigned a, [[maybe_unused]] unsigned b,
                                  float sum) {
#if defined(__HIP_DEVICE_COMPILE__)
  return __builtin_amdgcn_fdot2(__builtin_bit_cast(half2, a), __builtin_bit_cast(half2, b), sum,
                                false);
#else
  return sum;
#endif
}

/// Bytes of high and low, which count from 4 and from 0, that the bytes 0 to 7 of `indices` name.
ROCMFORGE_DEVICE unsigned select_bytes([[maybe_unused]] unsigned high,
                                       [[maybe_unused]] unsigned low, unsigned indices) {
#if defined(__HIP_DEVICE_COMPILE__)
  return __builtin_amdgcn_perm(high, low, indices);
#else
  return indices;
#endif
}

/// A value that all lanes of a wave have, in a scalar register.
ROCMFORGE_DEVICE int uniform(int value) {
#if defined(__HIP_DEVICE_COMPILE__)
  return __builtin_amdgcn_readfirstlane(value);
#else
  return value;
#endif
}

/// `word`, of which the compiler no longer knows how it came about. A byte of a word becomes a
/// float in one instruction; of four bits that were masked in the word before, clang takes out each
/// by itself, which is two.
ROCMFORGE_DEVICE unsigned as_it_is(unsigned word) {
#if defined(__HIP_DEVICE_COMPILE__)
  __asm__("" : "+v"(word));
#endif
  return word;
}

/// Clang would make one wide store of several narrow ones, for which the address must be aligned
/// unless the driver has set the GPU up otherwise.
ROCMFORGE_DEVICE void keep_stores_apart() {
#if defined(__HIP_DEVICE_COMPILE__)
  __asm__ volatile("" ::: "memory");
#endif
}

/// The launched kernel's members as they lie in memory, to be read again from there: see
/// reloaded() in launch.hpp.
template <class Kernel>
ROCMFORGE_DEVICE const Kernel& arguments_again([[maybe_unused]] const Kernel& kernel) {
#if defined(__HIP_DEVICE_COMPILE__)
  using constant = const Kernel __attribute__((address_space(4)));
  auto* arguments = (constant*)__builtin_amdgcn_kernarg_segment_ptr();
  // Now the compiler does not know that it has read them before, nor may it do so earlier.
  __asm__ volatile("" : "+s"(arguments));
  return *(const Kernel*)arguments;
#else
  return kernel;
#endif
}

[[noreturn]] ROCMFORGE_DEVICE void trap() {
  __builtin_trap();
}

#if defined(__HIP_DEVICE_COMPILE__)
/// The block's shared memory. As a variable it has a size that the compiler knows: when it weighs
/// registers against waves in flight, and in the code object's metadata.
template <class Kernel>
ROCMFORGE_DEVICE typename Kernel::shared_storage& shared_memory() {
  if constexpr (has_shared_tail<Kernel>) {
    extern __shared__ __attribute__((aligned(16))) unsigned char shared_bytes[];
    return *reinterpret_cast<typename Kernel::shared_storage*>(shared_bytes);
  } else {
    __shared__ typename Kernel::shared_storage storage;
    return storage;
  }
}
#endif

// ROCm 6.3 calls these two deprecated; of those that it names instead, 5.2 lacks one and says the
// same of the other.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
inline hipError_t allocate_host(void** pointer, std::size_t bytes) {
  return hipHostMalloc(pointer, bytes, hipHostMallocDefault);
}
inline hipError_t free_host(void* pointer) {
  return hipHostFree(pointer);
}
#pragma clang diagnostic pop

/// Every ROCm from 5.2 on has this one; hipStreamGetDevice is newer. 0 for a handle that is none.
inline int device_of(hipStream_t stream) {
  const int device = hipGetStreamDeviceId(stream);
  return device < 0 ? 0 : device;
}

inline hipError_t query_device(int device, device_properties& properties) {
  hipDeviceProp_t native{};
  const hipError_t code = hipGetDeviceProperties(&native, device);
  if (code != hipSuccess) return code;
  const std::string architecture = native.gcnArchName;  // "gfx90a:sramecc+:xnack-"
  properties.name = native.name;
  properties.architecture = architecture.substr(0, architecture.find(':'));
  properties.wave_size = native.warpSize;
  properties.num_compute_units = native.multiProcessorCount;
  properties.shared_bytes = native.sharedMemPerBlock;
  properties.memory_bytes = native.totalGlobalMem;
  return code;
}

/// HIP counts the lanes of a grid's axis in 32 bits.
inline constexpr std::int64_t max_grid_lanes_x = (std::int64_t{1} << 32) - 1;

/// HIP packs a version as major * 10^7 + minor * 10^5 + patch.
inline std::string version_text(const char* what, int version) {
  return std::string("HIP ") + what + std::to_string(version / 10000000) + "." +
         std::to_string(version / 100000 % 100) + "." + std::to_string(version % 100000);
}

}  // namespace gpu

namespace device {

/// Whether the dot product of two pairs of halves is one instruction.
inline constexpr bool has_half_dot = true;

/// 2^x, one instruction.
ROCMFORGE_DEVICE float exp2_of(float x) {
#if defined(__HIP_DEVICE_COMPILE__)
  return __builtin_amdgcn_exp2f(x);
#else
  return __builtin_exp2f(x);
#endif
}

}  // namespace device

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
