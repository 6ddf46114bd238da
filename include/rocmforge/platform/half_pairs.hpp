// What is done with pairs of halves, as matrix instructions and packed dot products take them.
#pragma once

#include "rocmforge/platform/half_pair.hpp"
#include "rocmforge/platform/macros.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST)
#include "rocmforge/platform/host/half_pairs.hpp"
#else
#include "rocmforge/platform/gpu/half_pairs.hpp"
#endif
