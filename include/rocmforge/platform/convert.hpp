// Conversions between float and the 16-bit formats: one instruction where the processor has it, bit
// arithmetic elsewhere.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/platform/macros.hpp"

#if defined(ROCMFORGE_PLATFORM_NVIDIA)
#include <cuda_fp16.h>
#endif
#if defined(ROCMFORGE_PLATFORM_HOST) && defined(__F16C__)
#include <immintrin.h>
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace convert {

/// Bit arithmetic, for constant expressions and for processors without the instruction.
ROCMFORGE_HOST_DEVICE constexpr float portable_float_from_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31u;
  std::uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 31) {  // infinity and NaN, made quiet as the instructions do
    return __builtin_bit_cast(
        float, sign | 0x7f800000u | mantissa << 13 | (mantissa != 0 ? 0x400000u : 0u));
  }
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24 is exact in float
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, magnitude) | sign);
  }
  return __builtin_bit_cast(float, sign | (exponent + 112) << 23 | mantissa << 13);
}

ROCMFORGE_HOST_DEVICE constexpr std::uint16_t portable_half_from_float(float value) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t result = 0;
  if (magnitude > 0x7f800000u) {  // NaN: keep the upper payload, make it quiet
    result = 0x7e00u | (magnitude >> 13 & 0x3ffu);
  } else if (magnitude >= 0x47800000u) {  // 2^16 and above, infinity
    result = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // below 2^-14: the sum's last bits are the subnormal,
                                         // rounded to nearest even
    const float shifted = __builtin_bit_cast(float, magnitude) + 0.5f;
    result = __builtin_bit_cast(std::uint32_t, shifted) - 0x3f000000u;
  } else {
    const std::uint32_t odd = magnitude >> 13 & 1u;
    result = (magnitude - (112u << 23) + 0xfffu + odd) >>
             13;  // may carry into the exponent, up to infinity
  }
  return static_cast<std::uint16_t>(sign | result);
}

// The processor's own conversions, outside of constant expressions.
#if defined(__HIP_DEVICE_COMPILE__)
ROCMFORGE_HOST_DEVICE float native_float_from_half(std::uint16_t bits) {
  return static_cast<float>(__builtin_bit_cast(_Float16, bits));
}
ROCMFORGE_HOST_DEVICE std::uint16_t native_half_from_float(float value) {
  return __builtin_bit_cast(std::uint16_t, static_cast<_Float16>(value));
}
#elif defined(__CUDA_ARCH__)
ROCMFORGE_HOST_DEVICE float native_float_from_half(std::uint16_t bits) {
  return __half2float(__half(__half_raw{bits}));
}
ROCMFORGE_HOST_DEVICE std::uint16_t native_half_from_float(float value) {
  return __half_raw(__float2half_rn(value)).x;
}
#elif defined(ROCMFORGE_PLATFORM_HOST) && defined(__F16C__)
ROCMFORGE_HOST_DEVICE float native_float_from_half(std::uint16_t bits) {
  return _cvtsh_ss(bits);
}
ROCMFORGE_HOST_DEVICE std::uint16_t native_half_from_float(float value) {
  return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT);
}
#else
ROCMFORGE_HOST_DEVICE constexpr float native_float_from_half(std::uint16_t bits) {
  return portable_float_from_half(bits);
}
ROCMFORGE_HOST_DEVICE constexpr std::uint16_t native_half_from_float(float value) {
  return portable_half_from_float(value);
}
#endif

ROCMFORGE_HOST_DEVICE constexpr float float_from_half(std::uint16_t bits) {
  if (__builtin_is_constant_evaluated()) return portable_float_from_half(bits);
  return native_float_from_half(bits);
}

ROCMFORGE_HOST_DEVICE constexpr std::uint16_t half_from_float(float value) {
  if (__builtin_is_constant_evaluated()) return portable_half_from_float(value);
  return native_half_from_float(value);
}

ROCMFORGE_HOST_DEVICE constexpr float float_from_bfloat16(std::uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
}

ROCMFORGE_HOST_DEVICE constexpr std::uint16_t bfloat16_from_float(float value) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return static_cast<std::uint16_t>(bits >> 16 | 0x40u);  // quiet NaN
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

}  // namespace convert
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
