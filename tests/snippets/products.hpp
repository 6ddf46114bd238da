// Matrix products and weights in blocks.
#pragma once

#include <rocmforge/embedding.hpp>
#include <rocmforge/gemm.hpp>
#include <rocmforge/linear.hpp>
#include <rocmforge/quant.hpp>

#include "snippet.hpp"

struct prelude : rocmforge::testing::snippet {
  const int num_tokens = 3, in_dim = 256, out_dim = 64;
  rocmforge::tensor_view<float, 2> y = out<float>(num_tokens, out_dim);
  rocmforge::tensor_view<float, 2> x = in<float>(num_tokens, in_dim);
  rocmforge::tensor_view<const rocmforge::q4_0, 2> weight =
      zeros<rocmforge::q4_0>(out_dim, in_dim / 32);
  rocmforge::tensor_view<float, 1> bias = in<float>(out_dim);
};

struct quant_prelude : rocmforge::testing::snippet {
  const int num_rows = 3, row_size = 512;
  rocmforge::tensor_view<float, 2> y = out<float>(num_rows, row_size);
  rocmforge::tensor_view<rocmforge::q4_k, 2> blocks =
      zeros<rocmforge::q4_k>(num_rows, row_size / 256);
};

struct embedding_prelude : rocmforge::testing::snippet {
  rocmforge::tensor_view<float, 2> y = out<float>(3, 64);
  rocmforge::tensor_view<rocmforge::q4_1, 2> table = zeros<rocmforge::q4_1>(10, 2);
  rocmforge::tensor_view<int, 1> tokens = of<int>({9, 0, 4}, 3);
};

struct gemm_prelude : rocmforge::testing::snippet {
  rocmforge::tensor_view<float, 3> c = out<float>(2, 20, 24);
  rocmforge::tensor_view<rocmforge::f16, 3> a = in<rocmforge::f16>(2, 20, 16);
  rocmforge::tensor_view<rocmforge::f16, 3> b = in<rocmforge::f16>(2, 16, 24);
  rocmforge::tensor_view<rocmforge::f16, 3> w = in<rocmforge::f16>(2, 24, 16);
  rocmforge::tensor_view<float, 1> offsets = in<float>(24);
};

struct decode_prelude : rocmforge::testing::snippet {
  using Type = rocmforge::q4_0;
  static constexpr int N = 8;
  rocmforge::q4_0* const row = zeros<rocmforge::q4_0>(2).data;
  const int group = 1, part = 0, count = 32;
};
