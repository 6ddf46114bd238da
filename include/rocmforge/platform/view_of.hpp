// Views of the two-byte types of vendors and compilers, as views of half and bfloat16: the layout
// is the same, so that nothing is copied. Include this header where such a type is used.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/tensor_view.hpp"

#if defined(ROCMFORGE_PLATFORM_AMD)
#include <hip/hip_bfloat16.h>
#include <hip/hip_fp16.h>
#if __has_include(<hip/hip_bf16.h>)
#include <hip/hip_bf16.h>
#define ROCMFORGE_HAS_HIP_BF16 1
#endif
#elif defined(ROCMFORGE_PLATFORM_NVIDIA)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace view_of_detail {

/// The element type of this library that has the layout of T; void if there is none.
template <class T>
struct element {
  using type = std::conditional_t<floating_dtype<T>, T, void>;
};
#if defined(ROCMFORGE_PLATFORM_AMD)
template <>
struct element<__half> {
  using type = half;
};
template <>
struct element<hip_bfloat16> {
  using type = bfloat16;
};
#if defined(ROCMFORGE_HAS_HIP_BF16)
template <>
struct element<__hip_bfloat16> {
  using type = bfloat16;
};
#endif
#elif defined(ROCMFORGE_PLATFORM_NVIDIA)
template <>
struct element<__half> {
  using type = half;
};
template <>
struct element<__nv_bfloat16> {
  using type = bfloat16;
};
#endif
// nvcc's front end has no _Float16 in device code.
#if defined(__FLT16_MANT_DIG__) && !defined(ROCMFORGE_PLATFORM_NVIDIA)
template <>
struct element<_Float16> {
  using type = half;
};
#endif
#if defined(__BFLT16_MANT_DIG__) && !defined(ROCMFORGE_PLATFORM_NVIDIA)
template <>
struct element<__bf16> {
  using type = bfloat16;
};
#endif

template <class T>
auto* pointer(T* data) {
  using type = typename element<std::remove_const_t<T>>::type;
  static_assert(!std::is_void_v<type>,
                "view_of: elements are float, half, bfloat16, or a two-byte type of the vendor or "
                "the compiler with the same layout (__half, hip_bfloat16, __hip_bfloat16, "
                "__nv_bfloat16, _Float16, __bf16)");
  if constexpr (std::is_void_v<type>) {
    return static_cast<float*>(nullptr);
  } else {
    static_assert(sizeof(type) == sizeof(T) && alignof(type) <= alignof(T));
    return reinterpret_cast<std::conditional_t<std::is_const_v<T>, const type, type>*>(data);
  }
}

}  // namespace view_of_detail

/// The same elements as halves or bfloat16s of this library.
template <class T, int Rank>
auto view_of(const tensor_view<T, Rank>& view) {
  auto* const data = view_of_detail::pointer(view.data);
  tensor_view<std::remove_pointer_t<decltype(view_of_detail::pointer(view.data))>, Rank> result;
  result.data = data;
  for (int axis = 0; axis < Rank; ++axis) {
    result.extent[axis] = view.extent[axis];
    result.stride[axis] = view.stride[axis];
  }
  return result;
}

/// A contiguous view, as make_view.
template <class T, class... Extent>
requires(sizeof...(Extent) > 0 &&
         (std::is_integral_v<Extent> && ...)) auto view_of(T* data, Extent... extent) {
  return make_view(view_of_detail::pointer(data), extent...);
}

/// A view with strides, as make_view: `view_of(data, {rows, columns}, {row_stride, 1})`.
template <class T, int Rank>
auto view_of(T* data, const int (&extent)[Rank], const std::int64_t (&stride)[Rank]) {
  return make_view(view_of_detail::pointer(data), extent, stride);
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
