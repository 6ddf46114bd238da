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
#if defined(ROCMFORGE_EMULATION)
  if (s.wave_size == 1) return;
  static_cast<void>(rocmforge::dispatch(rocmforge::int_list<32, 64>{}, s.wave_size, "linear", "",
                                        "", [&](auto wave) {
                                          add_linears_by_tiles<float, rocmforge::q4_1, wave>(list);
                                          add_linears_by_tiles<half, rocmforge::q6_k, wave>(list);
                                          return rocmforge::status{};
                                        }));
#endif
});

}  // namespace
}  // namespace verify
