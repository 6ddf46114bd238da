// Attention over a contiguous cache, over pages, and in parts.
#pragma once

#include <rocmforge/attention.hpp>
#include <rocmforge/attention/parts.hpp>
#include <rocmforge/mask.hpp>

#include "snippet.hpp"

struct shapes : rocmforge::testing::snippet {
  const int batch_size = 2, num_heads = 4, num_kv_heads = 2, q_len = 40, kv_len = 48;
  const int head_dim = 96;
};

struct prelude : shapes {
  rocmforge::tensor_view<float, 4> out = shapes::out<float>(batch_size, num_heads, q_len, head_dim);
  rocmforge::tensor_view<float, 4> q = in<float>(batch_size, num_heads, q_len, head_dim);
  rocmforge::tensor_view<rocmforge::f16, 4> k =
      in<rocmforge::f16>(batch_size, num_kv_heads, kv_len, head_dim);
  rocmforge::tensor_view<rocmforge::f16, 4> v =
      in<rocmforge::f16>(batch_size, num_kv_heads, kv_len, head_dim);
  rocmforge::tensor_view<float, 3> lse;
  const rocmforge::attention_options options;
};

/// One new token a sequence.
struct split_prelude : prelude {
  const int q_len = 1;
  rocmforge::tensor_view<float, 4> out = shapes::out<float>(batch_size, num_heads, q_len, head_dim);
  rocmforge::tensor_view<float, 4> q = in<float>(batch_size, num_heads, q_len, head_dim);
};

struct merge_prelude : shapes {
  const int num_states = 3;
  rocmforge::tensor_view<float, 4> out = shapes::out<float>(batch_size, num_heads, q_len, head_dim);
  rocmforge::tensor_view<float, 5> states =
      in<float>(num_states, batch_size, num_heads, q_len, head_dim);
  rocmforge::tensor_view<float, 4> state_lse = in<float>(num_states, batch_size, num_heads, q_len);
  rocmforge::tensor_view<float, 3> lse;
};

struct paged_prelude : shapes {
  rocmforge::tensor_view<float, 3> out = shapes::out<float>(q_len, num_heads, head_dim);
  rocmforge::tensor_view<float, 3> q = in<float>(q_len, num_heads, head_dim);
  rocmforge::tensor_view<rocmforge::f16, 4> k_pages =
      in<rocmforge::f16>(4, num_kv_heads, 16, head_dim);
  rocmforge::tensor_view<rocmforge::f16, 4> v_pages =
      in<rocmforge::f16>(4, num_kv_heads, 16, head_dim);
  rocmforge::tensor_view<float, 2> lse;
  const rocmforge::paged_batch batch{of<int>({0, 39, 40}, 3), of<int>({39, 10}, 2),
                                     of<int>({3, 1, 0, 2, -1, -1}, 2, 3), 39};
  const rocmforge::attention_options options;
};

struct parts_prelude : shapes {
  rocmforge::tensor_view<float, 4> out = shapes::out<float>(batch_size, num_heads, q_len, head_dim);
  rocmforge::tensor_view<float, 4> scores =
      shapes::out<float>(batch_size, num_heads, q_len, kv_len);
  rocmforge::tensor_view<float, 4> weights =
      shapes::out<float>(batch_size, num_heads, q_len, kv_len);
  rocmforge::tensor_view<float, 4> q = in<float>(batch_size, num_heads, q_len, head_dim);
  rocmforge::tensor_view<float, 4> k = in<float>(batch_size, num_kv_heads, kv_len, head_dim);
  rocmforge::tensor_view<float, 4> v = in<float>(batch_size, num_kv_heads, kv_len, head_dim);
  rocmforge::tensor_view<float, 4> mask;
  const rocmforge::attention_options options;
  const float softmax_scale = 0;
};

struct mask_prelude : shapes {
  rocmforge::tensor_view<float, 4> y = shapes::out<float>(batch_size, num_heads, q_len, kv_len);
  rocmforge::tensor_view<float, 4> x = in<float>(batch_size, num_heads, q_len, kv_len);
  rocmforge::tensor_view<float, 4> mask = in<float>(batch_size, num_heads, q_len, kv_len);
  rocmforge::tensor_view<float, 2> one_mask = shapes::out<float>(q_len, kv_len);
  const float factor = 0.5f;
  const int position = kv_len - q_len;
};

/// Somebody's pointers.
struct pointers_prelude : rocmforge::testing::snippet {
  const int batch = 2, seq_len = 8, num_heads = 4, num_kv_heads = 2, head_dim = 64;
  using f16 = rocmforge::f16;
  f16* const out = snippet::out<f16>(batch * seq_len * num_heads * head_dim).data;
  f16* const q = in<f16>(batch * seq_len * num_heads * head_dim).data;
  f16* const k = in<f16>(batch * seq_len * num_kv_heads * head_dim).data;
  f16* const v = in<f16>(batch * seq_len * num_kv_heads * head_dim).data;
};
