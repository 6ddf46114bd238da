// Splits text into words, which byte-pair merges never cross, with the published regular
// expressions and PCRE2.
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/pre_tokenizer_patterns.hpp>

namespace rocmforge {

/// A pattern with \s and \S replaced by Unicode's White_Space, outside and inside brackets: PCRE2's
/// \s also matches U+180E, which lost that property in Unicode 6.3.
inline std::string spell_out_white_space(std::string_view pattern) {
  constexpr std::string_view white_space =
      R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
  std::string result;
  bool in_brackets = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view escape = pattern.substr(i, 2);
    if (escape == "\\s" || escape == "\\S") {
      const std::string_view opening = escape == "\\S" ? "[^" : "[";
      result += in_brackets ? std::string(white_space)
                            : std::string(opening) + std::string(white_space) + "]";
      ++i;
    } else if (pattern[i] == '\\') {
      result += escape;
      ++i;
    } else {
      if (pattern[i] == '[') in_brackets = true;
      if (pattern[i] == ']') in_brackets = false;
      result += pattern[i];
    }
  }
  return result;
}

/// One compiled pattern. Several threads may match with it at once.
class split_pattern {
 public:
  /// @param use_jit  compile to machine code if PCRE2 can; this does not change the matches
  /// Throws `error` if `pattern` does not compile.
  explicit split_pattern(std::string_view pattern, bool use_jit = true) {
    const std::string source = spell_out_white_space(pattern);
    int code = 0;
    std::size_t offset = 0;
    compiled_.reset(pcre2_compile_8(reinterpret_cast<PCRE2_SPTR8>(source.data()), source.size(),
                                    PCRE2_UTF | PCRE2_UCP, &code, &offset, nullptr));
    if (!compiled_) {
      throw error("pre-tokenizer pattern does not compile at " + std::to_string(offset) + ": " +
                  describe(code));
    }
    // If this fails (no compiler for this processor, no executable memory), PCRE2 interprets.
    if (use_jit) (void)pcre2_jit_compile_8(compiled_.get(), PCRE2_JIT_COMPLETE);
  }

  /// Splits each of `pieces` into its matches and the text between them, in order. Pieces must be
  /// well-formed UTF-8; the end of a piece counts as the end of input.
  [[nodiscard]] std::vector<std::string_view> split(
      const std::vector<std::string_view>& pieces) const {
    std::vector<std::string_view> parts;
    const matcher match(compiled_.get());
    for (const std::string_view piece : pieces) {
      std::size_t at = 0;
      match.for_each_in(piece, [&](std::size_t begin, std::size_t end) {
        if (begin > at) parts.push_back(piece.substr(at, begin - at));
        parts.push_back(piece.substr(begin, end - begin));
        at = end;
      });
      if (at < piece.size()) parts.push_back(piece.substr(at));
    }
    return parts;
  }

  /// The matches in `text` (well-formed UTF-8), without the text between them.
  [[nodiscard]] std::vector<std::string_view> find_all(std::string_view text) const {
    std::vector<std::string_view> parts;
    matcher(compiled_.get()).for_each_in(text, [&](std::size_t begin, std::size_t end) {
      parts.push_back(text.substr(begin, end - begin));
    });
    return parts;
  }

 private:
  struct deleter {
    void operator()(pcre2_code_8* p) const { pcre2_code_free_8(p); }
    void operator()(pcre2_match_data_8* p) const { pcre2_match_data_free_8(p); }
    void operator()(pcre2_match_context_8* p) const { pcre2_match_context_free_8(p); }
  };

  // A thread's state for matching.
  class matcher {
   public:
    explicit matcher(const pcre2_code_8* compiled)
        : compiled_(compiled),
          match_(pcre2_match_data_create_from_pattern_8(compiled, nullptr)),
          limits_(pcre2_match_context_create_8(nullptr)) {
      if (!match_ || !limits_) throw std::bad_alloc();
      pcre2_set_heap_limit_8(limits_.get(), 64 * 1024);  // KiB
    }

    template <class Visit>
    void for_each_in(std::string_view text, const Visit& visit) const {
      // The patterns backtrack over a run of characters only a few times.
      const std::uint64_t steps = 1'000'000 + 64 * std::uint64_t{text.size()};
      pcre2_set_match_limit_8(
          limits_.get(), static_cast<std::uint32_t>(std::min<std::uint64_t>(steps, UINT32_MAX)));
      const std::size_t* const found = pcre2_get_ovector_pointer_8(match_.get());
      for (std::size_t at = 0; at < text.size(); at = found[1]) {
        const int result =
            pcre2_match_8(compiled_, reinterpret_cast<PCRE2_SPTR8>(text.data()), text.size(), at,
                          PCRE2_NO_UTF_CHECK, match_.get(), limits_.get());
        if (result == PCRE2_ERROR_NOMATCH) return;
        if (result < 0) throw error("pre-tokenizer: " + describe(result));
        visit(found[0], found[1]);
      }
    }

   private:
    const pcre2_code_8* compiled_;
    std::unique_ptr<pcre2_match_data_8, deleter> match_;
    std::unique_ptr<pcre2_match_context_8, deleter> limits_;
  };

  static std::string describe(int code) {
    PCRE2_UCHAR8 message[256] = {};
    pcre2_get_error_message_8(code, message, sizeof(message));
    return reinterpret_cast<const char*>(message);
  }

  std::unique_ptr<pcre2_code_8, deleter> compiled_;
};

/// The pre-tokenizer of one family of vocabularies.
class pre_tokenizer {
 public:
  /// @param name     as in tokenizer.ggml.pre; throws `error`, with a list of the names, if it is
  ///                 unknown
  /// @param use_jit  see `split_pattern`
  explicit pre_tokenizer(std::string_view name, bool use_jit = true)
      : family_(&find_pre_tokenizer_family(name)) {
    for (const std::string_view pattern : family_->patterns) {
      patterns_.emplace_back(pattern, use_jit);
    }
  }

  [[nodiscard]] const pre_tokenizer_family& family() const { return *family_; }

  /// Splits `text` (well-formed UTF-8) into words. Together they are the whole text.
  [[nodiscard]] std::vector<std::string_view> split(std::string_view text) const {
    std::vector<std::string_view> pieces;
    if (!text.empty()) pieces.push_back(text);
    for (const split_pattern& pattern : patterns_) pieces = pattern.split(pieces);
    return pieces;
  }

 private:
  const pre_tokenizer_family* family_;
  std::vector<split_pattern> patterns_;
};

}  // namespace rocmforge
