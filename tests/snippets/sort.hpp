// Rows to sort.
#pragma once

#include <rocmforge/memory.hpp>
#include <rocmforge/sort.hpp>

#include "snippet.hpp"

struct prelude : rocmforge::testing::snippet {
  const int num_rows = 2, row_size = 100;
  rocmforge::tensor_view<float, 2> x = in<float>(num_rows, row_size);
  rocmforge::tensor_view<float, 2> values = out<float>(num_rows, row_size);
  rocmforge::tensor_view<int, 2> indices = out<int>(num_rows, row_size);
};
