// Choosing the next token of each row of logits: argmax, top-k, the filters, penalties and a draw
// that is the same on every platform, alone or in a batch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/sampling/adjust.hpp"
#include "rocmforge/sampling/argmax.hpp"
#include "rocmforge/sampling/candidates.hpp"
#include "rocmforge/sampling/options.hpp"
#include "rocmforge/sampling/top_k.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace checks::sampling {

template <class T>
status not_empty(const char* op, const tensor_view<T, 2>& logits) {
  if (logits.extent[1] != 0) return {};
  constexpr const char* sentence = "extent 1 is 0, expected the size of a vocabulary";
  return {status_code::invalid_shape, op, "logits", sentence, {}};
}

/// A vocabulary of at most 2^23 tokens, whose probabilities can be added up in 64 bits.
template <class T>
status vocabulary(const char* op, const tensor_view<T, 2>& logits) {
  if (status s = not_empty(op, logits); !s) return s;
  const int size = logits.extent[1];
  if (size > fixed_point::max_weights) {
    constexpr const char* sentence = "a vocabulary of {0} is larger than {1}";
    return {status_code::unsupported, op, "logits", sentence, {size, fixed_point::max_weights}};
  }
  return {};
}

template <class T>
status top_k(const char* op, const tensor_view<float, 2>& values, const tensor_view<int, 2>& tokens,
             const tensor_view<T, 2>& logits) {
  return all(output(op, "values", values), output(op, "tokens", tokens), view(op, "logits", logits),
             extent(op, "values", 0, values.extent[0], logits.extent[0]),
             same_extents(op, "tokens", tokens, values), vocabulary(op, logits));
}

inline status options(const char* op, const sampling_options& o) {
  const auto refused = [&](const char* argument, const char* sentence) {
    return status{status_code::invalid_argument, op, argument, sentence, {}};
  };
  if (!(o.top_p >= 0 && o.top_p <= 1)) return refused("top_p", "must be from 0 to 1");
  if (!(o.min_p >= 0 && o.min_p <= 1)) return refused("min_p", "must be from 0 to 1");
  if (!(o.temperature >= 0) || !std::isfinite(o.temperature))
    return refused("temperature", "must be finite and 0 or more");
  return {};
}

inline status penalties(const char* op, const penalty_options& o) {
  const auto refused = [&](const char* argument, const char* sentence) {
    return status{status_code::invalid_argument, op, argument, sentence, {}};
  };
  if (!(o.repeat > 0) || !std::isfinite(o.repeat))
    return refused("repeat", "must be finite and above 0");
  if (!std::isfinite(o.frequency)) return refused("frequency", "must be finite");
  if (!std::isfinite(o.presence)) return refused("presence", "must be finite");
  return {};
}

}  // namespace checks::sampling

/// The options in the form that the kernels take. They must be in range.
inline candidate_rules rules_of(const sampling_options& options) {
  const bool greedy = options.temperature == 0;
  const float temperature = greedy ? 1.0f : options.temperature;
  candidate_rules rules{};
  rules.top_k = greedy ? 1 : options.top_k > 0 ? options.top_k : std::numeric_limits<int>::max();
  rules.top_p = static_cast<std::uint64_t>(static_cast<double>(options.top_p) * 0x1p32);
  rules.largest_distance = static_cast<float>(-std::log(static_cast<double>(options.min_p)));
  rules.temperature = temperature;
  rules.exponent_scale = static_cast<float>(
      std::min(static_cast<double>(fixed_point::unit_scale) / static_cast<double>(temperature),
               static_cast<double>(std::numeric_limits<float>::max())));
  return rules;
}

/// The most likely token of each row: the index of the largest logit, the lowest of equal ones. NaN
/// never wins; a row of nothing but NaN gives 0.
///
/// Asynchronous on `stream`; allocates nothing. A decoding step has few rows, so a block has as
/// many lanes as it can by default.
///
/// @param tokens  [num_rows]  output
/// @param logits  [num_rows, vocab_size]
/// @param values  [num_rows]  output: the largest logits, -infinity where there is none; or an
///                empty view
/// @return invalid_shape if the extents disagree or the vocabulary is empty,
///         invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = 1024>
[[nodiscard]] status argmax(tensor_view<int, 1> tokens, tensor_view<T, 2> logits,
                            tensor_view<float, 1> values = {}, stream_ref stream = {}) {
  constexpr const char* op = "argmax";
  if (status s =
          checks::all(checks::output(op, "tokens", tokens), checks::view(op, "logits", logits),
                      checks::output(op, "values", values),
                      checks::extent(op, "tokens", 0, tokens.extent[0], logits.extent[0]),
                      values.data == nullptr
                          ? status{}
                          : checks::extent(op, "values", 0, values.extent[0], logits.extent[0]),
                      checks::sampling::not_empty(op, logits));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::argmax<std::remove_const_t<T>, block_threads<BlockSize, wave>, wave>;
    return launch(op, kernel{tokens, logits, values}, {logits.extent[0]}, stream);
  });
}

/// The k largest logits of each row in descending order, and of equal ones the lowest id first.
/// NaN is not among them: where there are no k others, the rest is -infinity with token -1.
///
/// Asynchronous on `stream`; allocates nothing. k may be anything; above about
/// 1000, each 2048 ranks are a block of their own that reads the row several times. The `top_k` of
/// sort.hpp takes a workspace and sorts where that is faster.
///
/// @param values  [num_rows, k]  output
/// @param tokens  [num_rows, k]  output
/// @param logits  [num_rows, vocab_size]
/// @return invalid_shape if the extents disagree or the vocabulary is empty, unsupported if it has
///         more than 2^23 tokens, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = 1024>
[[nodiscard]] status top_k(tensor_view<float, 2> values, tensor_view<int, 2> tokens,
                           tensor_view<T, 2> logits, stream_ref stream = {}) {
  constexpr const char* op = "top_k";
  if (status s = checks::sampling::top_k(op, values, tokens, logits); !s) return s;
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::top_k<std::remove_const_t<T>, block_threads<BlockSize, wave>, wave>;
    return launch(op, kernel{values, tokens, logits},
                  {logits.extent[0], device::divide_up(tokens.extent[1], kernel::block_ranks)},
                  stream);
  });
}

/// What `sample` draws from: the logits that the options leave, divided by the temperature;
/// -infinity for all others and for NaN. With a temperature of 0 the first of the largest is left,
/// as it is.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param filtered  [num_rows, vocab_size]  output; may be `logits` itself
/// @param logits    [num_rows, vocab_size]
/// @return as `sample`
template <class T, int BlockSize = 1024, class Logits = const T>
[[nodiscard]] status filter_logits(tensor_view<T, 2> filtered, tensor_view<Logits, 2> logits,
                                   const sampling_options& options = {}, stream_ref stream = {}) {
  static_assert(same_elements<Logits, T>,
                "filter_logits: logits must have the element type of filtered");
  constexpr const char* op = "filter_logits";
  if (status s =
          checks::all(checks::output(op, "filtered", filtered), checks::view(op, "logits", logits),
                      checks::same_extents(op, "filtered", filtered, logits),
                      checks::sampling::vocabulary(op, elements_as<const T>(logits)),
                      checks::sampling::options(op, options));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::filter_logits<T, block_threads<BlockSize, wave>, wave>;
    return launch(op, kernel{filtered, elements_as<const T>(logits), rules_of(options)},
                  {logits.extent[0]}, stream);
  });
}

/// Draws one token per row. top_k keeps the k largest logits; of these top_p keeps the smallest set
/// whose probabilities add up to top_p; of these min_p keeps the tokens that are at least min_p
/// times as likely as the likeliest. A candidate's probability is softmax(logit / temperature).
/// Wherever logits are equal, the lower id comes first. (This is llama.cpp's chain; a logit bias
/// and penalties come before it, see add_logit_bias and apply_penalties.)
///
/// The random number is Philox 4x32-10 of (position, sequence, 0, 0) under the key `seed`; the
/// token is the first id at which the running sum of probabilities exceeds it. Probabilities are
/// whole numbers of 2^-40 of the likeliest one's: equal logits and counters give the same token on
/// every platform, in any row, whatever BlockSize is. A logit 28 temperatures below the maximum has
/// none.
///
/// NaN is never drawn. Several logits of +infinity share all of the probability. A row of nothing
/// but NaN and -infinity gives token -1.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param tokens    [num_rows]  output
/// @param logits    [num_rows, vocab_size]
/// @param counters  [num_rows]  seed, sequence and position of each draw
/// @return invalid_shape if the extents disagree or the vocabulary is empty, unsupported if it has
///         more than 2^23 tokens, invalid_layout if a last axis is not contiguous, invalid_argument
///         for an option out of range
template <class T, int BlockSize = 1024>
[[nodiscard]] status sample(tensor_view<int, 1> tokens, tensor_view<T, 2> logits,
                            tensor_view<const draw_counter, 1> counters,
                            const sampling_options& options = {}, stream_ref stream = {}) {
  constexpr const char* op = "sample";
  if (status s = checks::all(
          checks::output(op, "tokens", tokens), checks::view(op, "logits", logits),
          checks::view(op, "counters", counters),
          checks::extent(op, "tokens", 0, tokens.extent[0], logits.extent[0]),
          checks::extent(op, "counters", 0, counters.extent[0], logits.extent[0]),
          checks::sampling::vocabulary(op, logits), checks::sampling::options(op, options));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::sample<std::remove_const_t<T>, block_threads<BlockSize, wave>, wave>;
    return launch(op, kernel{tokens, logits, counters, rules_of(options)}, {logits.extent[0]},
                  stream);
  });
}

/// Makes tokens of the history less likely: a logit above 0 is divided by `repeat`, any other is
/// multiplied by it; then `frequency` times the token's count, and `presence`, are subtracted.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param logits   [num_rows, vocab_size]  changed in place
/// @param history  [num_rows, num_tokens]  the last tokens of each row, in any order. A shorter
///                 history is filled up with -1: ids outside the vocabulary are ignored
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument if `repeat` is not above 0 or an option is not finite
template <class T, int BlockSize = default_block_size>
[[nodiscard]] status apply_penalties(tensor_view<T, 2> logits, tensor_view<const int, 2> history,
                                     const penalty_options& options, stream_ref stream = {}) {
  constexpr const char* op = "apply_penalties";
  if (status s =
          checks::all(checks::output(op, "logits", logits), checks::view(op, "history", history),
                      checks::extent(op, "history", 0, history.extent[0], logits.extent[0]),
                      checks::sampling::penalties(op, options));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::apply_penalties<T, block_threads<BlockSize, wave>, wave>;
    return launch(op, kernel{logits, history, options}, {logits.extent[0]}, stream);
  });
}

/// Adds biases to the logits of listed tokens. A token with a bias of -infinity is never drawn.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param logits  [num_rows, vocab_size]  changed in place
/// @param tokens  [num_rows, num_biases]  ids outside the vocabulary, such as -1, are ignored; a
///                token listed twice gets both biases. One list for all rows has stride 0
/// @param biases  [num_rows, num_biases]
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = default_block_size>
[[nodiscard]] status add_logit_bias(tensor_view<T, 2> logits, tensor_view<const int, 2> tokens,
                                    tensor_view<const float, 2> biases, stream_ref stream = {}) {
  constexpr const char* op = "add_logit_bias";
  if (status s = checks::all(checks::output(op, "logits", logits),
                             checks::view(op, "tokens", tokens), checks::view(op, "biases", biases),
                             checks::extent(op, "tokens", 0, tokens.extent[0], logits.extent[0]),
                             checks::same_extents(op, "biases", biases, tokens));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::add_logit_bias<T, block_threads<BlockSize, wave>, wave>;
    return launch(op, kernel{logits, tokens, biases}, {logits.extent[0]}, stream);
  });
}

/// Natural logarithms of the probabilities that softmax gives to listed tokens, such as the tokens
/// of `top_k`: log_p = logit - log(sum of e^logit). -infinity for NaN, for ids outside the
/// vocabulary, and in a row of nothing but NaN and -infinity.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param log_p   [num_rows, num_tokens]  output
/// @param logits  [num_rows, vocab_size]
/// @param tokens  [num_rows, num_tokens]
/// @return invalid_shape if the extents disagree or the vocabulary is empty, unsupported if it has
///         more than 2^23 tokens, invalid_layout if a last axis is not contiguous
template <class T, int BlockSize = 1024>
[[nodiscard]] status log_probabilities(tensor_view<float, 2> log_p, tensor_view<T, 2> logits,
                                       tensor_view<const int, 2> tokens, stream_ref stream = {}) {
  constexpr const char* op = "log_probabilities";
  if (status s = checks::all(checks::output(op, "log_p", log_p), checks::view(op, "logits", logits),
                             checks::view(op, "tokens", tokens),
                             checks::extent(op, "tokens", 0, tokens.extent[0], logits.extent[0]),
                             checks::same_extents(op, "log_p", log_p, tokens),
                             checks::sampling::vocabulary(op, logits));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel =
        kernels::log_probabilities<std::remove_const_t<T>, block_threads<BlockSize, wave>, wave>;
    return launch(op, kernel{log_p, logits, tokens}, {logits.extent[0]}, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
