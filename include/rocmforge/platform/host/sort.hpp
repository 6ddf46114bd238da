// Device-wide sorts on the host: a radix sort from the lowest digit on, by counting (Seward, 1954).
// Unlike std::stable_sort it needs no memory of its own, and no comparisons. See platform/sort.hpp
// for what the functions do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "rocmforge/platform/platform.hpp"
#include "rocmforge/status.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace platform_sort {

/// A row and its copies stay in the second-level cache; several rows together would not.
inline constexpr int elements_per_sort = 1 << 16;

/// A sort takes 2.5 times as long as the search of one block, which finds 2048 ranks, and 0.75
/// times as long as that of two blocks (one thread of an EPYC, a row of 128,256 floats).
inline constexpr int min_top_k = 2049;

/// Sorts `keys[0]` into `keys[1]` with `keys[2]` as intermediate, and `values` along with them if
/// there are any.
template <class Key, class Value>
void sort_by_counting(Key* const (&keys)[3], Value* const (&values)[3], int count, int begin_bit,
                      int end_bit) {
  constexpr int digit_bits = 8, num_digits = 1 << digit_bits;
  const int num_passes = std::max(1, (end_bit - begin_bit + digit_bits - 1) / digit_bits);
  int from = 0;
  for (int pass = 0; pass < num_passes; ++pass) {
    const int to = (num_passes - pass) % 2 == 1 ? 1 : 2;  // the last pass ends in the output
    const int shift = begin_bit + pass * digit_bits;
    const int bits = std::clamp(end_bit - shift, 0, digit_bits);
    const auto digit_of = [=](Key key) {
      return bits == 0 ? 0 : static_cast<int>(key >> shift & ((Key{1} << bits) - 1));
    };
    int next[num_digits] = {};  // where the next key with a digit goes
    for (int i = 0; i < count; ++i) ++next[digit_of(keys[from][i])];
    int begin = 0;
    for (int& place : next) begin += std::exchange(place, begin);
    for (int i = 0; i < count; ++i) {
      const int place = next[digit_of(keys[from][i])]++;
      keys[to][place] = keys[from][i];
      if (values[0] != nullptr) values[to][place] = values[from][i];
    }
    from = to;
  }
}

template <class Key>
std::size_t keys_bytes(int count, int /*begin_bit*/, int /*end_bit*/) {
  return static_cast<std::size_t>(count) * sizeof(Key);
}

template <class Key>
status sort_keys(const char* /*op*/, std::span<std::byte> workspace, const Key* keys_in,
                 Key* keys_out, int count, int begin_bit, int end_bit, stream_ref stream) {
  return stream.submit([=] {
    Key* const keys[] = {const_cast<Key*>(keys_in), keys_out,
                         reinterpret_cast<Key*>(workspace.data())};
    constexpr Key* no_values[] = {nullptr, nullptr, nullptr};
    sort_by_counting(keys, no_values, count, begin_bit, end_bit);
    return status{};
  });
}

/// Keys are rounded up to 8 bytes, so that the values after them are aligned.
template <class Key, class Value>
std::size_t pairs_bytes(int count, int begin_bit, int end_bit) {
  return (keys_bytes<Key>(count, begin_bit, end_bit) + 7) / 8 * 8 +
         static_cast<std::size_t>(count) * sizeof(Value);
}

template <class Key, class Value>
status sort_pairs(const char* /*op*/, std::span<std::byte> workspace, const Key* keys_in,
                  Key* keys_out, const Value* values_in, Value* values_out, int count,
                  int begin_bit, int end_bit, stream_ref stream) {
  return stream.submit([=] {
    std::byte* const after_keys =
        workspace.data() + (keys_bytes<Key>(count, begin_bit, end_bit) + 7) / 8 * 8;
    Key* const keys[] = {const_cast<Key*>(keys_in), keys_out,
                         reinterpret_cast<Key*>(workspace.data())};
    Value* const values[] = {const_cast<Value*>(values_in), values_out,
                             reinterpret_cast<Value*>(after_keys)};
    sort_by_counting(keys, values, count, begin_bit, end_bit);
    return status{};
  });
}

}  // namespace platform_sort
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
