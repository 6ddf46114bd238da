// WMMA of RDNA4 (gfx1200, gfx1201) on waves of 32 lanes.
// AMD, "RDNA4 Instruction Set Architecture", section 7.12.
#pragma once

#include <cstdint>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/mma/description.hpp"

// The processors are named one by one: later ones of the gfx12 line have other shapes under similar
// names.
#if defined(__gfx1200__) || defined(__gfx1201__)
#if __has_builtin(__builtin_amdgcn_wmma_f32_16x16x16_f16_w32_gfx12)
#define ROCMFORGE_HAS_WMMA_GFX12
#endif
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace mma {

/// What the WMMA instructions of gfx12 share. Each half of the wave holds eight k of A and B, and
/// eight rows of C.
template <class T, class Accumulator>
struct wmma_gfx12 : tile_shape<T, Accumulator, 16, 16, 16, 32> {
#if defined(ROCMFORGE_HAS_WMMA_GFX12)
  static constexpr bool available = true;
#else
  static constexpr bool available = false;
#endif
  static constexpr bool runs_on(std::string_view architecture) {
    return architecture == "gfx1200" || architecture == "gfx1201";
  }

  ROCMFORGE_HOST_DEVICE static constexpr coord a_coord(int lane, int i) {
    return {lane % 16, 8 * (lane / 16) + i};
  }
  ROCMFORGE_HOST_DEVICE static constexpr coord b_coord(int lane, int i) {
    return {8 * (lane / 16) + i, lane % 16};
  }
  ROCMFORGE_HOST_DEVICE static constexpr coord c_coord(int lane, int i) {
    return {8 * (lane / 16) + i, lane % 16};
  }
};

struct wmma_f32_16x16x16_f16_gfx12 : wmma_gfx12<half, float> {
  static constexpr const char* name = "wmma_f32_16x16x16_f16_gfx12";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_WMMA_GFX12)
    using operand = _Float16 __attribute__((ext_vector_type(8)));
    using sums = float __attribute__((ext_vector_type(8)));
    d = detail::as<c_registers>(__builtin_amdgcn_wmma_f32_16x16x16_f16_w32_gfx12(
        detail::as<operand>(a), detail::as<operand>(b), detail::as<sums>(d)));
#else
    detail::not_available(d, a, b);
#endif
  }
};

struct wmma_f32_16x16x16_bf16_gfx12 : wmma_gfx12<bfloat16, float> {
  static constexpr const char* name = "wmma_f32_16x16x16_bf16_gfx12";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_WMMA_GFX12)
    using operand = short __attribute__((ext_vector_type(8)));
    using sums = float __attribute__((ext_vector_type(8)));
    d = detail::as<c_registers>(__builtin_amdgcn_wmma_f32_16x16x16_bf16_w32_gfx12(
        detail::as<operand>(a), detail::as<operand>(b), detail::as<sums>(d)));
#else
    detail::not_available(d, a, b);
#endif
  }
};

/// Signed bytes. A sum that leaves 32 bits wraps around.
struct wmma_i32_16x16x16_i8_gfx12 : wmma_gfx12<std::int8_t, std::int32_t> {
  static constexpr const char* name = "wmma_i32_16x16x16_i8_gfx12";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_WMMA_GFX12)
    using operand = int __attribute__((ext_vector_type(2)));
    using sums = int __attribute__((ext_vector_type(8)));
    constexpr bool is_signed = true;
    constexpr bool saturate = false;
    d = detail::as<c_registers>(__builtin_amdgcn_wmma_i32_16x16x16_iu8_w32_gfx12(
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

#undef ROCMFORGE_HAS_WMMA_GFX12
