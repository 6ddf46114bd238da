// One call of attention for the processor, to see how long that takes to compile.
#include <rocmforge/attention.hpp>

rocmforge::status attend(rocmforge::tensor_view<float, 4> out,
                         rocmforge::tensor_view<const float, 4> q,
                         rocmforge::tensor_view<const float, 4> k,
                         rocmforge::tensor_view<const float, 4> v) {
  return rocmforge::attention(out, q, k, v, {.causal = true});
}
