// Chooses a token from logits in device memory, with the library's sampling.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <rocmforge/memory.hpp>
#include <rocmforge/model/weights.hpp>
#include <rocmforge/sampling.hpp>
#include <span>
#include <vector>

#include "engine.hpp"

namespace decoder {
namespace {

/// The small buffers of a choice, allocated once.
class device_choice {
 public:
  explicit device_choice(int vocab_size)
      : ids_(static_cast<std::size_t>(vocab_size)),
        never_(std::vector<float>(suppressed_chunk, -std::numeric_limits<float>::infinity())),
        counter_(1),
        chosen_(2) {}

  /// @param logits  [1, vocab_size] in device memory; what is suppressed becomes -infinity, and the
  ///                repeat penalty is applied, in place
  /// @return the token; -1 if all logits are NaN or -infinity
  int choose(rocmforge::tensor_view<float, 2> logits, const token_choice& choice) {
    const auto choices = rocmforge::sub_view<1>(logits, 0, choice.num_choices);
    suppress(choices, choice.suppressed);
    if (!choice.repeated.empty()) {
      ids_.copy_from_host(choice.repeated);
      const auto ids = ids_.view(1, static_cast<int>(choice.repeated.size()));
      rocmforge::check(rocmforge::apply_penalties(choices, ids, {.repeat = choice.repeat_penalty}));
    }
    if (choice.sampling.temperature == 0) return likeliest(choices);
    counter_.copy_from_host({&choice.counter, 1});
    rocmforge::check(
        rocmforge::sample(chosen_.view(1), choices, counter_.view(1), choice.sampling));
    return chosen_.to_host().front();
  }

 private:
  // Of ids that one launch takes: its cost grows with the square of their number.
  static constexpr int suppressed_chunk = 1024;

  void suppress(rocmforge::tensor_view<float, 2> choices, std::span<const int> ids) {
    if (ids.empty()) return;
    ids_.copy_from_host(ids);
    const int count = static_cast<int>(ids.size());
    for (int first = 0; first < count; first += suppressed_chunk) {
      const int last = std::min(first + suppressed_chunk, count);
      rocmforge::check(rocmforge::add_logit_bias(
          choices, rocmforge::sub_view<1>(ids_.view(1, count), first, last),
          rocmforge::sub_view<1>(never_.view(1, suppressed_chunk), 0, last - first)));
    }
  }

  /// The token that `sample` gives at temperature 0, but reads the logits only once.
  int likeliest(rocmforge::tensor_view<float, 2> choices) {
    static_assert(sizeof(float) == sizeof(int));
    const auto logit =
        rocmforge::make_view(reinterpret_cast<float*>(chosen_.data() + 1), 1);  // beside the token
    rocmforge::check(rocmforge::argmax(chosen_.view(1), choices, logit));
    const std::vector<int> chosen = chosen_.to_host();
    return std::bit_cast<float>(chosen[1]) > -std::numeric_limits<float>::infinity() ? chosen[0]
                                                                                     : -1;
  }

  rocmforge::device_buffer<int> ids_;
  rocmforge::device_buffer<float> never_;  // the biases of a chunk of suppressed ids
  rocmforge::device_buffer<rocmforge::draw_counter> counter_;
  rocmforge::device_buffer<int> chosen_;  // the token, and of argmax the bits of its logit
};

}  // namespace
}  // namespace decoder
