// Attention over quantized caches, against the values that their blocks hold.
#include <rocmforge/attention.hpp>

#include "reference/attention_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(attention_quant);

constexpr attention_config tile{.head_dim = 64, .block_q = 32, .block_kv = 32};

template <class F>
void for_each_cache_type(F f) {
  {
    SCOPED_TRACE("q8_0");
    f(q8_0{});
  }
  {
    SCOPED_TRACE("q4_0");
    f(q4_0{});
  }
}

template <class T, class TCache>
void check_paged(int head_dim, int page_size) {
  for (const bool few_queries : {true, false}) {
    SCOPED_TRACE("head_dim " + std::to_string(head_dim) + (few_queries ? ", few" : ", many"));
    const int num_heads = 6, num_kv_heads = 2;
    paged_sequences<T, TCache> s({{3, 70, 1}, {1, 1, 2}, {4, 2, 3}, {2, 90, 4}}, num_heads,
                                 num_kv_heads, head_dim, page_size);
    const attention_problem::paged<T, TCache> problem{s.out(),     s.q(),     s.k_pages(),
                                                      s.v_pages(), s.batch(), s.lse()};
    if (few_queries) {
      EXPECT_SUCCESS(
          (run_vector<64, 128>(problem, num_heads, num_kv_heads, head_dim, s.max_q_len, 4)));
      expect_lse(s.lse_values().data(), s.expect_results(reference::attention_shape{}, 5e-6), 5e-6);
      EXPECT_SUCCESS((run_vector<64, 128>(problem, num_heads, num_kv_heads, head_dim, s.max_q_len,
                                          4, {}, {4, 16})));
    } else {
      EXPECT_SUCCESS((run_tiled<tile, 128>(problem, num_heads, head_dim, s.max_q_len, 4)));
    }
    expect_lse(s.lse_values().data(), s.expect_results(reference::attention_shape{}, 5e-6), 5e-6);
  }
}

TEST_P(attention_quant, pages_of_blocks_agree_with_double) {
  for_each_cache_type([]<class TCache>(TCache) {
    for (const int head_dim : {32, 64}) check_paged<float, TCache>(head_dim, 16);
  });
}

TEST_P(attention_quant, queries_may_have_16_bits) {
  check_paged<half, q8_0>(64, 7);
}

// Rows of keys of 3 blocks and of values of 2, further apart than they are long.
TEST_P(attention_quant, plain_blocks_agree_with_double) {
  const int num_heads = 4, num_kv_heads = 2, head_dim = 96, v_head_dim = 64, kv_len = 75, gap = 1;
  for_each_cache_type([&]<class TCache>(TCache) {
    for (const int q_len : {2, 37}) {
      SCOPED_TRACE(q_len);
      const auto q = random_values<float>(std::size_t(num_heads * q_len * head_dim), 1);
      const auto k = cache_values<TCache>(std::size_t(num_kv_heads * kv_len * head_dim), 2),
                 v = cache_values<TCache>(std::size_t(num_kv_heads * kv_len * v_head_dim), 3);
      const auto spread = [&](const std::vector<TCache>& blocks, int row) {
        std::vector<TCache> memory(blocks.size() / std::size_t(row) * std::size_t(row + gap));
        std::memset(static_cast<void*>(memory.data()), 0xff, memory.size() * sizeof(TCache));
        for (std::size_t i = 0; i < blocks.size(); ++i) {
          memory[i / std::size_t(row) * std::size_t(row + gap) + i % std::size_t(row)] = blocks[i];
        }
        return device_buffer<TCache>(memory);
      };
      const auto view = [&](const device_buffer<TCache>& buffer, int row) {
        return sub_view<3>(buffer.view(1, num_kv_heads, kv_len, row + gap), 0, row);
      };
      device_buffer<float> device_q(q), out(std::size_t(num_heads * q_len * v_head_dim));
      const auto device_k = spread(k, head_dim / 32), device_v = spread(v, v_head_dim / 32);
      const auto out_view = out.view(1, num_heads, q_len, v_head_dim),
                 q_view = device_q.view(1, num_heads, q_len, head_dim);
      const auto k_view = view(device_k, head_dim / 32), v_view = view(device_v, v_head_dim / 32);
      const attention_options options{.sliding_window = 50};
      if constexpr (std::is_same_v<TCache, q8_0>) {
        split_memory workspace({3, 32}, 1, num_heads, q_len, v_head_dim);
        attention_options split = options;
        split.split = workspace.split();
        EXPECT_SUCCESS(rocmforge::attention(out_view, q_view, k_view, v_view, split));
      } else {  // without the launcher's instances for every head_dim
        const attention_problem::contiguous<float, TCache> problem{
            out_view, q_view, k_view, v_view, {}};
        if (q_len == 2) {
          EXPECT_SUCCESS((
              run_vector<128, 128>(problem, num_heads, num_kv_heads, head_dim, q_len, 1, options)));
        } else {
          constexpr attention_config wide{.head_dim = 96, .block_q = 32, .block_kv = 32};
          EXPECT_SUCCESS((run_tiled<wide, 128>(problem, num_heads, head_dim, q_len, 1, options)));
        }
      }
      const auto expected =
          reference::attention(to_double(q), reference::decode(k), reference::decode(v),
                               {.num_heads = num_heads,
                                .num_kv_heads = num_kv_heads,
                                .q_len = q_len,
                                .kv_len = kv_len,
                                .head_dim = head_dim,
                                .v_head_dim = v_head_dim,
                                .window = 50});
      expect_close(out.to_host(), expected.out, 5e-6, 1.0);
    }
  });
}

TEST_P(attention_quant, refuses_rows_that_are_no_whole_number_of_blocks) {
  device_buffer<float> buffer(std::vector<float>(1024, 1.0f));
  device_buffer<q8_0> cache(std::vector<q8_0>(8));
  const auto k = cache.view(1, 1, 4, 2);
  const auto good = buffer.view(1, 1, 3, 64);
  EXPECT_REFUSED(rocmforge::attention(buffer.view(1, 1, 3, 65), buffer.view(1, 1, 3, 65), k, k),
                 status_code::invalid_shape, "k");
  EXPECT_REFUSED(rocmforge::attention(buffer.view(1, 1, 3, 63), good, k, k),
                 status_code::invalid_shape, "v");
  EXPECT_REFUSED(rocmforge::attention(good, good, k, cache.view(1, 1, 4, 1)),
                 status_code::invalid_shape, "v");
}

}  // namespace
}  // namespace rocmforge::testing
