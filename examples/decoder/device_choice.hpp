// Chooses a token from logits in device memory, with the library's sampling.
#pragma once

#include <cstddef>
#include <limits>
#include <rocmforge/memory.hpp>
#include <rocmforge/model/weights.hpp>
#include <rocmforge/sampling.hpp>

#include "engine.hpp"

namespace decoder {
namespace {

/// The small buffers of a choice, allocated once.
class device_choice {
 public:
  explicit device_choice(int vocab_size)
      : repeated_(static_cast<std::size_t>(vocab_size)), counter_(1), token_(1) {}

  /// @param logits  [1, vocab_size] in device memory; the repeat penalty is applied in place
  /// @return the token; -1 if all logits are NaN or -infinity
  int choose(rocmforge::tensor_view<float, 2> logits, const token_choice& choice) {
    const auto choices = rocmforge::sub_view<1>(logits, 0, choice.num_choices);
    if (!choice.repeated.empty()) {
      repeated_.copy_from_host(choice.repeated);
      const auto ids = repeated_.view(1, static_cast<int>(choice.repeated.size()));
      rocmforge::check(rocmforge::apply_penalties(choices, ids, {.repeat = choice.repeat_penalty}));
    }
    if (choice.sampling.temperature == 0) return likeliest(choices);
    counter_.copy_from_host({&choice.counter, 1});
    rocmforge::check(rocmforge::sample(token_.view(1), choices, counter_.view(1), choice.sampling));
    return token_.to_host().front();
  }

 private:
  /// The token that `sample` gives at temperature 0, but reads the logits only once.
  int likeliest(rocmforge::tensor_view<float, 2> choices) {
    rocmforge::check(rocmforge::argmax(token_.view(1), choices));
    const int token = token_.to_host().front();
    float logit = 0;
    rocmforge::platform_memory::download(&logit, choices.data + token, sizeof logit, {});
    rocmforge::stream_ref{}.synchronize();
    return logit > -std::numeric_limits<float>::infinity() ? token : -1;
  }

  rocmforge::device_buffer<int> repeated_;
  rocmforge::device_buffer<rocmforge::draw_counter> counter_;
  rocmforge::device_buffer<int> token_;
};

}  // namespace
}  // namespace decoder
