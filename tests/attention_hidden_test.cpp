// A key that a query does not see has no influence on it, even where it or its value is NaN or
// infinite. All kernels, every kind of mask, plain tensors and pages, quantized caches.
#include <rocmforge/attention.hpp>
#include <tuple>

#include "reference/attention_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(attention_hidden);

constexpr int num_heads = 2, kv_len = 75, head_dim = 32, page_size = 16, num_pages = 5;
constexpr attention_config tile{.head_dim = 32, .block_q = 32, .block_kv = 32};

/// An element, or a block of elements, all of which are `value`.
template <class TCache>
TCache filled_with(float value) {
  if constexpr (reference::is_quantized<TCache>) {
    TCache block{};
    std::memset(static_cast<void*>(&block), std::is_same_v<TCache, q4_0> ? 0x99 : 1, sizeof block);
    block.d = half(value);
    return block;
  } else {
    return TCache(value);
  }
}

struct mask_case {
  const char* name;
  bool causal;
  int window;
  [[nodiscard]] bool sees(int query, int q_len, int key) const {
    const int position = kv_len - q_len + query;
    return key < kv_len && (!causal || key <= position) && (window == 0 || key > position - window);
  }
};
constexpr mask_case masks[] = {
    {"no mask", false, 0}, {"causal", true, 0}, {"window", false, 20}, {"causal window", true, 20}};

enum class kernel { decode, tiled, matrix };

struct outcome {
  std::vector<float> out;  // [num_heads, q_len, head_dim]
  std::vector<float> lse;  // [num_heads, q_len]
};

/// One sequence whose pages follow each other in memory, so that it can also be seen as plain
/// tensors.
template <class T, class TCache>
struct sequence {
  static constexpr int row = head_dim / block_traits<TCache>::elements;
  int q_len;
  std::vector<T> q = random_values<T>(std::size_t(num_heads * q_len * head_dim), 1);
  std::vector<TCache> k = cache_values<TCache>(std::size_t(num_pages * page_size * head_dim), 2);
  std::vector<TCache> v = cache_values<TCache>(k.size() * head_dim / row, 3);

  /// With `value` in every element of one key and of its value.
  [[nodiscard]] sequence with(int key, float value) const {
    sequence changed = *this;
    for (auto* cache : {&changed.k, &changed.v})
      std::fill_n(cache->begin() + key * row, row, filled_with<TCache>(value));
    return changed;
  }

  /// Without an output where there is no such kernel.
  [[nodiscard]] outcome attention(const mask_case& mask, kernel which, bool paged,
                                  const attention_plan& plan) const {
    const attention_options options{.causal = mask.causal, .sliding_window = mask.window};
    device_buffer<T> device_q(q), out(q.size());
    device_buffer<TCache> device_k(k), device_v(v);
    device_buffer<float> lse(std::size_t(num_heads * q_len));
    bool found = true;
    const auto run = [&](const auto& problem) {
      if (which == kernel::matrix) {
        found = run_matrix<head_dim, 128>(problem, num_heads, head_dim, q_len, 1, options);
      } else if (which == kernel::decode) {
        EXPECT_SUCCESS(
            (run_vector<head_dim, 128>(problem, num_heads, 1, head_dim, q_len, 1, options, plan)));
      } else {
        EXPECT_SUCCESS((run_tiled<tile, 128>(problem, num_heads, head_dim, q_len, 1, options)));
      }
    };
    if (paged) {
      const device_buffer<int> q_begin(std::vector{0, q_len}), length(std::vector{kv_len}),
          pages(std::vector{0, 1, 2, 3, 4});
      const paged_batch batch{q_begin.view(2), length.view(1), pages.view(1, num_pages), q_len};
      const auto tokens = [&](auto& buffer) {
        return permuted<1, 0, 2>(buffer.view(num_heads, q_len, head_dim));
      };
      run(attention_problem::paged<T, TCache>{tokens(out), tokens(device_q),
                                              device_k.view(num_pages, 1, page_size, row),
                                              device_v.view(num_pages, 1, page_size, row), batch,
                                              permuted<1, 0>(lse.view(num_heads, q_len))});
    } else {
      run(attention_problem::contiguous<T, TCache>{
          out.view(1, num_heads, q_len, head_dim), device_q.view(1, num_heads, q_len, head_dim),
          device_k.view(1, 1, kv_len, row), device_v.view(1, 1, kv_len, row),
          lse.view(1, num_heads, q_len)});
    }
    if (!found) return {};
    outcome result{{}, lse.to_host()};
    for (const T value : out.to_host()) result.out.push_back(float(value));
    return result;
  }

  void expect_result(const outcome& result, const mask_case& mask) const {
    const auto seen = [](const std::vector<TCache>& cache) {
      return reference::decode(std::vector<TCache>(cache.begin(), cache.begin() + kv_len * row));
    };
    const auto expected = reference::attention(to_double(q), seen(k), seen(v),
                                               {.num_heads = num_heads,
                                                .num_kv_heads = 1,
                                                .q_len = q_len,
                                                .kv_len = kv_len,
                                                .head_dim = head_dim,
                                                .causal = mask.causal,
                                                .window = mask.window});
    expect_close(result.out, expected.out, attention_rounding<T> + 5e-6, 1.0);
    expect_lse(result.lse.data(), expected.lse, 5e-6);
  }
};

template <class T, class TCache>
void check(bool paged) {
  const attention_plan whole{}, chunks{3, 16};
  for (const auto& [q_len, which, plan] :
       {std::tuple{3, kernel::decode, whole}, std::tuple{3, kernel::decode, chunks},
        std::tuple{37, kernel::tiled, whole}, std::tuple{37, kernel::matrix, whole}}) {
    const sequence<T, TCache> original{q_len};
    for (const mask_case& mask : masks) {
      for (const int key : {0, 33, 54, 72, 73, 74, 77}) {
        const sequence<T, TCache> zeros = original.with(key, 0);
        const outcome expected = zeros.attention(mask, which, paged, plan);
        if (expected.out.empty()) continue;
        zeros.expect_result(expected, mask);
        for (const float value : {not_a_number<float>, std::numeric_limits<float>::infinity(),
                                  -std::numeric_limits<float>::infinity()}) {
          SCOPED_TRACE(std::string(mask.name) + ", q_len " + std::to_string(q_len) + ", key " +
                       std::to_string(key) + " holds " + std::to_string(value) +
                       (plan.num_chunks > 1 ? ", in chunks" : ""));
          const outcome actual = original.with(key, value).attention(mask, which, paged, plan);
          for (int i = 0; i < num_heads * q_len; ++i) {
            const auto first = std::size_t(i * head_dim);
            if (mask.sees(i % q_len, q_len, key)) {
              EXPECT_FALSE(std::isfinite(actual.out[first])) << "query " << i % q_len;
              continue;
            }
            EXPECT_EQ(actual.lse[std::size_t(i)], expected.lse[std::size_t(i)])
                << "query " << i % q_len;
            for (std::size_t d = first; d < first + head_dim; ++d)
              EXPECT_EQ(actual.out[d], expected.out[d]) << "query " << i % q_len;
          }
        }
      }
    }
  }
}

TEST_P(attention_hidden, keys_of_plain_tensors_have_no_influence) {
  check<float, float>(false);
}
TEST_P(attention_hidden, keys_in_pages_have_no_influence) {
  check<half, half>(true);
}
TEST_P(attention_hidden, keys_of_16_bits_have_no_influence) {
  check<bfloat16, bfloat16>(false);
}
TEST_P(attention_hidden, blocks_of_q8_0_have_no_influence) {
  check<float, q8_0>(false);
}
TEST_P(attention_hidden, blocks_of_q4_0_in_pages_have_no_influence) {
  check<float, q4_0>(true);
}

}  // namespace
}  // namespace rocmforge::testing
