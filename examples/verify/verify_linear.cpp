// Products with dense weights.
#include "linear_cases.hpp"

namespace verify {
namespace {

const registration linear("linear", [](const settings& s, case_list& list) {
  add_linears<float, float>(s, list);
  add_linears<half, half>(s, list);
  add_linears<bfloat16, bfloat16>(s, list);
  for (const int num_tokens : {1, 3, 9}) {  // x of another type than y
    add_linear<float, half, half>(s, list, num_tokens, 25, 33, true, 1);
    add_linear<half, rocmforge::q8_0, float>(s, list, num_tokens, 25, 96, false, 0);
  }
});

}  // namespace
}  // namespace verify
