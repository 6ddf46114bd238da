// Products and look-ups with weights in the dense formats and the two simplest.
#include <rocmforge/model/weight_kernels.hpp>

namespace rocmforge {

ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(float)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(half)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(bfloat16)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(q4_0)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(q4_1)

}  // namespace rocmforge
