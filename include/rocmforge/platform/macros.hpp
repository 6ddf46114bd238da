// The platform of this translation unit, decided by the compiler, and the few macros that generic
// code needs.
#pragma once

#if defined(__HIP__)
#define ROCMFORGE_PLATFORM_AMD 1
#define ROCMFORGE_PLATFORM amd
#elif defined(__CUDACC__)
#define ROCMFORGE_PLATFORM_NVIDIA 1
#define ROCMFORGE_PLATFORM nvidia
#else
#define ROCMFORGE_PLATFORM_HOST 1
#define ROCMFORGE_PLATFORM host
#endif

#if defined(ROCMFORGE_PLATFORM_HOST)
#define ROCMFORGE_HOST_DEVICE [[gnu::always_inline]] inline
#define ROCMFORGE_DEVICE [[gnu::always_inline]] inline
#define ROCMFORGE_UNROLL _Pragma("GCC unroll 64")
#define ROCMFORGE_UNROLL_ON_GPU _Pragma("GCC unroll 2")
#elif defined(ROCMFORGE_PLATFORM_AMD)
#define ROCMFORGE_HOST_DEVICE __attribute__((host, device, always_inline)) inline
#define ROCMFORGE_DEVICE __attribute__((device, always_inline)) inline
#define ROCMFORGE_UNROLL _Pragma("unroll")
#else
#define ROCMFORGE_HOST_DEVICE __host__ __device__ __forceinline__
#define ROCMFORGE_DEVICE __device__ __forceinline__
#if defined(__CUDA_ARCH__)
#define ROCMFORGE_UNROLL _Pragma("unroll")
#else
// The host's compiler sees the same functions, and spells this otherwise.
#define ROCMFORGE_UNROLL
#endif
#endif

/// For loops that have to be unrolled on a GPU, where an array with a variable index is not in
/// registers, and only cost compile time on the host, whose compiler keeps such an array in its
/// first-level cache in either case.
#if !defined(ROCMFORGE_UNROLL_ON_GPU)
#define ROCMFORGE_UNROLL_ON_GPU ROCMFORGE_UNROLL
#endif

/// Everything that depends on the platform lives in an inline namespace named after it, so that one
/// program can hold the kernels of a card and those of the host, compiled apart and linked
/// together.
#define ROCMFORGE_PLATFORM_NAMESPACE_BEGIN inline namespace ROCMFORGE_PLATFORM {
#define ROCMFORGE_PLATFORM_NAMESPACE_END }
