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

/// Element types of a tensor without blocks.
template <class T>
concept dense_weight = floating_dtype<T> || std::is_arithmetic_v<T>;

ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// The elements that a lane decodes together: N*part to N*part + N - 1 of a group, and those 16
/// after them. (Four-bit formats store such a pair in the same bytes.) `part` is 0 to 16/N - 1.
template <int N>
struct weight_pair {
  packet<float, N> low, high;
};
template <int N>
inline constexpr int num_parts = 16 / N;

/// A block format is a struct with the layout of the file, and a specialization of this with:
/// - `elements`: weights in one block, a multiple of 32;
/// - `values<N, Half>(block, group, part)`: elements 16 * Half + N * part and on of the group.
///
/// If each 16 or 32 weights have a packed scale of their own, it has instead
/// - `scale(block, group, half)`: the scale (and offset) of half a group;
/// - `values<N, Half>(block, scale, group, part)`;
/// - `scales(block)`: all of them at once, which is cheaper on the host.
///
/// A format whose weights are q * d + m, with whole numbers q of at most a byte and d and m that 16
/// weights share, also has, so that a product can scale the sum instead of every weight,
/// - `numbers<N, Half, Form>(block, group, part)`: the q of the same elements, as bytes;
/// - `factors(block, group, half)`: d and m; or `half_factors(block, half, f)`, where those of
///   groups 4 * half to 4 * half + 3 of a block of 256 are cheaper to find together;
/// - `zero`, where all weights are (q - zero) * d, so that m = -zero * d.
///
/// A format of 32 weights that keys and values may have also has
/// - `at<N>(block, half, offset)`: elements 16 * half + offset and on, where N divides `offset`.
template <class Type>
struct block_format;

/// How `numbers` reads a block: one in shared memory by words wherever it lies, where the device
/// can.
struct number_form {
  bool in_shared_memory = false;
};

/// Scale and offset: weight = q * d + m.
struct alignas(8) affine {
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

template <class Type>
concept has_numbers = requires(const Type& block) {
  block_format<Type>::template numbers<4, 0>(block, 0, 0);
};
template <class Type>
concept has_half_factors = requires(const Type& block, affine (&f)[4]) {
  block_format<Type>::half_factors(block, 0, f);
};
template <class Type>
concept has_zero = requires {
  block_format<Type>::zero;
};

/// What a product subtracts from each number q: a format's zero. Offsets are added to the sum.
template <class Type>
inline constexpr int subtracted_zero = 0;
template <has_zero Type>
inline constexpr int subtracted_zero<Type> = block_format<Type>::zero;

/// What a product keeps of d and m.
template <class Type>
using product_factor = std::conditional_t<has_zero<Type>, float, affine>;
template <class Type>
ROCMFORGE_DEVICE product_factor<Type> product_factor_of(const affine& f) {
  if constexpr (has_zero<Type>) {
    return f.d;
  } else {
    return f;
  }
}

namespace quant_detail {
using namespace device;
template <class Type>
struct unpacked {
  struct type {};
};
template <has_block_scales Type>
struct unpacked<Type> {
  using type = decltype(block_format<Type>::scales(std::declval<const Type&>()));
};
}  // namespace quant_detail
/// Return type of a format's `scales`; an empty struct if it has none.
template <class Type>
using unpacked_scales = typename quant_detail::unpacked<Type>::type;

/// How many different scales the 32 weights of a group may have.
template <class Type>
inline constexpr int scales_per_group =
    std::is_same_v<unpacked_scales<Type>, block_scales<2>> ? 2 : 1;

/// How a row of weights is stored as an array of `Type`:
/// - `elements`: weights in one `Type`;
/// - `decode<N>(row, group, part, count)`: a weight_pair of group `group` of the row as floats.
/// `count` is the number of elements from the start of the group to the end of the row; elements
/// beyond it are 0 and not read. (A row of blocks is a whole number of groups.)
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

  /// Elements `first` to `first` + N of a row of keys or values. N divides `first` and 16.
  template <int N>
  ROCMFORGE_DEVICE static packet<float, N> load(const Type* row, int first) {
    return format::template at<N>(row[first / elements], first % elements / 16, first % 16);
  }

  /// The unpacked scales of a block, if its format has any.
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
    if (count >= group_elements) return {device::load_packet<N>(p), device::load_packet<N>(p + 16)};
    return {device::load_packet<N>(p, count - part * N),
            device::load_packet<N>(p + 16, count - part * N - 16)};
  }
};

// ---- shared by several formats ----

namespace device {

/// N bytes of a field of a block, which has the alignment of the block (its offset is even, or a
/// multiple of 4, like the size of the block).
template <int N, number_form Form = number_form{}, class Block, class Byte>
ROCMFORGE_DEVICE byte_packet<N> load_field([[maybe_unused]] const Block& block, const Byte* p) {
  constexpr int alignment = static_cast<int>(alignof(Block));
  if constexpr (Form.in_shared_memory && alignment < 4) {
    return load_shared_byte_packet<N, alignment>(p);
  } else {
    return load_byte_packet<N, alignment>(p);
  }
}

/// f(q) for numbers q of Bits bits. Where a table look-up is one instruction, f is computed for all
/// values first, then looked up for each number. The look-up uses four (or five) bits: the table
/// repeats if there are fewer.
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

/// f(q) for the Bits-bit number q that starts at bit `first` of each byte.
template <int Bits, int N, class F>
ROCMFORGE_DEVICE packet<float, N> map_bits(const byte_packet<N>& bytes, int first, F&& f) {
  if constexpr (has_lookup && N == 16 && Bits <= 5) {
    return map_numbers<Bits>(to_int(bytes) >> packet<int, N>(first), f);
  } else {
    return f(to_float(device::bits<Bits>(bytes, first)));
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

/// d * table[q] for the four-bit number q that starts at bit `first` of each byte.
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

}  // namespace device

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
