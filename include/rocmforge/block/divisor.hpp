// Division by a number that is known when a kernel is launched: by a product with its reciprocal,
// where a GPU would take twenty instructions. Granlund and Montgomery, "Division by Invariant
// Integers using Multiplication", 1994.
#pragma once

#include <cstdint>

#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// A number to divide by, from 1 on; what is divided is 0 or more.
struct divisor {
  int value = 1;
  int bits = 0;                        // 2^bits is the smallest power of two that is not below it
  std::uint32_t factor = 0x80000000u;  // 2^(31 + bits) / value, rounded up

  static constexpr divisor of(int value) {
    divisor result{value < 1 ? 1 : value};
    while (std::int64_t{1} << result.bits < result.value) ++result.bits;
    const std::uint64_t power = std::uint64_t{1} << (31 + result.bits);
    const auto number = static_cast<std::uint64_t>(result.value);
    result.factor = static_cast<std::uint32_t>((power + number - 1) / number);
    return result;
  }
  ROCMFORGE_HOST_DEVICE constexpr int quotient(int dividend) const {
    const std::uint64_t product = std::uint64_t{static_cast<std::uint32_t>(dividend) * 2u} * factor;
    return static_cast<int>(static_cast<std::uint32_t>(product >> 32) >> bits);
  }
  ROCMFORGE_HOST_DEVICE constexpr int remainder(int dividend) const {
    return dividend - quotient(dividend) * value;
  }
};

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
