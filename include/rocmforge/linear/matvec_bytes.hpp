// y = x W^T for one token, on a host whose processor multiplies bytes: x is split into digits of 8
// bits, and sums are whole numbers until a block of 256 weights ends. So nothing is rounded that a
// sum of floats would keep.
#pragma once

#include <cstdint>
#include <utility>

#include "rocmforge/platform/byte_dot.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/quant/byte_weights.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace kernels {
using namespace device;

/// A block first writes x in three digits to its shared memory, 256 elements (a span) with one
/// factor: x = factor * (digit 0 + 254 * digit 1 + 254^2 * digit 2), from -127 to 127 each. That is
/// a fixed-point number of 24 bits below the largest magnitude of its span, whose rounding is that
/// of a float of this magnitude. Groups of 32 with an element so large that the others of its span
/// would lose by it are multiplied as floats. Then the block multiplies tiles of rows, each of
/// which is read once.
template <class T, class Type, int BlockSize, class TX, int Step = byte_dot_size>
struct matvec_bytes {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = 1;
  static constexpr int tile_rows = 4;  // use the digits that are in registers, hide latency
  // Each block writes the digits again, which costs as much as about ten rows.
  static constexpr int block_rows = 256, least_block_rows = 16, blocks_per_thread = 8;
  static constexpr int num_digits = 3;
  static constexpr float base = 254;
  static constexpr float largest = 127 * base * base;

  static constexpr int span = block_format<Type>::elements;
  static_assert(span == 256);
  static constexpr int lanes = Step / 4;  // weights that are multiplied together: Step
  using weights = byte_weights<Type>;
  static constexpr int per_group = weights::per_group;
  static constexpr int num_sums = 8 * per_group;

  struct alignas(64) x_span {
    std::int8_t digits[num_digits][span];
    // Of the elements that have the same scale: of each digit, where a zero is to be subtracted
    // from the numbers, else of the elements.
    std::int16_t digit_sums[num_digits][16];
    float sums[num_sums];
    float factor;
    unsigned float_groups;  // bit i: group i is zero here, and multiplied as floats
  };
  struct alignas(64) shared_storage {};  // the spans of x lie behind it

  tensor_view<T, 2> y;                // [1, out_dim]
  tensor_view<const TX, 2> x;         // [1, in_dim]
  tensor_view<const Type, 2> weight;  // [out_dim, in_dim / span]
  tensor_view<const float, 1> bias;   // [out_dim] or empty
  int num_blocks;                     // of the grid; does not change results

  int shared_tail_bytes() const { return weight.extent[1] * static_cast<int>(sizeof(x_span)); }
  static constexpr int max_in_dim = 1 << 24;  // so that these bytes are an int

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, 1> block,
                                   shared_storage& shared) const {
    x_span* const spans = reinterpret_cast<x_span*>(&shared + 1);
    for (int i = 0; i < weight.extent[1]; ++i) write_span(spans[i], x.data + i * span);
    const int num_tiles = divide_up(y.extent[1], tile_rows);
    const auto first_tile = [&](int index) {
      return static_cast<int>(std::int64_t{num_tiles} * index / num_blocks);
    };
    for (int tile = first_tile(block.index.x); tile < first_tile(block.index.x + 1); ++tile)
      multiply_rows(tile * tile_rows, spans);
  }

 private:
  using floats = packet<float, lanes>;

  struct magnitudes {
    float peak, total;
  };
  template <int Count>
  ROCMFORGE_DEVICE static magnitudes magnitudes_of(const TX* from) {
    floats most(0.0f), sum(0.0f);
    for (int i = 0; i < Count; i += lanes) {
      const auto bits = bit_cast<unsigned>(load_packet<lanes>(from + i));
      const auto magnitude = bit_cast<float>(bits & packet<unsigned, lanes>(0x7fffffffu));
      most = maximum(magnitude, most);
      sum += magnitude;
    }
    return {horizontal_maximum(most), horizontal_sum(sum)};
  }
  /// Whether one element is larger than all others together.
  ROCMFORGE_DEVICE static bool is_uneven(const magnitudes& m) { return m.peak > m.total - m.peak; }

  ROCMFORGE_DEVICE static void write_span(x_span& to, const TX* from) {
    const magnitudes all = magnitudes_of<span>(from);
    to.float_groups = 0;
    const float peak = is_uneven(all) ? find_float_groups(to, from) : all.peak;
    // Where all are zero or nearly so, any scale will do that is a number.
    constexpr float most_scale = 0x1p126f;
    const float wanted = largest / peak, scale = wanted < most_scale ? wanted : most_scale;
    write_digits(to, from, scale);
    to.factor = 1 / scale + (all.total - all.total);  // not a number if one of the elements is none
  }

  /// Marks the groups with elements that are much larger than those of the groups not marked.
  /// @return the largest magnitude of the latter
  ROCMFORGE_DEVICE static float find_float_groups(x_span& to, const TX* from) {
    constexpr int groups = span / group_elements;
    magnitudes of_group[groups];
    for (int group = 0; group < groups; ++group)
      of_group[group] = magnitudes_of<group_elements>(from + group * group_elements);
    for (;;) {
      magnitudes all{0, 0};
      int highest = 0;
      for (int group = 0; group < groups; ++group) {
        if (of_group[group].peak > of_group[highest].peak) highest = group;
        all.total += of_group[group].total;
      }
      all.peak = of_group[highest].peak;
      if (!is_uneven(all)) return all.peak;  // all zero, in the end
      to.float_groups |= 1u << highest;
      of_group[highest] = {0, 0};
    }
  }

  ROCMFORGE_DEVICE static void write_digits(x_span& to, const TX* from, float scale) {
    // Adding this to a number below 2^22 rounds it; the low bits of the sum are those of the
    // number.
    const floats whole(12582912.0f);  // 1.5 * 2^23
    constexpr int share = span / num_sums, at_once = lanes < num_sums ? lanes : num_sums;
    for (int first = 0; first < num_sums; first += at_once) {
      constexpr int kinds = weights::zero == 0 ? 1 : num_digits;
      floats sums[kinds][lanes];
      for (int i = 0; i < lanes; ++i) {
        ROCMFORGE_UNROLL
        for (int kind = 0; kind < kinds; ++kind) sums[kind][i] = 0.0f;
      }
      for (int i = 0; i < at_once; ++i) {
        for (int k = 0; k < share; k += lanes) {
          const int at = (first + i) * share + k;
          const bool is_float = (to.float_groups >> at / group_elements & 1) != 0;
          const floats value = load_packet<lanes>(from + at) * (is_float ? 0.0f : scale);
          const floats upper = fma(value, floats(1 / (base * base)), whole) - whole;
          const floats rest = fma(upper, floats(-base * base), value);
          const floats middle = fma(rest, floats(1 / base), whole) - whole;
          const floats lower = fma(middle, floats(-base), rest) + whole - whole;
          const floats digits[num_digits] = {lower, middle, upper};
          ROCMFORGE_UNROLL
          for (int digit = 0; digit < num_digits; ++digit)
            store_low_bytes(to.digits[digit] + at, bit_cast<int>(digits[digit] + whole));
          ROCMFORGE_UNROLL
          for (int kind = 0; kind < kinds; ++kind)
            sums[kind][i] += weights::zero == 0 ? value : digits[kind];
        }
      }
      if constexpr (weights::zero == 0) {
        store_packet(to.sums + first, fold_all(sums[0]) * (1 / scale), at_once);
      } else {
        for (int digit = 0; digit < num_digits; ++digit) {
          const floats all = fold_all(sums[digit]);
          for (int i = 0; i < at_once; ++i) {
            // Of elements that are no numbers there is none; the factor is not one either.
            const float sum = all[i];
            to.digit_sums[digit][first + i] = static_cast<std::int16_t>(sum == sum ? sum : 0.0f);
          }
        }
      }
    }
  }

  ROCMFORGE_DEVICE static int existing(int row, int num_rows) {
    return row < num_rows ? row : num_rows - 1;
  }

  ROCMFORGE_DEVICE void multiply_rows(int first, const x_span* spans) const {
    const Type* rows[tile_rows];
    floats sums[tile_rows];
    packet<float, num_sums> offsets[tile_rows];
    ROCMFORGE_UNROLL
    for (int r = 0; r < tile_rows; ++r) {
      rows[r] = slice(weight, existing(first + r, y.extent[1])).data;
      sums[r] = 0.0f;
      offsets[r] = 0.0f;
    }
    const std::int64_t ahead = tile_rows * weight.stride[0];  // from a row to the one to prefetch
    for (int index = 0; index < weight.extent[1]; ++index) {
      const x_span& values = spans[index];
      packet<unsigned, 8> scales[tile_rows];
      packet<int, lanes> whole[tile_rows][num_digits];
      ROCMFORGE_UNROLL
      for (int r = 0; r < tile_rows; ++r) {
        prefetch_block(rows[r] + ahead + index);
        ROCMFORGE_UNROLL
        for (int digit = 0; digit < num_digits; ++digit) whole[r][digit] = 0;
        const auto unpacked = weights::scales(rows[r][index]);
        scales[r] = unpacked.words;
        if constexpr (weights::zero == 0) {
          offsets[r] = fma(unpacked.m, load_packet<num_sums>(values.sums), offsets[r]);
        } else {
          const auto zeros = multiply_words(unpacked.words, -weights::zero);
          ROCMFORGE_UNROLL
          for (int digit = 0; digit < num_digits; ++digit)
            dot_add_words(zeros, values.digit_sums[digit], whole[r][digit]);
        }
      }
      ROCMFORGE_UNROLL
      for (int at = 0; at < span; at += Step) {
        byte_packet<Step> digits[num_digits];
        ROCMFORGE_UNROLL
        for (int digit = 0; digit < num_digits; ++digit)
          digits[digit] = load_byte_packet<Step, 64>(values.digits[digit] + at);
        ROCMFORGE_UNROLL
        for (int r = 0; r < tile_rows; ++r) {
          const int group = at / group_elements;
          const auto numbers = weights::template numbers<Step>(rows[r][index], group);
          byte_packet<Step> factors;
          spread_words<per_group>(factors, scales[r], group);
          ROCMFORGE_UNROLL
          for (int digit = 0; digit < num_digits; ++digit)
            dot_add(numbers, digits[digit], factors, whole[r][digit]);
        }
      }
      ROCMFORGE_UNROLL
      for (int r = 0; r < tile_rows; ++r) {
        const floats upper = fma(to_float(whole[r][2]), floats(base), to_float(whole[r][1]));
        const floats all = fma(upper, floats(base), to_float(whole[r][0]));
        sums[r] = fma(all, broadcast<lanes>(rows[r][index].d) * floats(values.factor), sums[r]);
      }
    }
    // Not in the loop above, whose sums would leave their registers for it.
    for (int index = 0; index < weight.extent[1]; ++index) {
      const unsigned groups = spans[index].float_groups;
      if (groups != 0) multiply_float_groups(rows, index, groups, sums);
    }
    ROCMFORGE_UNROLL
    for (int r = 0; r < tile_rows; ++r) {
      const int row = first + r;
      if (row >= y.extent[1]) return;
      const float offset = bias.data != nullptr ? bias(row) : 0.0f;
      y(0, row) = T(horizontal_sum(sums[r]) + horizontal_sum(offsets[r]) + offset);
    }
  }

  ROCMFORGE_DEVICE void multiply_float_groups(const Type* const (&rows)[tile_rows], int index,
                                              unsigned groups, floats (&sums)[tile_rows]) const {
    constexpr int parts = num_parts<lanes>, span_groups = span / group_elements;
    for (int i = 0; i < span_groups * parts; ++i) {
      if ((groups >> i / parts & 1) == 0) continue;
      const int group = index * span_groups + i / parts, part = i % parts;
      const auto values =
          block_traits<TX>::template decode<lanes>(x.data, group, part, group_elements);
      for (int r = 0; r < tile_rows; ++r) {
        const auto numbers =
            block_traits<Type>::template decode<lanes>(rows[r], group, part, group_elements);
        sums[r] = fma(numbers.high, values.high, fma(numbers.low, values.low, sums[r]));
      }
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
