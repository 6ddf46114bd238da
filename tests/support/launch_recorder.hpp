// What launch_recorder.cpp, a part of every kernel test program, has seen.
#pragma once

#include <cstddef>

namespace rocmforge::testing {

/// Launches of this program so far. Those of a graph count when it records them.
std::size_t num_launches();

}  // namespace rocmforge::testing
