// Matrix instructions as data. Each is a struct: a description (shape, registers, who holds which
// element) and multiply(d, a, b); see mma/description.hpp. Generic tile code uses only
// the description.
#pragma once

#include "rocmforge/platform/mma/access.hpp"
#include "rocmforge/platform/mma/description.hpp"
#include "rocmforge/platform/mma/host_tile.hpp"
#include "rocmforge/platform/mma/list.hpp"
#include "rocmforge/platform/mma/mfma.hpp"
#include "rocmforge/platform/mma/mma_sync.hpp"
#include "rocmforge/platform/mma/reuse.hpp"
#include "rocmforge/platform/mma/wmma_gfx11.hpp"
#include "rocmforge/platform/mma/wmma_gfx12.hpp"
