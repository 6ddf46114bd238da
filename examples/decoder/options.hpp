// What the command line asks for.
#pragma once

#include <climits>
#include <optional>
#include <string>
#include <vector>

#include "engine.hpp"
#include "sampler.hpp"

namespace decoder {

enum class action { generate, chat, tokens_only, bench, list_devices, show_text };

struct options {
  action what = action::generate;
  std::string text_to_show;  // of action::show_text: the help or the version

  std::string model;
  std::optional<std::string> prompt;
  std::optional<std::string> system;
  bool raw = false;

  int max_tokens = INT_MAX;  // to generate; INT_MAX: until the text or the context ends
  sampling_options sampling;
  std::vector<std::string> stops;

  std::string device;  // empty: the first there is
  engine_options engine;
  bool quiet = false;

  bool json = false;
  int num_top_logits = 0;
  int bench_prompt_tokens = 0;
  int bench_steps = 0;
};

/// Reads the command line. The seed is drawn here if it is not given.
/// @throws rocmforge::error for anything that is not understood, out of range or contradictory
options parse_options(int num_arguments, const char* const* arguments);

}  // namespace decoder
