// Operations on pairs of halves, the operands of matrix instructions and packed dot products.
#pragma once

#include "rocmforge/platform/half_pair.hpp"
#include "rocmforge/platform/macros.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST)
#include "rocmforge/platform/host/half_pairs.hpp"
#else
#include "rocmforge/platform/gpu/half_pairs.hpp"
#endif
