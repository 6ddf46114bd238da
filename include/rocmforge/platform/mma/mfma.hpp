// MFMA of CDNA2 and CDNA3 (gfx90a, gfx942; gfx950 has these too) on waves of 64 lanes.
// AMD, "AMD Instinct MI200 Instruction Set Architecture" and "... MI300 ...", chapter 7.
#pragma once

#include <cstdint>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/mma/description.hpp"

#if defined(__gfx90a__)
#define ROCMFORGE_HAS_MFMA
#define ROCMFORGE_HAS_MFMA_CDNA2
#elif defined(__gfx942__) || defined(__gfx950__)
#define ROCMFORGE_HAS_MFMA
#define ROCMFORGE_HAS_MFMA_CDNA3
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace mma {

/// What the dense MFMA instructions share. The lanes of a group of M hold one row of A (column of
/// B) each, a group holds K / groups neighboring k; C goes to the groups in runs of four rows.
template <class T, class Accumulator, int M, int K>
struct mfma_layout : tile_shape<T, Accumulator, M, M, K, 64> {
  static constexpr int groups = 64 / M;
  static constexpr int group_k = K / groups;

  ROCMFORGE_HOST_DEVICE static constexpr coord a_coord(int lane, int i) {
    return {lane % M, group_k * (lane / M) + i};
  }
  ROCMFORGE_HOST_DEVICE static constexpr coord b_coord(int lane, int i) {
    return {group_k * (lane / M) + i, lane % M};
  }
  ROCMFORGE_HOST_DEVICE static constexpr coord c_coord(int lane, int i) {
    return {4 * groups * (i / 4) + 4 * (lane / M) + i % 4, lane % M};
  }
};

/// 16-bit operands: the same on CDNA2 and CDNA3.
template <class T, int M, int K>
struct mfma_16bit : mfma_layout<T, float, M, K> {
#if defined(ROCMFORGE_HAS_MFMA)
  static constexpr bool available = true;
#else
  static constexpr bool available = false;
#endif
  static constexpr bool runs_on(std::string_view architecture) {
    return architecture == "gfx90a" || architecture == "gfx942" || architecture == "gfx950";
  }
};

/// Signed bytes, four to a lane: CDNA2 only. A sum that leaves 32 bits wraps around.
template <int M, int K>
struct mfma_i8_cdna2 : mfma_layout<std::int8_t, std::int32_t, M, K> {
#if defined(ROCMFORGE_HAS_MFMA_CDNA2)
  static constexpr bool available = true;
#else
  static constexpr bool available = false;
#endif
  static constexpr bool runs_on(std::string_view architecture) {
    return architecture == "gfx90a";
  }
};

/// Signed bytes, eight to a lane: CDNA3. A sum that leaves 32 bits wraps around.
template <int M, int K>
struct mfma_i8_cdna3 : mfma_layout<std::int8_t, std::int32_t, M, K> {
#if defined(ROCMFORGE_HAS_MFMA_CDNA3)
  static constexpr bool available = true;
#else
  static constexpr bool available = false;
#endif
  static constexpr bool runs_on(std::string_view architecture) {
    return architecture == "gfx942" || architecture == "gfx950";
  }
};

struct mfma_f32_16x16x16_f16 : mfma_16bit<half, 16, 16> {
  static constexpr const char* name = "mfma_f32_16x16x16_f16";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MFMA)
    using operand = _Float16 __attribute__((ext_vector_type(4)));
    using sums = float __attribute__((ext_vector_type(4)));
    d = detail::as<c_registers>(__builtin_amdgcn_mfma_f32_16x16x16f16(
        detail::as<operand>(a), detail::as<operand>(b), detail::as<sums>(d), 0, 0, 0));
#else
    detail::not_available(d, a, b);
#endif
  }
};

struct mfma_f32_32x32x8_f16 : mfma_16bit<half, 32, 8> {
  static constexpr const char* name = "mfma_f32_32x32x8_f16";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MFMA)
    using operand = _Float16 __attribute__((ext_vector_type(4)));
    using sums = float __attribute__((ext_vector_type(16)));
    d = detail::as<c_registers>(__builtin_amdgcn_mfma_f32_32x32x8f16(
        detail::as<operand>(a), detail::as<operand>(b), detail::as<sums>(d), 0, 0, 0));
#else
    detail::not_available(d, a, b);
#endif
  }
};

struct mfma_f32_16x16x16_bf16 : mfma_16bit<bfloat16, 16, 16> {
  static constexpr const char* name = "mfma_f32_16x16x16_bf16";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MFMA)
    using operand = short __attribute__((ext_vector_type(4)));
    using sums = float __attribute__((ext_vector_type(4)));
    d = detail::as<c_registers>(__builtin_amdgcn_mfma_f32_16x16x16bf16_1k(
        detail::as<operand>(a), detail::as<operand>(b), detail::as<sums>(d), 0, 0, 0));
#else
    detail::not_available(d, a, b);
#endif
  }
};

struct mfma_f32_32x32x8_bf16 : mfma_16bit<bfloat16, 32, 8> {
  static constexpr const char* name = "mfma_f32_32x32x8_bf16";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MFMA)
    using operand = short __attribute__((ext_vector_type(4)));
    using sums = float __attribute__((ext_vector_type(16)));
    d = detail::as<c_registers>(__builtin_amdgcn_mfma_f32_32x32x8bf16_1k(
        detail::as<operand>(a), detail::as<operand>(b), detail::as<sums>(d), 0, 0, 0));
#else
    detail::not_available(d, a, b);
#endif
  }
};

struct mfma_i32_16x16x16_i8 : mfma_i8_cdna2<16, 16> {
  static constexpr const char* name = "mfma_i32_16x16x16_i8";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MFMA_CDNA2)
    using sums = int __attribute__((ext_vector_type(4)));
    d = detail::as<c_registers>(__builtin_amdgcn_mfma_i32_16x16x16i8(
        detail::as<int>(a), detail::as<int>(b), detail::as<sums>(d), 0, 0, 0));
#else
    detail::not_available(d, a, b);
#endif
  }
};

struct mfma_i32_32x32x8_i8 : mfma_i8_cdna2<32, 8> {
  static constexpr const char* name = "mfma_i32_32x32x8_i8";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MFMA_CDNA2)
    using sums = int __attribute__((ext_vector_type(16)));
    d = detail::as<c_registers>(__builtin_amdgcn_mfma_i32_32x32x8i8(
        detail::as<int>(a), detail::as<int>(b), detail::as<sums>(d), 0, 0, 0));
#else
    detail::not_available(d, a, b);
#endif
  }
};

struct mfma_i32_16x16x32_i8 : mfma_i8_cdna3<16, 32> {
  static constexpr const char* name = "mfma_i32_16x16x32_i8";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MFMA_CDNA3)
    using sums = int __attribute__((ext_vector_type(4)));
    d = detail::as<c_registers>(__builtin_amdgcn_mfma_i32_16x16x32_i8(
        detail::as<long>(a), detail::as<long>(b), detail::as<sums>(d), 0, 0, 0));
#else
    detail::not_available(d, a, b);
#endif
  }
};

struct mfma_i32_32x32x16_i8 : mfma_i8_cdna3<32, 16> {
  static constexpr const char* name = "mfma_i32_32x32x16_i8";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MFMA_CDNA3)
    using sums = int __attribute__((ext_vector_type(16)));
    d = detail::as<c_registers>(__builtin_amdgcn_mfma_i32_32x32x16_i8(
        detail::as<long>(a), detail::as<long>(b), detail::as<sums>(d), 0, 0, 0));
#else
    detail::not_available(d, a, b);
#endif
  }
};

}  // namespace mma
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge

#undef ROCMFORGE_HAS_MFMA
#undef ROCMFORGE_HAS_MFMA_CDNA2
#undef ROCMFORGE_HAS_MFMA_CDNA3
