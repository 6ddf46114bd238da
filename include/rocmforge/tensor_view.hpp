// A non-owning view of a tensor: where its elements are, how many there are along each axis, and
// how far apart.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/platform/macros.hpp"

namespace rocmforge {

/// View of a tensor with explicit strides. Trivially copyable, so that a kernel takes it by value.
///
/// The axes are named by the function that takes the view, for example [batch, heads, seq, dim],
/// whatever their order in memory is: kernels never ask for the layout. Ops want stride 1 along the
/// last axis and say `invalid_layout` otherwise. Offsets are computed in 64 bits.
template <class T, int Rank>
struct tensor_view {
  static_assert(Rank >= 1, "tensor_view: a view has at least one axis");
  using element_type = T;
  static constexpr int rank = Rank;

  T* data = nullptr;
  int extent[Rank] = {};           // elements along each axis
  std::int64_t stride[Rank] = {};  // elements (not bytes) from one index to the next

  /// The element at the given indices, one an axis.
  template <class... Index>
  ROCMFORGE_HOST_DEVICE constexpr T& operator()(Index... index) const {
    static_assert(sizeof...(Index) == Rank, "tensor_view: give one index for each axis");
    std::int64_t offset = 0;
    int axis = 0;
    ((offset += static_cast<std::int64_t>(index) * stride[axis++]), ...);
    return data[offset];
  }

  /// Number of elements. (Unsigned while it multiplies: an extent of 0 may follow large ones.)
  ROCMFORGE_HOST_DEVICE constexpr std::int64_t size() const {
    std::uint64_t product = 1;
    for (int axis = 0; axis < Rank; ++axis) product *= static_cast<std::uint64_t>(extent[axis]);
    return static_cast<std::int64_t>(product);
  }

  /// A view to write through converts to a view to read through, of the same element type.
  template <class U>
  requires(std::is_same_v<U, T> && !std::is_const_v<T>) ROCMFORGE_HOST_DEVICE constexpr
  operator tensor_view<const U, Rank>() const {
    tensor_view<const U, Rank> view;
    view.data = data;
    for (int axis = 0; axis < Rank; ++axis) {
      view.extent[axis] = extent[axis];
      view.stride[axis] = stride[axis];
    }
    return view;
  }
};

/// A contiguous (row-major) view: the last axis is the fastest.
///
/// @param data    first element
/// @param extent  elements along each axis, outermost first
template <class T, class... Extent>
ROCMFORGE_HOST_DEVICE constexpr tensor_view<T, sizeof...(Extent)> make_view(T* data,
                                                                            Extent... extent) {
  tensor_view<T, sizeof...(Extent)> view{data, {static_cast<int>(extent)...}, {}};
  std::uint64_t stride = 1;  // unsigned: where it overflows there is no such tensor to be had
  for (int axis = static_cast<int>(sizeof...(Extent)) - 1; axis >= 0; --axis) {
    view.stride[axis] = static_cast<std::int64_t>(stride);
    stride *= static_cast<std::uint64_t>(view.extent[axis]);
  }
  return view;
}

/// A view with strides: `make_view(data, {rows, columns}, {row_stride, 1})`.
///
/// @param data    element at index 0 of each axis
/// @param extent  elements along each axis
/// @param stride  elements from one index of an axis to the next
template <class T, int Rank>
ROCMFORGE_HOST_DEVICE constexpr tensor_view<T, Rank> make_view(T* data, const int (&extent)[Rank],
                                                               const std::int64_t (&stride)[Rank]) {
  tensor_view<T, Rank> view;
  view.data = data;
  for (int axis = 0; axis < Rank; ++axis) {
    view.extent[axis] = extent[axis];
    view.stride[axis] = stride[axis];
  }
  return view;
}

/// The part of `view` at fixed indices of its first axes: `slice(q, b, h)` of a [batch, heads, seq,
/// dim] is a [seq, dim].
template <class T, int Rank, class... Index>
ROCMFORGE_HOST_DEVICE constexpr auto slice(const tensor_view<T, Rank>& view, Index... index) {
  constexpr int fixed = sizeof...(Index);
  static_assert(fixed < Rank, "slice: at least one axis must remain");
  tensor_view<T, Rank - fixed> part;
  std::int64_t offset = 0;
  int axis = 0;
  ((offset += static_cast<std::int64_t>(index) * view.stride[axis++]), ...);
  part.data = view.data + offset;
  for (int i = 0; i < Rank - fixed; ++i) {
    part.extent[i] = view.extent[i + fixed];
    part.stride[i] = view.stride[i + fixed];
  }
  return part;
}

/// The same elements with the axes in another order: axis i of the result is axis `Axes[i]` of
/// `view`. A [batch, seq, heads, dim] buffer is seen as [batch, heads, seq, dim] by `permuted<0, 2,
/// 1, 3>(view)`.
template <int... Axes, class T, int Rank>
ROCMFORGE_HOST_DEVICE constexpr tensor_view<T, Rank> permuted(const tensor_view<T, Rank>& view) {
  static_assert(sizeof...(Axes) == Rank, "permuted: name each axis once");
  constexpr int axes[] = {Axes...};
  constexpr bool each_once = [&] {
    for (int wanted = 0; wanted < Rank; ++wanted) {
      int found = 0;
      for (int axis : axes) found += axis == wanted;
      if (found != 1) return false;
    }
    return true;
  }();
  static_assert(each_once, "permuted: name each axis once");
  tensor_view<T, Rank> result;
  result.data = view.data;
  for (int i = 0; i < Rank; ++i) {
    result.extent[i] = view.extent[axes[i]];
    result.stride[i] = view.stride[axes[i]];
  }
  return result;
}

/// Elements `begin` to `end` (exclusive) along `Axis`.
template <int Axis, class T, int Rank>
ROCMFORGE_HOST_DEVICE constexpr tensor_view<T, Rank> sub_view(tensor_view<T, Rank> view, int begin,
                                                              int end) {
  static_assert(Axis >= 0 && Axis < Rank, "sub_view: no such axis");
  view.data += begin * view.stride[Axis];
  view.extent[Axis] = end - begin;
  return view;
}

/// Whether views of A and of B have elements of the same type; either may be const.
template <class A, class B>
inline constexpr bool same_elements =
    std::is_same_v<std::remove_const_t<A>, std::remove_const_t<B>>;

/// The view as one with elements of T. Launchers assert the element type before, with a sentence
/// that names the argument; a view that does not convert becomes an empty one here, so that the
/// sentence is the only error.
template <class T, class U, int Rank>
ROCMFORGE_HOST_DEVICE constexpr tensor_view<T, Rank> elements_as(const tensor_view<U, Rank>& view) {
  if constexpr (std::is_convertible_v<tensor_view<U, Rank>, tensor_view<T, Rank>>) {
    return view;
  } else {
    return {};
  }
}

/// Keeps a parameter out of template argument deduction, so that a view to write through can be
/// passed where one to read through is wanted.
template <class T>
using identity_t = std::type_identity_t<T>;

}  // namespace rocmforge
