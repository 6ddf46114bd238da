// Appending to a paged cache against a plain loop.
#include <rocmforge/kv_cache.hpp>

#include "reference/kv_cache.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(kv_cache_append);

struct shape {
  int num_pages, heads, page_size, k_dim, v_dim;
};

template <class TCache>
std::vector<TCache> reference_append(const std::vector<TCache>& pages,
                                     const std::vector<float>& values,
                                     const std::vector<int>& slots, const shape& s, int dim) {
  const std::vector<TCache> rounded(values.begin(), values.end());
  return reference::kv_append(pages, rounded, slots, s.heads, s.page_size, dim);
}

template <class T>
void expect_same_bits(const std::vector<T>& actual, const std::vector<T>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_EQ(float(actual[i]), float(expected[i])) << i;
}

template <class TCache, class T>
void check(const shape& s, const std::vector<int>& slots) {
  SCOPED_TRACE("head_dim " + std::to_string(s.k_dim) + ", " + std::to_string(s.v_dim) +
               ", page_size " + std::to_string(s.page_size));
  const int tokens = int(slots.size());
  const std::size_t cache_rows = std::size_t(s.num_pages * s.heads * s.page_size);
  const auto old_k = random_values<TCache>(cache_rows * std::size_t(s.k_dim), 1);
  const auto old_v = random_values<TCache>(cache_rows * std::size_t(s.v_dim), 2);
  const auto k = random_values<T>(std::size_t(tokens * s.heads * s.k_dim), 3);
  const auto v = random_values<T>(std::size_t(tokens * s.heads * s.v_dim), 4);
  device_buffer<TCache> k_pages(old_k), v_pages(old_v);
  device_buffer<T> device_k(k), device_v(v);
  const device_buffer<int> device_slots(slots);
  EXPECT_SUCCESS(kv_append(k_pages.view(s.num_pages, s.heads, s.page_size, s.k_dim),
                           v_pages.view(s.num_pages, s.heads, s.page_size, s.v_dim),
                           device_k.view(tokens, s.heads, s.k_dim),
                           device_v.view(tokens, s.heads, s.v_dim), device_slots.view(tokens)));
  const std::vector<float> k_values = [&] {
    std::vector<float> f;
    for (T t : k) f.push_back(float(t));
    return f;
  }();
  const std::vector<float> v_values = [&] {
    std::vector<float> f;
    for (T t : v) f.push_back(float(t));
    return f;
  }();
  expect_same_bits(k_pages.to_host(), reference_append(old_k, k_values, slots, s, s.k_dim));
  expect_same_bits(v_pages.to_host(), reference_append(old_v, v_values, slots, s, s.v_dim));
}

const std::vector<int> some_slots = {0, 1, 17, -1, 30, 5, 34};

TEST_P(kv_cache_append, puts_each_token_into_its_slot) {
  for (const int dim : {1, 3, 8, 15, 16, 17, 33, 64, 65, 128, 200}) {
    check<float, float>({7, 3, 5, dim, dim}, some_slots);
    check<half, float>({7, 3, 5, dim, dim + 3}, some_slots);
    check<bfloat16, float>({9, 2, 4, dim + 1, dim}, some_slots);
  }
}

TEST_P(kv_cache_append, takes_sixteen_bit_inputs) {
  for (const int dim : {7, 64, 130}) {
    check<half, half>({7, 3, 5, dim, dim}, some_slots);
    check<bfloat16, bfloat16>({7, 3, 5, dim, dim}, some_slots);
    check<float, half>({7, 3, 5, dim, dim}, some_slots);
  }
}

TEST_P(kv_cache_append, of_real_shapes_large) {
  std::vector<int> slots;
  for (int token = 0; token < 130; ++token) slots.push_back((token * 37) % 160);
  check<float, float>({10, 3, 16, 64, 64}, slots);
  check<half, float>({5, 8, 32, 128, 128}, slots);
}

TEST_P(kv_cache_append, rounds_to_nearest_even) {
  const std::vector<float> values = {1.0f + 0x1p-11f, 1.0f + 0x3p-11f, 1.0f + 0x1p-11f + 0x1p-20f,
                                     65520.0f, -0x1p-25f};
  const std::vector<float> expected = {1.0f, 1.0f + 0x1p-9f, 1.0f + 0x1p-10f,
                                       std::numeric_limits<float>::infinity(), -0.0f};
  device_buffer<float> k(values);
  device_buffer<half> k_pages(5), v_pages(5);
  const device_buffer<int> slots(std::vector<int>{0});
  EXPECT_SUCCESS(kv_append(k_pages.view(1, 1, 1, 5), v_pages.view(1, 1, 1, 5), k.view(1, 1, 5),
                           k.view(1, 1, 5), slots.view(1)));
  const auto result = v_pages.to_host();
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(float(result[i]), expected[i]);
}

TEST_P(kv_cache_append, writes_nothing_outside_the_pages) {
  const std::vector<float> before(3 * 2 * 8, 7.0f);
  device_buffer<float> k_pages(before), v_pages(before), k(std::vector<float>(4 * 8, 1.0f));
  const device_buffer<int> slots(
      std::vector<int>{-1, 4, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()});
  // Two of the three pages are in the view: slot 4 would be in the third.
  EXPECT_SUCCESS(kv_append(k_pages.view(2, 1, 2, 8), v_pages.view(2, 1, 2, 8), k.view(4, 1, 8),
                           k.view(4, 1, 8), slots.view(4)));
  EXPECT_EQ(k_pages.to_host(), before);
  EXPECT_EQ(v_pages.to_host(), before);
}

// K and V are usually parts of one product's rows, and pages may have their heads last.
TEST_P(kv_cache_append, takes_strided_and_permuted_views) {
  const int tokens = 3, heads = 2, dim = 20, width = 2 * heads * dim + 6;
  const auto joined = random_values<float>(std::size_t(tokens * width), 5);
  const std::vector<float> untouched(std::size_t(2 * 4 * heads * dim), -7.0f);
  device_buffer<float> buffer(joined), k_pages(untouched), v_pages(untouched);
  const device_buffer<int> slots(std::vector<int>{6, 0, 3});
  const tensor_view<const float, 3> k{buffer.data() + 1, {tokens, heads, dim}, {width, dim, 1}};
  const tensor_view<const float, 3> v{
      buffer.data() + 1 + heads * dim, {tokens, heads, dim}, {width, dim, 1}};
  const auto heads_last = [&](device_buffer<float>& pages) {
    return permuted<0, 2, 1, 3>(pages.view(2, 4, heads, dim));
  };
  EXPECT_SUCCESS(kv_append(heads_last(k_pages), heads_last(v_pages), k, v, slots.view(tokens)));
  const auto result_k = k_pages.to_host(), result_v = v_pages.to_host();
  const int slot_of[] = {6, 0, 3};
  for (int token = 0; token < tokens; ++token) {
    for (int i = 0; i < heads * dim; ++i) {
      const auto at = std::size_t(slot_of[token] * heads * dim + i);
      EXPECT_EQ(result_k[at], joined[std::size_t(token * width + 1 + i)]);
      EXPECT_EQ(result_v[at], joined[std::size_t(token * width + 1 + heads * dim + i)]);
    }
  }
}

TEST_P(kv_cache_append, refuses_what_does_not_fit) {
  device_buffer<float> buffer(1024);
  device_buffer<int> ints(8);
  const auto pages = buffer.view(2, 3, 4, 8);
  const auto k = buffer.view(5, 3, 8);
  const auto slots = ints.view(5);
  const tensor_view<float, 4> no_pages{nullptr, {2, 3, 4, 8}, {96, 32, 8, 1}};
  const tensor_view<float, 3> no_values{nullptr, {5, 3, 8}, {24, 8, 1}};
  EXPECT_REFUSED(kv_append(pages, buffer.view(3, 3, 4, 8), k, k, slots), status_code::invalid_shape,
                 "v_pages");
  EXPECT_REFUSED(kv_append(pages, buffer.view(2, 2, 4, 8), k, k, slots), status_code::invalid_shape,
                 "v_pages");
  EXPECT_REFUSED(kv_append(pages, buffer.view(2, 3, 5, 8), k, k, slots), status_code::invalid_shape,
                 "v_pages");
  EXPECT_REFUSED(kv_append(pages, pages, buffer.view(5, 2, 8), k, slots),
                 status_code::invalid_shape, "k");
  EXPECT_REFUSED(kv_append(pages, pages, buffer.view(5, 3, 7), k, slots),
                 status_code::invalid_shape, "k");
  EXPECT_REFUSED(kv_append(pages, pages, k, buffer.view(4, 3, 8), slots),
                 status_code::invalid_shape, "v");
  EXPECT_REFUSED(kv_append(pages, pages, k, buffer.view(5, 4, 8), slots),
                 status_code::invalid_shape, "v");
  EXPECT_REFUSED(kv_append(pages, pages, k, buffer.view(5, 3, 9), slots),
                 status_code::invalid_shape, "v");
  EXPECT_REFUSED(kv_append(pages, pages, k, k, ints.view(4)), status_code::invalid_shape, "slots");
  EXPECT_REFUSED(kv_append(permuted<0, 1, 3, 2>(buffer.view(2, 3, 8, 4)), pages, k, k, slots),
                 status_code::invalid_layout, "k_pages");
  EXPECT_REFUSED(kv_append(pages, permuted<0, 1, 3, 2>(buffer.view(2, 3, 8, 4)), k, k, slots),
                 status_code::invalid_layout, "v_pages");
  EXPECT_REFUSED(kv_append(pages, pages, permuted<0, 2, 1>(buffer.view(5, 8, 3)), k, slots),
                 status_code::invalid_layout, "k");
  EXPECT_REFUSED(kv_append(pages, pages, k, permuted<0, 2, 1>(buffer.view(5, 8, 3)), slots),
                 status_code::invalid_layout, "v");
  EXPECT_REFUSED(kv_append(pages, pages, k, k, tensor_view<int, 1>{ints.data(), {5}, {0}}),
                 status_code::invalid_layout, "slots");
  EXPECT_REFUSED(kv_append(no_pages, pages, k, k, slots), status_code::invalid_argument, "k_pages");
  EXPECT_REFUSED(kv_append(pages, no_pages, k, k, slots), status_code::invalid_argument, "v_pages");
  EXPECT_REFUSED(kv_append(pages, pages, no_values, k, slots), status_code::invalid_argument, "k");
  EXPECT_REFUSED(kv_append(pages, pages, k, no_values, slots), status_code::invalid_argument, "v");
  EXPECT_SUCCESS(kv_append(pages, pages, buffer.view(0, 3, 8), buffer.view(0, 3, 8), ints.view(0)));
}

}  // namespace
}  // namespace rocmforge::testing
