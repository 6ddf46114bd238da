// Cuts text into the words that byte-pair merges never cross, by the published regular expressions,
// run by PCRE2.
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

/// A pre-tokeniser pattern with \s and \S spelled out as Unicode's White_Space, outside and inside
/// brackets: PCRE2's own \s also takes U+180E, which lost that property in Unicode 6.3.
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

/// One compiled pattern. Matching is const and may be done by several threads at once.
class split_pattern {
 public:
  /// @param use_jit  compile to machine code where PCRE2 can; the result is the same without
  /// Throws `error` if `pattern` does not compile.
  explicit split_pattern(std::string_view pattern, bool use_jit = true) {
    const std::string source = spell_out_white_space(pattern);
    int code = 0;
    std::size_t offset = 0;
    compiled_.reset(pcre2_compile_8(reinterpret_cast<PCRE2_SPTR8>(source.data()), source.size(),
                                    PCRE2_UTF | PCRE2_UCP, &code, &offset, nullptr));
    if (!compiled_) {
      throw error("pre-tokeniser pattern does not compile at " + std::to_string(offset) + ": " +
                  describe(code));
    }
    // A refusal (no compiler for this processor, no executable memory) leaves the interpreter.
    if (use_jit) (void)pcre2_jit_compile_8(compiled_.get(), PCRE2_JIT_COMPLETE);
  }

  /// Cuts each of `pieces` into its matches and the stretches between them, in order. Pieces must
  /// be well-formed UTF-8; the end of a piece counts as the end of input.
  [[nodiscard]] std::vector<std::string_view> split(
      const std::vector<std::string_view>& pieces) const {
    const std::unique_ptr<pcre2_match_data_8, deleter> match(
        pcre2_match_data_create_from_pattern_8(compiled_.get(), nullptr));
    const std::unique_ptr<pcre2_match_context_8, deleter> limits(
        pcre2_match_context_create_8(nullptr));
    if (!match || !limits) throw std::bad_alloc();
    const std::size_t* const found = pcre2_get_ovector_pointer_8(match.get());
    pcre2_set_heap_limit_8(limits.get(), 64 * 1024);  // KiB

    std::vector<std::string_view> parts;
    for (const std::string_view piece : pieces) {
      // The patterns backtrack over a run of characters a few times at most.
      const std::uint64_t steps = 1'000'000 + 64 * std::uint64_t{piece.size()};
      pcre2_set_match_limit_8(
          limits.get(), static_cast<std::uint32_t>(std::min<std::uint64_t>(steps, UINT32_MAX)));
      std::size_t at = 0;
      while (at < piece.size()) {
        const int result =
            pcre2_match_8(compiled_.get(), reinterpret_cast<PCRE2_SPTR8>(piece.data()),
                          piece.size(), at, PCRE2_NO_UTF_CHECK, match.get(), limits.get());
        if (result == PCRE2_ERROR_NOMATCH) break;
        if (result < 0) throw error("pre-tokeniser: " + describe(result));
        if (found[0] > at) parts.push_back(piece.substr(at, found[0] - at));
        parts.push_back(piece.substr(found[0], found[1] - found[0]));
        at = found[1];
      }
      if (at < piece.size()) parts.push_back(piece.substr(at));
    }
    return parts;
  }

 private:
  struct deleter {
    void operator()(pcre2_code_8* p) const { pcre2_code_free_8(p); }
    void operator()(pcre2_match_data_8* p) const { pcre2_match_data_free_8(p); }
    void operator()(pcre2_match_context_8* p) const { pcre2_match_context_free_8(p); }
  };

  static std::string describe(int code) {
    PCRE2_UCHAR8 message[256] = {};
    pcre2_get_error_message_8(code, message, sizeof(message));
    return reinterpret_cast<const char*>(message);
  }

  std::unique_ptr<pcre2_code_8, deleter> compiled_;
};

/// The pre-tokeniser of one family of vocabularies.
class pre_tokenizer {
 public:
  /// @param name     as in tokenizer.ggml.pre; throws `error`, with the names there are, for an
  ///                 unknown one
  /// @param use_jit  see `split_pattern`
  explicit pre_tokenizer(std::string_view name, bool use_jit = true)
      : family_(&find_pre_tokenizer_family(name)) {
    for (const std::string_view pattern : family_->patterns) {
      patterns_.emplace_back(pattern, use_jit);
    }
  }

  [[nodiscard]] const pre_tokenizer_family& family() const { return *family_; }

  /// The words of `text` (well-formed UTF-8), which put together again are `text`.
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
