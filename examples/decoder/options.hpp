// The options of the command line.
#pragma once

#include <climits>
#include <optional>
#include <string>
#include <vector>

#include "engine.hpp"
#include "token_chooser.hpp"

namespace decoder {

enum class action { generate, chat, tokens_only, bench, list_devices, show_text };

struct options {
  action what = action::generate;
  std::string text_to_show;  // for action::show_text: the help or the version

  std::string model;
  std::optional<std::string> prompt;
  std::optional<std::string> system;
  bool raw = false;
  std::optional<std::string> chat_template;  // a name or a file; absent: the model's own

  int max_tokens =
      INT_MAX;  // tokens to generate; INT_MAX: until the text ends or the context is full
  choice_options choice;
  std::vector<std::string> stops;

  std::string device;  // empty: the first device
  engine_options engine;
  bool quiet = false;

  bool json = false;
  int num_top_logits = 0;
  int bench_prompt_tokens = 0;
  int bench_steps = 0;
};

/// Parses the command line. If no seed is given, a random one is set.
/// @throws rocmforge::error for unknown options, values out of range and contradictions
options parse_options(int num_arguments, const char* const* arguments);

}  // namespace decoder
