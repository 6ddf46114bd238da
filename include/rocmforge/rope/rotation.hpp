// Shared by the kernels that rotate: the table of cosines and sines of a token, and loads and
// stores of pairs in either layout.
#pragma once

#include <cmath>
#include <cstdint>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/block/sincos.hpp"
#include "rocmforge/platform/packet_pairs.hpp"
#include "rocmforge/rope/options.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

// ---- pairs of a row in either layout ----

namespace device {

/// The pairs at `at`, counted in pairs, of a row whose first 2 * num_pairs elements are pairs.
template <bool Interleaved, int N, int Slot, bool Whole, class T>
ROCMFORGE_DEVICE packet_pair<N> load_pairs(const T* row, packet_position<N, Slot, Whole> at,
                                           int num_pairs) {
  if constexpr (!Interleaved) {
    return {load(row, at), load(row + num_pairs, at)};
  } else {
    row += 2 * at.index;
    if constexpr (Whole) return unzip<N>({load_packet<N>(row), load_packet<N>(row + N)});
    return unzip<N>({load_packet<N>(row, 2 * at.count), load_packet<N>(row + N, 2 * at.count - N)});
  }
}

template <bool Interleaved, int N, int Slot, bool Whole, class T>
ROCMFORGE_DEVICE void store_pairs(T* row, packet_position<N, Slot, Whole> at, int num_pairs,
                                  const packet_pair<N>& value) {
  if constexpr (!Interleaved) {
    store(row, at, value.first);
    store(row + num_pairs, at, value.second);
  } else {
    row += 2 * at.index;
    const packet_pair<N> pairs = zip(value);
    if constexpr (Whole) {
      store_packet(row, pairs.first);
      store_packet(row + N, pairs.second);
    } else {
      store_packet(row, pairs.first, 2 * at.count);
      store_packet(row + N, pairs.second, 2 * at.count - N);
    }
  }
}

}  // namespace device

// ---- the angles of a token ----

/// Cosine and sine of every pair of a token, in shared memory.
struct rope_table {
  static constexpr int max_pairs = 256;
  float cosine[max_pairs];
  float sine[max_pairs];

  template <int N, int Slot, bool Whole>
  ROCMFORGE_DEVICE packet_pair<N> rotate(const packet_pair<N>& pair,
                                         device::packet_position<N, Slot, Whole> at) const {
    const auto c = load(cosine, at), s = load(sine, at);
    return {pair.first * c - pair.second * s, fma(pair.second, c, pair.first * s)};
  }
};

/// The angle of pair i of a token: position * position_scale * ratio^i / frequency_factors[i].
struct rope_angles {
  rope_positions positions;
  tensor_view<const float, 1> frequency_factors;  // [num_pairs] or empty
  rope_layout layout;
  rope_sections section_order;
  int sections[4];
  int num_pairs;
  float attention_factor;
  double position_scale;
  double ratio;  // of the frequencies of two neighboring pairs: theta^(-1 / num_pairs)

  /// Angles are computed and reduced in double: at position 131071 a float angle has no more than
  /// three decimals left.
  template <int BlockSize, int WaveSize>
  ROCMFORGE_DEVICE void fill(block_context<BlockSize, WaveSize> block, int token,
                             rope_table& table) const {
    // Pairs that a lane computes at once. Double arithmetic is slow on most GPUs: there they are
    // spread thin.
    constexpr int N = WaveSize == 1 ? packet_size<float, WaveSize> : 1;
    const bool one_position = num_sections() == 1;
    const double position = scaled_position(0, token);
    for (int first = block.thread * N; first < num_pairs; first += BlockSize * N) {
      packet<float, N> rest(0.0f);
      packet<int, N> quadrant(0);
      double frequency = power(ratio, first);
      ROCMFORGE_UNROLL
      for (int i = 0; i < N; ++i) {
        const int pair = first + i;
        double angle =
            (one_position ? position : scaled_position(section_of(pair), token)) * frequency;
        if (pair < frequency_factors.extent[0]) angle = angle / frequency_factors(pair);
        const device::reduced_angle reduced = device::reduce_angle(angle);
        rest.set(i, reduced.rest);
        quadrant.set(i, reduced.quadrant);
        frequency *= ratio;
      }
      const auto [sine, cosine] = sincos(rest, quadrant);
      // max_pairs is a whole number of packets
      store_packet(table.cosine + first, cosine * attention_factor);
      store_packet(table.sine + first, sine * attention_factor);
    }
  }

 private:
  ROCMFORGE_DEVICE int num_sections() const {
    return fractional() ? positions.fractional.extent[0] : positions.whole.extent[0];
  }
  ROCMFORGE_DEVICE bool fractional() const { return positions.fractional.data != nullptr; }
  ROCMFORGE_DEVICE double scaled_position(int section, int token) const {
    return position_scale * (fractional()
                                 ? static_cast<double>(positions.fractional(section, token))
                                 : static_cast<double>(positions.whole(section, token)));
  }
  ROCMFORGE_DEVICE int section_of(int pair) const {
    if (section_order == rope_sections::interleaved) {
      const int section = pair % 3;
      return pair < 3 * (section == 1 ? sections[1] : sections[2]) ? section : 0;
    }
    const int second = sections[0], third = second + sections[1], fourth = third + sections[2];
    return (pair >= second) + (pair >= third) + (pair >= fourth);
  }
  ROCMFORGE_DEVICE static double power(double base, int exponent) {
    double result = 1;
    for (; exponent != 0; exponent /= 2, base *= base) {
      if (exponent % 2 != 0) result *= base;
    }
    return result;
  }
};

// ---- for the launchers ----

/// Elements of a head that are rotated.
inline int rotary_dim_of(const rope_options& options, int head_dim) {
  return options.rotary_dim != 0 ? options.rotary_dim : head_dim;
}

/// The options in the form that the kernels take. checks::rope::options must accept them.
inline rope_angles rope_angles_of(const rope_positions& positions, const rope_options& options,
                                  int head_dim) {
  const int rotated = rotary_dim_of(options, head_dim);
  rope_angles result{positions,
                     options.frequency_factors,
                     options.layout,
                     options.section_order,
                     {},
                     rotated / 2,
                     options.attention_factor,
                     options.position_scale,
                     std::pow(static_cast<double>(options.theta), -2.0 / rotated)};
  for (int i = 0; i < 4; ++i) result.sections[i] = options.sections[i];
  return result;
}

namespace checks::rope {

/// Rows of positions: one, or as many as there are sections, which have all pairs between them.
inline status sections(const char* op, const rope_positions& positions, const rope_options& o,
                       int num_pairs) {
  const int num_sections = positions.num_sections();
  if (num_sections == 1 || positions.num_tokens() == 0) return {};
  if (num_sections < 1 || num_sections > 4) {
    return {status_code::invalid_shape,
            op,
            "positions",
            "extent 0 is {0}, expected 1 to 4",
            {num_sections}};
  }
  std::int64_t pairs = 0;
  for (int i = 0; i < 4; ++i) {
    if (o.sections[i] < 0 || (i >= num_sections && o.sections[i] != 0)) {
      return {status_code::invalid_argument,
              op,
              "sections",
              "section {0} has {1} pairs; there are {2} rows of positions",
              {i, o.sections[i], num_sections}};
    }
    pairs += o.sections[i];
  }
  if (pairs != num_pairs) {
    return {status_code::invalid_argument,
            op,
            "sections",
            "have {0} pairs, a head has {1}",
            {pairs, num_pairs}};
  }
  if (o.section_order == rope_sections::interleaved && num_sections != 3) {
    return {status_code::invalid_argument,
            op,
            "sections",
            "are interleaved, for which there must be 3 rows of positions, not {0}",
            {num_sections}};
  }
  return {};
}

/// Positions and options; the views that are rotated are checked by the launchers.
inline status options(const char* op, const rope_positions& positions, const rope_options& o,
                      int num_tokens, int head_dim) {
  const tensor_view<const float, 1>& factors = o.frequency_factors;
  const int rotated = rotary_dim_of(o, head_dim);
  if (status s =
          checks::all(positions.is_whole() ? checks::view(op, "positions", positions.whole)
                                           : checks::view(op, "positions", positions.fractional),
                      checks::view(op, "frequency_factors", factors),
                      checks::extent(op, "positions", positions.num_sections() == 1 ? 0 : 1,
                                     positions.num_tokens(), num_tokens));
      !s) {
    return s;
  }
  if (rotated < 0 || rotated % 2 != 0 || rotated > head_dim) {
    return {status_code::invalid_argument,
            op,
            "rotary_dim",
            "is {0}, expected an even number up to head_dim, which is {1}",
            {rotated, head_dim}};
  }
  if (factors.extent[0] != 0) {
    status s = checks::extent(op, "frequency_factors", 0, factors.extent[0], rotated / 2);
    if (!s) return s;
  }
  if (!(o.theta > 0) || !std::isfinite(o.theta))
    return {status_code::invalid_argument, op, "theta", "must be finite and above 0", {}};
  if (!(o.position_scale > 0) || !std::isfinite(o.position_scale))
    return {status_code::invalid_argument, op, "position_scale", "must be finite and above 0", {}};
  if (!std::isfinite(o.attention_factor))
    return {status_code::invalid_argument, op, "attention_factor", "must be finite", {}};
  if (rotated / 2 > rope_table::max_pairs) {
    return {status_code::unsupported,
            op,
            "rotary_dim",
            "is {0}; there are kernels for up to {1}",
            {rotated, 2 * rope_table::max_pairs}};
  }
  return sections(op, positions, o, rotated / 2);
}

}  // namespace checks::rope

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
