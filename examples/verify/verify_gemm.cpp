// Products with dense weights.
#include "gemm_cases.hpp"

namespace verify {
namespace {

const registration gemm("gemm", [](const settings& s, case_list& list) {
  add_matmuls<float, float>(s, list);
  add_matmuls<half, half>(s, list);
  add_matmuls<bfloat16, bfloat16>(s, list);
});

}  // namespace
}  // namespace verify
