// The platform of this translation unit, decided by the compiler, and the few macros that generic
// code needs.
#pragma once

#include "rocmforge/platform/standard.hpp"

#if defined(__HIP__)
#define ROCMFORGE_PLATFORM_AMD 1
#define ROCMFORGE_PLATFORM amd
#elif defined(__CUDACC__)
#define ROCMFORGE_PLATFORM_NVIDIA 1
#define ROCMFORGE_PLATFORM nvidia
#else
#if !defined(ROCMFORGE_PLATFORM_IS_HOST) &&                               \
    (defined(__HIP_PLATFORM_AMD__) || defined(__HIP_PLATFORM_NVIDIA__) || \
     defined(__CUDA_RUNTIME_H__) || defined(CUDART_VERSION))
#error \
    "rocmforge: a source of a HIP or CUDA program is compiled for the processor alone: compile it as HIP (-x hip) or CUDA (-x cu), or ask for the host by name (-DROCMFORGE_PLATFORM_IS_HOST)"
#include "rocmforge/see_the_error_above"
#endif
#include "rocmforge/platform/host/instruction_set.hpp"
#define ROCMFORGE_PLATFORM_HOST 1
#define ROCMFORGE_PLATFORM ROCMFORGE_HOST_NAMESPACE
#endif

#if defined(ROCMFORGE_PLATFORM_HOST)
#define ROCMFORGE_HOST_DEVICE [[gnu::always_inline]] inline
#define ROCMFORGE_DEVICE [[gnu::always_inline]] inline
#define ROCMFORGE_UNROLL _Pragma("GCC unroll 64")
#define ROCMFORGE_UNROLL_ON_GPU _Pragma("GCC unroll 2")
#define ROCMFORGE_NO_UNROLL _Pragma("GCC unroll 1")
#elif defined(ROCMFORGE_PLATFORM_AMD)
#define ROCMFORGE_HOST_DEVICE __attribute__((host, device, always_inline)) inline
#define ROCMFORGE_DEVICE __attribute__((device, always_inline)) inline
#define ROCMFORGE_UNROLL _Pragma("unroll")
#define ROCMFORGE_NO_UNROLL _Pragma("unroll 1")
#else
#define ROCMFORGE_HOST_DEVICE __host__ __device__ __forceinline__
#define ROCMFORGE_DEVICE __device__ __forceinline__
#if defined(__CUDA_ARCH__)
#define ROCMFORGE_UNROLL _Pragma("unroll")
#define ROCMFORGE_NO_UNROLL _Pragma("unroll 1")
#else
// The host's compiler sees the same functions, and has no such pragma.
#define ROCMFORGE_UNROLL
#define ROCMFORGE_NO_UNROLL
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
/// together; on the host the name also says the instruction set (host/instruction_set.hpp). What
/// lies outside, so that it can cross (views, element types, status, error), has no function that
/// depends on a macro, and its small functions are always inlined: such a function has no copy of
/// its own that a linker could exchange.
#define ROCMFORGE_PLATFORM_NAMESPACE_BEGIN inline namespace ROCMFORGE_PLATFORM {
#define ROCMFORGE_PLATFORM_NAMESPACE_END }
