// Element types: float, half (IEEE binary16) and bfloat16. Conversions to 16 bits round to nearest
// even.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/platform/convert.hpp"
#include "rocmforge/platform/macros.hpp"

namespace rocmforge {

/// IEEE 754 binary16, laid out as the vendors' own half types are. Arithmetic is done in float.
struct half {
  std::uint16_t bits;

  half() = default;
  ROCMFORGE_HOST_DEVICE explicit constexpr half(float value)
      : bits(convert::half_from_float(value)) {}
  ROCMFORGE_HOST_DEVICE explicit constexpr operator float() const {
    return convert::float_from_half(bits);
  }
  ROCMFORGE_HOST_DEVICE static constexpr half from_bits(std::uint16_t bits) {
    half value{};
    value.bits = bits;
    return value;
  }
};

/// The upper 16 bits of a float, laid out as the vendors' own bfloat16 types are. Arithmetic is
/// done in float.
struct bfloat16 {
  std::uint16_t bits;

  bfloat16() = default;
  ROCMFORGE_HOST_DEVICE explicit constexpr bfloat16(float value)
      : bits(convert::bfloat16_from_float(value)) {}
  ROCMFORGE_HOST_DEVICE explicit constexpr operator float() const {
    return convert::float_from_bfloat16(bits);
  }
  ROCMFORGE_HOST_DEVICE static constexpr bfloat16 from_bits(std::uint16_t bits) {
    bfloat16 value{};
    value.bits = bits;
    return value;
  }
};

static_assert(sizeof(half) == 2 && std::is_trivially_copyable_v<half>);
static_assert(sizeof(bfloat16) == 2 && std::is_trivially_copyable_v<bfloat16>);

template <class T>
concept floating_dtype =
    std::is_same_v<T, float> || std::is_same_v<T, half> || std::is_same_v<T, bfloat16>;

/// Element types that are chosen at run time.
enum class dtype { f32, f16, bf16 };

/// The element types by the names that are nobody else's: `half` is also a type of the vendors'
/// headers, and is ambiguous after `using namespace rocmforge`.
using f32 = float;
using f16 = half;
using bf16 = bfloat16;

template <floating_dtype T>
inline constexpr dtype dtype_of = std::is_same_v<T, float>  ? dtype::f32
                                  : std::is_same_v<T, half> ? dtype::f16
                                                            : dtype::bf16;

constexpr const char* name_of(dtype type) {
  return type == dtype::f32 ? "f32" : type == dtype::f16 ? "f16" : "bf16";
}

constexpr int bytes_of(dtype type) {
  return type == dtype::f32 ? 4 : 2;
}

}  // namespace rocmforge
