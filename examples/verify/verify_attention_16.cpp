// Attention with 16-bit queries or caches.
#include "attention_cases.hpp"

namespace verify {
namespace {

const registration attention("attention_16", [](const settings& s, case_list& list) {
  add_attentions<half, half>(s, list);
  add_attentions<bfloat16, bfloat16>(s, list);
  add_attentions<float, half>(s, list);
  add_attentions<float, bfloat16>(s, list);
});

}  // namespace
}  // namespace verify
