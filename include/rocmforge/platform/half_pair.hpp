// A pair of halves in a word.
#pragma once

#include <cstdint>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

/// Two halves in a word, the first in its lower bits.
using half_pair = std::uint32_t;

ROCMFORGE_DEVICE float first_of(half_pair pair) {
  return static_cast<float>(half::from_bits(static_cast<std::uint16_t>(pair)));
}
ROCMFORGE_DEVICE float second_of(half_pair pair) {
  return first_of(pair >> 16);
}

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
