// Attention over quantized caches, on plain tensors and on pages.
#include "attention_cases.hpp"

namespace verify {
namespace {

const registration attention("attention_quant", [](const settings& s, case_list& list) {
  for (const auto& [q_len, seq_first] : {std::pair{2, false}, std::pair{37, true}}) {
    add_attention<float, rocmforge::q8_0>(list, {.q_len = q_len,
                                                 .kv_len = 75,
                                                 .num_heads = 4,
                                                 .num_kv_heads = 2,
                                                 .head_dim = 64,
                                                 .seq_first = seq_first,
                                                 .gap = 1,
                                                 .window = 50});
  }
  add_paged<float, rocmforge::q4_0>(list, {{1, 1}, {1, 40}, {3, 33}}, 6, 2, 64, 16);
  add_attention<float, rocmforge::q8_0>(list, {.q_len = 1,
                                               .kv_len = 75,
                                               .num_heads = 4,
                                               .num_kv_heads = 2,
                                               .head_dim = 64,
                                               .plan = {3, 16}});
  add_paged<float, rocmforge::q4_0>(list, {{1, 1}, {1, 70}}, 6, 2, 64, 16, {3, 16});
  add_paged<float, rocmforge::q4_0>(list, {{20, 20}, {1, 70}}, 4, 2, 96, 16);
  if (s.quick) return;
  add_attention<float, rocmforge::q8_0>(list, {1, 1025, 9, 3, 64, true, true});
  add_paged<float, rocmforge::q4_0>(list, {{1, 511}, {1, 3}}, 8, 2, 128, 32);
});

}  // namespace
}  // namespace verify
