// Products with dense weights.
#include "linear_cases.hpp"

namespace verify {
namespace {

const registration linear("linear", [](const settings& s, case_list& list) {
  add_linears<float, float>(s, list);
  add_linears<half, half>(s, list);
  add_linears<bfloat16, bfloat16>(s, list);
});

}  // namespace
}  // namespace verify
