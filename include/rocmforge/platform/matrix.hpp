// Matrix instructions as data. Each is a struct: a description (shape, registers, who holds which
// element) and multiply(d, a, b); see matrix/description.hpp. Generic tile code uses the
// description alone.
#pragma once

#include "rocmforge/platform/matrix/access.hpp"
#include "rocmforge/platform/matrix/description.hpp"
#include "rocmforge/platform/matrix/host_tile.hpp"
#include "rocmforge/platform/matrix/list.hpp"
#include "rocmforge/platform/matrix/mfma.hpp"
#include "rocmforge/platform/matrix/mma_sync.hpp"
#include "rocmforge/platform/matrix/reuse.hpp"
#include "rocmforge/platform/matrix/wmma_gfx11.hpp"
#include "rocmforge/platform/matrix/wmma_gfx12.hpp"
