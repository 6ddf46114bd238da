// The name of the inline namespace of everything that is compiled for the processor: the
// instruction set that the compiler was told about, and whatever else changes a function's body.
// Sources of one program that are compiled for different processors then share no function: of an
// inline function that both have the linker would keep one copy, and a processor without AVX-512
// might be given the other source's.
#pragma once

#if defined(__AVX512FP16__)
#define ROCMFORGE_HOST_VECTORS host_avx512fp16
#elif defined(__AVX512VBMI__)
#define ROCMFORGE_HOST_VECTORS host_avx512vbmi
#elif defined(__AVX512BW__) && defined(__AVX512VL__)
#define ROCMFORGE_HOST_VECTORS host_avx512bw
#elif defined(__AVX512F__)
#define ROCMFORGE_HOST_VECTORS host_avx512f
#elif defined(__AVX2__)
#define ROCMFORGE_HOST_VECTORS host_avx2
#elif defined(__AVX__)
#define ROCMFORGE_HOST_VECTORS host_avx
#elif defined(__SSE4_1__)
#define ROCMFORGE_HOST_VECTORS host_sse4
#elif defined(__SSSE3__)
#define ROCMFORGE_HOST_VECTORS host_ssse3
#else
#define ROCMFORGE_HOST_VECTORS host_baseline
#endif

#if defined(__AVX512VNNI__)
#define ROCMFORGE_HOST_DOTS _vnni
#else
#define ROCMFORGE_HOST_DOTS
#endif
#if defined(__F16C__)
#define ROCMFORGE_HOST_HALVES _f16c
#else
#define ROCMFORGE_HOST_HALVES
#endif
#if defined(__FMA__)
#define ROCMFORGE_HOST_FMA _fma
#else
#define ROCMFORGE_HOST_FMA
#endif
#if defined(__BMI2__)
#define ROCMFORGE_HOST_BITS _bmi2
#else
#define ROCMFORGE_HOST_BITS
#endif
#if defined(_OPENMP)
#define ROCMFORGE_HOST_THREADS _openmp
#else
#define ROCMFORGE_HOST_THREADS
#endif
#if defined(ROCMFORGE_EMULATION)
#define ROCMFORGE_HOST_DEVICES _emulation
#else
#define ROCMFORGE_HOST_DEVICES
#endif

#define ROCMFORGE_JOIN_EXPANDED(a, b, c, d, e, f, g) a##b##c##d##e##f##g
#define ROCMFORGE_JOIN(a, b, c, d, e, f, g) ROCMFORGE_JOIN_EXPANDED(a, b, c, d, e, f, g)
#define ROCMFORGE_HOST_NAMESPACE                                                     \
  ROCMFORGE_JOIN(ROCMFORGE_HOST_VECTORS, ROCMFORGE_HOST_DOTS, ROCMFORGE_HOST_HALVES, \
                 ROCMFORGE_HOST_FMA, ROCMFORGE_HOST_BITS, ROCMFORGE_HOST_THREADS,    \
                 ROCMFORGE_HOST_DEVICES)
