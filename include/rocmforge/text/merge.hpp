// The core of both kinds of byte-pair encoding: neighbors are merged one pair at a time, the best
// pair first. Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword
// Units", 2016.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

namespace rocmforge {

/// A stretch of a text on its way to become a token.
struct merge_piece {
  std::uint32_t begin;  // in bytes
  std::uint32_t size;   // 0 once it was merged into the piece before it
  int symbol;
};

/// What two neighbors become.
struct merge_result {
  std::uint32_t rank;  // the lowest goes first; of equal ones, the leftmost
  int symbol;
};

/// Merges `pieces`, which are neighbors in this order, until no pair of them can be. Takes
/// O(n log n) time and calls of `find_merge`, and no recursion.
///
/// @param pieces      at most 2^31 - 1; on return some have size 0
/// @param find_merge  called with two neighbors; returns an optional `merge_result`
template <class FindMerge>
void merge_pieces(std::vector<merge_piece>& pieces, const FindMerge& find_merge) {
  struct candidate {
    std::uint64_t priority;  // rank, then place
    std::uint32_t size;      // of the two together, when they were seen
    int symbol;
    std::size_t at() const { return priority & 0xFFFFFFFF; }
    bool operator>(const candidate& other) const { return priority > other.priority; }
  };
  const std::size_t num_pieces = pieces.size();
  std::vector<std::uint32_t> next(num_pieces);
  std::vector<std::uint32_t> previous(num_pieces);  // of the first, itself
  for (std::size_t i = 0; i < num_pieces; ++i) {
    next[i] = static_cast<std::uint32_t>(i + 1);
    previous[i] = static_cast<std::uint32_t>(i == 0 ? 0 : i - 1);
  }

  const auto candidate_at = [&](std::size_t at) -> std::optional<candidate> {
    if (next[at] == num_pieces) return std::nullopt;
    const merge_piece& right = pieces[next[at]];
    const std::optional<merge_result> merged = find_merge(pieces[at], right);
    if (!merged) return std::nullopt;
    return candidate{std::uint64_t{merged->rank} << 32 | at, pieces[at].size + right.size,
                     merged->symbol};
  };
  std::vector<candidate> initial;
  initial.reserve(num_pieces);
  for (std::size_t i = 0; i < num_pieces; ++i) {
    if (const auto found = candidate_at(i)) initial.push_back(*found);
  }
  std::priority_queue candidates(std::greater<candidate>{}, std::move(initial));

  while (!candidates.empty()) {
    const candidate best = candidates.top();
    candidates.pop();
    const std::size_t at = best.at();
    merge_piece& left = pieces[at];
    // Either side may have been merged with another neighbor since; its size tells.
    if (left.size == 0 || next[at] == num_pieces) continue;
    merge_piece& right = pieces[next[at]];
    if (left.size + right.size != best.size) continue;
    left.size = best.size;
    left.symbol = best.symbol;
    right.size = 0;
    next[at] = next[next[at]];
    if (next[at] != num_pieces) previous[next[at]] = static_cast<std::uint32_t>(at);
    if (const auto found = candidate_at(at)) candidates.push(*found);
    if (at == 0) continue;
    if (const auto found = candidate_at(previous[at])) candidates.push(*found);
  }
}

}  // namespace rocmforge
