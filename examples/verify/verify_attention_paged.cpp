// Attention on pages, in float.
#include "attention_cases.hpp"

namespace verify {
namespace {

const registration attention("attention_paged", [](const settings& s, case_list& list) {
  add_paged_attentions<float, float>(s, list);
});

}  // namespace
}  // namespace verify
