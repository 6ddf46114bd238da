// Tokens for two sequences of the model in files.hpp.
#pragma once

#include <rocmforge/model.hpp>
#include <rocmforge/model/weight_kernels.hpp>

#include "files.hpp"

struct model_prelude : prelude {
  const std::vector<int> tokens_of_a = {1, 2, 3}, tokens_of_b = {4};
};
