// Sums and maxima over the lanes of a wave and of a block, in a fixed order: the same values give
// the same bits.
#pragma once

#include <type_traits>

#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace device {

struct add_op {
  ROCMFORGE_DEVICE float operator()(float a, float b) const { return a + b; }
};
struct max_op {
  ROCMFORGE_DEVICE float operator()(float a, float b) const { return maximum(a, b); }
};

/// The maximum of the numbers among them: the same bits whichever comes first.
struct greatest_op {
  ROCMFORGE_DEVICE float operator()(float a, float b) const { return __builtin_fmaxf(a, b); }
};

/// One step of a butterfly: the lane's value combined with that of the lane `Mask` away.
template <int Mask, int BlockSize, int WaveSize, class T, class Op>
ROCMFORGE_DEVICE T combine_pair(T value, Op op, block_context<BlockSize, WaveSize> block) {
  const T other = block.template shuffle_xor<Mask>(value);
  // The lower lane's value comes first, so that both compute the same bits even if op(a, b) !=
  // op(b, a).
  return (block.lane() & Mask) == 0 ? op(value, other) : op(other, value);
}

/// Combines the values of `Width` neighboring lanes (a power of two, at most the wave); each of
/// them gets the result. A butterfly: as many steps as `Width` has bits, and every lane computes
/// the same expression.
template <int Width, int Mask = Width / 2, int BlockSize, int WaveSize, class T, class Op>
ROCMFORGE_DEVICE T reduce_lanes(T value, Op op, block_context<BlockSize, WaveSize> block) {
  static_assert(Width <= WaveSize && (Width & (Width - 1)) == 0);
  if constexpr (Mask == 0) {
    return value;
  } else {
    return reduce_lanes<Width, Mask / 2>(combine_pair<Mask>(value, op, block), op, block);
  }
}

/// Combines the values of the lanes of a wave whose numbers are the same modulo `Stride`, a power
/// of two; each of them gets the result. Of a commutative operation.
template <int Stride, int Mask = 0, int BlockSize, int WaveSize, class T, class Op>
ROCMFORGE_DEVICE T reduce_lanes_apart(T value, Op op, block_context<BlockSize, WaveSize> block) {
  constexpr int mask = Mask == 0 ? WaveSize / 2 : Mask;
  if constexpr (mask < Stride) {
    return value;
  } else {
    value = op(value, block.template shuffle_xor<mask>(value));
    if constexpr (mask == Stride) return value;
    return reduce_lanes_apart<Stride, (mask > 1 ? mask / 2 : 1)>(value, op, block);
  }
}

/// The sums of `Width` values over `Width` neighboring lanes (a power of two, at most the wave):
/// lane i of them gets the sum of values[i]. In each step a lane hands on the half of its values
/// that it will not end with: Width - 1 sums instead of as many as all butterflies have.
template <int Width, int BlockSize, int WaveSize>
ROCMFORGE_DEVICE float sum_transposed(const float (&values)[Width],
                                      block_context<BlockSize, WaveSize> block) {
  if constexpr (Width == 1) {
    return values[0];
  } else {
    constexpr int half_width = Width / 2;
    const bool is_upper = (block.lane() & half_width) != 0;
    float sums[half_width];
    ROCMFORGE_UNROLL
    for (int i = 0; i < half_width; ++i) {
      // Not a choice of an element, which would be an index that differs from lane to lane.
      const float lower = values[i], upper = values[i + half_width];
      const float kept = is_upper ? upper : lower, handed = is_upper ? lower : upper;
      sums[i] = kept + block.template shuffle_xor<half_width>(handed);
    }
    return sum_transposed(sums, block);
  }
}

/// As reduce_lanes for a `width` known at run time, the same for all lanes of the block.
template <int BlockSize, int WaveSize, class T, class Op, int Mask = WaveSize / 2>
ROCMFORGE_DEVICE T reduce_group(T value, Op op, block_context<BlockSize, WaveSize> block, int width,
                                std::integral_constant<int, Mask> = {}) {
  if constexpr (Mask == 0) {
    return value;
  } else {
    if (Mask < width) value = combine_pair<Mask>(value, op, block);
    return reduce_group(value, op, block, width, std::integral_constant<int, Mask / 2>{});
  }
}

/// Combines one value a lane over the whole block; every lane gets the result.
template <int BlockSize, int WaveSize, class T = float>
struct block_reduce {
  static_assert(BlockSize % WaveSize == 0,
                "block_reduce: BlockSize must be a multiple of WaveSize");
  static_assert(BlockSize / WaveSize <= WaveSize, "block_reduce: at most WaveSize waves");
  static constexpr int num_waves = BlockSize / WaveSize;

  struct storage {
    T of_wave[num_waves];
  };

  /// The storage can be used again after the call: the last thing that reads it is followed by a
  /// barrier.
  template <class Op>
  ROCMFORGE_DEVICE static T reduce(T value, Op op, block_context<BlockSize, WaveSize> block,
                                   storage& shared) {
    value = reduce_lanes<WaveSize>(value, op, block);
    if constexpr (num_waves > 1) {
      if (block.lane() == 0) shared.of_wave[block.wave()] = value;
      block.barrier();
      value = shared.of_wave[0];
      ROCMFORGE_UNROLL
      for (int wave = 1; wave < num_waves; ++wave) value = op(value, shared.of_wave[wave]);
      block.barrier();
    }
    return value;
  }
};

}  // namespace device
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
