// Weight formats: dense (float, half, bfloat16) and ggml's block-quantised ones. A further type is
// one more struct with its `block_traits`. Layouts: ggml-common.h of ggml, restated in
// docs/quant.md.
#pragma once

#include <cstdint>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {

/// 32 weights of 4 bits: (q - 8) * d. Byte i holds element i in its low and element i + 16 in its
/// high four bits.
struct q4_0 {
  half d;
  std::uint8_t qs[16];
};

/// 32 weights of 4 bits: q * d + m. Laid out as q4_0.
struct q4_1 {
  half d, m;
  std::uint8_t qs[16];
};

/// 32 weights of 8 bits: q * d.
struct q8_0 {
  half d;
  std::int8_t qs[32];
};

static_assert(sizeof(q4_0) == 18 && sizeof(q4_1) == 20 && sizeof(q8_0) == 34);

/// Every format is read in groups of this many elements of a row.
inline constexpr int group_elements = 32;

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

/// The values (q + shift) * d + m of the low and of the high four bits q of each byte.
template <int N>
ROCMFORGE_DEVICE fragment<N> decode_nibbles(const packet<int, N>& bytes, float shift,
                                            const packet<float, N>& d, const packet<float, N>& m) {
  if constexpr (has_lookup && N == 16) {  // all sixteen values at once, then one look-up a weight
    const packet<float, N> values = fma(iota<N>() + packet<float, N>(shift), d, m);
    return {lookup(values, bytes), lookup(values, bytes >> packet<int, N>(4))};
  } else {
    const packet<float, N> offset(shift);
    return {fma(to_float(bytes & packet<int, N>(15)) + offset, d, m),
            fma(to_float(bytes >> packet<int, N>(4)) + offset, d, m)};
  }
}

/// How a row of weights is stored as an array of `Type`:
/// - `elements`: weights in one `Type`;
/// - `decode<N>(row, group, part, count)`: a fragment of group `group` of the row as floats.
/// `count` is the number of elements
///   from the group's first to the row's end; those beyond it are 0 and not read. (A row of blocks
///   is a whole number of groups.)
template <class Type>
struct block_traits;

template <floating_dtype T>
struct block_traits<T> {
  static constexpr int elements = 1;
  template <int N>
  ROCMFORGE_DEVICE static fragment<N> decode(const T* row, int group, int part, int count) {
    const T* p = row + group * group_elements + part * N;
    if (count >= group_elements) return {load_packet<N>(p), load_packet<N>(p + 16)};
    return {load_packet<N>(p, count - part * N), load_packet<N>(p + 16, count - part * N - 16)};
  }
};

template <>
struct block_traits<q4_0> {
  static constexpr int elements = 32;
  template <int N>
  ROCMFORGE_DEVICE static fragment<N> decode(const q4_0* row, int group, int part, int /*count*/) {
    const auto d = broadcast<N>(row[group].d);
    return decode_nibbles(load_bytes<N>(row[group].qs + part * N), -8.0f, d,
                          packet<float, N>(0.0f));
  }
};

template <>
struct block_traits<q4_1> {
  static constexpr int elements = 32;
  template <int N>
  ROCMFORGE_DEVICE static fragment<N> decode(const q4_1* row, int group, int part, int /*count*/) {
    return decode_nibbles(load_bytes<N>(row[group].qs + part * N), 0.0f, broadcast<N>(row[group].d),
                          broadcast<N>(row[group].m));
  }
};

template <>
struct block_traits<q8_0> {
  static constexpr int elements = 32;
  template <int N>
  ROCMFORGE_DEVICE static fragment<N> decode(const q8_0* row, int group, int part, int /*count*/) {
    const auto d = broadcast<N>(row[group].d);
    return {to_float(load_bytes<N>(row[group].qs + part * N)) * d,
            to_float(load_bytes<N>(row[group].qs + part * N + 16)) * d};
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
