// Products with quantised weights.
#include "gemm_cases.hpp"

namespace verify {
namespace {

const registration gemm("gemm_quant", [](const settings& s, case_list& list) {
  add_matmuls<float, rocmforge::q4_0>(s, list);
  add_matmuls<float, rocmforge::q4_1>(s, list);
  add_matmuls<float, rocmforge::q8_0>(s, list);
  add_matmuls<float, rocmforge::q4_k>(s, list);
  add_matmuls<float, rocmforge::q6_k>(s, list);
  add_matmuls<half, rocmforge::q4_1>(s, list);
});

}  // namespace
}  // namespace verify
