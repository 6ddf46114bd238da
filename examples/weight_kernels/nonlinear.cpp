// Products and look-ups with weights in the formats that name values of a table.
#include <rocmforge/model/weight_kernels.hpp>

namespace rocmforge {

ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(iq4_nl)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(iq4_xs)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(mxfp4)
ROCMFORGE_INSTANTIATE_WEIGHT_KERNELS(nvfp4)

}  // namespace rocmforge
