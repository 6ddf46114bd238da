// Finds which of many texts are prefixes of a given text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace rocmforge {

/// A set of texts, each with a number, in which the prefixes of a text can be found. Holds views of
/// the texts, which must outlive it.
class prefix_index {
 public:
  struct entry {
    std::string_view text;  // not empty
    int value;
  };

  prefix_index() = default;
  /// Of entries with the same text the one with the lowest number counts.
  explicit prefix_index(std::vector<entry> entries) : entries_(std::move(entries)) {
    std::ranges::sort(entries_, [](const entry& a, const entry& b) {
      return std::tie(a.text, a.value) < std::tie(b.text, b.value);
    });
    const auto repeated = std::ranges::unique(entries_, {}, &entry::text);
    entries_.erase(repeated.begin(), repeated.end());
    for (std::size_t i = entries_.size(); i-- > 0;) {
      firsts_[first_byte(entries_[i].text)].low = i;
    }
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      firsts_[first_byte(entries_[i].text)].high = i + 1;
    }
  }

  /// Calls `visit` with each entry that is a prefix of `text`, the shortest first. The time is
  /// proportional to the longest prefix that `text` and an entry share.
  template <class Visit>
  void for_each_prefix(std::string_view text, const Visit& visit) const {
    if (text.empty()) return;
    auto [low, high] = firsts_[first_byte(text)];
    // Narrows the range of sorted entries to those that agree with the text in one more byte each
    // time.
    for (std::size_t length = 1; low < high; ++length) {
      // The texts are distinct, so that the shortest entry is the first in the range.
      if (entries_[low].text.size() == length) visit(entries_[low++]);
      if (length == text.size()) return;
      const auto first = entries_.begin();
      const auto same = std::ranges::equal_range(
          first + static_cast<std::ptrdiff_t>(low), first + static_cast<std::ptrdiff_t>(high),
          static_cast<unsigned char>(text[length]), {},
          [&](const entry& e) { return static_cast<unsigned char>(e.text[length]); });
      low = static_cast<std::size_t>(same.begin() - first);
      high = static_cast<std::size_t>(same.end() - first);
    }
  }

 private:
  struct range {
    std::size_t low = 0;
    std::size_t high = 0;
  };

  static std::size_t first_byte(std::string_view text) {
    return static_cast<unsigned char>(text[0]);
  }

  std::vector<entry> entries_;  // sorted by text
  std::vector<range> firsts_ = std::vector<range>(256);
};

}  // namespace rocmforge
