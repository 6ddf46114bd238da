// The attention kernels themselves, without their launch functions: every pair of element types, and tiles and blocks of one's
// own.
#include <rocmforge/attention.hpp>

#include "reference/attention_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(attention_types);

constexpr int divide_up(int whole, int part) { return (whole + part - 1) / part; }

/// Launches kernels::attention_vector with one block for `BlockSize` lanes.
template <int HeadDim, int BlockSize, class Problem>
status run_vector(const Problem& problem, int num_heads, int num_kv_heads, int head_dim, int q_len, int batch) {
  return dispatch_wave_size("attention_vector", {}, [&](auto wave) {
    using kernel = kernels::attention_vector<Problem, HeadDim, lanes<BlockSize, wave>, wave>;
    return launch("attention_vector", kernel{problem, log2_e / std::sqrt(float(head_dim)), true},
                  {divide_up(num_heads / num_kv_heads * q_len, attention_vector_rows), num_kv_heads, batch}, {});
  });
}

template <attention_config Config, int BlockSize, class Problem>
status run_tiled(const Problem& problem, int num_heads, int head_dim, int q_len, int batch) {
  return dispatch_wave_size("attention", {}, [&](auto wave) {
    using kernel = kernels::attention<Problem, Config, lanes<BlockSize, wave>, wave>;
    return launch("attention", kernel{problem, log2_e / std::sqrt(float(head_dim)), true}, {divide_up(q_len, Config.block_q), num_heads, batch},
                  {});
  });
}

template <class T, class TCache>
void check_paged() {
  const int num_heads = 6, num_kv_heads = 2, head_dim = 56;
  for (const bool vector : {true, false}) {
    const paged_sequences<T, TCache> s({{3, 70, 1}, {1, 1, 2}, {4, 2, 3}, {2, 90, 4}}, num_heads, num_kv_heads, head_dim, 16);
    const attention_problem::paged<T, TCache> problem{s.out(), s.q(), s.k_pages(), s.v_pages(), s.batch()};
    if (vector) {
      EXPECT_SUCCESS((run_vector<64, 256>(problem, num_heads, num_kv_heads, head_dim, s.max_q_len, 4)));
    } else {
      EXPECT_SUCCESS((run_tiled<attention_config{64, 64, 64}, 256>(problem, num_heads, head_dim, s.max_q_len, 4)));
    }
    s.expect_results(true, 5e-6);
  }
}

TEST_P(attention_types, pages_of_float) { check_paged<float, float>(); }
TEST_P(attention_types, pages_of_half) { check_paged<float, half>(); }
TEST_P(attention_types, pages_of_bfloat16) { check_paged<float, bfloat16>(); }
TEST_P(attention_types, queries_and_pages_of_half) { check_paged<half, half>(); }

/// Inputs and the expected output of a problem on plain tensors, where `gap` makes rows unaligned.
template <class T, class TCache>
class plain {
 public:
  plain(int head_dim, int q_len, int gap) : head_dim_(head_dim), q_len_(q_len), gap_(gap) {
    q_.fill(1);
    k_.fill(2);
    v_.fill(3);
  }
  attention_problem::contiguous<T, TCache> problem() { return {out_.upload(), q_.upload(), k_.upload(), v_.upload(), {}}; }
  void expect_result() {
    out_.download();
    const auto expected = reference::attention(to_double(q_.values(0)), to_double(k_.values(0)), to_double(v_.values(0)),
                                               {num_heads, num_kv_heads, q_len_, kv_len, head_dim_, true, 0});
    expect_close(out_.values(0), expected.out, rounding<T> + 5e-6, 1.0);
  }
  static constexpr int num_heads = 3, num_kv_heads = 1, kv_len = 75;

 private:
  int head_dim_, q_len_, gap_;
  padded_tensor<T> out_{1, num_heads, q_len_, head_dim_, true, gap_}, q_{1, num_heads, q_len_, head_dim_, true, gap_};
  padded_tensor<TCache> k_{1, num_kv_heads, kv_len, head_dim_, true, gap_}, v_{1, num_kv_heads, kv_len, head_dim_, true, gap_};
};

template <int HeadDim, attention_config Config, int BlockSize, class T, class TCache>
void check_plain(int head_dim) {
  for (const int gap : {0, 1}) {
    SCOPED_TRACE("block " + std::to_string(BlockSize) + ", head_dim " + std::to_string(head_dim) + ", gap " + std::to_string(gap));
    plain<T, TCache> few(head_dim, 3, gap);
    EXPECT_SUCCESS((run_vector<HeadDim, BlockSize>(few.problem(), few.num_heads, few.num_kv_heads, head_dim, 3, 1)));
    few.expect_result();
    plain<T, TCache> many(head_dim, 37, gap);
    EXPECT_SUCCESS((run_tiled<Config, BlockSize>(many.problem(), many.num_heads, head_dim, 37, 1)));
    many.expect_result();
  }
}

TEST_P(attention_types, float_with_half) { check_plain<64, {64, 32, 32}, 128, float, half>(60); }
TEST_P(attention_types, float_with_bfloat16) { check_plain<64, {64, 32, 32}, 128, float, bfloat16>(60); }
TEST_P(attention_types, half_with_half) { check_plain<64, {64, 32, 32}, 128, half, half>(60); }

TEST_P(attention_types, tiles_of_ones_own) {
  check_plain<32, {48, 16, 48}, 64, float, float>(32);
  check_plain<128, {96, 64, 16}, 256, float, float>(96);
  check_plain<128, {80, 32, 32}, 64, float, float>(80);
}

}  // namespace
}  // namespace rocmforge::testing
