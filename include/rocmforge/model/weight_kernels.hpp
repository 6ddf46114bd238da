// Products and look-ups for every weight format take a minute to compile. A program that uses
// models in several sources includes this header in each of them, and compiles the kernels once:
//
//   #include <rocmforge/model/weight_kernels.hpp>
//   ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(q4_k)       // in one source, for each format
//
// (examples/weight_kernels/ is an example.) Without this header each source compiles the kernels
// that it uses.
#pragma once

#include "rocmforge/embedding.hpp"
#include "rocmforge/linear.hpp"
#include "rocmforge/quant.hpp"

#define ROCMFORGE_WEIGHT_KERNELS(keyword, Type)                                      \
  keyword template rocmforge::status rocmforge::linear<float, const Type>(           \
      rocmforge::tensor_view<float, 2>, rocmforge::tensor_view<const float, 2>,      \
      rocmforge::tensor_view<const Type, 2>, rocmforge::tensor_view<const float, 1>, \
      rocmforge::stream_ref);                                                        \
  keyword template rocmforge::status rocmforge::embedding<Type, float>(              \
      rocmforge::tensor_view<float, 2>, rocmforge::tensor_view<const Type, 2>,       \
      rocmforge::tensor_view<const int, 1>, rocmforge::stream_ref);

/// Instantiates the kernels of one format.
#define ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(Type) ROCMFORGE_WEIGHT_KERNELS(, Type)

namespace rocmforge {

ROCMFORGE_WEIGHT_KERNELS(extern, float)
ROCMFORGE_WEIGHT_KERNELS(extern, half)
ROCMFORGE_WEIGHT_KERNELS(extern, bfloat16)
ROCMFORGE_WEIGHT_KERNELS(extern, q4_0)
ROCMFORGE_WEIGHT_KERNELS(extern, q4_1)
ROCMFORGE_WEIGHT_KERNELS(extern, q5_0)
ROCMFORGE_WEIGHT_KERNELS(extern, q5_1)
ROCMFORGE_WEIGHT_KERNELS(extern, q8_0)
ROCMFORGE_WEIGHT_KERNELS(extern, q1_0)
ROCMFORGE_WEIGHT_KERNELS(extern, q2_0)
ROCMFORGE_WEIGHT_KERNELS(extern, q2_k)
ROCMFORGE_WEIGHT_KERNELS(extern, q3_k)
ROCMFORGE_WEIGHT_KERNELS(extern, q4_k)
ROCMFORGE_WEIGHT_KERNELS(extern, q5_k)
ROCMFORGE_WEIGHT_KERNELS(extern, q6_k)
ROCMFORGE_WEIGHT_KERNELS(extern, iq4_nl)
ROCMFORGE_WEIGHT_KERNELS(extern, iq4_xs)
ROCMFORGE_WEIGHT_KERNELS(extern, mxfp4)
ROCMFORGE_WEIGHT_KERNELS(extern, nvfp4)
ROCMFORGE_WEIGHT_KERNELS(extern, tq1_0)
ROCMFORGE_WEIGHT_KERNELS(extern, tq2_0)
ROCMFORGE_WEIGHT_KERNELS(extern, iq1_s)
ROCMFORGE_WEIGHT_KERNELS(extern, iq1_m)
ROCMFORGE_WEIGHT_KERNELS(extern, iq2_xxs)
ROCMFORGE_WEIGHT_KERNELS(extern, iq2_xs)
ROCMFORGE_WEIGHT_KERNELS(extern, iq2_s)
ROCMFORGE_WEIGHT_KERNELS(extern, iq3_xxs)
ROCMFORGE_WEIGHT_KERNELS(extern, iq3_s)

}  // namespace rocmforge
