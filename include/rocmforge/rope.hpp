// Rotary position embedding: pair i of a head is rotated by position * theta^(-2i / rotary_dim).
// Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.
#pragma once

#include <type_traits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/norm.hpp"
#include "rocmforge/rope/options.hpp"
#include "rocmforge/rope/rotation.hpp"
#include "rocmforge/rope/scaling.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {
using namespace device;

/// Calls `f(std::bool_constant<interleaved>{})`.
template <class F>
ROCMFORGE_DEVICE void with_layout(rope_layout layout, const F& f) {
  if (layout == rope_layout::interleaved) {
    f(std::true_type{});
  } else {
    f(std::false_type{});
  }
}

/// Rotates the heads of a token: `to` and `from` are [num_heads, head_dim] of any element types.
template <int N, int BlockSize, int WaveSize, class TOut, class T>
ROCMFORGE_DEVICE void rotate_heads(block_context<BlockSize, WaveSize> block,
                                   tensor_view<TOut, 2> to, tensor_view<const T, 2> from,
                                   const rope_table& table, rope_layout layout, int num_pairs) {
  with_layout(layout, [&](auto interleaved) {
    for_each_packet_of_rows<N>(block, from.extent[0], num_pairs, [&](int head, auto at) {
      store_pairs<interleaved>(
          slice(to, head).data, at, num_pairs,
          table.rotate(load_pairs<interleaved>(slice(from, head).data, at, num_pairs), at));
    });
  });
  const int rest = 2 * num_pairs;
  const int num_rest = from.extent[1] - rest;
  for_each_packet_of_rows<N>(block, from.extent[0], num_rest, [&](int head, auto at) {
    store(slice(to, head).data + rest, at, load(slice(from, head).data + rest, at));
  });
}

/// One block per token (on the host, for several): it first computes cosine and sine of every pair,
/// then rotates the pairs of all heads.
template <class T, int BlockSize, int WaveSize>
struct rope {
  static_assert(BlockSize % WaveSize == 0, "rope: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  using shared_storage = rope_table;

  tensor_view<T, 3> y;        // [num_tokens, num_heads, head_dim]
  tensor_view<const T, 3> x;  // [num_tokens, num_heads, head_dim]
  rope_angles angles;
  int num_block_tokens;  // tokens that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& table) const {
    for_each_row(block, num_block_tokens, y.extent[0], [&](int token) {
      angles.fill(block, token, table);
      block.barrier();
      rotate_heads<packet_size<T, WaveSize>>(block, slice(y, token), slice(x, token), table,
                                             angles.layout, angles.num_pairs);
      block.barrier();  // before the next token's table
    });
  }
};

/// As rope for the heads of q and of k, each of which is first divided by its root mean square and
/// multiplied by its weights. A few lanes of a wave share a head, which they read twice, the second
/// time from the cache; nothing is rounded in between.
template <class T, int BlockSize, int WaveSize>
struct qk_norm_rope {
  static_assert(BlockSize % WaveSize == 0,
                "qk_norm_rope: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  using shared_storage = rope_table;

  struct heads {
    tensor_view<T, 3> y;             // [num_tokens, num_heads, head_dim]
    tensor_view<const T, 3> x;       // [num_tokens, num_heads, head_dim]
    tensor_view<const T, 1> weight;  // [head_dim]
  };
  heads q, k;
  float epsilon, weight_offset;
  rope_angles angles;
  int num_block_tokens;  // tokens that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& table) const {
    for_each_row(block, num_block_tokens, q.y.extent[0], [&](int token) {
      angles.fill(block, token, table);
      block.barrier();
      with_layout(angles.layout, [&](auto interleaved) {
        for (int i = 0; i < 2; ++i) {
          const qk_norm_rope& again = reloaded(*this);
          again.template norm_and_rotate<interleaved>(block, i == 0 ? again.q : again.k, token,
                                                      table);
        }
      });
      block.barrier();  // before the next token's table
    });
  }

 private:
  template <bool Interleaved>
  ROCMFORGE_DEVICE void norm_and_rotate(block_context<BlockSize, WaveSize> block, const heads& h,
                                        int token, const rope_table& table) const {
    using floats = packet<float, packet_elements>;
    const int num_heads = h.x.extent[1], head_dim = h.x.extent[2], num_pairs = angles.num_pairs;
    int lanes = 1;  // that share a head: as many as it has pairs of packets, at most a wave
    while (lanes < WaveSize && 2 * lanes * packet_elements < head_dim) lanes *= 2;
    const int lane = block.thread % lanes;
    const floats offset(weight_offset);
    // All lanes of a wave go round as often, because they meet in the sum.
    for (int first = 0; first < num_heads; first += BlockSize / lanes) {
      const int head = first + block.thread / lanes;
      const bool present = head < num_heads;
      const T* from = slice(h.x, token, present ? head : 0).data;
      floats squares(0.0f);
      for_few_packets(lane, lanes, present ? head_dim : 0, [&](auto at) {
        const floats value = load(from, at);
        squares = fma(value, value, squares);
      });
      const float sum = reduce_group(horizontal_sum(squares), add_op{}, block, lanes);
      const floats factor(rms_scale{epsilon}(sum, head_dim));
      T* to = slice(h.y, token, present ? head : 0).data;
      for_few_packets(lane, lanes, present ? num_pairs : 0, [&](auto at) {
        const auto x = load_pairs<Interleaved>(from, at, num_pairs),
                   w = load_pairs<Interleaved>(h.weight.data, at, num_pairs);
        const packet_pair<packet_elements> normed{x.first * factor * (w.first + offset),
                                                  x.second * factor * (w.second + offset)};
        store_pairs<Interleaved>(to, at, num_pairs, table.rotate(normed, at));
      });
      const int rest = 2 * num_pairs;
      for_few_packets(lane, lanes, present ? head_dim - rest : 0, [&](auto at) {
        const floats weight = load(h.weight.data + rest, at) + offset;
        store(to + rest, at, load(from + rest, at) * factor * weight);
      });
    }
  }

  /// As for_each_packet, but one packet at a time: a lane has one or two of a head.
  template <class F>
  ROCMFORGE_DEVICE static void for_few_packets(int lane, int lanes, int size, const F& f) {
    constexpr int N = packet_elements;
    for (int index = lane * N; index < size; index += lanes * N) {
      if (index + N <= size) {
        f(packet_position<N, 0, true>{index, N});
      } else {
        f(packet_position<N, 0, false>{index, size - index});
      }
    }
  }
};

}  // namespace kernels

/// Rotates the pairs (a, b) of each head to (a cos - b sin, b cos + a sin) * attention_factor,
/// where pair i of a token has the angle position * position_scale * theta^(-2i / rotary_dim) /
/// frequency_factors[i]. Elements from rotary_dim on are copied. Exact to float's accuracy for
/// angles up to 10^8.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y          [num_tokens, num_heads, head_dim]  output; may be `x` itself
/// @param x          [num_tokens, num_heads, head_dim]
/// @param positions  int or float, [num_tokens] or [num_sections, num_tokens]  in tokens
/// @param options    see rope_options
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument for a rotary_dim that is odd or not within head_dim, for a theta or
///         position_scale that is not finite and above 0, for an attention_factor that is not
///         finite, and for sections that have not all pairs between them, unsupported for a
///         rotary_dim above 512
template <class T, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status rope(tensor_view<T, 3> y, tensor_view<X, 3> x, const rope_positions& positions,
                          const rope_options& options, stream_ref stream = {}) {
  static_assert(same_elements<X, T>, "rope: x must have the element type of y");
  constexpr const char* op = "rope";
  if (status s = checks::all(
          checks::output(op, "y", y), checks::view(op, "x", x), checks::same_extents(op, "x", x, y),
          checks::rope::options(op, positions, options, y.extent[0], y.extent[2]));
      !s) {
    return s;
  }
  if (y.size() == 0) return {};
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::rope<T, block_threads<BlockSize, wave>, wave>;
    const int tokens = device::rows_per_block<wave>(y.size() / y.extent[0]);
    return launch(
        op,
        kernel{y, elements_as<const T>(x), rope_angles_of(positions, options, y.extent[2]), tokens},
        {device::divide_up(y.extent[0], tokens)}, stream);
  });
}

/// The norm of each query's and key's head, and their rotation, in one launch: y = rope(rms_norm(x)
/// * weight) for q and for k, where the mean is over head_dim and nothing is rounded in between.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param q_out      [num_tokens, num_heads, head_dim]  output; may be `q` itself
/// @param k_out      [num_tokens, num_kv_heads, head_dim]  output; may be `k` itself
/// @param q          [num_tokens, num_heads, head_dim]
/// @param k          [num_tokens, num_kv_heads, head_dim]
/// @param q_weight   [head_dim]
/// @param k_weight   [head_dim]
/// @param positions  as rope's
/// @param options    as rope's
/// @param norm       see rms_norm_options
/// @return as rope, and invalid_argument for what rms_norm refuses
template <class T, int BlockSize = default_block_size, class KOut = T, class Q = const T,
          class K = const T, class QWeight = const T, class KWeight = const T>
[[nodiscard]] status qk_norm_rope(tensor_view<T, 3> q_out, tensor_view<KOut, 3> k_out,
                                  tensor_view<Q, 3> q, tensor_view<K, 3> k,
                                  tensor_view<QWeight, 1> q_weight,
                                  tensor_view<KWeight, 1> k_weight, const rope_positions& positions,
                                  const rope_options& options, const rms_norm_options& norm = {},
                                  stream_ref stream = {}) {
  static_assert(same_elements<KOut, T>, "qk_norm_rope: k_out must have the element type of q_out");
  static_assert(same_elements<Q, T>, "qk_norm_rope: q must have the element type of q_out");
  static_assert(same_elements<K, T>, "qk_norm_rope: k must have the element type of q_out");
  static_assert(same_elements<QWeight, T>,
                "qk_norm_rope: q_weight must have the element type of q_out");
  static_assert(same_elements<KWeight, T>,
                "qk_norm_rope: k_weight must have the element type of q_out");
  constexpr const char* op = "qk_norm_rope";
  const int num_tokens = q.extent[0], head_dim = q.extent[2];
  if (status s = checks::all(checks::output(op, "q_out", q_out), checks::output(op, "k_out", k_out),
                             checks::view(op, "q", q), checks::view(op, "k", k),
                             checks::view(op, "q_weight", q_weight),
                             checks::view(op, "k_weight", k_weight),
                             checks::same_extents(op, "q_out", q_out, q),
                             checks::extent(op, "k", 0, k.extent[0], num_tokens),
                             checks::extent(op, "k", 2, k.extent[2], head_dim),
                             checks::same_extents(op, "k_out", k_out, k),
                             checks::extent(op, "q_weight", 0, q_weight.extent[0], head_dim),
                             checks::extent(op, "k_weight", 0, k_weight.extent[0], head_dim),
                             checks::norm::options(op, norm),
                             checks::rope::options(op, positions, options, num_tokens, head_dim));
      !s) {
    return s;
  }
  if (q.size() + k.size() == 0) return {};
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = kernels::qk_norm_rope<T, block_threads<BlockSize, wave>, wave>;
    const int tokens = device::rows_per_block<wave>((q.size() + k.size()) / num_tokens);
    return launch(
        op,
        kernel{{q_out, elements_as<const T>(q), elements_as<const T>(q_weight)},
               {elements_as<T>(k_out), elements_as<const T>(k), elements_as<const T>(k_weight)},
               norm.epsilon,
               norm.weight_offset,
               rope_angles_of(positions, options, head_dim),
               tokens},
        {device::divide_up(num_tokens, tokens)}, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
