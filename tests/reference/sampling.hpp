// argmax as a plain loop.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace rocmforge::testing::reference {

/// The index of the largest logit, the lowest of equal ones; NaN never wins, and 0 if there is
/// nothing else.
inline int argmax(const std::vector<double>& logits) {
  int best = -1;
  for (int i = 0; i < int(logits.size()); ++i) {
    const double logit = logits[std::size_t(i)];
    if (!std::isnan(logit) && (best < 0 || logit > logits[std::size_t(best)])) best = i;
  }
  return best < 0 ? 0 : best;
}

}  // namespace rocmforge::testing::reference
