// How a block finds its way in a row of logits without sorting it: the largest logit, the logit
// down to which weights add up to a target (a radix descent over order-preserving keys), and the id
// up to which they do. Weights are whole numbers, so that no result depends on the shape of the
// block.
#pragma once

#include <cstdint>
#include <limits>

#include "rocmforge/block/packets.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/block/sort.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/sampling/fixed_point.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// The likeliest elements of a row: those above a key, and of those at it the ids up to `last_id`.
struct likeliest {
  std::uint32_t key = 1;  // everything but NaN
  int last_id = std::numeric_limits<int>::max();

  ROCMFORGE_DEVICE bool contains(std::uint32_t of_logit, int id) const {
    return of_logit > key || (of_logit == key && id <= last_id);
  }
};

/// Weights are functions of (logit, key of the logit, id) with values of 64 bits whose sum over the
/// row has no more. Every lane of the block calls each function with the same arguments, and gets
/// the same result.
///
/// Once the likeliest elements are known to be few, a list of them in shared memory stands for the
/// row: from then on the weights of all others have to be 0.
template <class T, int BlockSize, int WaveSize>
struct row_search {
  using row_maximum = device::block_reduce<BlockSize, WaveSize>;
  static constexpr int packet_elements = packet_size<T, WaveSize>;
  static constexpr int digit_bits = 11;  // 32 bits in three passes
  static constexpr int num_bins = 1 << digit_bits;
  static constexpr int num_parts = 64;
  static constexpr int list_capacity = 1024;
  static constexpr float lowest = -std::numeric_limits<float>::infinity();
  struct storage {
    typename row_maximum::storage maximum;
    std::uint64_t bin[num_bins];
    std::uint64_t part[num_parts];      // sums of some neighboring bins or elements each
    std::uint64_t list[list_capacity];  // ~id and key of an element each, in the order of ids
    std::uint32_t num_listed;
  };

  block_context<BlockSize, WaveSize> block;
  const T* row;
  int size;
  storage& shared;
  int num_listed = -1;  // -1: there is no list

  /// NaN counts as -infinity.
  ROCMFORGE_DEVICE float maximum() const {
    packet<float, packet_elements> largest(lowest);
    device::for_each_packet<packet_elements>(block, size, [&](auto at) {
      // maximum(NaN, x) is x.
      largest = device::maximum(masked(load(row, at), at, lowest), largest);
    });
    return row_maximum::reduce(horizontal_maximum(largest), device::max_op{}, block,
                               shared.maximum);
  }

  /// The `count` likeliest elements; all, if there are no more. Makes a list of them and of some
  /// others, if these are few.
  ROCMFORGE_DEVICE likeliest likeliest_of(int count) {
    const auto one_each = [](float, std::uint32_t key, int) { return std::uint64_t{key != 0}; };
    return reach<true>(one_each, [&](std::uint64_t) { return static_cast<std::uint64_t>(count); });
  }

  /// Searches the whole row again, not the list.
  ROCMFORGE_DEVICE void forget_list() { num_listed = -1; }

  /// The fewest of the likeliest elements whose weights add up to a target; all, if all together do
  /// not. Elements of weight 0 may be among them. Of equal logits those with the lowest ids are
  /// taken; they must have equal weights, but the last of them may have none.
  ///
  /// @param target_of  the target, at least 1, as a function of the sum over the row
  /// @tparam WeightsCount  weights are 1, or 0 for NaN: then they tell when to make a list
  template <bool WeightsCount = false, class Weight, class Target>
  ROCMFORGE_DEVICE likeliest reach(Weight&& weight, Target&& target_of) {
    std::uint64_t target = 0;
    std::uint32_t prefix = 0;   // the upper bits of the key that is searched
    std::uint64_t missing = 0;  // of the target, when all larger keys are taken
    int unknown_bits = 32;
    while (true) {
      const int shift = unknown_bits > digit_bits ? unknown_bits - digit_bits : 0;
      const std::uint32_t digit_mask = (std::uint32_t{1} << (unknown_bits - shift)) - 1;
      for (int i = block.thread; i < num_bins; i += BlockSize) shared.bin[i] = 0;
      block.barrier();
      const auto add = [&](float logit, std::uint32_t key, int id) {
        if (unknown_bits < 32 && key >> unknown_bits != prefix) return;
        const std::uint64_t w = weight(logit, key, id);
        if (w != 0) block.atomic_add(shared.bin[key >> shift & digit_mask], w);
      };
      for_each(add);
      block.barrier();
      constexpr int part_bins = num_bins / num_parts;
      for (int i = block.thread; i < num_parts; i += BlockSize) {
        std::uint64_t sum = 0;
        for (int j = 0; j < part_bins; ++j) sum += shared.bin[i * part_bins + j];
        shared.part[i] = sum;
      }
      block.barrier();
      if (unknown_bits == 32) {
        const std::uint64_t total = sum_of_parts();
        missing = target = target_of(total);
        if (missing > total) {
          block.barrier();
          return {};
        }
      }
      int i = num_parts - 1;
      for (; i > 0 && shared.part[i] < missing; --i) missing -= shared.part[i];
      int bin = (i + 1) * part_bins - 1;
      for (; bin > 0 && shared.bin[bin] < missing; --bin) missing -= shared.bin[bin];
      const std::uint64_t of_bin = shared.bin[bin];
      block.barrier();
      prefix = prefix << (unknown_bits - shift) | static_cast<std::uint32_t>(bin);
      unknown_bits = shift;
      if constexpr (WeightsCount) {
        const std::uint64_t num_above = target - missing;
        if (num_listed < 0 && num_above + of_bin <= list_capacity) make_list(prefix << shift);
      }
      if (unknown_bits == 0) return first_of_equal(weight, prefix, missing, of_bin);
    }
  }

  /// The first id with which the running sum of the weights, in the order of ids, exceeds a target.
  ///
  /// @param target_of  the target as a function of the sum over the row, which must be above it
  template <class Weight, class Target>
  ROCMFORGE_DEVICE int locate(Weight&& weight, Target&& target_of) const {
    std::uint64_t target = 0;
    int begin = 0, end = num_elements();
    while (true) {
      const int part_size = part_elements(end - begin);
      sum_parts(begin, end, part_size, weight);
      if (end - begin == num_elements()) target = target_of(sum_of_parts());
      int i = 0;
      for (; i < num_parts - 1 && shared.part[i] <= target; ++i) target -= shared.part[i];
      block.barrier();
      begin += i * part_size;
      if (part_size == 1) return num_listed < 0 ? begin : listed_id(begin);
      end = end - begin < part_size ? end : begin + part_size;
    }
  }

  /// The sum of the weights.
  template <class Weight>
  ROCMFORGE_DEVICE std::uint64_t total(Weight&& weight) const {
    sum_parts(0, num_elements(), part_elements(num_elements()), weight);
    const std::uint64_t sum = sum_of_parts();
    block.barrier();
    return sum;
  }

  /// Elements that are searched: those of the list, if there is one.
  [[nodiscard]] ROCMFORGE_DEVICE int num_elements() const {
    return num_listed < 0 ? size : num_listed;
  }

  /// Calls `f(logit, key, id)` for the lane's elements, of the list if there is one.
  template <class F>
  ROCMFORGE_DEVICE void for_each(F&& f) const {
    for_each(block.thread, BlockSize, 0, num_elements(), f);
  }
  /// The same of the row in any case.
  template <class F>
  ROCMFORGE_DEVICE void for_each_of_row(F&& f) const {
    for_each_of_row(block.thread, BlockSize, 0, size, f);
  }

 private:
  /// As for_each above, for elements `begin` to `end` and lane `thread` of `num_threads`.
  template <class F>
  ROCMFORGE_DEVICE void for_each(int thread, int num_threads, int begin, int end, F&& f) const {
    if (num_listed < 0) {
      for_each_of_row(thread, num_threads, begin, end, f);
      return;
    }
    for (int i = begin + thread; i < end; i += num_threads) {
      const auto key = static_cast<std::uint32_t>(shared.list[i]);
      f(fixed_point::logit_of(key), key, listed_id(i));
    }
  }
  template <class F>
  ROCMFORGE_DEVICE void for_each_of_row(int thread, int num_threads, int begin, int end,
                                        F&& f) const {
    constexpr int N = packet_elements;
    for (int index = begin + thread * N; index < end; index += num_threads * N) {
      const int count = end - index;
      const auto logits = count >= N ? device::load_packet<N>(row + index)
                                     : device::load_packet<N>(row + index, count);
      const auto visit = [&](int i) {
        if (i < count) f(logits[i], fixed_point::order_key(logits[i]), index + i);
      };
      if constexpr (WaveSize == 1) {
        for (int i = 0; i < N; ++i) visit(i);
      } else {  // a packet has to stay in registers
        ROCMFORGE_UNROLL
        for (int i = 0; i < N; ++i) visit(i);
      }
    }
  }

  ROCMFORGE_DEVICE int listed_id(int i) const {
    return static_cast<int>(~static_cast<std::uint32_t>(shared.list[i] >> 32));
  }

  /// Lists the elements with keys from `first_key` on, of which there are not too many.
  ROCMFORGE_DEVICE void make_list(std::uint32_t first_key) {
    if (block.thread == 0) shared.num_listed = 0;
    block.barrier();
    for_each_of_row([&](float, std::uint32_t key, int id) {
      if (key < first_key || key == 0) return;
      const std::uint32_t slot = block.atomic_add(shared.num_listed, std::uint32_t{1});
      shared.list[slot] = std::uint64_t{~static_cast<std::uint32_t>(id)} << 32 | key;
    });
    block.barrier();
    num_listed = static_cast<int>(shared.num_listed);
    device::sort_descending(block, shared.list, num_listed);
  }

  /// Elements of one of the parts of a range: whole packets, unless there is not even one each.
  ROCMFORGE_DEVICE static int part_elements(int range) {
    const int part = device::divide_up(range, num_parts);
    return part < packet_elements ? part
                                  : device::divide_up(part, packet_elements) * packet_elements;
  }

  /// shared.part[i] becomes the sum over ids begin + i * part_size and on; a wave adds up a part.
  template <class Weight>
  ROCMFORGE_DEVICE void sum_parts(int begin, int end, int part_size, Weight&& weight) const {
    for (int i = block.thread; i < num_parts; i += BlockSize) shared.part[i] = 0;
    block.barrier();
    for (int i = block.wave(); i < num_parts; i += BlockSize / WaveSize) {
      const int first = begin + i * part_size;
      std::uint64_t sum = 0;
      for_each(block.lane(), WaveSize, first, end - first < part_size ? end : first + part_size,
               [&](float logit, std::uint32_t key, int id) { sum += weight(logit, key, id); });
      if (sum != 0) block.atomic_add(shared.part[i], sum);
    }
    block.barrier();
  }

  ROCMFORGE_DEVICE std::uint64_t sum_of_parts() const {
    std::uint64_t sum = 0;
    for (int i = 0; i < num_parts; ++i) sum += shared.part[i];
    return sum;
  }

  /// All elements above `key`, and as many of those at it as the `missing` weight takes. `of_key`
  /// is the weight of all elements at it.
  template <class Weight>
  ROCMFORGE_DEVICE likeliest first_of_equal(Weight&& weight, std::uint32_t key,
                                            std::uint64_t missing, std::uint64_t of_key) const {
    if (of_key - missing < weight(fixed_point::logit_of(key), key, 0)) return {key};
    const auto of_equal = [&](float logit, std::uint32_t other, int id) {
      return other == key ? weight(logit, other, id) : std::uint64_t{0};
    };
    return {key, locate(of_equal, [&](std::uint64_t) { return missing - 1; })};
  }
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
