// Products and look-ups with weights in the K formats.
#include <rocmforge/model/weight_kernels.hpp>

namespace rocmforge {

ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(q2_k)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(q3_k)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(q4_k)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(q5_k)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(q6_k)

}  // namespace rocmforge
