// ggml's block formats, decoded element by element from their description, and blocks to decode.
// The grids of the IQ formats are the library's: quant_golden_test compares them with their hashes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <rocmforge/quant.hpp>
#include <type_traits>
#include <vector>

namespace rocmforge::testing::reference {

using bytes = const unsigned char*;

inline int u16(bytes p) {
  return p[0] | p[1] << 8;
}
inline std::uint32_t u32(bytes p) {
  return static_cast<std::uint32_t>(u16(p)) | static_cast<std::uint32_t>(u16(p + 2)) << 16;
}
inline int i8(int byte) {
  return byte < 128 ? byte : byte - 256;
}
inline int nibble(int byte, int which) {
  return which == 0 ? byte % 16 : byte / 16;
}
inline double half_of_bits(int bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}
inline double half_at(bytes p) {
  return half_of_bits(u16(p));
}

/// What a format is called, its number in GGUF, its sizes, where the halves in it lie (-1: none),
/// and the weight of element e.
template <class Type>
struct format {
  static constexpr int elements = 0;
};
template <class Type>
inline constexpr bool is_quantized = format<Type>::elements != 0;

#define ROCMFORGE_REFERENCE_FORMAT(type, number, num_elements, block_bytes, d_at, m_at)       \
  template <>                                                                                 \
  struct format<type> {                                                                       \
    static constexpr const char* name = #type;                                                \
    static constexpr unsigned id = number;                                                    \
    static constexpr int elements = num_elements, size = block_bytes, d = d_at, m = m_at;     \
    static double element(bytes b, int e);                                                    \
  };                                                                                          \
  static_assert(sizeof(type) == block_bytes && block_traits<type>::elements == num_elements); \
  inline double format<type>::element(bytes b, int e)

// 32 weights: byte i of the numbers holds element i and element i + 16.
ROCMFORGE_REFERENCE_FORMAT(q4_0, 2, 32, 18, 0, -1) {
  return (nibble(b[2 + e % 16], e / 16) - 8) * half_at(b);
}
ROCMFORGE_REFERENCE_FORMAT(q4_1, 3, 32, 20, 0, 2) {
  return nibble(b[4 + e % 16], e / 16) * half_at(b) + half_at(b + 2);
}
ROCMFORGE_REFERENCE_FORMAT(q5_0, 6, 32, 22, 0, -1) {
  const int fifth = static_cast<int>(u32(b + 2) >> e & 1);
  return (nibble(b[6 + e % 16], e / 16) + 16 * fifth - 16) * half_at(b);
}
ROCMFORGE_REFERENCE_FORMAT(q5_1, 7, 32, 24, 0, 2) {
  const int fifth = static_cast<int>(u32(b + 4) >> e & 1);
  return (nibble(b[8 + e % 16], e / 16) + 16 * fifth) * half_at(b) + half_at(b + 2);
}
ROCMFORGE_REFERENCE_FORMAT(q8_0, 8, 32, 34, 0, -1) {
  return i8(b[2 + e]) * half_at(b);
}
ROCMFORGE_REFERENCE_FORMAT(q8_1, 9, 32, 36, 0, 2) {
  return i8(b[4 + e]) * half_at(b);
}
ROCMFORGE_REFERENCE_FORMAT(q1_0, 41, 128, 18, 0, -1) {
  return (b[2 + e / 8] >> e % 8 & 1) != 0 ? half_at(b) : -half_at(b);
}
ROCMFORGE_REFERENCE_FORMAT(q2_0, 42, 64, 18, 0, -1) {
  return ((b[2 + e / 4] >> 2 * (e % 4) & 3) - 1) * half_at(b);
}

// 256 weights, most of them in halves of 128.
ROCMFORGE_REFERENCE_FORMAT(q2_k, 10, 256, 84, 80, 82) {
  const int q = b[16 + e / 128 * 32 + e % 32] >> 2 * (e % 128 / 32) & 3, scale = b[e / 16];
  return half_at(b + 80) * nibble(scale, 0) * q - half_at(b + 82) * nibble(scale, 1);
}
ROCMFORGE_REFERENCE_FORMAT(q3_k, 11, 256, 110, 108, -1) {
  const int q = b[32 + e / 128 * 32 + e % 32] >> 2 * (e % 128 / 32) & 3;
  const bool high = (b[e % 32] >> e / 32 & 1) != 0;
  const int k = e / 16;
  const int scale = nibble(b[96 + k % 8], k / 8) + 16 * (b[104 + k % 4] >> 2 * (k / 4) & 3) - 32;
  return half_at(b + 108) * scale * (q - (high ? 0 : 4));
}
/// d * scale * q - dmin * min with the twelve bytes of scales of q4_k and q5_k.
inline double scaled_by_six_bits(bytes b, int j, int q) {
  const bytes s = b + 4;
  const int scale = j < 4 ? s[j] % 64 : s[j + 4] % 16 + 16 * (s[j - 4] / 64);
  const int min = j < 4 ? s[j + 4] % 64 : s[j + 4] / 16 + 16 * (s[j] / 64);
  return half_at(b) * scale * q - half_at(b + 2) * min;
}
ROCMFORGE_REFERENCE_FORMAT(q4_k, 12, 256, 144, 0, 2) {
  return scaled_by_six_bits(b, e / 32, nibble(b[16 + e / 64 * 32 + e % 32], e / 32 % 2));
}
ROCMFORGE_REFERENCE_FORMAT(q5_k, 13, 256, 176, 0, 2) {
  const int fifth = b[16 + e % 32] >> e / 32 & 1;
  return scaled_by_six_bits(b, e / 32,
                            nibble(b[48 + e / 64 * 32 + e % 32], e / 32 % 2) + 16 * fifth);
}
ROCMFORGE_REFERENCE_FORMAT(q6_k, 14, 256, 210, 208, -1) {
  const int quarter = e % 128 / 32;
  const int low = nibble(b[e / 128 * 64 + e % 32 + 32 * (quarter % 2)], quarter / 2);
  const int high = b[128 + e / 128 * 32 + e % 32] >> 2 * quarter & 3;
  return half_at(b + 208) * i8(b[192 + e / 16]) * (low + 16 * high - 32);
}
ROCMFORGE_REFERENCE_FORMAT(q8_k, 15, 256, 292, -1, -1) {
  float scale;
  std::memcpy(&scale, b, 4);
  return double(scale) * i8(b[4 + e]);
}

// Numbers that name values.
inline constexpr int uneven[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};
inline double four_bit_float(int q) {
  const double values[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  return q <= 8 ? values[q % 8] : -values[q - 8];  // there is no negative zero
}
ROCMFORGE_REFERENCE_FORMAT(iq4_nl, 20, 32, 18, 0, -1) {
  return uneven[nibble(b[2 + e % 16], e / 16)] * half_at(b);
}
ROCMFORGE_REFERENCE_FORMAT(iq4_xs, 23, 256, 136, 0, -1) {
  const int k = e / 32;
  const int scale = nibble(b[4 + k / 2], k % 2) + 16 * (u16(b + 2) >> 2 * k & 3) - 32;
  return half_at(b) * scale * uneven[nibble(b[8 + 16 * k + e % 16], e % 32 / 16)];
}
ROCMFORGE_REFERENCE_FORMAT(mxfp4, 39, 32, 17, -1, -1) {
  return four_bit_float(nibble(b[1 + e % 16], e / 16)) * std::ldexp(1.0, b[0] - 127);
}
ROCMFORGE_REFERENCE_FORMAT(nvfp4, 40, 64, 36, -1, -1) {
  const int s = e / 16, i = e % 16, x = b[s], exponent = x >> 3 & 15, fraction = x & 7;
  const double scale = x == 0x7f       ? 0
                       : exponent == 0 ? std::ldexp(fraction, -9)
                                       : std::ldexp(8 + fraction, exponent - 10);
  return four_bit_float(nibble(b[4 + 8 * s + i % 8], i / 8)) * scale;
}

// Weights of -1, 0 and 1.
ROCMFORGE_REFERENCE_FORMAT(tq1_0, 34, 256, 54, 52, -1) {
  const int byte = e < 160 ? b[e % 32] : e < 240 ? b[32 + (e - 160) % 16] : b[48 + (e - 240) % 4];
  int digit = e < 160 ? e / 32 : e < 240 ? (e - 160) / 16 : (e - 240) / 4, fraction = byte;
  for (; digit > 0; --digit) fraction = fraction * 3 % 256;
  return (fraction * 3 / 256 - 1) * half_at(b + 52);
}
ROCMFORGE_REFERENCE_FORMAT(tq2_0, 35, 256, 66, 64, -1) {
  return ((b[e / 128 * 32 + e % 32] >> 2 * (e % 128 / 32) & 3) - 1) * half_at(b + 64);
}

// Grids: k counts the 32 weights, g the 8 in them, j the one in those.
template <class Entry>
int grid_byte(Entry entry, int j) {
  return i8(static_cast<int>(entry >> 8 * j & 255));
}
inline int sign_of_seven(unsigned seven, int j) {
  int ones = 0;
  for (int i = 0; i < 7; ++i) ones += static_cast<int>(seven >> i & 1);
  return (j < 7 ? seven >> j & 1 : static_cast<unsigned>(ones % 2)) != 0 ? -1 : 1;
}
inline int sign_of_byte(int byte, int j) {
  return (byte >> j & 1) != 0 ? -1 : 1;
}
ROCMFORGE_REFERENCE_FORMAT(iq2_xxs, 16, 256, 66, 0, -1) {
  const int k = e / 32, g = e % 32 / 8, j = e % 8;
  const std::uint32_t w = u32(b + 2 + 8 * k + 4);
  return half_at(b) * (0.5 + w / 268435456u) / 4 * grid_byte(grids::iq2_xxs(b[2 + 8 * k + g]), j) *
         sign_of_seven(w >> 7 * g & 127, j);
}
ROCMFORGE_REFERENCE_FORMAT(iq2_xs, 17, 256, 74, 0, -1) {
  const int k = e / 32, g = e % 32 / 8, j = e % 8, q = u16(b + 2 + 2 * (4 * k + g));
  return half_at(b) * (0.5 + nibble(b[66 + k], g / 2)) / 4 * grid_byte(grids::iq2_xs(q % 512), j) *
         sign_of_seven(static_cast<unsigned>(q / 512), j);
}
ROCMFORGE_REFERENCE_FORMAT(iq2_s, 22, 256, 82, 0, -1) {
  const int k = e / 32, g = e % 32 / 8, j = e % 8;
  const int index = b[2 + 4 * k + g] + 256 * (b[66 + k] >> 2 * g & 3);
  return half_at(b) * (0.5 + nibble(b[74 + k], g / 2)) / 4 * grid_byte(grids::iq2_s(index), j) *
         sign_of_byte(b[34 + 4 * k + g], j);
}
ROCMFORGE_REFERENCE_FORMAT(iq3_xxs, 18, 256, 98, 0, -1) {
  const int k = e / 32, g = e % 32 / 8, j = e % 8;
  const std::uint32_t w = u32(b + 66 + 4 * k);
  return half_at(b) * (0.5 + w / 268435456u) / 2 *
         grid_byte(grids::iq3_xxs(b[2 + 8 * k + 2 * g + j / 4]), j % 4) *
         sign_of_seven(w >> 7 * g & 127, j);
}
ROCMFORGE_REFERENCE_FORMAT(iq3_s, 21, 256, 110, 0, -1) {
  const int k = e / 32, g = e % 32 / 8, j = e % 8, r = 2 * g + j / 4;
  const int index = b[2 + 8 * k + r] + 256 * (b[66 + k] >> r & 1);
  return half_at(b) * (1 + 2 * nibble(b[106 + k / 2], k % 2)) *
         grid_byte(grids::iq3_s(index), j % 4) * sign_of_byte(b[74 + 4 * k + g], j);
}
ROCMFORGE_REFERENCE_FORMAT(iq1_s, 19, 256, 50, 0, -1) {
  const int k = e / 32, g = e % 32 / 8, j = e % 8, w = u16(b + 34 + 2 * k);
  const int index = b[2 + 4 * k + g] + 256 * (w >> 3 * g & 7);
  return half_at(b) * (2 * (w >> 12 & 7) + 1) *
         (grid_byte(grids::iq1_s(index), j) + (w >= 0x8000 ? -0.125 : 0.125));
}
ROCMFORGE_REFERENCE_FORMAT(iq1_m, 29, 256, 56, -1, -1) {
  const int k = e / 32, g = e % 32 / 8, j = e % 8, q = nibble(b[32 + 2 * k + g / 2], g % 2);
  int bits = 0;
  for (int i = 3; i >= 0; --i) bits = bits * 16 + u16(b + 48 + 2 * i) / 4096;
  const int scale = u16(b + 48 + 2 * (k / 2)) >> (6 * (k % 2) + 3 * (g / 2)) & 7;
  return half_of_bits(bits) * (2 * scale + 1) *
         (grid_byte(grids::iq1_s(b[4 * k + g] + 256 * (q & 7)), j) + (q >= 8 ? -0.125 : 0.125));
}
#undef ROCMFORGE_REFERENCE_FORMAT

/// The weights that `stored` holds, in double.
template <class Type>
std::vector<double> decode(const std::vector<Type>& stored) {
  std::vector<double> weights;
  if constexpr (!is_quantized<Type>) {
    for (const Type& weight : stored) weights.push_back(double(float(weight)));
  } else {
    std::vector<unsigned char> memory(stored.size() * sizeof(Type));
    std::memcpy(memory.data(), stored.data(), memory.size());
    for (std::size_t block = 0; block < stored.size(); ++block) {
      for (int e = 0; e < format<Type>::elements; ++e)
        weights.push_back(format<Type>::element(memory.data() + block * sizeof(Type), e));
    }
  }
  return weights;
}

/// Puts a half into each scale of a block: `d` into the first, `m` into the second.
template <class Type>
void set_scales(Type& block, half d, half m) {
  unsigned char memory[sizeof(Type)];
  std::memcpy(memory, &block, sizeof(Type));
  if constexpr (format<Type>::d >= 0) std::memcpy(memory + format<Type>::d, &d.bits, 2);
  if constexpr (format<Type>::m >= 0) std::memcpy(memory + format<Type>::m, &m.bits, 2);
  if constexpr (std::is_same_v<Type, iq1_m>) {  // four bits in each of four words
    for (int i = 0; i < 4; ++i) {
      unsigned char& upper = memory[48 + 2 * i + 1];
      upper = static_cast<unsigned char>((upper & 15) | (d.bits >> 4 * i & 15) << 4);
    }
  } else if constexpr (std::is_same_v<Type, q8_k>) {
    const float scale = float(d);
    std::memcpy(memory, &scale, 4);
  }
  std::memcpy(static_cast<void*>(&block), memory, sizeof(Type));
}

/// Storage of `count` weights: dense ones in [-1, 1), blocks with random bits and scales of random
/// size and sign, such that weights are of about the size of 1.
template <class Type>
std::vector<Type> random_weights(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  if constexpr (!is_quantized<Type>) {
    std::uniform_real_distribution<double> uniform(-1, 1);
    std::vector<Type> weights(count);
    for (Type& weight : weights) weight = Type(float(uniform(engine)));
    return weights;
  } else {
    std::vector<Type> blocks(count / std::size_t(format<Type>::elements));
    // Blocks of 256 multiply by a scale of some bits more.
    const int exponent = format<Type>::elements == 256 ? 0x18 : 0x1c;
    const auto scale = [&] {
      const auto random = engine();
      return half::from_bits(static_cast<std::uint16_t>(
          (random & 0x8000) | (random & 0xff) |
          static_cast<unsigned>(exponent + static_cast<int>(random >> 16 & 15)) << 8));
    };
    for (Type& block : blocks) {
      unsigned char memory[sizeof(Type)];
      for (unsigned char& byte : memory) byte = static_cast<unsigned char>(engine() >> 24);
      if constexpr (std::is_same_v<Type, mxfp4>)
        memory[0] = static_cast<unsigned char>(120 + memory[0] % 8);
      if constexpr (std::is_same_v<Type, nvfp4>)
        for (int i = 0; i < 4; ++i) memory[i] &= 0x3f;
      std::memcpy(static_cast<void*>(&block), memory, sizeof(Type));
      const half d = scale(), m = scale();
      set_scales(block, d, m);
    }
    return blocks;
  }
}

/// Blocks with random bits whose weights have the mean 0, where the format has an offset, and about
/// the standard deviation `size`.
template <class Type>
std::vector<Type> blocks_of_size(std::size_t count, double size, unsigned seed) {
  auto blocks = random_weights<Type>(count, seed);
  struct moments {
    double mean, deviation;
  };
  const auto with_scales = [&](half d, half m) {
    for (Type& block : blocks) set_scales(block, d, m);
    double sum = 0, squares = 0;
    const auto weights = decode(blocks);
    for (const double weight : weights) {
      sum += weight;
      squares += weight * weight;
    }
    const double mean = sum / double(weights.size());
    return moments{mean, std::sqrt(std::max(0.0, squares / double(weights.size()) - mean * mean))};
  };
  if constexpr (std::is_same_v<Type, mxfp4> || std::is_same_v<Type, nvfp4>) {
    // Scales of their own: powers of two nearest to what is wanted.
    const int shift = static_cast<int>(std::lround(std::log2(size / 2.9)));
    for (Type& block : blocks) {
      if constexpr (std::is_same_v<Type, mxfp4>) block.e = static_cast<std::uint8_t>(127 + shift);
      if constexpr (std::is_same_v<Type, nvfp4>)
        for (auto& d : block.d) d = static_cast<std::uint8_t>((7 + shift) << 3);
    }
    return blocks;
  } else {
    const double mean = with_scales(half(1.0f), half(0.0f)).mean;
    const double offset = format<Type>::m >= 0 ? with_scales(half(0.0f), half(1.0f)).mean : 0;
    const double ratio = offset != 0 ? -mean / offset : 0;
    const double deviation = with_scales(half(1.0f), half(float(ratio))).deviation;
    const double d = size / deviation;
    with_scales(half(float(d)), half(float(d * ratio)));
    return blocks;
  }
}

}  // namespace rocmforge::testing::reference
