// What attention is asked for: options, and the sequences of a step.
#pragma once

#include <cstddef>
#include <span>

#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

/// How the keys of few queries are split over blocks (`plan_attention` makes one).
struct attention_plan {
  int num_chunks = 1;  // parts that the keys of a sequence are split into, at most
  int min_chunk = 64;  // keys of a part, at least; a power of two
};

/// Largest num_chunks of a plan.
inline constexpr int max_attention_chunks = 4096;

/// A plan, and the device memory that it needs.
struct attention_split {
  attention_plan plan = {};
  std::span<std::byte> workspace = {};  // aligned to 16 bytes, of attention_workspace_bytes(...)
};

/// Options of `attention` and `paged_attention`.
struct attention_options {
  float softmax_scale = 0;  // 0: 1 / sqrt(head_dim)
  bool causal = true;       // query i of q_len, at position kv_len - q_len + i, sees no later key
  float logits_soft_cap =
      0;                   // above 0: a score s becomes logits_soft_cap * tanh(s / logits_soft_cap)
  int sliding_window = 0;  // above 0: only keys after position - sliding_window are seen
  /// [num_heads] or empty, in device memory: a logit for each head that is added to the denominator
  /// of its softmax (and to `lse`) and has no value.
  tensor_view<const float, 1> sink = {};
  /// Where there are at most max_decode_queries queries: one block, or as many as the plan has
  /// chunks, for the keys of a sequence. Calls with the same workspace follow each other in one
  /// stream.
  attention_split split = {};
};

/// The sequences of one step, side by side: their queries follow each other in one [num_tokens,
/// ...] tensor, and their keys and values lie in pages. All arrays are in device memory.
struct paged_batch {
  tensor_view<const int, 1>
      q_begin;  // [batch + 1]  first token of each sequence, then the number of tokens
  tensor_view<const int, 1> kv_len;  // [batch]  keys of each sequence, those of this step included
  tensor_view<const int, 2>
      page_table;     // [batch, max_pages]  page p holds keys p * page_size and on
  int max_q_len = 0;  // the longest sequence's queries; sizes the launch
};

}  // namespace rocmforge
