// The one place that chooses a platform. Each side defines the same names: device properties,
// streams, events, graphs and memory (runtime.hpp), for kernels block_context (block.hpp: index,
// barrier, shuffles) and packets, and the start of a kernel (launch.hpp).
#pragma once

#include "rocmforge/platform/macros.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST)
#include "rocmforge/platform/host/block.hpp"
#include "rocmforge/platform/host/launch.hpp"
#include "rocmforge/platform/host/runtime.hpp"
#else
#include "rocmforge/platform/gpu/block.hpp"
#include "rocmforge/platform/gpu/launch.hpp"
#include "rocmforge/platform/gpu/runtime.hpp"
#include "rocmforge/platform/gpu/words.hpp"
#endif

#include "rocmforge/platform/launch.hpp"
#include "rocmforge/platform/packet.hpp"
#include "rocmforge/platform/packet_bytes.hpp"
#include "rocmforge/platform/packet_memory.hpp"
