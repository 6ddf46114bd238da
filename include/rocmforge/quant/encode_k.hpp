// From floats to blocks of 256. Lanes share a block, one for each group of weights with a scale of
// its own, in three steps with a barrier between them: each group finds the scale (and offset) that
// fits it best; the block's own scale follows, every group looks for the packed scale with the
// smallest squared error and rounds its weights; the numbers are packed. q8_k is as ggml encodes
// it, bit for bit; of the others only the layout is given, and the search is this library's.
#pragma once

#include <cstdint>

#include "rocmforge/quant/encode.hpp"
#include "rocmforge/quant/k_quants.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// A block of 256 weights while lanes encode it.
struct block_in_progress {
  float d[16], m[16];                 // what fits a group best: weights are about q * d - m
  std::int8_t scale[16], offset[16];  // those as the block stores them
  std::uint8_t q[256];                // of q3_k and q6_k less the lowest number
};

namespace encoding {
using namespace device;

/// The whole number nearest to x, ties to even, from `low` to `high`.
ROCMFORGE_DEVICE float nearest(float x, int low, int high) {
  const float lowest = static_cast<float>(low), highest = static_cast<float>(high);
  const float inside = x > lowest ? (x < highest ? x : highest) : lowest;  // a NaN becomes low
  constexpr float whole = 12582912.0f;  // 1.5 * 2^23: floats of this size have no fraction
  return (inside + whole) - whole;
}

/// Numbers of a packed weight or scale.
struct bounds {
  int low, high;
};

/// The squared error of v as q * d - m with the best q for each.
template <bounds Q, int Size>
ROCMFORGE_DEVICE float squared_error(const float (&v)[Size], float d, float m) {
  const float inverse = encoding::inverse(d);
  float sum = 0;
  ROCMFORGE_UNROLL
  for (int i = 0; i < Size; ++i) {
    const float x = v[i] + m;
    const float rest = fma(-d, nearest(x * inverse, Q.low, Q.high), x);
    sum = fma(rest, rest, sum);
  }
  return sum;
}

/// Least squares over the rounding of a group by a scale: sums over its weights x and numbers q.
struct sums {
  int q = 0, qq = 0;
  float x = 0, xq = 0;
  ROCMFORGE_DEVICE void add(float value, float number) {
    const int n = static_cast<int>(number);
    q += n;
    qq += n * n;
    x += value;
    xq = fma(value, number, xq);
  }
};

/// The best of a list of scales and offsets.
template <bounds Q, int Size>
struct best_fit {
  affine fit{0, 0};
  float error = 3.4e38f;
  ROCMFORGE_DEVICE void offer(const float (&v)[Size], float d, float m) {
    const float e = squared_error<Q>(v, d, m);
    if (e < error) {
      error = e;
      fit = {d, m};
    }
  }
};

/// d and m >= 0 such that v is about q * d - m: the range divided in some more or fewer steps than
/// there are numbers, each time followed by least squares.
template <bounds Q, int Size>
ROCMFORGE_DEVICE affine fit_with_offset(const float (&v)[Size]) {
  const range r = range_of<Size>([&](int i) { return v[i]; });
  const float low = r.low < 0 ? r.low : 0, width = r.high - low;
  if (!(width > 0)) return {0, -low};
  best_fit<Q, Size> best;
  for (int step = -10; step <= 10; ++step) {
    const float inverse = fma(static_cast<float>(step), 0.1f, static_cast<float>(Q.high)) / width;
    sums s;
    ROCMFORGE_UNROLL
    for (int i = 0; i < Size; ++i) s.add(v[i], nearest((v[i] - low) * inverse, Q.low, Q.high));
    const float q = static_cast<float>(s.q), qq = static_cast<float>(s.qq);
    const int determinant = Size * s.qq - s.q * s.q;
    float d = 0, m = -1;
    if (determinant > 0) {
      d = fma(static_cast<float>(Size), s.xq, -(s.x * q)) / static_cast<float>(determinant);
      m = fma(d, q, -s.x) / static_cast<float>(Size);
    }
    if (m < 0) {  // no offset can be below 0
      m = 0;
      d = s.qq > 0 ? s.xq / qq : 0;
    }
    best.offer(v, d, m);
  }
  return best.fit;
}

/// d of either sign such that v is about q * d: the weight of the largest magnitude is about the
/// lowest number.
template <bounds Q, int Size>
ROCMFORGE_DEVICE affine fit_without_offset(const float (&v)[Size]) {
  const float largest = extreme<Size>([&](int i) { return v[i]; });
  if (largest == 0) return {0, 0};
  best_fit<Q, Size> best;
  for (int step = -10; step <= 10; ++step) {
    const float inverse = fma(static_cast<float>(step), 0.1f, static_cast<float>(Q.low)) / largest;
    sums s;
    ROCMFORGE_UNROLL
    for (int i = 0; i < Size; ++i) s.add(v[i], nearest(v[i] * inverse, Q.low, Q.high));
    best.offer(v, s.qq > 0 ? s.xq / static_cast<float>(s.qq) : 0, 0);
  }
  return best.fit;
}

/// Steps 1 and 2 of a format with a scale and an offset for each group.
template <int GroupSize, bounds Q, bounds Scale>
struct offset_encoder {
  static constexpr int group_size = GroupSize, groups = 256 / GroupSize;

  ROCMFORGE_DEVICE static affine fit(const float (&v)[GroupSize]) { return fit_with_offset<Q>(v); }
  ROCMFORGE_DEVICE static half block_scale(const float (&scales)[16]) {
    float largest = 0;
    for (int i = 0; i < groups; ++i) largest = scales[i] > largest ? scales[i] : largest;
    return half(largest / static_cast<float>(Scale.high));
  }
  ROCMFORGE_DEVICE static void round(block_in_progress& to, int group,
                                     const float (&v)[GroupSize]) {
    const float d = static_cast<float>(block_scale(to.d)),
                dmin = static_cast<float>(block_scale(to.m));
    const int scale = static_cast<int>(nearest(to.d[group] * inverse(d), 0, Scale.high));
    const int offset = static_cast<int>(nearest(to.m[group] * inverse(dmin), 0, Scale.high));
    best_fit<Q, GroupSize> best;
    for (int neighbor = 0; neighbor < 9; ++neighbor) {
      const int s = clamp(scale + neighbor % 3 - 1, 0, Scale.high);
      const int o = clamp(offset + neighbor / 3 - 1, 0, Scale.high);
      const float error = best.error;
      best.offer(v, d * static_cast<float>(s), dmin * static_cast<float>(o));
      if (best.error < error) {
        to.scale[group] = static_cast<std::int8_t>(s);
        to.offset[group] = static_cast<std::int8_t>(o);
      }
    }
    const float inverse = encoding::inverse(best.fit.d);
    ROCMFORGE_UNROLL
    for (int i = 0; i < GroupSize; ++i) {
      const float x = v[i] + best.fit.m;
      to.q[group * GroupSize + i] = static_cast<std::uint8_t>(nearest(x * inverse, Q.low, Q.high));
    }
  }
};

/// Steps 1 and 2 of a format with a signed scale for each 16 weights.
template <bounds Q, bounds Scale>
struct signed_encoder {
  static constexpr int group_size = 16, groups = 16;

  ROCMFORGE_DEVICE static affine fit(const float (&v)[16]) { return fit_without_offset<Q>(v); }
  ROCMFORGE_DEVICE static half block_scale(const float (&scales)[16]) {
    return negative_half(extreme<16>([&](int i) { return scales[i]; }) /
                         static_cast<float>(-Scale.low));
  }
  ROCMFORGE_DEVICE static void round(block_in_progress& to, int group, const float (&v)[16]) {
    const float d = static_cast<float>(block_scale(to.d));
    const int scale = static_cast<int>(nearest(to.d[group] * inverse(d), Scale.low, Scale.high));
    best_fit<Q, 16> best;
    for (int neighbor = -1; neighbor <= 1; ++neighbor) {
      const int s = clamp(scale + neighbor, Scale.low, Scale.high);
      const float error = best.error;
      best.offer(v, d * static_cast<float>(s), 0);
      if (best.error < error) to.scale[group] = static_cast<std::int8_t>(s);
    }
    const float inverse = encoding::inverse(best.fit.d);
    ROCMFORGE_UNROLL
    for (int i = 0; i < 16; ++i) {
      to.q[group * 16 + i] = static_cast<std::uint8_t>(
          static_cast<int>(nearest(v[i] * inverse, Q.low, Q.high)) - Q.low);
    }
  }
};

/// The four numbers of 2 bits in byte i of the 64: weights that lie 32 apart.
ROCMFORGE_DEVICE std::uint8_t four_numbers(const std::uint8_t (&q)[256], int i, int shift) {
  const std::uint8_t* first = q + i / 32 * 128 + i % 32;
  unsigned byte = 0;
  for (int k = 0; k < 4; ++k) byte |= (first[32 * k] >> shift & 3u) << 2 * k;
  return static_cast<std::uint8_t>(byte);
}

/// The low four bits of two numbers in byte i of the 128: weights that lie 32 apart.
ROCMFORGE_DEVICE std::uint8_t two_numbers(const std::uint8_t (&q)[256], int i) {
  const std::uint8_t* first = q + i / 32 * 64 + i % 32;
  return static_cast<std::uint8_t>((first[0] & 15) | (first[32] & 15) << 4);
}

/// The one bit that eight weights, 32 apart, have in byte i of 32.
ROCMFORGE_DEVICE std::uint8_t eight_bits(const std::uint8_t (&q)[256], int i, int bit) {
  unsigned byte = 0;
  for (int k = 0; k < 8; ++k) byte |= (q[32 * k + i] >> bit & 1u) << k;
  return static_cast<std::uint8_t>(byte);
}

/// Byte i of the twelve with the eight 6-bit scales and offsets of q4_k and q5_k.
ROCMFORGE_DEVICE std::uint8_t six_bit_byte(const block_in_progress& from, int i) {
  const int k = i % 4;
  const int packed = i < 4   ? from.scale[k] | from.scale[k + 4] >> 4 << 6
                     : i < 8 ? from.offset[k] | from.offset[k + 4] >> 4 << 6
                             : (from.scale[k + 4] & 15) | (from.offset[k + 4] & 15) << 4;
  return static_cast<std::uint8_t>(packed);
}

}  // namespace encoding

/// Encoder of a format of 256 weights: `group_size` and `groups`; `fit(v)` and `round(to, group,
/// v)` for one group; and `pack(to, from, lane)`, whose work `groups` lanes share.
template <>
struct block_encoder<q2_k>
    : encoding::offset_encoder<16, encoding::bounds{0, 3}, encoding::bounds{0, 15}> {
  ROCMFORGE_DEVICE static void pack(q2_k& to, const block_in_progress& from, int lane) {
    to.scales[lane] = static_cast<std::uint8_t>(from.scale[lane] | from.offset[lane] << 4);
    for (int i = lane; i < 64; i += groups) to.qs[i] = encoding::four_numbers(from.q, i, 0);
    if (lane == 0) {
      to.d = block_scale(from.d);
      to.dmin = block_scale(from.m);
    }
  }
};

template <>
struct block_encoder<q3_k>
    : encoding::signed_encoder<encoding::bounds{-4, 3}, encoding::bounds{-32, 31}> {
  ROCMFORGE_DEVICE static void pack(q3_k& to, const block_in_progress& from, int lane) {
    for (int i = lane; i < 32; i += groups) to.hmask[i] = encoding::eight_bits(from.q, i, 2);
    for (int i = lane; i < 64; i += groups) to.qs[i] = encoding::four_numbers(from.q, i, 0);
    const auto scale = [&](int k) { return static_cast<unsigned>(from.scale[k] + 32); };
    if (lane < 8) {
      to.scales[lane] = static_cast<std::uint8_t>((scale(lane) & 15) | (scale(lane + 8) & 15) << 4);
    } else if (lane < 12) {
      unsigned byte = 0;
      for (int k = 0; k < 4; ++k) byte |= scale(lane - 8 + 4 * k) >> 4 << 2 * k;
      to.scales[lane] = static_cast<std::uint8_t>(byte);
    }
    if (lane == 0) to.d = block_scale(from.d);
  }
};

template <>
struct block_encoder<q4_k>
    : encoding::offset_encoder<32, encoding::bounds{0, 15}, encoding::bounds{0, 63}> {
  ROCMFORGE_DEVICE static void pack(q4_k& to, const block_in_progress& from, int lane) {
    for (int i = lane; i < 12; i += groups) to.scales[i] = encoding::six_bit_byte(from, i);
    for (int i = lane; i < 128; i += groups) to.qs[i] = encoding::two_numbers(from.q, i);
    if (lane == 0) {
      to.d = block_scale(from.d);
      to.dmin = block_scale(from.m);
    }
  }
};

template <>
struct block_encoder<q5_k>
    : encoding::offset_encoder<32, encoding::bounds{0, 31}, encoding::bounds{0, 63}> {
  ROCMFORGE_DEVICE static void pack(q5_k& to, const block_in_progress& from, int lane) {
    for (int i = lane; i < 12; i += groups) to.scales[i] = encoding::six_bit_byte(from, i);
    for (int i = lane; i < 32; i += groups) to.qh[i] = encoding::eight_bits(from.q, i, 4);
    for (int i = lane; i < 128; i += groups) to.qs[i] = encoding::two_numbers(from.q, i);
    if (lane == 0) {
      to.d = block_scale(from.d);
      to.dmin = block_scale(from.m);
    }
  }
};

template <>
struct block_encoder<q6_k>
    : encoding::signed_encoder<encoding::bounds{-32, 31}, encoding::bounds{-128, 127}> {
  ROCMFORGE_DEVICE static void pack(q6_k& to, const block_in_progress& from, int lane) {
    for (int i = lane; i < 128; i += groups) {  // weights that lie 64 apart
      const std::uint8_t* q = from.q + i / 64 * 128 + i % 64;
      to.ql[i] = static_cast<std::uint8_t>((q[0] & 15) | (q[64] & 15) << 4);
    }
    for (int i = lane; i < 64; i += groups) to.qh[i] = encoding::four_numbers(from.q, i, 4);
    to.scales[lane] = from.scale[lane];
    if (lane == 0) to.d = block_scale(from.d);
  }
};

template <>
struct block_encoder<q8_k> {
  static constexpr int group_size = 16, groups = 16;

  ROCMFORGE_DEVICE static affine fit(const float (&v)[16]) {
    return {encoding::extreme<16>([&](int i) { return v[i]; }), 0};
  }
  /// Scale factor of the weights: the one of largest magnitude becomes -127.
  ROCMFORGE_DEVICE static float factor(const float (&extremes)[16]) {
    const float extreme = encoding::extreme<16>([&](int i) { return extremes[i]; });
    return extreme != 0 ? -127.0f / extreme : 0.0f;
  }
  ROCMFORGE_DEVICE static void round(block_in_progress& to, int group, const float (&v)[16]) {
    const float inverse = factor(to.d);
    ROCMFORGE_UNROLL
    for (int i = 0; i < 16; ++i) {
      to.q[16 * group + i] =
          static_cast<std::uint8_t>(static_cast<int>(encoding::nearest(v[i] * inverse, -127, 127)));
    }
  }
  ROCMFORGE_DEVICE static void pack(q8_k& to, const block_in_progress& from, int lane) {
    int sum = 0;
    for (int i = 16 * lane; i < 16 * lane + 16; ++i) {
      to.qs[i] = static_cast<std::int8_t>(from.q[i]);
      sum += to.qs[i];
    }
    to.bsums[lane] = static_cast<std::int16_t>(sum);
    if (lane == 0) to.d = encoding::inverse(factor(from.d));
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
