// The core of both kinds of byte-pair encoding: merges neighboring pieces pair by pair, the best
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

/// A part of a text that is a token or becomes a part of one.
struct merge_piece {
  std::uint32_t begin;  // in bytes
  std::uint32_t size;   // 0: merged into the piece before it
  int symbol;
};

/// The result of merging two neighbors.
struct merge_result {
  std::uint32_t rank;  // the lowest is merged first; among equals, the leftmost
  int symbol;
};

/// Merges neighbors in `pieces` until no pair can be merged. Takes O(n log n) time and calls of
/// `find_merge`; not recursive.
///
/// @param pieces      at most 2^31 - 1, in the order of the text; merged ones get size 0
/// @param find_merge  called with two neighbors; returns an optional `merge_result`
template <class FindMerge>
void merge_pieces(std::vector<merge_piece>& pieces, const FindMerge& find_merge) {
  struct candidate {
    std::uint64_t priority;  // rank, then position
    std::uint32_t size;      // of both pieces together when the entry was made
    int symbol;
    std::size_t at() const { return priority & 0xFFFFFFFF; }
    bool operator>(const candidate& other) const { return priority > other.priority; }
  };
  const std::size_t num_pieces = pieces.size();
  std::vector<std::uint32_t> next(num_pieces);
  std::vector<std::uint32_t> previous(num_pieces);  // of the first piece: itself
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
    // Since the entry was made, a piece may have been merged with another neighbor: then the sizes
    // differ.
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
