// A callback before each launch, for tests and traces. It is called only where
// ROCMFORGE_OBSERVE_LAUNCHES is defined.
#pragma once

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"

namespace rocmforge {

#if defined(ROCMFORGE_OBSERVE_LAUNCHES)
/// Called on the host before each launch of at least one block, if the program defines it; by
/// several threads at a time, if they launch. A graph's launches are told when it records them.
///
/// @param op      the function that launches
/// @param kernel  text of the compiler that ends in `Kernel = TYPE]`; it stays where it is
/// @param device  one of `devices()`
[[gnu::weak]] void observe_launch(const char* op, const char* kernel,
                                  const device_properties& device);
#endif

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Called by `launch` when the arguments are found to be good.
template <class Kernel>
void tell_launch([[maybe_unused]] const char* op,
                 [[maybe_unused]] const device_properties& device) {
#if defined(ROCMFORGE_OBSERVE_LAUNCHES)
  if (observe_launch != nullptr) observe_launch(op, __PRETTY_FUNCTION__, device);
#endif
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
