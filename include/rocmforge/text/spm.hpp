// SentencePiece's byte-pair encoding, for example of Llama 1 and 2: merges the characters of a
// whole text pair by pair, the pair that gives the token with the highest score first. Kudo and
// Richardson, "SentencePiece: A simple and language independent subword tokenizer", 2018.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/escaped_space.hpp>
#include <rocmforge/text/merge.hpp>
#include <rocmforge/text/token_table.hpp>

namespace rocmforge {

/// The encoder of `tokenizer_model::spm`.
class spm_encoder {
 public:
  /// @param tokens  must outlive the encoder
  explicit spm_encoder(const token_table& tokens)
      : tokens_(&tokens), byte_tokens_(find_byte_tokens(tokens)) {
    const vocabulary& vocab = tokens.vocab();
    // The rank of a score is the number of higher scores. Equal scores have equal ranks.
    std::vector<float> scores = vocab.scores;
    std::ranges::sort(scores, std::greater<>{});
    scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
    for (std::size_t id = 0; id < vocab.tokens.size(); ++id) {
      const auto found = std::ranges::lower_bound(scores, vocab.scores[id], std::greater<>{});
      ranks_.push_back(static_cast<std::uint32_t>(found - scores.begin()));
      longest_token_ = std::max(longest_token_, vocab.tokens[id].size());
    }
  }

  /// Appends the ids of `text`. Only the first byte of a character decides its length. A character
  /// that is not in the vocabulary becomes bytes.
  ///
  /// @param starts_text  the text is at the start, or follows a special token
  /// Throws `error` if the vocabulary has no token for one of these bytes.
  void encode(std::string_view text, bool starts_text, std::vector<int>& ids) const {
    std::string escaped = escape_spaces(text);
    if (starts_text && tokens_->vocab().add_space_prefix) {
      escaped.insert(0, escaped_space);
    }
    const std::string_view view = escaped;
    std::vector<merge_piece> pieces;
    pieces.reserve(view.size());
    for (std::size_t at = 0; at < view.size();) {
      const std::size_t size = std::min(character_bytes(view[at]), view.size() - at);
      pieces.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(size),
                        tokens_->find_text(view.substr(at, size)).value_or(-1)});
      at += size;
    }
    merge_pieces(
        pieces,
        [&](const merge_piece& left, const merge_piece& right) -> std::optional<merge_result> {
          const std::size_t size = std::size_t{left.size} + right.size;
          if (size > longest_token_) return std::nullopt;
          const auto token = tokens_->find_text(view.substr(left.begin, size));
          if (!token) return std::nullopt;
          return merge_result{ranks_[*token], *token};
        });
    for (const merge_piece& piece : pieces) {
      if (piece.size == 0) continue;
      if (piece.symbol >= 0) {
        ids.push_back(piece.symbol);
      } else {
        append_bytes(view.substr(piece.begin, piece.size), ids);
      }
    }
  }

  [[nodiscard]] static std::string bytes_of(std::string_view text, token_kind kind) {
    return unescaped_bytes_of(text, kind);
  }

 private:
  static std::size_t character_bytes(char first) {
    const auto lead = static_cast<unsigned char>(first);
    return lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  }

  void append_bytes(std::string_view bytes, std::vector<int>& ids) const {
    for (const char c : bytes) {
      const int token = byte_tokens_[static_cast<unsigned char>(c)];
      if (token < 0) {
        throw error("the text has the byte " + printable({&c, 1}) +
                    ", for which the vocabulary has no token");
      }
      ids.push_back(token);
    }
  }

  const token_table* tokens_;
  std::array<int, 256> byte_tokens_;
  std::vector<std::uint32_t> ranks_;  // indexed by id
  std::size_t longest_token_ = 0;
};

}  // namespace rocmforge
