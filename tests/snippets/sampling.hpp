// Logits of two rows, and what is wanted of them.
#pragma once

#include <rocmforge/sampling.hpp>

#include "snippet.hpp"

struct prelude : rocmforge::testing::snippet {
  rocmforge::tensor_view<float, 2> logits = in<float>(2, 100);
  rocmforge::tensor_view<int, 1> tokens = out<int>(2);
  rocmforge::tensor_view<int, 2> banned = of<int>({1, 2}, 2, 1);
  rocmforge::tensor_view<float, 2> biases = of<float>({-INFINITY, -INFINITY}, 2, 1);
  rocmforge::tensor_view<int, 2> history = of<int>({5, 6, 7, -1}, 2, 2);
  rocmforge::tensor_view<rocmforge::draw_counter, 1> counters = zeros<rocmforge::draw_counter>(2);
};
