// WMMA of RDNA3 and RDNA3.5 (gfx11) on waves of 32 lanes.
// AMD, "RDNA3 Instruction Set Architecture", section 7.9.
#pragma once

#include <cstdint>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/mma/description.hpp"

// The builtin is asked for as well because gfx11 compiled for waves of 64 has other WMMA
// instructions.
#if defined(__GFX11__)
#if __has_builtin(__builtin_amdgcn_wmma_f32_16x16x16_f16_w32)
#define ROCMFORGE_HAS_WMMA_GFX11
#endif
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace mma {

/// What the WMMA instructions of gfx11 share. Lanes 16 to 31 repeat the A and B of lanes 0 to 15,
/// and the rows of C alternate between the two halves of the wave.
template <class T, class Accumulator>
struct wmma_gfx11 : tile_shape<T, Accumulator, 16, 16, 16, 32, 2, 2> {
#if defined(ROCMFORGE_HAS_WMMA_GFX11)
  static constexpr bool available = true;
#else
  static constexpr bool available = false;
#endif
  static constexpr bool runs_on(std::string_view architecture) {
    return architecture.substr(0, 5) == "gfx11";
  }

  ROCMFORGE_HOST_DEVICE static constexpr coord a_coord(int lane, int i) {
    return {lane % 16, i};
  }
  ROCMFORGE_HOST_DEVICE static constexpr coord b_coord(int lane, int i) {
    return {i, lane % 16};
  }
  ROCMFORGE_HOST_DEVICE static constexpr coord c_coord(int lane, int i) {
    return {2 * i + lane / 16, lane % 16};
  }
};

struct wmma_f32_16x16x16_f16 : wmma_gfx11<half, float> {
  static constexpr const char* name = "wmma_f32_16x16x16_f16";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_WMMA_GFX11)
    using operand = _Float16 __attribute__((ext_vector_type(16)));
    using sums = float __attribute__((ext_vector_type(8)));
    d = detail::as<c_registers>(__builtin_amdgcn_wmma_f32_16x16x16_f16_w32(
        detail::as<operand>(a), detail::as<operand>(b), detail::as<sums>(d)));
#else
    detail::not_available(d, a, b);
#endif
  }
};

struct wmma_f32_16x16x16_bf16 : wmma_gfx11<bfloat16, float> {
  static constexpr const char* name = "wmma_f32_16x16x16_bf16";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_WMMA_GFX11)
    using operand = short __attribute__((ext_vector_type(16)));
    using sums = float __attribute__((ext_vector_type(8)));
    d = detail::as<c_registers>(__builtin_amdgcn_wmma_f32_16x16x16_bf16_w32(
        detail::as<operand>(a), detail::as<operand>(b), detail::as<sums>(d)));
#else
    detail::not_available(d, a, b);
#endif
  }
};

/// Signed bytes. A sum that leaves 32 bits wraps around.
struct wmma_i32_16x16x16_i8 : wmma_gfx11<std::int8_t, std::int32_t> {
  static constexpr const char* name = "wmma_i32_16x16x16_i8";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_WMMA_GFX11)
    using operand = int __attribute__((ext_vector_type(4)));
    using sums = int __attribute__((ext_vector_type(8)));
    constexpr bool is_signed = true;
    constexpr bool saturate = false;
    d = detail::as<c_registers>(__builtin_amdgcn_wmma_i32_16x16x16_iu8_w32(
        is_signed, detail::as<operand>(a), is_signed, detail::as<operand>(b), detail::as<sums>(d),
        saturate));
#else
    detail::not_available(d, a, b);
#endif
  }
};

}  // namespace mma
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge

#undef ROCMFORGE_HAS_WMMA_GFX11
