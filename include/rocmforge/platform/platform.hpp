// The one place that chooses a platform. Each of the three files defines the same names: device
// properties, streams, events, graphs, memory, launch, and for kernels block_context (index,
// barrier, shuffles), packets and a few functions.
#pragma once

#include "rocmforge/platform/macros.hpp"

#if defined(ROCMFORGE_PLATFORM_AMD)
#include "rocmforge/platform/amd.hpp"
#elif defined(ROCMFORGE_PLATFORM_NVIDIA)
#include "rocmforge/platform/nvidia.hpp"
#else
#include "rocmforge/platform/host.hpp"
#endif

#include "rocmforge/platform/launch.hpp"
#include "rocmforge/platform/packet.hpp"
