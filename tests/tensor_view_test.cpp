// Views: strides, slices, permutations, and offsets that do not fit in 32 bits.
#include <rocmforge/tensor_view.hpp>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

static_assert(std::is_trivially_copyable_v<tensor_view<float, 4>>);
static_assert(std::is_convertible_v<tensor_view<float, 2>, tensor_view<const float, 2>>);
static_assert(!std::is_convertible_v<tensor_view<const float, 2>, tensor_view<float, 2>>);
static_assert(!std::is_convertible_v<tensor_view<float, 2>, tensor_view<float, 3>>);
static_assert(!std::is_convertible_v<tensor_view<half, 2>, tensor_view<const float, 2>>);
static_assert(!std::is_convertible_v<tensor_view<const half, 2>, tensor_view<const float, 2>>);
static_assert(!std::is_convertible_v<tensor_view<float, 2>, tensor_view<const half, 2>>);

std::vector<int> numbered(int count) {
  std::vector<int> values(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) values[std::size_t(i)] = i;
  return values;
}

TEST(tensor_view, made_contiguous_has_the_last_axis_fastest) {
  auto values = numbered(24);
  const auto view = make_view(values.data(), 2, 3, 4);
  EXPECT_EQ(view.size(), 24);
  EXPECT_EQ(view.stride[0], 12);
  EXPECT_EQ(view.stride[1], 4);
  EXPECT_EQ(view.stride[2], 1);
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) EXPECT_EQ(view(i, j, k), (i * 3 + j) * 4 + k);
    }
  }
  view(1, 2, 3) = -1;
  EXPECT_EQ(values[23], -1);
}

TEST(tensor_view, made_with_strides) {
  auto values = numbered(24);
  const auto view = make_view(values.data(), {2, 3}, {8, 2});
  static_assert(std::is_same_v<decltype(view), const tensor_view<int, 2>>);
  EXPECT_EQ(view.extent[0], 2);
  EXPECT_EQ(view.extent[1], 3);
  EXPECT_EQ(view(1, 2), 12);
}

TEST(tensor_view, slice_fixes_the_first_axes) {
  auto values = numbered(120);
  const auto view = make_view(values.data(), 2, 3, 4, 5);
  const auto rows = slice(view, 1, 2);
  static_assert(decltype(rows)::rank == 2);
  EXPECT_EQ(rows.extent[0], 4);
  EXPECT_EQ(rows.extent[1], 5);
  EXPECT_EQ(rows(3, 4), view(1, 2, 3, 4));
  EXPECT_EQ(slice(view, 1, 2, 3)(4), 119);
  EXPECT_EQ(slice(slice(view, 1), 2, 3)(4), 119);
}

TEST(tensor_view, permuted_has_the_same_elements_in_another_order) {
  auto values = numbered(120);
  const auto view = make_view(values.data(), 2, 3, 4, 5);  // [batch, seq, heads, dim]
  const auto heads_first = permuted<0, 2, 1, 3>(view);     // [batch, heads, seq, dim]
  EXPECT_EQ(heads_first.extent[1], 4);
  EXPECT_EQ(heads_first.extent[2], 3);
  for (int head = 0; head < 4; ++head) {
    for (int token = 0; token < 3; ++token)
      EXPECT_EQ(&heads_first(1, head, token, 2), &view(1, token, head, 2));
  }
  EXPECT_EQ(&slice(heads_first, 1, 3)(2, 4), &view(1, 2, 3, 4));
  const auto cycled = permuted<3, 0, 1, 2>(view);
  EXPECT_EQ(&cycled(4, 1, 2, 3), &view(1, 2, 3, 4));
}

TEST(tensor_view, sub_view_cuts_an_axis) {
  auto values = numbered(60);
  const auto view = make_view(values.data(), 3, 4, 5);
  const auto part = sub_view<1>(view, 1, 3);
  EXPECT_EQ(part.extent[0], 3);
  EXPECT_EQ(part.extent[1], 2);
  EXPECT_EQ(part(2, 1, 4), view(2, 2, 4));
  EXPECT_EQ(sub_view<1>(view, 2, 2).size(), 0);
  EXPECT_EQ(sub_view<2>(sub_view<0>(view, 1, 2), 3, 5)(0, 3, 1), view(1, 3, 4));
}

TEST(tensor_view, strides_may_be_zero_or_negative) {
  auto values = numbered(10);
  const tensor_view<int, 2> repeated{values.data(), {5, 10}, {0, 1}};
  EXPECT_EQ(repeated(4, 7), 7);
  const tensor_view<int, 1> backwards{values.data() + 9, {10}, {-1}};
  EXPECT_EQ(backwards(9), 0);
}

TEST(tensor_view, works_in_constant_expressions) {
  static constexpr int values[] = {0, 1, 2, 3, 4, 5};
  constexpr auto view = make_view(values, 2, 3);
  static_assert(view(1, 2) == 5 && slice(view, 1)(0) == 3 && permuted<1, 0>(view)(2, 1) == 5);
  static_assert(sub_view<1>(view, 1, 3)(1, 1) == 5);
}

// An address space of 2^45 bytes that nobody touches.
std::uint64_t distance(const float* p, const float* base) {
  return (reinterpret_cast<std::uintptr_t>(p) - reinterpret_cast<std::uintptr_t>(base)) /
         sizeof(float);
}

TEST(tensor_view, offsets_beyond_two_to_the_31) {
  float* const base = reinterpret_cast<float*>(std::uintptr_t{1} << 45);
  const auto cache = make_view(base, 100000, 64, 4096, 128);  // 3.4e12 elements
  EXPECT_EQ(cache.size(), std::int64_t{100000} * 64 * 4096 * 128);
  const std::uint64_t expected = ((99999ull * 64 + 63) * 4096 + 4095) * 128 + 127;
  EXPECT_EQ(distance(&cache(99999, 63, 4095, 127), base), expected);
  EXPECT_EQ(distance(&slice(cache, 99999, 63, 4095)(127), base), expected);
  EXPECT_EQ(distance(&permuted<3, 2, 1, 0>(cache)(127, 4095, 63, 99999), base), expected);
  EXPECT_EQ(distance(&sub_view<0>(cache, 99999, 100000)(0, 63, 4095, 127), base), expected);
  const auto square = make_view(base, 65536, 65536);
  EXPECT_EQ(distance(&square(65535, 65535), base), (std::uint64_t{1} << 32) - 1);
}

ROCMFORGE_KERNEL_TEST_SUITE(tensor_view_on_device);

struct store_distances {
  tensor_view<float, 3> view;
  tensor_view<long long, 1> distances;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    if (block.thread != 0) return;
    const int i = view.extent[0] - 1, j = view.extent[1] - 1, k = view.extent[2] - 1;
    distances(0) = &view(i, j, k) - view.data;
    distances(1) = &slice(view, i, j)(k) - view.data;
    distances(2) = &permuted<2, 0, 1>(view)(k, i, j) - view.data;
    distances(3) = view.size();
  }
};

TEST_P(tensor_view_on_device, offsets_beyond_two_to_the_31) {
  const auto view = make_view(reinterpret_cast<float*>(std::uintptr_t{1} << 45), 70000, 60000, 128);
  device_buffer<long long> distances(4);
  EXPECT_SUCCESS(run_on_device<64>(store_distances{view, distances.view(4)}));
  const long long size = 70000ll * 60000 * 128;
  EXPECT_EQ(distances.to_host(), (std::vector<long long>{size - 1, size - 1, size - 1, size}));
}

}  // namespace
}  // namespace rocmforge::testing
