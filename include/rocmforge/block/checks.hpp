// The checks that launch functions make, each in one line, with the same sentence everywhere. Those
// of one family of ops are in a namespace of its name: checks::attention, checks::norm, ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace checks {

/// Largest extent of an axis. Kernels compute indices in int: with room for a factor of two, the
/// sum of two indices, or of an index and the size of a tile, does not overflow.
inline constexpr int max_extent = 1 << 30;
/// Largest number of elements of a view: the sizes of several views can be added in 64 bits.
inline constexpr std::int64_t max_elements = std::int64_t{1} << 60;
/// Largest offset along an axis, in elements: more than the address space has bytes.
inline constexpr std::int64_t max_offset = std::int64_t{1} << 48;

/// The extent of an axis is what another argument says.
inline status extent(const char* op, const char* argument, int axis, std::int64_t actual,
                     std::int64_t expected) {
  if (actual == expected) return {};
  return {status_code::invalid_shape,
          op,
          argument,
          "extent {0} is {1}, expected {2}",
          {axis, actual, expected}};
}

/// The first `count` extents are those of `expected`.
template <class A, int RankA, class B, int RankB>
status first_extents(const char* op, const char* argument, const tensor_view<A, RankA>& actual,
                     const tensor_view<B, RankB>& expected, int count) {
  for (int axis = 0; axis < count; ++axis) {
    if (status s = extent(op, argument, axis, actual.extent[axis], expected.extent[axis]); !s)
      return s;
  }
  return {};
}

template <class A, class B, int Rank>
status same_extents(const char* op, const char* argument, const tensor_view<A, Rank>& actual,
                    const tensor_view<B, Rank>& expected) {
  return first_extents(op, argument, actual, expected, Rank);
}

/// Whether the product of numbers that are 0 or more is at most `limit`; computed without overflow.
template <class... Factors>
constexpr bool product_fits(std::int64_t limit, Factors... factors) {
  if (((factors == 0) || ...)) return true;
  std::int64_t product = 1;
  return ((std::int64_t{factors} <= limit / product && (product *= factors, true)) && ...);
}

/// The product of numbers that are 0 or more, one of which may be 0 among large ones. It must fit.
template <class... Factors>
constexpr int product(Factors... factors) {
  if (((factors == 0) || ...)) return 0;
  return (factors * ...);
}

/// The product of `factors`, which the op counts in an int, is at most max_extent.
template <class... Factors>
status countable(const char* op, const char* argument, const char* sentence, Factors... factors) {
  if (product_fits(max_extent, factors...)) return {};
  return {status_code::invalid_shape, op, argument, sentence, {factors...}};
}

namespace detail {

constexpr std::uint64_t magnitude(std::int64_t number) {
  return number < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(number)
                    : static_cast<std::uint64_t>(number);
}

}  // namespace detail

/// No extent is negative or above max_extent. Unless the view is empty it has memory, stride 1
/// along the last axis, and no stride that would overflow an offset.
template <class T, int Rank>
status view(const char* op, const char* argument, const tensor_view<T, Rank>& v) {
  static_assert(sizeof(T) != 2 || floating_dtype<std::remove_const_t<T>> || std::is_integral_v<T>,
                "the elements of this view are another library's half or bfloat16: make it a view "
                "of rocmforge's with view_of (platform/view_of.hpp)");
  for (int axis = 0; axis < Rank; ++axis) {
    if (v.extent[axis] < 0 || v.extent[axis] > max_extent) {
      return {status_code::invalid_shape,
              op,
              argument,
              "extent {0} is {1}, expected 0 to {2}",
              {axis, v.extent[axis], max_extent}};
    }
  }
  std::int64_t elements = 1;
  for (int axis = 0; axis < Rank; ++axis) {
    const int extent = v.extent[axis];
    if (extent == 0) return {};
    if (!product_fits(max_elements, elements, extent))
      return {status_code::invalid_shape, op, argument, "the view has over 2^60 elements", {}};
    elements *= extent;
  }
  if (v.data == nullptr)
    return {status_code::invalid_argument, op, argument, "the view has no memory (null data)", {}};
  for (int axis = 0; axis < Rank; ++axis) {
    const int steps = v.extent[axis] > 1 ? v.extent[axis] - 1 : 1;
    if (detail::magnitude(v.stride[axis]) > static_cast<std::uint64_t>(max_offset / steps)) {
      return {status_code::invalid_layout,
              op,
              argument,
              "axis {0} of extent {1} has stride {2}, which reaches beyond any memory",
              {axis, v.extent[axis], v.stride[axis]}};
    }
  }
  if (v.extent[Rank - 1] > 1 && v.stride[Rank - 1] != 1) {
    return {status_code::invalid_layout,
            op,
            argument,
            "the last axis has stride {0}, expected 1",
            {v.stride[Rank - 1]}};
  }
  return {};
}

/// A view that the op writes: as `view`, and no two of its elements are in the same place. From the
/// smallest stride to the largest, each must be at least what the axes before it span together.
/// (A few layouts are refused although their elements are all apart, such as strides of 2 and 3.)
template <class T, int Rank>
status output(const char* op, const char* argument, const tensor_view<T, Rank>& v) {
  static_assert(!std::is_const_v<T>, "this view is an output: its elements must not be const");
  if (status s = view(op, argument, v); !s) return s;
  for (int axis = 0; axis < Rank; ++axis) {
    if (v.extent[axis] == 0) return {};
  }
  bool done[Rank] = {};
  std::uint64_t span = 1;  // from the first to the last element of the axes that are done
  for (int i = 0; i < Rank; ++i) {
    int next = -1;
    for (int axis = 0; axis < Rank; ++axis) {
      if (!done[axis] && v.extent[axis] > 1 &&
          (next < 0 || detail::magnitude(v.stride[axis]) < detail::magnitude(v.stride[next])))
        next = axis;
    }
    if (next < 0) break;
    done[next] = true;
    const std::uint64_t stride = detail::magnitude(v.stride[next]);
    if (stride < span) {
      return {status_code::invalid_layout,
              op,
              argument,
              "elements overlap: axis {0} of extent {1} has stride {2}, expected at least {3}",
              {next, v.extent[next], v.stride[next], static_cast<std::int64_t>(span)}};
    }
    span += static_cast<std::uint64_t>(v.extent[next] - 1) * stride;
  }
  return {};
}

/// The workspace has the bytes that an op's `..._workspace_bytes` asks for, and is aligned.
inline status workspace(const char* op, std::span<std::byte> actual, std::size_t needed) {
  if (needed == 0) return {};
  if (actual.data() == nullptr || actual.size() < needed) {
    return {status_code::invalid_argument,
            op,
            "workspace",
            "has {0} bytes, needs {1}",
            {static_cast<std::int64_t>(actual.data() == nullptr ? 0 : actual.size()),
             static_cast<std::int64_t>(needed)}};
  }
  constexpr std::uintptr_t alignment = 16;
  if (reinterpret_cast<std::uintptr_t>(actual.data()) % alignment != 0) {
    return {status_code::invalid_argument,
            op,
            "workspace",
            "its address is not a multiple of {0}",
            {static_cast<std::int64_t>(alignment)}};
  }
  return {};
}

/// The first status that is not success.
template <class... Status>
status all(const Status&... statuses) {
  status first;
  static_cast<void>(((statuses.ok() ? false : (first = statuses, true)) || ...));
  return first;
}

}  // namespace checks
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
