// Epilogues of a product: policies that are applied to packets of neighboring columns while the
// sums are still in registers.
#pragma once

#include <type_traits>

#include "rocmforge/activation/functions.hpp"
#include "rocmforge/block/checks.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Position of a packet of sums in C: it starts at `column` of a row, and `count` of its elements
/// are in the row.
struct gemm_position {
  int batch, row, column, count;

  /// The elements of another tensor's row at the packet's columns; 0 beyond the end of the row.
  template <int N, class T>
  ROCMFORGE_DEVICE packet<float, N> load(const T* from) const {
    return count >= N ? device::load_packet<N>(from + column)
                      : device::load_packet<N>(from + column, count);
  }
};

/// An epilogue is a trivially copyable struct with
///
///     template <int N>
///     packet<float, N> operator()(const packet<float, N>& sums, gemm_position at) const;
///
/// for the device and, optionally, `status check(op, batch, m, n)` for the host, which the launcher
/// calls first.
namespace epilogue {
using namespace device;

struct none {
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& sums, gemm_position) const {
    return sums;
  }
};

/// x * value.
struct scale {
  float value;

  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x, gemm_position) const {
    return x * value;
  }
};

/// x + values[column].
template <class T>
struct bias {
  tensor_view<const T, 1> values;  // [n]

  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x, gemm_position at) const {
    return x + at.load<N>(values.data);
  }
  status check(const char* op, int /*batch*/, int /*m*/, int n) const {
    return checks::all(checks::view(op, "bias", values),
                       checks::extent(op, "bias", 0, values.extent[0], n));
  }
};
template <class T>
bias(tensor_view<T, 1>) -> bias<std::remove_const_t<T>>;

/// x + values[batch][row][column]. The values may be C itself.
template <class T>
struct residual {
  tensor_view<const T, 3> values;  // [batch, m, n]

  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x, gemm_position at) const {
    return x + at.load<N>(slice(values, at.batch, at.row).data);
  }
  status check(const char* op, int batch, int m, int n) const {
    return checks::all(checks::view(op, "residual", values),
                       checks::extent(op, "residual", 0, values.extent[0], batch),
                       checks::extent(op, "residual", 1, values.extent[1], m),
                       checks::extent(op, "residual", 2, values.extent[2], n));
  }
};
template <class T>
residual(tensor_view<T, 3>) -> residual<std::remove_const_t<T>>;

/// f(x), for any functor over packets: those of activation/functions.hpp, or your own.
template <class Function>
struct activation {
  Function function;

  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x, gemm_position) const {
    return function(x);
  }
};
template <class Function>
activation(Function) -> activation<Function>;

/// One after the other: `chain(bias(b), activation(activations::silu{}), residual(r))` is
/// silu(x + b) + r.
template <class First, class... Rest>
struct chain {
  First first;
  chain<Rest...> rest;

  constexpr chain(const First& one, const Rest&... others) : first(one), rest(others...) {}
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x, gemm_position at) const {
    return rest(first(x, at), at);
  }
  status check(const char* op, int batch, int m, int n) const;
};
template <class Last>
struct chain<Last> {
  Last last;

  constexpr explicit chain(const Last& one) : last(one) {}
  template <int N>
  ROCMFORGE_DEVICE packet<float, N> operator()(const packet<float, N>& x, gemm_position at) const {
    return last(x, at);
  }
  status check(const char* op, int batch, int m, int n) const;
};

/// The result of an epilogue's check for a C of this shape; success if it has none.
template <class Epilogue>
status check(const Epilogue& policy, const char* op, int batch, int m, int n) {
  if constexpr (requires { policy.check(op, batch, m, n); }) {
    return policy.check(op, batch, m, n);
  } else {
    return {};
  }
}

template <class First, class... Rest>
status chain<First, Rest...>::check(const char* op, int batch, int m, int n) const {
  return checks::all(epilogue::check(first, op, batch, m, n), rest.check(op, batch, m, n));
}
template <class Last>
status chain<Last>::check(const char* op, int batch, int m, int n) const {
  return epilogue::check(last, op, batch, m, n);
}

}  // namespace epilogue

namespace gemm_detail {
using namespace device;

/// Applies the epilogue to a packet of sums, then rounds and stores the elements that are in the
/// row.
template <class TC, int N, class Epilogue>
ROCMFORGE_DEVICE void store(const tensor_view<TC, 3>& c, gemm_position at,
                            const packet<float, N>& sums, float alpha, const Epilogue& policy) {
  if (at.count <= 0) return;
  const packet<float, N> values = policy(sums * alpha, at);
  TC* to = slice(c, at.batch, at.row).data + at.column;
  if (at.count >= N) {
    store_packet(to, values);
  } else {
    store_packet(to, values, at.count);
  }
}

}  // namespace gemm_detail
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
