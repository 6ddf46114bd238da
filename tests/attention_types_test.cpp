// The attention kernels with every pair of element types but float alone, launched directly.
#include <rocmforge/attention.hpp>

#include "reference/attention_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(attention_types);

constexpr attention_config tile{.head_dim = 64, .block_q = 32, .block_kv = 32};

template <class T, class TCache>
void check_paged() {
  const int num_heads = 6, num_kv_heads = 2, head_dim = 56;
  for (const bool few_queries : {true, false}) {
    paged_sequences<T, TCache> s({{3, 70, 1}, {1, 1, 2}, {4, 2, 3}, {2, 90, 4}}, num_heads,
                                 num_kv_heads, head_dim, 16);
    const attention_problem::paged<T, TCache> problem{s.out(),     s.q(),     s.k_pages(),
                                                      s.v_pages(), s.batch(), {}};
    if (few_queries) {
      EXPECT_SUCCESS(
          (run_vector<64, 128>(problem, num_heads, num_kv_heads, head_dim, s.max_q_len, 4)));
      s.expect_results(true, 5e-6);
      EXPECT_SUCCESS((run_vector<64, 128>(problem, num_heads, num_kv_heads, head_dim, s.max_q_len,
                                          4, {}, {4, 16})));
    } else {
      EXPECT_SUCCESS((run_tiled<tile, 128>(problem, num_heads, head_dim, s.max_q_len, 4)));
    }
    s.expect_results(true, 5e-6);
  }
}

template <class T, class TCache>
void check_plain() {
  for (const int gap : {0, 1}) {
    SCOPED_TRACE("gap " + std::to_string(gap));
    plain_attention<T, TCache> few(60, 3, gap), many(60, 37, gap);
    EXPECT_SUCCESS((run_vector<64, 128>(few.problem(), few.num_heads, few.num_kv_heads, 60, 3, 1)));
    few.expect_result();
    EXPECT_SUCCESS((run_vector<64, 128>(few.problem(), few.num_heads, few.num_kv_heads, 60, 3, 1,
                                        {}, {3, 32})));
    few.expect_result();
    EXPECT_SUCCESS((run_tiled<tile, 128>(many.problem(), many.num_heads, 60, 37, 1)));
    many.expect_result();
  }
}

TEST_P(attention_types, float_with_pages_of_half) {
  check_paged<float, half>();
}
TEST_P(attention_types, float_with_pages_of_bfloat16) {
  check_paged<float, bfloat16>();
}
TEST_P(attention_types, half_with_pages_of_half) {
  check_paged<half, half>();
}
TEST_P(attention_types, bfloat16_with_pages_of_bfloat16) {
  check_paged<bfloat16, bfloat16>();
}
TEST_P(attention_types, float_with_half) {
  check_plain<float, half>();
}
TEST_P(attention_types, float_with_bfloat16) {
  check_plain<float, bfloat16>();
}
TEST_P(attention_types, half_with_half) {
  check_plain<half, half>();
}
TEST_P(attention_types, bfloat16_with_bfloat16) {
  check_plain<bfloat16, bfloat16>();
}

}  // namespace
}  // namespace rocmforge::testing
