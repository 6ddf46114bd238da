// Rows of activations, for norms, activations and softmax.
#pragma once

#include <rocmforge/activation.hpp>
#include <rocmforge/norm.hpp>
#include <rocmforge/softmax.hpp>

#include "snippet.hpp"

struct prelude : rocmforge::testing::snippet {
  const int num_rows = 3, ffn_dim = 64;
  rocmforge::tensor_view<float, 2> y = out<float>(num_rows, ffn_dim);
  rocmforge::tensor_view<float, 2> sum = out<float>(num_rows, ffn_dim);
  rocmforge::tensor_view<float, 2> x = in<float>(num_rows, ffn_dim);
  rocmforge::tensor_view<float, 2> residual = in<float>(num_rows, ffn_dim);
  rocmforge::tensor_view<float, 2> gate = in<float>(num_rows, ffn_dim);
  rocmforge::tensor_view<float, 2> up = in<float>(num_rows, ffn_dim);
  rocmforge::tensor_view<float, 2> gate_up = in<float>(num_rows, 2 * ffn_dim);
  rocmforge::tensor_view<float, 1> weight = in<float>(ffn_dim);
  rocmforge::tensor_view<float, 1> bias = in<float>(ffn_dim);
  const float epsilon = 1e-5f, scale = 0.5f;
};

/// A pointer to elements of another two-byte type.
struct pointer_prelude : rocmforge::testing::snippet {
  const int num_rows = 3, hidden_dim = 64;
  _Float16* const pointer =
      reinterpret_cast<_Float16*>(in<rocmforge::f16>(num_rows * hidden_dim).data);
};
