// How weights are read: a row of any format is an array of blocks, and is decoded in groups of 32
// elements, a few elements at a time.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {

/// Every format is read in groups of this many elements of a row.
inline constexpr int group_elements = 32;

/// What a tensor may hold without blocks: each element is its own value.
template <class T>
concept dense_weight = floating_dtype<T> || std::is_arithmetic_v<T>;

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// What a lane decodes at once: elements N*part to N*part + N - 1 of a group, and the same 16
/// further on. (Four-bit formats hold such a pair in the same bytes.) `part` counts from 0 to 16/N
/// - 1.
template <int N>
struct fragment {
  packet<float, N> low, high;
};
template <int N>
inline constexpr int num_parts = 16 / N;

/// A format of blocks is a struct with the layout of its file, and this beside it:
/// - `elements`: weights in one block, a multiple of 32;
/// - `values<N, Half>(block, group, part)`: elements 16 * Half + N * part and on of the group.
///
/// Where each 16 or 32 weights have a scale of their own, which is packed, it has instead
/// - `scale(block, group, half)`: the scale (and offset) of half a group;
/// - `values<N, Half>(block, scale, group, part)`;
/// - `scales(block)`: all of them at once, which costs a processor less.
template <class Type>
struct block_format;

/// What a weight's number is multiplied by, and what is added.
struct affine {
  float d, m;
};

/// The scales of the 16 halves of the groups of a block of 256.
struct block_scales {
  alignas(64) float d[16], m[16];
  ROCMFORGE_DEVICE affine operator()(int group, int half) const {
    return {d[2 * group + half], m[2 * group + half]};
  }
};

template <class Type>
concept has_block_scales = requires(const Type& block) {
  block_format<Type>::scales(block);
};

/// How a row of weights is stored as an array of `Type`:
/// - `elements`: weights in one `Type`;
/// - `decode<N>(row, group, part, count)`: a fragment of group `group` of the row as floats.
/// `count` is the number of elements from the group's first to the row's end; those beyond it are 0
/// and not read. (A row of blocks is a whole number of groups.)
template <class Type>
struct block_traits {
  using format = block_format<Type>;
  static constexpr int elements = format::elements;
  static_assert(elements % group_elements == 0);
  template <int N>
  ROCMFORGE_DEVICE static fragment<N> decode(const Type* row, int group, int part, int /*count*/) {
    constexpr int groups = elements / group_elements;
    const Type& block = row[group / groups];
    const int within = group % groups;
    if constexpr (has_block_scales<Type>) {
      return {format::template values<N, 0>(block, format::scale(block, within, 0), within, part),
              format::template values<N, 1>(block, format::scale(block, within, 1), within, part)};
    } else {
      return {format::template values<N, 0>(block, within, part),
              format::template values<N, 1>(block, within, part)};
    }
  }

  /// The scales of a block, unpacked, where it has some.
  struct no_scales {};
  using scales = std::conditional_t<has_block_scales<Type>, block_scales, no_scales>;
  ROCMFORGE_DEVICE static scales scales_of([[maybe_unused]] const Type& block) {
    if constexpr (has_block_scales<Type>) {
      return format::scales(block);
    } else {
      return {};
    }
  }
  /// A fragment of a block, with its scales.
  template <int N>
  ROCMFORGE_DEVICE static fragment<N> decode(const Type& block,
                                             [[maybe_unused]] const scales& unpacked, int group,
                                             int part) {
    if constexpr (has_block_scales<Type>) {
      return {format::template values<N, 0>(block, unpacked(group, 0), group, part),
              format::template values<N, 1>(block, unpacked(group, 1), group, part)};
    } else {
      return {format::template values<N, 0>(block, group, part),
              format::template values<N, 1>(block, group, part)};
    }
  }
};

template <dense_weight T>
struct block_traits<T> {
  static constexpr int elements = 1;
  template <int N>
  ROCMFORGE_DEVICE static fragment<N> decode(const T* row, int group, int part, int count) {
    const T* p = row + group * group_elements + part * N;
    if (count >= group_elements) return {load_packet<N>(p), load_packet<N>(p + 16)};
    return {load_packet<N>(p, count - part * N), load_packet<N>(p + 16, count - part * N - 16)};
  }
};

// ---- steps that formats share ----

/// N bytes of a field of a block, which is aligned as the block is (and lies at an even offset, or
/// at a multiple of 4, as the block's size does).
template <int N, class Block, class Byte>
ROCMFORGE_DEVICE byte_packet<N> load_field([[maybe_unused]] const Block& block, const Byte* p) {
  return load_byte_packet<N, static_cast<int>(alignof(Block))>(p);
}

/// f(q) for the Bits-bit number q that begins at bit `first` of each byte.
template <int Bits, int N, class F>
ROCMFORGE_DEVICE packet<float, N> map_bits(const byte_packet<N>& bytes, int first, F&& f) {
  if constexpr (has_lookup && N == 16 && Bits <= 5) {
    // All values at once, then one look-up a weight. It looks at four (or five) bits, so that
    // values repeat where there are fewer.
    packet<float, N> numbers(0.0f);
    ROCMFORGE_UNROLL
    for (int i = 0; i < N; ++i) numbers.set(i, static_cast<float>(i & ((1 << Bits) - 1)));
    const packet<int, N> indices = to_int(bytes) >> packet<int, N>(first);
    if constexpr (Bits == 5) {
      return lookup(f(numbers), f(numbers + packet<float, N>(16.0f)), indices);
    } else {
      return lookup(f(numbers), indices);
    }
  } else {
    return f(to_float(rocmforge::bits<Bits>(bytes, first)));
  }
}

/// (q - zero) * d
template <int Bits, int N>
ROCMFORGE_DEVICE packet<float, N> scaled_bits(const byte_packet<N>& bytes, int first, float zero,
                                              const packet<float, N>& d) {
  return map_bits<Bits>(
      bytes, first, [&](const packet<float, N>& q) { return (q - packet<float, N>(zero)) * d; });
}

/// q * d + m
template <int Bits, int N>
ROCMFORGE_DEVICE packet<float, N> scaled_bits(const byte_packet<N>& bytes, int first,
                                              const packet<float, N>& d,
                                              const packet<float, N>& m) {
  return map_bits<Bits>(bytes, first, [&](const packet<float, N>& q) { return fma(q, d, m); });
}

/// d times the number of a table that four bits of each byte name.
template <int N>
ROCMFORGE_DEVICE packet<float, N> scaled_lookup(const std::uint8_t (&table)[16],
                                                const byte_packet<N>& indices, float d) {
  return signed_to_float(lookup_bytes(table, indices)) * d;
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
