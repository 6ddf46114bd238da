// Attention in float.
#include "attention_cases.hpp"

namespace verify {
namespace {

const registration attention("attention", [](const settings& s, case_list& list) {
  add_attentions<float, float>(s, list);
});

}  // namespace
}  // namespace verify
