// ggml's block formats, decoded byte by byte from their description, and blocks to decode.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <rocmforge/quant.hpp>
#include <type_traits>
#include <vector>

namespace rocmforge::testing::reference {

/// Where the fields of a format lie in a block, in bytes, and what its values are: (q - zero) * d +
/// m.
struct block_layout {
  std::size_t block_bytes, d, m, qs;  // m = 0: there is none
  int bits, zero;
};
template <class Type>
inline constexpr block_layout layout_of{};
template <>
inline constexpr block_layout layout_of<q4_0>{18, 0, 0, 2, 4, 8};
template <>
inline constexpr block_layout layout_of<q4_1>{20, 0, 2, 4, 4, 0};
template <>
inline constexpr block_layout layout_of<q8_0>{34, 0, 0, 2, 8, 0};

template <class Type>
inline constexpr bool is_quantised = layout_of<Type>.block_bytes != 0;

inline double half_at(const unsigned char* bytes) {
  const int bits = bytes[0] | bytes[1] << 8;
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/// The weights that `stored` holds, in double.
template <class Type>
std::vector<double> decode(const std::vector<Type>& stored) {
  std::vector<double> weights;
  if constexpr (!is_quantised<Type>) {
    for (const Type& weight : stored) weights.push_back(double(float(weight)));
  } else {
    constexpr block_layout layout = layout_of<Type>;
    std::vector<unsigned char> bytes(stored.size() * layout.block_bytes);
    static_assert(sizeof(Type) == layout.block_bytes);
    std::memcpy(bytes.data(), stored.data(), bytes.size());
    for (std::size_t block = 0; block < stored.size(); ++block) {
      const unsigned char* at = bytes.data() + block * layout.block_bytes;
      const double d = half_at(at + layout.d), m = layout.m != 0 ? half_at(at + layout.m) : 0;
      for (int e = 0; e < 32; ++e) {
        const int byte = at[layout.qs + std::size_t(layout.bits == 4 ? e % 16 : e)];
        const int q = layout.bits == 8 ? (byte < 128 ? byte : byte - 256)
                      : e < 16         ? byte % 16
                                       : byte / 16;
        weights.push_back((q - layout.zero) * d + m);
      }
    }
  }
  return weights;
}

/// Storage of `count` weights: dense ones in [-1, 1), blocks with random bits and scales of random
/// size and sign.
template <class Type>
std::vector<Type> random_weights(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  if constexpr (!is_quantised<Type>) {
    std::uniform_real_distribution<double> uniform(-1, 1);
    std::vector<Type> weights(count);
    for (Type& weight : weights) weight = Type(float(uniform(engine)));
    return weights;
  } else {
    constexpr block_layout layout = layout_of<Type>;
    std::vector<unsigned char> bytes(count / 32 * layout.block_bytes);
    for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(engine() >> 24);
    const auto set_scale = [&](std::size_t at) {  // between 2^-8 and 2^-4 in magnitude
      bytes[at + 1] =
          static_cast<unsigned char>((bytes[at + 1] & 0x80) | (0x1c + (bytes[at + 1] & 15)));
    };
    for (std::size_t block = 0; block < bytes.size(); block += layout.block_bytes) {
      set_scale(block + layout.d);
      if (layout.m != 0) set_scale(block + layout.m);
    }
    std::vector<Type> blocks(count / 32);
    std::memcpy(static_cast<void*>(blocks.data()), bytes.data(), bytes.size());
    return blocks;
  }
}

}  // namespace rocmforge::testing::reference
