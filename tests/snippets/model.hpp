// Tokens for two sequences of the model in files.hpp, and a product with one of its tensors.
#pragma once

#include <rocmforge/gguf/weight_view.hpp>
#include <rocmforge/model.hpp>
#include <rocmforge/model/weight_kernels.hpp>
#include <span>

#include "files.hpp"

struct steps_prelude : prelude {
  const std::vector<int> tokens_of_a = {1, 2, 3}, tokens_of_b = {4};
};

struct weights_prelude : file_prelude {
  rocmforge::tensor_view<float, 2> y = out<float>(1, vocab_size);
  rocmforge::tensor_view<float, 2> x = in<float>(1, 64);
};
