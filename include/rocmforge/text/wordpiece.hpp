// WordPiece, for example of BERT: takes the longest token that is a prefix of a word, then the
// longest that is a prefix of the rest, to the end of the word. Devlin et al., "BERT: Pre-training
// of Deep Bidirectional Transformers", 2019. In GGUF files tokens at the start of a word have
// U+2581 as a prefix, and tokens inside a word do not have the prefix ## of the original
// vocabularies.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/escaped_space.hpp>
#include <rocmforge/text/pre_tokenizer.hpp>
#include <rocmforge/text/prefix_index.hpp>
#include <rocmforge/text/token_table.hpp>
#include <rocmforge/text/unicode_case.hpp>
#include <rocmforge/text/utf8.hpp>

namespace rocmforge {

/// The encoder of `tokenizer_model::wordpiece`.
class wordpiece_encoder {
 public:
  /// @param tokens  must outlive the encoder
  explicit wordpiece_encoder(const token_table& tokens)
      : tokens_(&tokens),
        kept_(tokens.vocab().lowercase ? "[^" + std::string(controls) + "\\p{M}]+"
                                       : "[^" + std::string(controls) + "]+"),
        words_("[" + std::string(single_characters) + "]|[^\\s" + std::string(single_characters) +
               "]+") {
    std::vector<prefix_index::entry> entries;
    for (int id = 0; id < tokens.size(); ++id) {
      const std::string& text = tokens.vocab().tokens[id];
      if (tokens.is_text(id) && !text.empty()) entries.push_back({text, id});
    }
    texts_ = prefix_index(std::move(entries));
  }

  /// Appends the ids of `text`. A word that cannot be split into tokens becomes one unknown token.
  /// Control characters are dropped; if the vocabulary has `lowercase`, accents are removed and
  /// letters made lower case.
  void encode(std::string_view text, bool /*starts_text*/, std::vector<int>& ids) const {
    const std::string valid = replace_invalid_utf8(text);
    const std::string bases = tokens_->vocab().lowercase ? mapped(valid, base_character) : valid;
    std::string kept;
    for (const std::string_view part : kept_.find_all(bases)) kept += part;
    if (tokens_->vocab().lowercase) kept = mapped(kept, lower_case);
    for (const std::string_view word : words_.find_all(kept)) encode_word(word, ids);
  }

  [[nodiscard]] static std::string bytes_of(std::string_view text, token_kind kind) {
    return unescaped_bytes_of(text, kind);
  }

 private:
  // For use inside the brackets of a pattern. White space does not count as control characters.
  static constexpr std::string_view controls =
      R"(\x{0}-\x{8}\x{E}-\x{1F}\x{7F}-\x{84}\x{86}-\x{9F}\p{Cf}\p{Co}\x{FFFD})";
  // Punctuation, ASCII symbols and Chinese characters: each is a word by itself.
  static constexpr std::string_view single_characters =
      R"(\p{P}$+<=>^`|~\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2A6DF})"
      R"(\x{2A700}-\x{2B81F}\x{2B920}-\x{2CEAF}\x{2F800}-\x{2FA1F})";

  template <class Map>
  static std::string mapped(std::string_view text, const Map& map) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
      const std::size_t num_bytes = inspect_utf8(text).num_bytes;
      append_utf8(result, map(decode_utf8(text.substr(0, num_bytes))));
      text.remove_prefix(num_bytes);
    }
    return result;
  }

  void encode_word(std::string_view word, std::vector<int>& ids) const {
    const std::string text = std::string(escaped_space) + std::string(word);
    const std::size_t num_before = ids.size();
    for (std::string_view rest = text; !rest.empty();) {
      const prefix_index::entry* longest = nullptr;
      texts_.for_each_prefix(rest, [&](const prefix_index::entry& entry) { longest = &entry; });
      if (longest == nullptr) {
        ids.resize(num_before);
        return ids.push_back(tokens_->vocab().unknown);
      }
      ids.push_back(longest->value);
      rest.remove_prefix(longest->text.size());
    }
  }

  const token_table* tokens_;
  split_pattern kept_;
  split_pattern words_;
  prefix_index texts_;
};

}  // namespace rocmforge
