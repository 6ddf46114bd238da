// SentencePiece's compiled normalization rules: texts and their replacements, in a trie stored as a
// double array. Kanda, "Space- and Time-Efficient String Dictionaries", 2018; SentencePiece's
// builder.h for the layout.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <rocmforge/error.hpp>

namespace rocmforge {

/// The rules of a `precompiled_charsmap`: a little-endian u32, the size of the trie in bytes; the
/// trie, a u32 for each node; the replacements, each terminated by a zero byte. The bits of a node:
///
///   bits 0 to 7   the byte that leads to it      bit 8  a rule ends here
///   bits 10 to 30 where its children are, in units of 256 with bit 9
///
/// The child of a node with bit 8 that byte 0 leads to has bit 31 set and the offset of the
/// replacement in the other bits.
class charsmap {
 public:
  /// A match at the start of a text.
  struct match {
    std::size_t num_bytes;
    std::string_view replacement;
  };

  charsmap() = default;  // no rules

  /// @param compiled  empty, or as described above
  /// Throws `error` for inconsistent sizes, and if the last replacement is not terminated. The
  /// nodes are checked during a search: one that points outside the trie ends it.
  explicit charsmap(std::string compiled) : compiled_(std::move(compiled)) {
    if (compiled_.empty()) return;
    constexpr std::size_t header = sizeof(std::uint32_t);
    const std::size_t trie_bytes = compiled_.size() < header ? 0 : word_at(0);
    if (trie_bytes == 0 || trie_bytes % sizeof(std::uint32_t) != 0 ||
        trie_bytes >= compiled_.size() - header || compiled_.back() != '\0') {
      throw error("precompiled_charsmap has " + std::to_string(compiled_.size()) +
                  " bytes and a trie of " + std::to_string(trie_bytes) +
                  ", expected a trie in units of 4, then replacements that end with a zero byte");
    }
    num_nodes_ = trie_bytes / sizeof(std::uint32_t);
    replacements_ = header + trie_bytes;
  }

  /// The rule for the longest prefix of `text` that has one.
  [[nodiscard]] std::optional<match> find(std::string_view text) const {
    std::optional<match> longest;
    if (num_nodes_ == 0) return longest;
    std::size_t at = children(word_of_node(0));
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      at ^= byte;
      if (byte == 0 || at >= num_nodes_) break;
      const std::uint32_t node = word_of_node(at);
      if ((node & (is_value | 0xFF)) != byte) break;
      at ^= children(node);
      if ((node & ends_rule) == 0) continue;
      if (at >= num_nodes_) break;
      const std::size_t offset = word_of_node(at) & ~is_value;
      if (offset >= compiled_.size() - replacements_) break;
      longest = match{i + 1, compiled_.c_str() + replacements_ + offset};
    }
    return longest;
  }

 private:
  static constexpr std::uint32_t is_value = std::uint32_t{1} << 31;
  static constexpr std::uint32_t ends_rule = std::uint32_t{1} << 8;

  static std::size_t children(std::uint32_t node) {
    return std::size_t{node >> 10} << ((node & (std::uint32_t{1} << 9)) >> 6);
  }
  std::uint32_t word_of_node(std::size_t node) const { return word_at((node + 1) * 4); }
  std::uint32_t word_at(std::size_t byte) const {
    std::uint32_t word = 0;
    for (int i = 3; i >= 0; --i) {
      word = word << 8 | static_cast<unsigned char>(compiled_[byte + static_cast<std::size_t>(i)]);
    }
    return word;
  }

  std::string compiled_;
  std::size_t num_nodes_ = 0;
  std::size_t replacements_ = 0;  // offset of the replacements
};

}  // namespace rocmforge
