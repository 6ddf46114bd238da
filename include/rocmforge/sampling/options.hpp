// How the next token is chosen.
#pragma once

namespace rocmforge {

/// What may be drawn, in the order in which it applies. The defaults are llama.cpp's.
struct sampling_options {
  int top_k = 40;             ///< the k likeliest; 0 or less: all
  float top_p = 0.95f;        ///< of them the smallest set of at least this probability; 1: all
  float min_p = 0.05f;        ///< of them those at least this times as likely as the first; 0: all
  float temperature = 0.80f;  ///< divides the remaining logits; 0: the likeliest token is taken
};

/// Penalties for tokens of the history. The defaults leave all logits as they are.
struct penalty_options {
  float repeat = 1;     ///< of a token that occurs: divides a logit above 0, multiplies any other
  float frequency = 0;  ///< subtracted for each occurrence
  float presence = 0;   ///< subtracted once
};

}  // namespace rocmforge
