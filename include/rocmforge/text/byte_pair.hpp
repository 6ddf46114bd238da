// Byte-pair encoding: a text is split into words, and the bytes of each word are merged pair by
// pair, in the order in which the merges were learned. Radford et al., "Language Models are
// Unsupervised Multitask Learners", 2019. Some vocabularies (Gemma 4's) merge characters instead,
// and have tokens for the bytes of those that they lack.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/byte_level.hpp>
#include <rocmforge/text/escaped_space.hpp>
#include <rocmforge/text/merge.hpp>
#include <rocmforge/text/pre_tokenizer.hpp>
#include <rocmforge/text/token_table.hpp>
#include <rocmforge/text/utf8.hpp>

namespace rocmforge {

/// The encoder of `tokenizer_model::byte_pair`.
class byte_pair_encoder {
 public:
  /// @param tokens  must outlive the encoder
  /// Throws `error` for a merge that is not two texts separated by a space.
  explicit byte_pair_encoder(const token_table& tokens)
      : tokens_(&tokens), words_(tokens.vocab().pre) {
    const vocabulary& vocab = tokens.vocab();
    symbol_table symbols;
    symbols.reserve(vocab.tokens.size());
    for (int id = 0; id < tokens.size(); ++id) {
      // Even if a merge gives its text, a control token never results from text.
      const bool is_usable =
          words_.family().characters ? tokens.is_text(id) : !is_control(vocab.kinds[id]);
      if (is_usable) symbols.emplace(vocab.tokens[id], id);
    }
    int num_symbols = tokens.size();
    const auto symbol_of = [&](std::string text) {
      const auto [entry, is_new] = symbols.try_emplace(std::move(text), num_symbols);
      if (is_new) ++num_symbols;
      return entry->second;
    };
    if (words_.family().characters) {
      byte_symbols_ = find_byte_tokens(tokens);
    } else {
      for (unsigned byte = 0; byte < 256; ++byte) {
        byte_symbols_[byte] = symbol_of(to_byte_level(std::string(1, static_cast<char>(byte))));
      }
    }
    merges_.reserve(vocab.merges.size());
    for (std::size_t rank = 0; rank < vocab.merges.size(); ++rank) {
      const std::string& merge = vocab.merges[rank];
      const std::size_t space = merge.find(' ', 1);
      if (space == std::string::npos || space + 1 == merge.size()) {
        refuse_vocabulary(vocab, "merge " + std::to_string(rank) + " is \"" + printable(merge) +
                                     "\", expected two texts with a space between them");
      }
      const int left = symbol_of(merge.substr(0, space));
      const int right = symbol_of(merge.substr(space + 1));
      const int merged = symbol_of(merge.substr(0, space) + merge.substr(space + 1));
      merges_.try_emplace(pair_key(left, right),
                          merge_result{static_cast<std::uint32_t>(rank), merged});
    }
    if (!words_.family().characters) return;
    for (const auto& [text, symbol] : symbols) {
      if (!text.empty() && inspect_utf8(text).num_bytes == text.size())
        characters_.emplace(text, symbol);
    }
  }

  /// Appends the ids of `text`. Each byte that is not part of well-formed UTF-8 is replaced by
  /// U+FFFD. Throws `error` if the vocabulary has no token for one of the bytes.
  void encode(std::string_view text, bool /*starts_text*/, std::vector<int>& ids) const {
    const pre_tokenizer_family& family = words_.family();
    std::string valid = replace_invalid_utf8(text);
    if (family.characters) valid = escape_spaces(valid);
    for (const std::string_view word : words_.split(valid)) {
      std::optional<int> whole;
      if (family.ignore_merges) whole = tokens_->find_text(to_byte_level(word));
      if (family.whole_newlines && word.front() == '\n') whole = tokens_->find_text(word);
      if (whole) {
        ids.push_back(*whole);
      } else {
        encode_word(word, ids);
      }
    }
  }

  /// The bytes that a token with this text and kind stands for.
  [[nodiscard]] std::string bytes_of(std::string_view text, token_kind kind) const {
    return words_.family().characters ? unescaped_bytes_of(text, kind) : from_byte_level(text);
  }

 private:
  // A symbol is the id of a token, or a number beyond the ids for a text that is not a token but an
  // intermediate result of merges.
  using symbol_table = std::unordered_map<std::string, int>;

  static std::uint64_t pair_key(int left, int right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 |
           static_cast<std::uint32_t>(right);
  }
  bool is_token(int symbol) const { return symbol >= 0 && symbol < tokens_->size(); }
  int byte_symbol(char c) const { return byte_symbols_[static_cast<unsigned char>(c)]; }

  void encode_word(std::string_view word, std::vector<int>& ids) const {
    std::vector<merge_piece> pieces;
    pieces.reserve(word.size());
    for (std::uint32_t at = 0, size = 0; at < word.size(); at += size) {
      size = words_.family().characters
                 ? static_cast<std::uint32_t>(inspect_utf8(word.substr(at)).num_bytes)
                 : 1;
      pieces.push_back({at, size, symbol_at(word.substr(at, size))});
    }
    merge_pieces(
        pieces,
        [this](const merge_piece& left, const merge_piece& right) -> std::optional<merge_result> {
          const auto found = merges_.find(pair_key(left.symbol, right.symbol));
          if (found == merges_.end()) return std::nullopt;
          return found->second;
        });
    for (const merge_piece& piece : pieces) {
      if (piece.size > 0) append(piece.symbol, word.substr(piece.begin, piece.size), ids);
    }
  }

  /// The symbol of one byte or character; -1 for a character that is in no token and no merge.
  int symbol_at(std::string_view character) const {
    if (!words_.family().characters) return byte_symbol(character[0]);
    const auto found = characters_.find(std::string(character));
    return found == characters_.end() ? -1 : found->second;
  }

  void append(int symbol, std::string_view bytes, std::vector<int>& ids) const {
    if (is_token(symbol)) return ids.push_back(symbol);
    for (const char c : bytes) {  // an intermediate result, or no token at all
      if (!is_token(byte_symbol(c))) {
        throw error("the text has the byte " + printable({&c, 1}) +
                    ", for which the vocabulary has no token");
      }
      ids.push_back(byte_symbol(c));
    }
  }

  const token_table* tokens_;
  pre_tokenizer words_;
  std::array<int, 256> byte_symbols_{};
  symbol_table characters_;                                 // where the family merges characters
  std::unordered_map<std::uint64_t, merge_result> merges_;  // key: pair of symbols
};

}  // namespace rocmforge
