// The interactive conversation.
#pragma once

#include <rocmforge/tokenizer.hpp>

#include "engine.hpp"
#include "options.hpp"

namespace decoder {

/// Reads one turn per line from standard input and writes the replies, until the input ends or
/// Ctrl-C is pressed at the prompt. Each turn writes the whole conversation; what the model's cache
/// has of it stays there.
void chat(engine& model, const rocmforge::tokenizer& tokenizer,
          const rocmforge::chat_writer& writer, const options& o);

}  // namespace decoder
