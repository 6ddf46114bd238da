// The interactive conversation.
#pragma once

#include <rocmforge/tokenizer.hpp>

#include "engine.hpp"
#include "options.hpp"

namespace decoder {

/// Reads one turn per line from standard input and writes the replies, until the input ends or
/// Ctrl-C is pressed at the prompt. The turns stay in the model's cache, so that each turn costs
/// only its own tokens.
void chat(engine& model, const rocmforge::tokenizer& tokenizer, const options& o);

}  // namespace decoder
