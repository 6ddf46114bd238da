// Rotary position embedding: pair i of a head is rotated by position * theta^(-2i / rotary_dim).
// Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.
#pragma once

#include <cmath>
#include <type_traits>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/block/sincos.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/packet_pairs.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

/// Which elements of a head are a pair.
enum class rope_layout {
  interleaved,  // 2i and 2i + 1
  half_split    // i and i + rotary_dim / 2
};

struct rope_options {
  float theta = 10000;  // above 0
  rope_layout layout = rope_layout::interleaved;
  int rotary_dim = 0;        // elements of a head that are rotated, the first ones; 0: head_dim
  float position_scale = 1;  // positions are multiplied by it; they need not stay whole
  /// [rotary_dim / 2] on the device, divides the angle of each pair; or empty
  tensor_view<const float, 1> frequency_factors = {};
};

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {

/// One block per token (on the host, for several): it first computes cosine and sine of every pair,
/// then rotates the pairs of all heads.
template <class T, int BlockSize, int WaveSize>
struct rope {
  static_assert(BlockSize % WaveSize == 0, "rope: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  /// Pairs of the table that a lane computes at once. Double arithmetic is slow on most GPUs: there
  /// they are spread thin.
  static constexpr int table_elements = WaveSize == 1 ? packet_size<float, WaveSize> : 1;
  static constexpr int max_pairs = 256;
  struct shared_storage {
    float cosine[max_pairs];
    float sine[max_pairs];
  };

  tensor_view<T, 3> y;                            // [num_tokens, num_heads, head_dim]
  tensor_view<const T, 3> x;                      // [num_tokens, num_heads, head_dim]
  tensor_view<const int, 1> positions;            // [num_tokens]
  tensor_view<const float, 1> frequency_factors;  // [num_pairs] or empty
  rope_layout layout;
  int num_pairs;
  double position_scale;
  double ratio;          // of the frequencies of two neighbouring pairs: theta^(-1 / num_pairs)
  int num_block_tokens;  // tokens that a block takes; on a GPU one

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    for_each_row(block, num_block_tokens, y.extent[0], [&](int token) {
      fill_table(block, positions(token) * position_scale, shared);
      block.barrier();
      if (layout == rope_layout::interleaved) {
        rotate(block, slice(y, token), slice(x, token), shared, std::true_type{});
      } else {
        rotate(block, slice(y, token), slice(x, token), shared, std::false_type{});
      }
      block.barrier();  // before the next token's table
    });
  }

  /// Angles are computed and reduced in double: at position 131071 a float angle has no more than
  /// three decimals left.
  ROCMFORGE_DEVICE void fill_table(block_context<BlockSize, WaveSize> block, double position,
                                   shared_storage& shared) const {
    for (int first = block.thread * table_elements; first < num_pairs;
         first += BlockSize * table_elements) {
      packet<float, table_elements> rest(0.0f);
      packet<int, table_elements> quadrant(0);
      double angle = position * power(ratio, first);
      ROCMFORGE_UNROLL
      for (int i = 0; i < table_elements; ++i) {
        const bool divided = first + i < frequency_factors.extent[0];
        const reduced_angle reduced =
            reduce_angle(divided ? angle / frequency_factors(first + i) : angle);
        rest.set(i, reduced.rest);
        quadrant.set(i, reduced.quadrant);
        angle *= ratio;
      }
      const auto [sine, cosine] = sincos(rest, quadrant);
      store_packet(shared.cosine + first, cosine);  // max_pairs is a whole number of packets
      store_packet(shared.sine + first, sine);
    }
  }

  ROCMFORGE_DEVICE static double power(double base, int exponent) {
    double result = 1;
    for (; exponent != 0; exponent /= 2, base *= base) {
      if (exponent % 2 != 0) result *= base;
    }
    return result;
  }

  template <bool Interleaved>
  ROCMFORGE_DEVICE void rotate(block_context<BlockSize, WaveSize> block, tensor_view<T, 2> to,
                               tensor_view<const T, 2> from, const shared_storage& shared,
                               std::bool_constant<Interleaved>) const {
    constexpr int N = packet_elements;
    for_each_packet_of_rows<N>(block, from.extent[0], num_pairs, [&](int head, auto at) {
      const T* in = slice(from, head).data;
      T* out = slice(to, head).data;
      const auto cosine = load(shared.cosine, at), sine = load(shared.sine, at);
      const auto [a, b] = Interleaved ? load_interleaved(in, at)
                                      : packet_pair<N>{load(in, at), load(in + num_pairs, at)};
      const packet_pair<N> rotated{a * cosine - b * sine, fma(b, cosine, a * sine)};
      if constexpr (Interleaved) {
        store_interleaved(out, at, rotated);
      } else {
        store(out, at, rotated.first);
        store(out + num_pairs, at, rotated.second);
      }
    });
    const int rest = 2 * num_pairs;
    const int num_rest = from.extent[1] - rest;
    for_each_packet_of_rows<N>(block, from.extent[0], num_rest, [&](int head, auto at) {
      store(slice(to, head).data + rest, at, load(slice(from, head).data + rest, at));
    });
  }

  template <int N, int Slot, bool Whole>
  ROCMFORGE_DEVICE static packet_pair<N> load_interleaved(const T* in,
                                                          packet_position<N, Slot, Whole> at) {
    in += 2 * at.index;
    if constexpr (Whole) return unzip<N>({load_packet<N>(in), load_packet<N>(in + N)});
    return unzip<N>({load_packet<N>(in, 2 * at.count), load_packet<N>(in + N, 2 * at.count - N)});
  }

  template <int N, int Slot, bool Whole>
  ROCMFORGE_DEVICE static void store_interleaved(T* out, packet_position<N, Slot, Whole> at,
                                                 const packet_pair<N>& value) {
    out += 2 * at.index;
    const packet_pair<N> pairs = zip(value);
    if constexpr (Whole) {
      store_packet(out, pairs.first);
      store_packet(out + N, pairs.second);
    } else {
      store_packet(out, pairs.first, 2 * at.count);
      store_packet(out + N, pairs.second, 2 * at.count - N);
    }
  }
};

}  // namespace kernels

/// Rotates the pairs (a, b) of each head to (a cos - b sin, b cos + a sin), where pair i of a token
/// has the angle position * position_scale * theta^(-2i / rotary_dim) / frequency_factors[i].
/// Elements from rotary_dim on are copied. Exact to float's accuracy for angles up to 10^8.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param y          [num_tokens, num_heads, head_dim]  output; may be `x` itself
/// @param x          [num_tokens, num_heads, head_dim]
/// @param positions  [num_tokens]  in tokens
/// @param options    see rope_options
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous,
///         invalid_argument for a rotary_dim that is odd or not within head_dim and for a theta or
///         position_scale that is not finite and above 0, unsupported for a rotary_dim above 512
template <class T, int BlockSize = default_block_size>
[[nodiscard]] status rope(tensor_view<T, 3> y, identity_t<tensor_view<const T, 3>> x,
                          identity_t<tensor_view<const int, 1>> positions,
                          const rope_options& options = {}, stream_ref stream = {}) {
  constexpr const char* op = "rope";
  const tensor_view<const float, 1>& factors = options.frequency_factors;
  const int head_dim = y.extent[2];
  const int rotary_dim = options.rotary_dim != 0 ? options.rotary_dim : head_dim;
  if (status s = checks::all(checks::view(op, "y", y), checks::view(op, "x", x),
                             checks::view(op, "positions", positions),
                             checks::view(op, "frequency_factors", factors),
                             checks::same_extents(op, "x", x, y),
                             checks::extent(op, "positions", 0, positions.extent[0], y.extent[0]));
      !s) {
    return s;
  }
  if (rotary_dim < 0 || rotary_dim % 2 != 0 || rotary_dim > head_dim) {
    return {status_code::invalid_argument,
            op,
            "rotary_dim",
            "is {0}, expected an even number up to head_dim, which is {1}",
            {rotary_dim, head_dim}};
  }
  if (factors.extent[0] != 0) {
    const int expected = rotary_dim / 2;
    status s = checks::extent(op, "frequency_factors", 0, factors.extent[0], expected);
    if (!s) return s;
  }
  if (!(options.theta > 0) || !std::isfinite(options.theta)) {
    return {status_code::invalid_argument, op, "theta", "must be finite and above 0", {}};
  }
  if (!(options.position_scale > 0) || !std::isfinite(options.position_scale)) {
    return {status_code::invalid_argument, op, "position_scale", "must be finite and above 0", {}};
  }
  if (rotary_dim / 2 > kernels::rope<T, 1, 1>::max_pairs) {
    return {status_code::unsupported,
            op,
            "rotary_dim",
            "is {0}; there are kernels for up to {1}",
            {rotary_dim, 2 * kernels::rope<T, 1, 1>::max_pairs}};
  }
  if (y.size() == 0) return {};
  return dispatch_wave_size(op, stream, [&](auto wave) {
    using kernel = kernels::rope<T, lanes<BlockSize, wave>, wave>;
    const int tokens = rows_per_block<wave>(y.size() / y.extent[0]);
    const double ratio = std::pow(static_cast<double>(options.theta), -2.0 / rotary_dim);
    return launch(op,
                  kernel{y, x, positions, factors, options.layout, rotary_dim / 2,
                         options.position_scale, ratio, tokens},
                  {divide_up(y.extent[0], tokens)}, stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
