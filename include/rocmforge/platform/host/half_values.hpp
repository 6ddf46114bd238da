// A table of all halves.
#pragma once

#include <cstdint>

#include "rocmforge/platform/convert.hpp"
#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace host_runtime {

/// Every half as a float, from the first launch on. A scale is then broadcast by the load itself,
/// while a conversion and a broadcast in registers would take the shuffle units, which are what
/// decoding four-bit weights is short of (20 % of a matrix-vector product).
///
/// Filled by a launch and not before main(): a program may have sources for a processor that it
/// does not run on, as long as it launches nothing of them.
inline const float* half_values = nullptr;

inline void fill_half_values() {
  static const bool filled = [] {
    static float values[65536];
    for (int bits = 0; bits < 65536; ++bits)
      values[bits] = convert::portable_float_from_half(static_cast<std::uint16_t>(bits));
    half_values = values;
    return true;
  }();
  static_cast<void>(filled);
}

}  // namespace host_runtime
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
