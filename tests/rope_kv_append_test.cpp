// Quantized caches, and rotation and appending in one launch, against plain loops.
#include <cstring>
#include <rocmforge/kv_cache.hpp>

#include "reference/kv_cache.hpp"
#include "reference/quant.hpp"
#include "reference/rope.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(rope_kv_cache_append);

struct shape {
  int num_pages, heads, page_size, head_dim, v_head_dim;
};

template <class T>
std::vector<float> to_float(const std::vector<T>& values) {
  std::vector<float> result;
  for (const T& value : values) result.push_back(float(value));
  return result;
}

template <class TCache>
std::vector<TCache> encoded(const std::vector<float>& values) {
  if constexpr (floating_dtype<TCache>) {
    return {values.begin(), values.end()};
  } else {
    return reference::encode(values, TCache{});
  }
}

/// Pages that hold something already.
template <class TCache>
std::vector<TCache> old_pages(const shape& s, int dim, unsigned seed) {
  const auto count = std::size_t(s.num_pages * s.heads * s.page_size * dim);
  return encoded<TCache>(random_values<float>(count, seed));
}

template <class TCache>
tensor_view<TCache, 4> pages_view(device_buffer<TCache>& pages, const shape& s, int dim) {
  return pages.view(s.num_pages, s.heads, s.page_size, dim / block_traits<TCache>::elements);
}

template <class T>
void expect_same_bits(const std::vector<T>& actual, const std::vector<T>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_EQ(std::memcmp(&actual[i], &expected[i], sizeof(T)), 0) << "block " << i;
}

template <class TCache, class T>
void check_append(const shape& s, const std::vector<int>& slots) {
  SCOPED_TRACE("head_dim " + std::to_string(s.head_dim) + ", " + std::to_string(s.v_head_dim));
  const int tokens = int(slots.size());
  const auto old_k = old_pages<TCache>(s, s.head_dim, 1),
             old_v = old_pages<TCache>(s, s.v_head_dim, 2);
  const auto k = random_values<T>(std::size_t(tokens * s.heads * s.head_dim), 3),
             v = random_values<T>(std::size_t(tokens * s.heads * s.v_head_dim), 4);
  device_buffer<TCache> k_pages(old_k), v_pages(old_v);
  device_buffer<T> device_k(k), device_v(v);
  const device_buffer<int> device_slots(slots);
  EXPECT_SUCCESS(kv_append(pages_view(k_pages, s, s.head_dim), pages_view(v_pages, s, s.v_head_dim),
                           device_k.view(tokens, s.heads, s.head_dim),
                           device_v.view(tokens, s.heads, s.v_head_dim),
                           device_slots.view(tokens)));
  const int elements = block_traits<TCache>::elements;
  expect_same_bits(k_pages.to_host(),
                   reference::kv_append(old_k, encoded<TCache>(to_float(k)), slots, s.heads,
                                        s.page_size, s.head_dim / elements));
  expect_same_bits(v_pages.to_host(),
                   reference::kv_append(old_v, encoded<TCache>(to_float(v)), slots, s.heads,
                                        s.page_size, s.v_head_dim / elements));
}

const std::vector<int> some_slots = {0, 1, 17, -1, 30, 5, 34};

TEST_P(rope_kv_cache_append, blocks_are_encoded_on_the_way) {
  for (const auto& [dim, v_dim] : {std::pair{32, 32}, {64, 96}, {128, 128}, {256, 32}}) {
    check_append<q8_0, float>({7, 3, 5, dim, v_dim}, some_slots);
    check_append<q4_0, float>({7, 3, 5, dim, v_dim}, some_slots);
  }
  check_append<q8_0, half>({7, 3, 5, 64, 64}, some_slots);
  check_append<q4_0, half>({9, 17, 4, 128, 64}, some_slots);
}

TEST_P(rope_kv_cache_append, blocks_of_zeros_stay_zeros) {
  device_buffer<float> k(std::vector<float>(64, 0.0f));
  device_buffer<q8_0> pages8(reference::random_weights<q8_0>(64, 1)), v8(2);
  device_buffer<q4_0> pages4(reference::random_weights<q4_0>(64, 1)), v4(2);
  const device_buffer<int> slots(std::vector<int>{0});
  EXPECT_SUCCESS(kv_append(pages8.view(1, 1, 1, 2), v8.view(1, 1, 1, 2), k.view(1, 1, 64),
                           k.view(1, 1, 64), slots.view(1)));
  EXPECT_SUCCESS(kv_append(pages4.view(1, 1, 1, 2), v4.view(1, 1, 1, 2), k.view(1, 1, 64),
                           k.view(1, 1, 64), slots.view(1)));
  for (const double value : reference::decode(pages8.to_host())) EXPECT_EQ(value, 0);
  for (const double value : reference::decode(v4.to_host())) EXPECT_EQ(value, 0);
}

// A contiguous cache is pages as long as a sequence may become.
TEST_P(rope_kv_cache_append, contiguous_caches_have_one_page_a_sequence) {
  const int batch = 2, heads = 3, max_seq_len = 9, dim = 10;
  const std::vector<int> lengths = {4, 7};  // tokens that are there already
  const auto k = random_values<float>(std::size_t(batch * heads * dim), 5);
  std::vector<int> slots;
  for (int sequence = 0; sequence < batch; ++sequence)
    slots.push_back(sequence * max_seq_len + lengths[std::size_t(sequence)]);
  const std::vector<float> old(std::size_t(batch * heads * max_seq_len * dim), -7.0f);
  device_buffer<float> device_k(k), k_cache(old), v_cache(old);
  const device_buffer<int> device_slots(slots);
  EXPECT_SUCCESS(kv_append(k_cache.view(batch, heads, max_seq_len, dim),
                           v_cache.view(batch, heads, max_seq_len, dim),
                           device_k.view(batch, heads, dim), device_k.view(batch, heads, dim),
                           device_slots.view(batch)));
  auto expected = old;
  for (int sequence = 0; sequence < batch; ++sequence) {
    for (int head = 0; head < heads; ++head) {
      for (int i = 0; i < dim; ++i) {
        const int position = lengths[std::size_t(sequence)];
        expected[std::size_t(((sequence * heads + head) * max_seq_len + position) * dim + i)] =
            k[std::size_t((sequence * heads + head) * dim + i)];
      }
    }
  }
  EXPECT_EQ(k_cache.to_host(), expected);
  EXPECT_EQ(v_cache.to_host(), expected);
}

constexpr rope_layout pairs = rope_layout::interleaved;

struct rope_case {
  shape s;
  int heads;  // of the queries
  rope_options options;
  bool in_place = false;
};

/// How far a decoded value may be from the one that was encoded, of which there are 32 up to
/// `largest`: rounding of the number and of d, and of q4_0 the other end of the range.
template <class TCache>
double encoding_error(double largest) {
  return std::is_same_v<TCache, q8_0> ? largest / 127 * 0.57 : largest / 8 * 1.01;
}

template <class TCache, class T>
void check_fused(const rope_case& c) {
  const shape& s = c.s;
  SCOPED_TRACE("heads " + std::to_string(c.heads) + ", head_dim " + std::to_string(s.head_dim) +
               (c.options.layout == rope_layout::interleaved ? ", interleaved" : ", half_split"));
  const auto slots = some_slots;
  const std::vector<int> positions = {0, 1, 17, 400, 30, 5, 34};
  const int tokens = int(slots.size()), elements = block_traits<TCache>::elements;
  const auto old_k = old_pages<TCache>(s, s.head_dim, 1),
             old_v = old_pages<TCache>(s, s.v_head_dim, 2);
  const auto q = random_values<T>(std::size_t(tokens * c.heads * s.head_dim), 3),
             k = random_values<T>(std::size_t(tokens * s.heads * s.head_dim), 4),
             v = random_values<T>(std::size_t(tokens * s.heads * s.v_head_dim), 5);
  device_buffer<TCache> k_pages(old_k), v_pages(old_v);
  device_buffer<T> device_q(q), device_k(k), device_v(v), apart(q.size());
  const device_buffer<int> device_slots(slots), device_positions(positions);
  device_buffer<T>& q_out = c.in_place ? device_q : apart;
  EXPECT_SUCCESS(rope_kv_append(
      q_out.view(tokens, c.heads, s.head_dim), pages_view(k_pages, s, s.head_dim),
      pages_view(v_pages, s, s.v_head_dim), device_q.view(tokens, c.heads, s.head_dim),
      device_k.view(tokens, s.heads, s.head_dim), device_v.view(tokens, s.heads, s.v_head_dim),
      device_positions.view(tokens), device_slots.view(tokens), c.options));
  const auto rotated = [&](const std::vector<T>& x, int heads) {
    return reference::rope(
        to_double(x), positions,
        {heads, s.head_dim, c.options.rotary_dim == 0 ? s.head_dim : c.options.rotary_dim,
         c.options.layout == rope_layout::interleaved, double(c.options.theta),
         double(c.options.position_scale), double(c.options.attention_factor)});
  };
  expect_close(q_out.to_host(), rotated(q, c.heads), rounding<T> + 3e-7, 1.0);
  EXPECT_EQ(to_float(device_k.to_host()), to_float(k));  // keys are rotated in the cache alone
  expect_same_bits(v_pages.to_host(),
                   reference::kv_append(old_v, encoded<TCache>(to_float(v)), slots, s.heads,
                                        s.page_size, s.v_head_dim / elements));
  const auto keys = rotated(k, s.heads);
  const auto expected =
      reference::kv_append(reference::decode(old_k), keys, slots, s.heads, s.page_size, s.head_dim);
  const auto actual = reference::decode(k_pages.to_host()), before = reference::decode(old_k);
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t first = 0; first < actual.size(); first += std::size_t(elements)) {
    double largest = 0;
    for (std::size_t i = first; i < first + std::size_t(elements); ++i)
      largest = std::max(largest, std::fabs(expected[i]));
    for (std::size_t i = first; i < first + std::size_t(elements); ++i) {
      const bool kept = expected[i] == before[i];  // what was there before is there bit for bit
      const double error = kept ? 0
                           : floating_dtype<TCache>
                               ? 3e-7 + 1.5 * rounding<TCache> * std::fabs(expected[i])
                               : encoding_error<TCache>(largest) + 1e-6;
      ASSERT_NEAR(actual[i], expected[i], error) << i;
    }
  }
}

TEST_P(rope_kv_cache_append, rotates_and_appends) {
  for (const rope_layout layout : {rope_layout::interleaved, rope_layout::half_split}) {
    check_fused<float, float>({{7, 3, 5, 2, 1}, 3, {.layout = layout}});
    check_fused<float, float>({{7, 1, 5, 34, 17}, 2, {.layout = layout}, true});
    check_fused<half, float>({{7, 3, 5, 64, 64}, 9, {.layout = layout, .theta = 1e6f}});
    check_fused<half, half>({{7, 2, 5, 128, 65}, 8, {.layout = layout, .rotary_dim = 96}, true});
    check_fused<bfloat16, bfloat16>(
        {{7, 4, 5, 80, 80}, 4, {.layout = layout, .rotary_dim = 32, .attention_factor = 1.5f}});
  }
}

TEST_P(rope_kv_cache_append, rotates_and_quantizes) {
  for (const rope_layout layout : {rope_layout::interleaved, rope_layout::half_split}) {
    check_fused<q8_0, float>({{7, 3, 5, 64, 64}, 9, {.layout = layout}});
    check_fused<q4_0, float>({{7, 3, 5, 64, 32}, 3, {.layout = layout, .rotary_dim = 34}, true});
    check_fused<q8_0, half>({{7, 2, 5, 128, 256}, 4, {.layout = layout}});
    // More heads than are rotated at once, and as many as that.
    check_fused<q4_0, half>({{7, 19, 5, 128, 32}, 1, {.layout = layout}});
    check_fused<q8_0, float>({{7, 16, 5, 128, 32}, 1, {.layout = layout}});
  }
}

TEST_P(rope_kv_cache_append, refuses_what_does_not_fit) {
  device_buffer<float> buffer(4096);
  device_buffer<q8_0> blocks(256);
  device_buffer<int> ints(8);
  const auto pages = buffer.view(2, 3, 4, 8);
  const auto q = buffer.view(5, 6, 8), k = buffer.view(5, 3, 8);
  const auto slots = ints.view(5);
  EXPECT_REFUSED(
      rope_kv_append(buffer.view(5, 5, 8), pages, pages, q, k, k, slots, slots, {.layout = pairs}),
      status_code::invalid_shape, "q_out");
  EXPECT_REFUSED(
      rope_kv_append(q, pages, pages, buffer.view(5, 6, 7), k, k, slots, slots, {.layout = pairs}),
      status_code::invalid_shape, "q_out");
  EXPECT_REFUSED(
      rope_kv_append(q, pages, pages, q, buffer.view(4, 3, 8), k, slots, slots, {.layout = pairs}),
      status_code::invalid_shape, "k");
  EXPECT_REFUSED(
      rope_kv_append(q, pages, pages, q, buffer.view(5, 2, 8), k, slots, slots, {.layout = pairs}),
      status_code::invalid_shape, "k");
  EXPECT_REFUSED(
      rope_kv_append(q, pages, pages, q, k, buffer.view(5, 3, 7), slots, slots, {.layout = pairs}),
      status_code::invalid_shape, "v");
  EXPECT_REFUSED(
      rope_kv_append(q, pages, buffer.view(2, 3, 5, 8), q, k, k, slots, slots, {.layout = pairs}),
      status_code::invalid_shape, "v_pages");
  EXPECT_REFUSED(rope_kv_append(q, pages, pages, q, k, k, ints.view(4), slots, {.layout = pairs}),
                 status_code::invalid_shape, "positions");
  EXPECT_REFUSED(rope_kv_append(q, pages, pages, q, k, k, slots, ints.view(4), {.layout = pairs}),
                 status_code::invalid_shape, "slots");
  EXPECT_REFUSED(
      rope_kv_append(q, pages, pages, q, k, k, slots, slots, {.layout = pairs, .rotary_dim = 9}),
      status_code::invalid_argument, "rotary_dim");
  EXPECT_REFUSED(rope_kv_append(permuted<0, 2, 1>(buffer.view(5, 8, 6)), pages, pages, q, k, k,
                                slots, slots, {.layout = pairs}),
                 status_code::invalid_layout, "q_out");
  // Heads of 48 are no whole blocks.
  const auto halves_of_blocks = blocks.view(2, 1, 4, 1);
  EXPECT_REFUSED(kv_append(halves_of_blocks, halves_of_blocks, buffer.view(5, 1, 48),
                           buffer.view(5, 1, 48), slots),
                 status_code::invalid_shape, "k");
  const auto long_heads = blocks.view(1, 1, 1, 65);
  const auto one = ints.view(1);
  EXPECT_REFUSED(
      rope_kv_append(buffer.view(1, 1, 2080), long_heads, long_heads, buffer.view(1, 1, 2080),
                     buffer.view(1, 1, 2080), buffer.view(1, 1, 2080), one, one,
                     {.layout = pairs, .rotary_dim = 64}),
      status_code::unsupported, "k");
  const auto no_q = buffer.view(0, 6, 8), no_k = buffer.view(0, 3, 8);
  EXPECT_SUCCESS(rope_kv_append(no_q, pages, pages, no_q, no_k, no_k, ints.view(0), ints.view(0),
                                {.layout = pairs}));
}

}  // namespace
}  // namespace rocmforge::testing
