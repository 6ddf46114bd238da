// Queries, keys and values of a few tokens, for rotary embeddings and caches.
#pragma once

#include <rocmforge/kv_cache.hpp>
#include <rocmforge/rope.hpp>

#include "snippet.hpp"

struct prelude : rocmforge::testing::snippet {
  const int num_tokens = 5, num_heads = 4, num_kv_heads = 2, head_dim = 128;
  rocmforge::tensor_view<float, 3> y = out<float>(num_tokens, num_heads, head_dim);
  rocmforge::tensor_view<float, 3> x = in<float>(num_tokens, num_heads, head_dim);
  rocmforge::tensor_view<float, 3> q_out = out<float>(num_tokens, num_heads, head_dim);
  rocmforge::tensor_view<float, 3> k_out = out<float>(num_tokens, num_kv_heads, head_dim);
  rocmforge::tensor_view<float, 3> q = in<float>(num_tokens, num_heads, head_dim);
  rocmforge::tensor_view<float, 3> k = in<float>(num_tokens, num_kv_heads, head_dim);
  rocmforge::tensor_view<float, 3> v = in<float>(num_tokens, num_kv_heads, head_dim);
  rocmforge::tensor_view<float, 1> q_weight = in<float>(head_dim);
  rocmforge::tensor_view<float, 1> k_weight = in<float>(head_dim);
  rocmforge::tensor_view<int, 1> positions = of<int>({0, 1, 2, 3, 4}, num_tokens);
  rocmforge::tensor_view<int, 2> image_positions = zeros<int>(3, num_tokens);
  rocmforge::tensor_view<int, 1> slots = of<int>({8, 9, 10, -1, 0}, num_tokens);
  rocmforge::tensor_view<rocmforge::f16, 4> k_pages =
      out<rocmforge::f16>(2, num_kv_heads, 16, head_dim);
  rocmforge::tensor_view<rocmforge::f16, 4> v_pages =
      out<rocmforge::f16>(2, num_kv_heads, 16, head_dim);
  const rocmforge::rope_options options{.layout = rocmforge::rope_layout::half_split};
};

/// The output of one product of Q, K and V.
struct qkv_prelude : rocmforge::testing::snippet {
  const int num_tokens = 5, num_heads = 4, num_kv_heads = 2, head_dim = 128;
  float* qkv = in<float>(num_tokens, (num_heads + 2 * num_kv_heads) * head_dim).data;
};
