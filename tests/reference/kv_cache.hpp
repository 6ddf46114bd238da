// Appending to a paged cache.
#pragma once

#include <cstddef>
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

}  // namespace rocmforge::testing::reference
