// The attention kernels with tiles and blocks of one's own, and the same bits from pages and from
// plain tensors.
#include <rocmforge/attention.hpp>

#include "reference/attention_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(attention_tiles);

template <attention_config Config, int BlockSize>
void check_tile(int head_dim) {
  for (const int q_len : {1, 37}) {
    for (const int gap : {0, 1}) {
      SCOPED_TRACE("head_dim " + std::to_string(head_dim) + ", q_len " + std::to_string(q_len) +
                   ", gap " + std::to_string(gap));
      plain_attention<float, float> p(head_dim, q_len, gap);
      EXPECT_SUCCESS((run_tiled<Config, BlockSize>(p.problem(), p.num_heads, head_dim, q_len, 1)));
      p.expect_result();
    }
  }
}

TEST_P(attention_tiles, tiles_of_ones_own_agree_with_double) {
  check_tile<attention_config{.head_dim = 48, .block_q = 16, .block_kv = 48}, 64>(48);
  check_tile<attention_config{.head_dim = 80, .block_q = 32, .block_kv = 32}, 64>(73);
  check_tile<attention_config{.head_dim = 96, .block_q = 64, .block_kv = 16}, 256>(96);
}

TEST_P(attention_tiles, a_block_of_64_lanes_agrees_with_double) {
  plain_attention<float, float> p(100, 4, 0);
  EXPECT_SUCCESS((run_vector<128, 64>(p.problem(), p.num_heads, p.num_kv_heads, 100, 4, 1)));
  p.expect_result();
}

TEST_P(attention_tiles, pages_give_the_same_bits_as_plain_tensors) {
  constexpr int num_heads = 4, num_kv_heads = 2, head_dim = 64, kv_len = 100;
  constexpr attention_config tile{.head_dim = 64, .block_q = 32, .block_kv = 32};
  for (const int q_len : {2, 40}) {
    paged_sequences<float, float> s({{q_len, kv_len, 9}}, num_heads, num_kv_heads, head_dim, 16);
    device_buffer<float> k(s.keys(0)), v(s.values(0)),
        out(std::size_t(q_len * num_heads * head_dim));
    const auto heads_first = [&](float* tokens) {
      return permuted<0, 2, 1, 3>(make_view(tokens, 1, q_len, num_heads, head_dim));
    };
    const attention_problem::paged<float, float> pages{s.out(),     s.q(),     s.k_pages(),
                                                       s.v_pages(), s.batch(), {}};
    const attention_problem::contiguous<float, float> plain{
        heads_first(out.data()),
        heads_first(s.q().data),
        k.view(1, num_kv_heads, kv_len, head_dim),
        v.view(1, num_kv_heads, kv_len, head_dim),
        {}};
    if (q_len == 2) {
      EXPECT_SUCCESS((run_vector<64, 128>(pages, num_heads, num_kv_heads, head_dim, q_len, 1)));
      EXPECT_SUCCESS((run_vector<64, 128>(plain, num_heads, num_kv_heads, head_dim, q_len, 1)));
    } else {
      EXPECT_SUCCESS((run_tiled<tile, 128>(pages, num_heads, head_dim, q_len, 1)));
      EXPECT_SUCCESS((run_tiled<tile, 128>(plain, num_heads, head_dim, q_len, 1)));
    }
    s.expect_results(true, 5e-6);
    EXPECT_EQ(out.to_host(), s.result(0));
  }
}

}  // namespace
}  // namespace rocmforge::testing
