// Which keys a query sees, by its position. Causal masks: Vaswani et al., "Attention Is All You
// Need", 2017; sliding windows: Beltagy et al., "Longformer", 2020.
#pragma once

#include "rocmforge/block/checks.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/status.hpp"

namespace rocmforge {

/// Which keys a query sees. The queries of a sequence are the last of its positions: query i of
/// q_len stands at position kv_len - q_len + i, so that the last query sees the last key.
struct attention_mask {
  bool causal = true;      // none after its own position
  int sliding_window = 0;  // only keys after position - sliding_window; 0: however far back

  /// The first key that query `row` sees; all from here to `end` are seen.
  ROCMFORGE_HOST_DEVICE constexpr int begin(int row, int q_len, int kv_len) const {
    const int count = kv_len - q_len + row + 1;  // keys up to the query's position
    return sliding_window == 0 || count < sliding_window ? 0 : count - sliding_window;
  }
  /// One more than the last key that query `row` sees.
  ROCMFORGE_HOST_DEVICE constexpr int end(int row, int q_len, int kv_len) const {
    const int count = causal ? kv_len - q_len + row + 1 : kv_len;
    return count < 0 ? 0 : count < kv_len ? count : kv_len;
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace checks {

inline status mask(const char* op, const attention_mask& m) {
  if (m.sliding_window >= 0) return {};
  return {status_code::invalid_argument,
          op,
          "sliding_window",
          "is {0}, expected 0 or more",
          {m.sliding_window}};
}

}  // namespace checks
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
