// Measures the speed of a model; the tokens do not matter.
#pragma once

#include "engine.hpp"
#include "report.hpp"

namespace decoder {

/// Appends `prompt_tokens` tokens at once and then `steps` tokens one by one, each followed by a
/// greedy choice. A first round with a few steps is the warm-up.
/// @throws rocmforge::error if all tokens together do not fit in the context
timing measure(engine& model, int prompt_tokens, int steps);

}  // namespace decoder
