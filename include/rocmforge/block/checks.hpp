// The checks that launch functions make, each in one line, with the same sentence everywhere.
#pragma once

#include <cstdint>

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace checks {

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

template <class A, class B, int Rank>
status same_extents(const char* op, const char* argument, const tensor_view<A, Rank>& actual,
                    const tensor_view<B, Rank>& expected) {
  for (int axis = 0; axis < Rank; ++axis) {
    if (status s = extent(op, argument, axis, actual.extent[axis], expected.extent[axis]); !s)
      return s;
  }
  return {};
}

/// The view has memory (unless it is empty), no negative extent, and stride 1 along the last axis.
template <class T, int Rank>
status view(const char* op, const char* argument, const tensor_view<T, Rank>& v) {
  for (int axis = 0; axis < Rank; ++axis) {
    if (v.extent[axis] < 0) {
      return {status_code::invalid_shape,
              op,
              argument,
              "extent {0} is {1}, expected 0 or more",
              {axis, v.extent[axis]}};
    }
  }
  if (v.size() == 0) return {};
  if (v.data == nullptr)
    return {status_code::invalid_argument, op, argument, "the view has no memory (null data)", {}};
  if (v.extent[Rank - 1] > 1 && v.stride[Rank - 1] != 1) {
    return {status_code::invalid_layout,
            op,
            argument,
            "the last axis has stride {0}, expected 1",
            {v.stride[Rank - 1]}};
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
