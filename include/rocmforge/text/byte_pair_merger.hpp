// Byte-pair encoding: the neighbouring pair that was learnt first is merged first, until no known
// pair is left. Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword
// Units", 2016.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/byte_level.hpp>
#include <rocmforge/text/vocabulary.hpp>

namespace rocmforge {

/// Turns words into token ids by merges. Takes O(n log n) time for a word of n bytes, and no
/// recursion.
class byte_pair_merger {
 public:
  /// @param vocab  checked; throws `error` for a merge that is not two texts with a space between
  /// them
  explicit byte_pair_merger(const vocabulary& vocab)
      : num_tokens_(static_cast<int>(vocab.tokens.size())) {
    symbol_table symbols;
    symbols.reserve(vocab.tokens.size());
    for (int id = 0; id < num_tokens_; ++id) {
      // Text never becomes a control token, whatever the merges say.
      if (!is_control(vocab.kinds[id])) symbols.emplace(vocab.tokens[id], id);
    }
    int num_symbols = num_tokens_;
    const auto symbol_of = [&](std::string text) {
      const auto [entry, is_new] = symbols.try_emplace(std::move(text), num_symbols);
      if (is_new) ++num_symbols;
      return entry->second;
    };
    for (unsigned byte = 0; byte < 256; ++byte) {
      byte_symbols_[byte] = symbol_of(to_byte_level(std::string(1, static_cast<char>(byte))));
    }
    ranks_.reserve(vocab.merges.size());
    merged_.reserve(vocab.merges.size());
    for (std::size_t rank = 0; rank < vocab.merges.size(); ++rank) {
      const std::string& merge = vocab.merges[rank];
      const std::size_t space = merge.find(' ', 1);
      if (space == std::string::npos || space + 1 == merge.size()) {
        refuse(vocab, "merge " + std::to_string(rank) + " is \"" + printable(merge) +
                          "\", expected two texts with a space between them");
      }
      const int left = symbol_of(merge.substr(0, space));
      const int right = symbol_of(merge.substr(space + 1));
      ranks_.try_emplace(pair_key(left, right), static_cast<std::uint32_t>(rank));
      merged_.push_back(symbol_of(merge.substr(0, space) + merge.substr(space + 1)));
    }
  }

  /// Appends the ids of `word`, which is bytes, not yet in the byte-level alphabet. A symbol that
  /// is no token is written byte by byte. Throws `error` if the vocabulary has no token for one of
  /// these bytes.
  void encode(std::string_view word, std::vector<int>& ids) const {
    if (word.size() == 1) return append(byte_symbol(word[0]), word, ids);
    const int size = static_cast<int>(word.size());
    std::vector<node> nodes(word.size());
    for (int i = 0; i < size; ++i) nodes[i] = {byte_symbol(word[i]), i - 1, i + 1};
    // The merge of the symbol at `at` with the next one, if there is such a merge.
    const auto candidate_at = [&](int at) -> std::optional<candidate> {
      const int next = nodes[at].next;
      if (next == size) return std::nullopt;
      const int left = nodes[at].symbol;
      const int right = nodes[next].symbol;
      const auto rank = ranks_.find(pair_key(left, right));
      if (rank == ranks_.end()) return std::nullopt;
      return candidate{std::uint64_t{rank->second} << 32 | static_cast<unsigned>(at), left, right};
    };
    std::vector<candidate> initial;
    initial.reserve(word.size());
    for (int i = 0; i < size; ++i) {
      if (const auto found = candidate_at(i)) initial.push_back(*found);
    }
    std::priority_queue candidates(std::greater<candidate>{}, std::move(initial));

    while (!candidates.empty()) {
      const candidate best = candidates.top();
      candidates.pop();
      node& left = nodes[best.at()];
      // Either side may have been merged with another neighbour since.
      if (left.symbol != best.left || left.next == size) continue;
      node& right = nodes[left.next];
      if (right.symbol != best.right) continue;
      left.symbol = merged_[best.rank()];
      left.next = right.next;
      right.symbol = merged_away;
      if (left.next != size) nodes[left.next].previous = best.at();
      if (const auto found = candidate_at(best.at())) candidates.push(*found);
      if (left.previous < 0) continue;
      if (const auto found = candidate_at(left.previous)) candidates.push(*found);
    }
    for (int i = 0; i < size; i = nodes[i].next) {
      append(nodes[i].symbol, word.substr(i, nodes[i].next - i), ids);
    }
  }

 private:
  // A symbol is a token's id, or from num_tokens_ on a text that only serves as a step between
  // merges.
  using symbol_table = std::unordered_map<std::string, int>;
  static constexpr int merged_away = -1;

  struct node {  // one symbol of the word, at its first byte
    int symbol;
    int previous;
    int next;
  };
  struct candidate {
    std::uint64_t priority;  // rank, then place in the word: the lowest goes first
    int left;
    int right;
    std::size_t rank() const { return priority >> 32; }
    int at() const { return static_cast<int>(priority & 0xFFFFFFFF); }
    bool operator>(const candidate& other) const { return priority > other.priority; }
  };

  static std::uint64_t pair_key(int left, int right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 |
           static_cast<std::uint32_t>(right);
  }
  int byte_symbol(char c) const { return byte_symbols_[static_cast<unsigned char>(c)]; }

  void append(int symbol, std::string_view bytes, std::vector<int>& ids) const {
    if (symbol < num_tokens_) return ids.push_back(symbol);
    for (const char c : bytes) {
      if (byte_symbol(c) >= num_tokens_) {
        throw error("the text has the byte " + printable({&c, 1}) +
                    ", for which the vocabulary has no token");
      }
      ids.push_back(byte_symbol(c));
    }
  }

  int num_tokens_;
  std::array<int, 256> byte_symbols_{};
  std::unordered_map<std::uint64_t, std::uint32_t> ranks_;  // by pair of symbols
  std::vector<int> merged_;                                 // symbol by rank
};

}  // namespace rocmforge
