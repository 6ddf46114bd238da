// From floats to blocks of 32, one lane a block, as ggml's reference does it, bit for bit.
#pragma once

#include <cstdint>

#include "rocmforge/quant/simple.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// `block_encoder<Type>::encode(to, value)` writes the block whose element i approximates
/// `value(i)`. It calls `value` several times for each element; for formats of 32 elements the
/// indices are compile-time constants, so that the values may be an array in registers.
template <class Type>
struct block_encoder;

namespace encoding {
using namespace device;

ROCMFORGE_DEVICE float magnitude(float x) {
  return x < 0 ? -x : x;
}
ROCMFORGE_DEVICE float inverse(float x) {
  return x != 0 ? 1.0f / x : 0.0f;
}
ROCMFORGE_DEVICE int clamp(int q, int low, int high) {
  return q < low ? low : q > high ? high : q;
}
/// Rounds to the nearest whole number, halves away from 0.
ROCMFORGE_DEVICE int round_away(float x) {
  return static_cast<int>(x < 0 ? x - 0.5f : x + 0.5f);
}

/// -x; of a zero the negative one, which AMD's fused product and conversion would make positive.
ROCMFORGE_DEVICE half negative_half(float x) {
  return x == 0 ? half::from_bits(0x8000) : half(-x);
}

/// The element of the largest magnitude, with its sign; the first of equal ones.
template <int Count, class F>
ROCMFORGE_DEVICE float extreme(F&& value) {
  float best = 0;
  ROCMFORGE_UNROLL
  for (int i = 0; i < Count; ++i) {
    const float x = value(i);
    if (magnitude(x) > magnitude(best)) best = x;
  }
  return best;
}

struct range {
  float low, high;
};
template <int Count, class F>
ROCMFORGE_DEVICE range range_of(F&& value) {
  range r{value(0), value(0)};
  ROCMFORGE_UNROLL
  for (int i = 1; i < Count; ++i) {
    const float x = value(i);
    r.low = x < r.low ? x : r.low;
    r.high = x > r.high ? x : r.high;
  }
  return r;
}

/// Writes the low four bits of 32 numbers as q4_0 lays them out, and returns their fifth bits.
template <class F>
ROCMFORGE_DEVICE unsigned store_nibbles(std::uint8_t (&qs)[16], F&& number) {
  unsigned fifth = 0;
  ROCMFORGE_UNROLL
  for (int i = 0; i < 16; ++i) {
    const int low = number(i), high = number(i + 16);
    qs[i] = static_cast<std::uint8_t>((low & 15) | (high & 15) << 4);
    fifth |= static_cast<unsigned>(low >> 4 & 1) << i | static_cast<unsigned>(high >> 4 & 1)
                                                            << (i + 16);
  }
  return fifth;
}
ROCMFORGE_DEVICE void store_bits(std::uint8_t (&qh)[4], unsigned bits) {
  ROCMFORGE_UNROLL
  for (int i = 0; i < 4; ++i) qh[i] = static_cast<std::uint8_t>(bits >> 8 * i);
}

}  // namespace encoding

template <>
struct block_encoder<q4_0> {
  template <class F>
  ROCMFORGE_DEVICE static void encode(q4_0& to, F&& value) {
    const float negative = encoding::extreme<32>(value) / 8.0f;
    const float inverse = -encoding::inverse(negative);
    to.d = encoding::negative_half(negative);
    encoding::store_nibbles(to.qs, [&](int i) {
      return encoding::clamp(static_cast<int>(device::fma(value(i), inverse, 8.5f)), 0, 15);
    });
  }
};

template <>
struct block_encoder<q4_1> {
  template <class F>
  ROCMFORGE_DEVICE static void encode(q4_1& to, F&& value) {
    const auto range = encoding::range_of<32>(value);
    const float d = (range.high - range.low) / 15.0f, inverse = encoding::inverse(d);
    to.d = half(d);
    to.m = half(range.low);
    encoding::store_nibbles(to.qs, [&](int i) {
      return encoding::clamp(static_cast<int>(device::fma(value(i) - range.low, inverse, 0.5f)), 0,
                             15);
    });
  }
};

template <>
struct block_encoder<q5_0> {
  template <class F>
  ROCMFORGE_DEVICE static void encode(q5_0& to, F&& value) {
    const float negative = encoding::extreme<32>(value) / 16.0f;
    const float inverse = -encoding::inverse(negative);
    to.d = encoding::negative_half(negative);
    encoding::store_bits(to.qh, encoding::store_nibbles(to.qs, [&](int i) {
                           return encoding::clamp(
                               static_cast<int>(device::fma(value(i), inverse, 16.5f)), 0, 31);
                         }));
  }
};

template <>
struct block_encoder<q5_1> {
  template <class F>
  ROCMFORGE_DEVICE static void encode(q5_1& to, F&& value) {
    const auto range = encoding::range_of<32>(value);
    const float d = (range.high - range.low) / 31.0f, inverse = encoding::inverse(d);
    to.d = half(d);
    to.m = half(range.low);
    encoding::store_bits(to.qh, encoding::store_nibbles(to.qs, [&](int i) {
                           return encoding::clamp(
                               static_cast<int>(device::fma(value(i) - range.low, inverse, 0.5f)),
                               0, 31);
                         }));
  }
};

template <>
struct block_encoder<q8_0> {
  template <class F>
  ROCMFORGE_DEVICE static void encode(q8_0& to, F&& value) {
    const float d = encoding::magnitude(encoding::extreme<32>(value)) / 127.0f;
    const float inverse = encoding::inverse(d);
    to.d = half(d);
    ROCMFORGE_UNROLL
    for (int i = 0; i < 32; ++i)
      to.qs[i] = static_cast<std::int8_t>(encoding::round_away(value(i) * inverse));
  }
};

template <>
struct block_encoder<q8_1> {
  template <class F>
  ROCMFORGE_DEVICE static void encode(q8_1& to, F&& value) {
    const float d = encoding::magnitude(encoding::extreme<32>(value)) / 127.0f;
    const float inverse = encoding::inverse(d);
    int sum = 0;
    ROCMFORGE_UNROLL
    for (int i = 0; i < 32; ++i) {
      const int q = encoding::round_away(value(i) * inverse);
      to.qs[i] = static_cast<std::int8_t>(q);
      sum += q;
    }
    to.d = half(d);
    to.s = half(d * static_cast<float>(sum));
  }
};

namespace device {

/// The block whose elements are about `values`: for formats of 32 elements.
template <class Type>
ROCMFORGE_DEVICE Type encode_block(const float (&values)[32]) {
  static_assert(block_format<Type>::elements == 32);
  Type block;
  block_encoder<Type>::encode(block, [&](int i) { return values[i]; });
  return block;
}

}  // namespace device

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
