// The speed of a model, whatever it says.
#pragma once

#include "engine.hpp"
#include "report.hpp"

namespace decoder {

/// Appends `prompt_tokens` tokens and then `steps` single ones, twice: the first round, of a few
/// steps, warms up.
/// @throws rocmforge::error if they do not fit in the context together
timing measure(engine& model, int prompt_tokens, int steps);

}  // namespace decoder
