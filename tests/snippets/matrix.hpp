// One lane of a wave, and the tiles that it multiplies.
#pragma once

#include <rocmforge/dispatch.hpp>
#include <rocmforge/platform/mma.hpp>

#include "snippet.hpp"

struct prelude : rocmforge::testing::snippet {
  const int lane = 0;
  rocmforge::tensor_view<float, 2> c = out<float>(16, 16);
  static float a(int row, int col) { return row == col ? 1.0f : 0.0f; }
  static float b(int row, int col) { return static_cast<float>(row + col); }
};
