// From the tensors of a GGUF file to the views that kernels take. (gguf.hpp itself knows no
// kernels; this header needs only gguf.hpp and quant.hpp.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "rocmforge/dispatch.hpp"
#include "rocmforge/error.hpp"
#include "rocmforge/gguf.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Calls `f(Type{})` for the element or block type of a GGUF tensor: float, half, bfloat16, or one
/// of quant.hpp's.
///
/// @param op  named in the message of a refusal
/// @return what `f` returns, or unsupported for a type that no kernel takes
template <class F>
status dispatch_weight_type(gguf::tensor_type type, const char* op, F&& f) {
  using id = gguf::tensor_type;
  switch (type) {
    case id::f32:
      return f(float{});
    case id::f16:
      return f(half{});
    case id::bf16:
      return f(bfloat16{});
    case id::q4_0:
      return f(q4_0{});
    case id::q4_1:
      return f(q4_1{});
    case id::q5_0:
      return f(q5_0{});
    case id::q5_1:
      return f(q5_1{});
    case id::q8_0:
      return f(q8_0{});
    case id::q1_0:
      return f(q1_0{});
    case id::q2_0:
      return f(q2_0{});
    case id::q2_k:
      return f(q2_k{});
    case id::q3_k:
      return f(q3_k{});
    case id::q4_k:
      return f(q4_k{});
    case id::q5_k:
      return f(q5_k{});
    case id::q6_k:
      return f(q6_k{});
    case id::iq4_nl:
      return f(iq4_nl{});
    case id::iq4_xs:
      return f(iq4_xs{});
    case id::mxfp4:
      return f(mxfp4{});
    case id::nvfp4:
      return f(nvfp4{});
    case id::tq1_0:
      return f(tq1_0{});
    case id::tq2_0:
      return f(tq2_0{});
    case id::iq1_s:
      return f(iq1_s{});
    case id::iq1_m:
      return f(iq1_m{});
    case id::iq2_xxs:
      return f(iq2_xxs{});
    case id::iq2_xs:
      return f(iq2_xs{});
    case id::iq2_s:
      return f(iq2_s{});
    case id::iq3_xxs:
      return f(iq3_xxs{});
    case id::iq3_s:
      return f(iq3_s{});
    default:
      break;
  }
  return {status_code::unsupported,
          op,
          "weight",
          "there is no kernel for weights of GGUF type {0}; there is for f32, f16, bf16 and the "
          "block-quantized types",
          {static_cast<std::int64_t>(type)}};
}

/// A weight matrix as a GGUF file stores it.
///
/// @param data     device memory with the tensor's bytes
/// @param num_rows elements along the slow axis, out_dim
/// @param row_size elements along the fast axis, in_dim; a multiple of the block's
/// @return [num_rows, row_size / block_traits<Type>::elements]
template <class Type>
tensor_view<const Type, 2> weight_view(const std::byte* data, int num_rows, int row_size) {
  return make_view(reinterpret_cast<const Type*>(data), num_rows,
                   row_size / block_traits<Type>::elements);
}

/// The same for a tensor of a file, whose extents are the other way round: the first is the fast
/// one. A tensor of rank 1 is one row; axes of 1 after the second count for nothing.
///
/// @param data    device memory with the `tensor.num_bytes` bytes at `tensor.data`
/// @param tensor  with one or two axes
/// @throws error if the tensor is not of `Type`, has more axes, or an extent that does not fit in
/// an int
template <class Type>
tensor_view<const Type, 2> weight_view(const std::byte* data, const gguf::tensor_info& tensor) {
  const auto refuse = [&](const std::string& what) {
    throw error("weight_view: tensor '" + printable(tensor.name) + "' " + what);
  };
  bool same_type = false;
  const status known = dispatch_weight_type(tensor.type, "weight_view", [&]<class Stored>(Stored) {
    same_type = std::is_same_v<Stored, Type>;
    return status{};
  });
  if (!known || !same_type) {
    refuse("has type " + std::string(gguf::traits_of(tensor.type).name) +
           ", which is not that of the view");
  }
  if (tensor.extent[2] != 1 || tensor.extent[3] != 1)
    refuse("has shape " + gguf::shape_text(tensor) + ", expected one or two axes");
  for (const std::int64_t extent : tensor.extent) {
    if (extent > std::numeric_limits<int>::max())
      refuse("has an extent of " + std::to_string(extent) + ", expected less than 2^31");
  }
  return weight_view<Type>(data, static_cast<int>(tensor.extent[1]),
                           static_cast<int>(tensor.extent[0]));
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
