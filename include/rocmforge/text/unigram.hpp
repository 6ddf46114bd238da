// SentencePiece's unigram model, for example of T5: of all ways to split a text into tokens, the
// one with the highest sum of scores, which are logarithms of probabilities. Kudo, "Subword
// Regularization", 2018.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/charsmap.hpp>
#include <rocmforge/text/escaped_space.hpp>
#include <rocmforge/text/prefix_index.hpp>
#include <rocmforge/text/token_table.hpp>
#include <rocmforge/text/utf8.hpp>

namespace rocmforge {

/// The encoder of `tokenizer_model::unigram`.
class unigram_encoder {
 public:
  /// @param tokens  must outlive the encoder
  /// Throws `error` for a malformed `precompiled_charsmap`, and for a vocabulary that has neither
  /// an unknown token nor a token for each byte.
  explicit unigram_encoder(const token_table& tokens)
      : tokens_(&tokens), rules_(tokens.vocab().precompiled_charsmap) {
    const vocabulary& vocab = tokens.vocab();
    std::vector<prefix_index::entry> entries;
    float lowest = std::numeric_limits<float>::max();
    for (int id = 0; id < tokens.size(); ++id) {
      if (vocab.kinds[id] == token_kind::normal) lowest = std::min(lowest, vocab.scores[id]);
      if (tokens.is_text(id) && !vocab.tokens[id].empty()) {
        entries.push_back({vocab.tokens[id], id});
      }
    }
    texts_ = prefix_index(std::move(entries));
    unknown_score_ = double{lowest} - unknown_penalty;
    byte_tokens_ = find_byte_tokens(tokens);
    has_bytes_ = std::ranges::find(byte_tokens_, -1) == byte_tokens_.end();
    if (vocab.unknown < 0 && !has_bytes_) {
      refuse_vocabulary(
          vocab, "neither an unknown token id nor a token for each byte, expected one of them");
    }
  }

  /// Appends the ids of `text`, normalized by the rules of the vocabulary. A run of characters that
  /// are in no token becomes byte tokens, or one unknown token if the vocabulary has no byte
  /// tokens.
  void encode(std::string_view text, bool /*starts_text*/, std::vector<int>& ids) const {
    const std::string normal = normalize(replace_invalid_utf8(text));
    for (const step& part : best_steps(normal)) {
      if (part.token != unknown) {
        ids.push_back(part.token);
      } else if (has_bytes_) {
        for (const char c : std::string_view(normal).substr(part.begin, part.size)) {
          ids.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
        }
      } else {
        ids.push_back(tokens_->vocab().unknown);
      }
    }
  }

  [[nodiscard]] static std::string bytes_of(std::string_view text, token_kind kind) {
    return unescaped_bytes_of(text, kind);
  }

 private:
  static constexpr double unknown_penalty = 10;  // below the lowest score of all tokens
  static constexpr int unknown = -1;

  struct step {
    std::size_t begin;
    std::size_t size;
    int token;  // or `unknown`
  };

  // Applies the normalization rules, then those for spaces: a space prefix, and one space for a
  // run.
  std::string normalize(std::string_view text) const {
    const vocabulary& vocab = tokens_->vocab();
    const std::string_view space = vocab.escape_whitespaces ? escaped_space : " ";
    std::string result;
    result.reserve(text.size() + text.size() / 2);
    bool in_word = false;
    bool has_prefix = !vocab.add_space_prefix;
    const auto append = [&](std::string_view part) {
      for (const char c : part) {
        if (c == ' ') {
          in_word = false;
          if (!vocab.remove_extra_whitespaces) result += space;
          continue;
        }
        if (!in_word && (!has_prefix || vocab.remove_extra_whitespaces)) {
          result += space;
          has_prefix = true;
        }
        in_word = true;
        result += c;
      }
    };
    while (!text.empty()) {
      const auto rule = rules_.find(text);
      const std::size_t num_bytes = rule ? rule->num_bytes : inspect_utf8(text).num_bytes;
      append(rule ? rule->replacement : text.substr(0, num_bytes));
      text.remove_prefix(num_bytes);
    }
    return result;
  }

  // The best way to split `text`, by dynamic programming over its characters.
  std::vector<step> best_steps(std::string_view text) const {
    struct arrival {  // the best way to split the text up to a position
      double score = -std::numeric_limits<double>::infinity();
      std::uint32_t size = 0;  // of its last token
      int token = unknown;
    };
    const vocabulary& vocab = tokens_->vocab();
    std::vector<arrival> best(text.size() + 1);
    best[0].score = 0;
    for (std::size_t at = 0; at < text.size();) {
      // A replacement may contain any bytes, so that the text may be invalid UTF-8 here.
      const std::size_t character = inspect_utf8(text.substr(at)).num_bytes;
      const auto arrive = [&](std::size_t size, int token, double score) {
        arrival& there = best[at + size];
        if (best[at].score + score > there.score) {
          there = {best[at].score + score, static_cast<std::uint32_t>(size), token};
        }
      };
      bool is_token = false;
      texts_.for_each_prefix(text.substr(at), [&](const prefix_index::entry& entry) {
        is_token |= entry.text.size() == character;
        const bool literal = vocab.kinds[entry.value] == token_kind::user_defined;
        arrive(entry.text.size(), entry.value, literal ? 0 : vocab.scores[entry.value]);
      });
      if (!is_token) arrive(character, unknown, unknown_score_);
      at += character;
    }
    std::vector<step> steps;
    for (std::size_t end = text.size(); end > 0;) {
      const arrival& last = best[end];
      end -= last.size;
      if (last.token == unknown && !steps.empty() && steps.back().token == unknown) {
        steps.back().begin = end;  // a run of unknown characters is one step
        steps.back().size += last.size;
      } else {
        steps.push_back({end, last.size, last.token});
      }
    }
    std::ranges::reverse(steps);
    return steps;
  }

  const token_table* tokens_;
  charsmap rules_;
  prefix_index texts_;
  double unknown_score_ = 0;
  std::array<int, 256> byte_tokens_{};
  bool has_bytes_ = false;
};

}  // namespace rocmforge
