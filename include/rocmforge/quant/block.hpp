// How weights are read: a row of any format is an array of blocks, and is decoded in groups of 32
// elements, a few elements at a time.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

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
struct weight_pair {
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

/// The scales of a block of 256, `PerGroup` (1 or 2) for each of its groups.
template <int PerGroup>
struct block_scales {
  alignas(64) float d[8 * PerGroup], m[8 * PerGroup];
  ROCMFORGE_DEVICE affine operator()(int group, int half) const {
    const int i = PerGroup * group + half % PerGroup;
    return {d[i], m[i]};
  }
};

template <class Type>
concept has_block_scales = requires(const Type& block) {
  block_format<Type>::scales(block);
};

namespace quant_detail {
template <class Type>
struct unpacked {
  struct type {};
};
template <has_block_scales Type>
struct unpacked<Type> {
  using type = decltype(block_format<Type>::scales(std::declval<const Type&>()));
};
}  // namespace quant_detail
/// What `scales` of a format returns, and nothing where it has none.
template <class Type>
using unpacked_scales = typename quant_detail::unpacked<Type>::type;

/// How a row of weights is stored as an array of `Type`:
/// - `elements`: weights in one `Type`;
/// - `decode<N>(row, group, part, count)`: a weight_pair of group `group` of the row as floats.
/// `count` is the number of elements from the group's first to the row's end; those beyond it are 0
/// and not read. (A row of blocks is a whole number of groups.)
template <class Type>
struct block_traits {
  using format = block_format<Type>;
  static constexpr int elements = format::elements;
  static_assert(elements % group_elements == 0);
  template <int N>
  ROCMFORGE_DEVICE static weight_pair<N> decode(const Type* row, int group, int part,
                                                int /*count*/) {
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
  using scales = unpacked_scales<Type>;
  ROCMFORGE_DEVICE static scales scales_of([[maybe_unused]] const Type& block) {
    if constexpr (has_block_scales<Type>) {
      return format::scales(block);
    } else {
      return {};
    }
  }
  /// A weight_pair of a block, with its scales.
  template <int N>
  ROCMFORGE_DEVICE static weight_pair<N> decode(const Type& block,
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
  ROCMFORGE_DEVICE static weight_pair<N> decode(const T* row, int group, int part, int count) {
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

/// f(q) for numbers q of Bits bits. All values at once, then one look-up a number, where that is an
/// instruction. It looks at four (or five) bits: values repeat where there are fewer.
template <int Bits, int N, class F>
ROCMFORGE_DEVICE packet<float, N> map_numbers(const packet<int, N>& q, F&& f) {
  if constexpr (has_lookup && N == 16 && Bits <= 5) {
    packet<float, N> numbers(0.0f);
    ROCMFORGE_UNROLL
    for (int i = 0; i < N; ++i) numbers.set(i, static_cast<float>(i & ((1 << Bits) - 1)));
    if constexpr (Bits == 5) {
      return lookup(f(numbers), f(numbers + packet<float, N>(16.0f)), q);
    } else {
      return lookup(f(numbers), q);
    }
  } else {
    return f(to_float(q));
  }
}

/// f(q) for the Bits-bit number q that begins at bit `first` of each byte.
template <int Bits, int N, class F>
ROCMFORGE_DEVICE packet<float, N> map_bits(const byte_packet<N>& bytes, int first, F&& f) {
  if constexpr (has_lookup && N == 16 && Bits <= 5) {
    return map_numbers<Bits>(to_int(bytes) >> packet<int, N>(first), f);
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

/// d times the number of a table that the four bits of each byte from bit `first` on name.
template <int N>
ROCMFORGE_DEVICE packet<float, N> scaled_lookup(const std::int8_t (&table)[16],
                                                const byte_packet<N>& bytes, int first, float d) {
  if constexpr (has_lookup && N == 16) {
    packet<float, N> numbers(0.0f);
    ROCMFORGE_UNROLL
    for (int i = 0; i < N; ++i) numbers.set(i, static_cast<float>(table[i]));
    return lookup(numbers * d, to_int(bytes) >> packet<int, N>(first));
  } else {
    return signed_to_float(lookup_bytes(table, bits<4>(bytes, first))) * d;
  }
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
