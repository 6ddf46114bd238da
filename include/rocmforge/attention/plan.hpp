// How the keys of a few queries are split over blocks. Dao et al., "Flash-Decoding", 2023.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "rocmforge/attention/options.hpp"
#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/platform/types.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

/// The largest problem that a plan is for.
struct attention_limits {
  int num_heads = 1, num_kv_heads = 1;
  int head_dim = 128;  // of keys or of values, whichever is larger
  int max_kv_len = 1;  // keys of a sequence
  int max_batch = 1;   // sequences
  int max_q_len = 1;   // queries of a sequence, where they are few
};

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Queries (heads of one group times rows) that one block of kernels::attention_decode processes.
inline constexpr int attention_decode_rows = 4;

/// The chunk of keys that a block of kernels::attention_decode takes, and where its result goes.
struct attention_chunks {
  int num_chunks = 1;              // of a sequence, at most; 1: straight to the output
  int min_chunk_bits = 0;          // a chunk has at least 2^min_chunk_bits keys
  tensor_view<float, 5> states{};  // [num_chunks, batch, num_heads, q_len, v_head_dim]
  tensor_view<float, 4> lse{};     // [num_chunks, batch, num_heads, q_len]

  struct range {
    int begin, end;
  };
  /// The keys of chunk `chunk` of a sequence whose queries see the keys `begin` to `end`. Chunks
  /// are multiples of their size apart and the first one has key `begin`; their size is the
  /// smallest power of two with which num_chunks of them reach `end`. So it depends on nothing but
  /// the sequence itself. Chunks beyond the last are empty.
  ROCMFORGE_HOST_DEVICE constexpr range of(int chunk, int begin, int end) const {
    int bits = min_chunk_bits;
    while (((end - 1) >> bits) - (begin >> bits) >= num_chunks) ++bits;
    const int index = (begin >> bits) + chunk;
    if (index > (end - 1) >> bits) return {0, 0};
    return {index << bits, (index + 1) << bits};
  }
};

namespace attention_launch {

inline constexpr std::int64_t max_workspace_elements = std::int64_t{1} << 58;

/// Elements of the workspace, or -1 if they cannot be counted.
inline std::int64_t workspace_elements(const attention_plan& plan, int batch, int num_heads,
                                       int q_len, int v_head_dim) {
  if (plan.num_chunks <= 1) return 0;
  if (!checks::product_fits(max_workspace_elements, plan.num_chunks, batch, num_heads, q_len,
                            std::int64_t{v_head_dim} + 1)) {
    return -1;
  }
  // Unsigned while it multiplies: an extent of 0 may follow large ones.
  std::uint64_t product = 1;
  for (const int extent : {plan.num_chunks, batch, num_heads, q_len})
    product *= static_cast<std::uint64_t>(extent);
  return static_cast<std::int64_t>(product * (static_cast<std::uint64_t>(v_head_dim) + 1));
}

/// What kernels are told of a split; its workspace is of that many elements.
inline attention_chunks chunks_of(const attention_split& split, int batch, int num_heads, int q_len,
                                  int v_head_dim) {
  attention_chunks chunks;
  if (split.plan.num_chunks <= 1) return chunks;
  chunks.num_chunks = split.plan.num_chunks;
  while (1 << chunks.min_chunk_bits < split.plan.min_chunk) ++chunks.min_chunk_bits;
  auto* const memory = reinterpret_cast<float*>(split.workspace.data());
  chunks.states = make_view(memory, chunks.num_chunks, batch, num_heads, q_len, v_head_dim);
  chunks.lse = make_view(memory + chunks.states.size(), chunks.num_chunks, batch, num_heads, q_len);
  return chunks;
}

}  // namespace attention_launch

/// Bytes of workspace that `attention` and `paged_attention` need with this plan: the output and
/// the lse of each chunk in float. 0 if the plan has one chunk.
///
/// @param batch       sequences
/// @param num_heads   of queries
/// @param q_len       queries of a sequence; of paged_attention, max_q_len
/// @param v_head_dim  of the output
inline std::size_t attention_workspace_bytes(const attention_plan& plan, int batch, int num_heads,
                                             int q_len, int v_head_dim) {
  const std::int64_t elements =
      attention_launch::workspace_elements(plan, batch, num_heads, q_len, v_head_dim);
  return elements < 0 ? std::numeric_limits<std::size_t>::max()
                      : static_cast<std::size_t>(elements) * sizeof(float);
}

/// A plan for a device and for all problems up to `limits`: as many chunks as keep the device busy
/// with one sequence, and no more. On the processor one chunk.
inline attention_plan plan_attention(const device_properties& device,
                                     const attention_limits& limits) {
  attention_plan plan;
  // A block of the processor is a task for one of few threads: splitting would only add work.
  if (device.wave_size == 1 || limits.num_heads < 1 || limits.num_kv_heads < 1) return plan;
  // Eight waves a compute unit hide the latency of memory from each other. The size of a chunk is
  // a power of two, so that a long sequence has between half of num_chunks chunks and all of them.
  constexpr int blocks_per_unit = 8 / split_block_waves;
  // Fewer keys leave lanes of a block without any: this many of 16-bit elements it takes at a time.
  const int step = 8192 / std::max(1, std::min(limits.head_dim, 8192));
  while (plan.min_chunk < step) plan.min_chunk *= 2;
  // The start of a block and its result cost about as much as a hundred keys. Where several
  // sequences fill the device together, chunks are longer.
  for (int sequences = 1; sequences < std::min(limits.max_batch, 8); sequences *= 2)
    plan.min_chunk *= 2;
  const int group = limits.num_heads / limits.num_kv_heads;
  const std::int64_t blocks = std::int64_t{limits.num_kv_heads} *
                              device::divide_up(std::max(1, group), attention_decode_rows);
  const std::int64_t wanted =
      device::divide_up(std::int64_t{blocks_per_unit} * device.num_compute_units, blocks);
  const std::int64_t most = device::divide_up(std::max(1, limits.max_kv_len), plan.min_chunk);
  plan.num_chunks =
      static_cast<int>(std::min<std::int64_t>({2 * wanted, most, max_attention_chunks}));
  // For many sequences there are blocks enough, and the results of chunks should not cost memory
  // that the cache could have.
  constexpr std::size_t max_workspace_bytes = std::size_t{128} << 20;
  while (plan.num_chunks > 1 &&
         attention_workspace_bytes(plan, limits.max_batch, limits.num_heads, limits.max_q_len,
                                   limits.head_dim) > max_workspace_bytes) {
    plan.num_chunks /= 2;
  }
  return plan;
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
