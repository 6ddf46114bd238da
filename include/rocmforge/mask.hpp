// Masks of attention: which keys a query sees, by its position. Vaswani et al., "Attention Is All
// You Need", 2017; sliding windows: Beltagy et al., "Longformer", 2020.
#pragma once

#include "rocmforge/platform/macros.hpp"

namespace rocmforge {

/// Which keys a query sees. The queries of a sequence are the last of its positions: query i of
/// q_len stands at position kv_len - q_len + i, so that the last query sees the last key.
struct attention_mask {
  bool causal = true;   // none after its own position
  int window_left = 0;  // only keys after position - window_left; 0: however far back

  /// The first key that query `row` sees; all from here to `end` are seen.
  ROCMFORGE_HOST_DEVICE constexpr int begin(int row, int q_len, int kv_len) const {
    const int first = kv_len - q_len + row - window_left + 1;
    return window_left == 0 || first < 0 ? 0 : first;
  }
  /// One more than the last key that query `row` sees.
  ROCMFORGE_HOST_DEVICE constexpr int end(int row, int q_len, int kv_len) const {
    const int count = causal ? kv_len - q_len + row + 1 : kv_len;
    return count < 0 ? 0 : count < kv_len ? count : kv_len;
  }
};

}  // namespace rocmforge
