// Views of the two-byte types of vendors and compilers.
#include <rocmforge/norm.hpp>
#include <rocmforge/platform/view_of.hpp>

#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(views_of_foreign_elements);

/// Elements of type From are taken for those of type T: the view, and what an op computes of them.
template <class From, class T>
void check() {
  From* const data = reinterpret_cast<From*>(std::uintptr_t{4096});
  const auto contiguous = view_of(data, 3, 4);
  static_assert(std::is_same_v<decltype(contiguous), const tensor_view<T, 2>>);
  EXPECT_EQ(static_cast<const void*>(contiguous.data), static_cast<const void*>(data));
  EXPECT_EQ(contiguous.stride[0], 4);
  const auto strided = view_of(static_cast<const From*>(data), {3, 4}, {7, 1});
  static_assert(std::is_same_v<decltype(strided), const tensor_view<const T, 2>>);
  EXPECT_EQ(strided.stride[0], 7);
  const auto converted = view_of(tensor_view<From, 2>{data, {3, 4}, {9, 1}});
  static_assert(std::is_same_v<decltype(converted), const tensor_view<T, 2>>);
  EXPECT_EQ(converted.extent[1], 4);
  EXPECT_EQ(converted.stride[0], 9);

  device_buffer<T> x(std::vector<T>{T(3.0f), T(-3.0f)}), y(2);
  const auto foreign_x = view_of(reinterpret_cast<const From*>(x.data()), 1, 2);
  EXPECT_SUCCESS(rms_norm(view_of(reinterpret_cast<From*>(y.data()), 1, 2), foreign_x, {}, 0.0f));
  const auto result = y.to_host();
  EXPECT_EQ(static_cast<float>(result[0]), 1.0f);
  EXPECT_EQ(static_cast<float>(result[1]), -1.0f);
}

TEST_P(views_of_foreign_elements, have_the_same_memory) {
  check<float, float>();
  check<half, half>();
  check<bfloat16, bfloat16>();
#if defined(ROCMFORGE_PLATFORM_AMD)
  check<__half, half>();
  check<hip_bfloat16, bfloat16>();
#elif defined(ROCMFORGE_PLATFORM_NVIDIA)
  check<__half, half>();
  check<__nv_bfloat16, bfloat16>();
#endif
#if defined(__FLT16_MANT_DIG__) && !defined(ROCMFORGE_PLATFORM_NVIDIA)
  check<_Float16, half>();
#endif
#if defined(__BFLT16_MANT_DIG__) && !defined(ROCMFORGE_PLATFORM_NVIDIA)
  check<__bf16, bfloat16>();
#endif
}

}  // namespace
}  // namespace rocmforge::testing
