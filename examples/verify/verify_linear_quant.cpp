// Products with quantized weights.
#include "linear_cases.hpp"

namespace verify {
namespace {

const registration linear("linear_quant", [](const settings& s, case_list& list) {
  add_linears<float, rocmforge::q4_0>(s, list);
  add_linears<float, rocmforge::q4_1>(s, list);
  add_linears<float, rocmforge::q8_0>(s, list);
  add_linears<float, rocmforge::q4_k>(s, list);
  add_linears<float, rocmforge::q6_k>(s, list);
  add_linears<half, rocmforge::q4_1>(s, list);
});

}  // namespace
}  // namespace verify
