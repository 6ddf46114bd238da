// Appending to a paged cache, and encoding for a quantized one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <rocmforge/quant.hpp>
#include <vector>

namespace rocmforge::testing::reference {

/// The cache after token t went to page slots[t] / page_size, row slots[t] % page_size; a negative
/// slot keeps nothing.
///
/// @param pages   [num_pages, heads, page_size, dim]
/// @param values  [tokens, heads, dim]
/// @param slots   [tokens]
template <class T>
std::vector<T> kv_append(std::vector<T> pages, const std::vector<T>& values,
                         const std::vector<int>& slots, int heads, int page_size, int dim) {
  for (int token = 0; token < int(slots.size()); ++token) {
    const int slot = slots[std::size_t(token)];
    if (slot < 0) continue;
    for (int head = 0; head < heads; ++head) {
      for (int i = 0; i < dim; ++i) {
        const int page = slot / page_size, row = slot % page_size;
        pages[std::size_t(((page * heads + head) * page_size + row) * dim + i)] =
            values[std::size_t((token * heads + head) * dim + i)];
      }
    }
  }
  return pages;
}

/// Blocks of 32 values, as ggml's reference encodes them: d is the largest magnitude over 127.
inline std::vector<q8_0> encode(const std::vector<float>& values, q8_0) {
  std::vector<q8_0> blocks(values.size() / 32);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    float largest = 0;
    for (std::size_t i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[32 * b + i]));
    const float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
    blocks[b].d = half(d);
    for (std::size_t i = 0; i < 32; ++i)
      blocks[b].qs[i] = static_cast<std::int8_t>(std::round(values[32 * b + i] * inverse));
  }
  return blocks;
}

/// The value of the largest magnitude becomes -8 d.
inline std::vector<q4_0> encode(const std::vector<float>& values, q4_0) {
  std::vector<q4_0> blocks(values.size() / 32);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    float extreme = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      if (std::fabs(values[32 * b + i]) > std::fabs(extreme)) extreme = values[32 * b + i];
    }
    const float d = extreme / -8, inverse = d != 0 ? 1 / d : 0;
    blocks[b].d = half(d);
    const auto number = [&](std::size_t i) {
      return std::min(15, static_cast<int>(std::fma(values[32 * b + i], inverse, 8.5f)));
    };
    for (std::size_t i = 0; i < 16; ++i)
      blocks[b].qs[i] = static_cast<std::uint8_t>(number(i) | number(i + 16) << 4);
  }
  return blocks;
}

}  // namespace rocmforge::testing::reference
