// From a template's source to tokens: text between blocks as it is to be written, and the words of
// expressions and statements. White space is controlled as transformers sets jinja2 up
// (trim_blocks, lstrip_blocks, no trailing newline).
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/jinja/marked_text.hpp>
#include <rocmforge/text/utf8.hpp>

namespace rocmforge::jinja {

/// What is wrong with a template, and in which line.
[[noreturn]] inline void fail(int line, const std::string& what) {
  throw error("chat template: line " + std::to_string(line) + ": " + what);
}

struct token {
  enum class kind {
    text,              // to be written as it is
    statement_start,   // {%
    statement_end,     // %}
    expression_start,  // {{
    expression_end,    // }}
    name,
    string,
    integer,
    real,
    symbol,  // an operator or a bracket
    end
  };
  kind is = kind::end;
  std::string text;  // of a string: its characters, escapes resolved
  int line = 1;
  std::int64_t integer = 0;
  double real = 0;
};

class lexer {
 public:
  /// @throws error with the line, if the source is not a template
  static std::vector<token> tokenize(std::string_view source) { return lexer(source).run(); }

 private:
  explicit lexer(std::string_view source) {
    for (std::size_t i = 0; i < source.size(); ++i) {
      if (source[i] == '\r') {
        source_ += '\n';
        if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
      } else {
        source_ += source[i];
      }
    }
    if (source_.ends_with('\n')) source_.pop_back();
  }

  std::vector<token> run() {
    while (at_ < source_.size()) {
      const std::size_t start = find_start();
      std::string text = source_.substr(at_, start - at_);
      if (start == source_.size()) {
        add_text(text);
        at_ = start;
        break;
      }
      const char what = source_[start + 1];
      std::size_t inside = start + 2;
      const char sign = inside < source_.size() ? source_[inside] : '\0';
      if (sign == '-') {
        strip_right(text);
        ++inside;
      } else if (sign == '+') {
        ++inside;
      } else if (what != '{') {
        strip_indentation(text);
      }
      add_text(text);
      line_ += count_lines(at_, inside);
      at_ = inside;
      if (what == '#') {
        skip_comment();
      } else if (what == '%' && is_raw_block()) {
        add_raw_block();
      } else {
        add_code(what == '%');
      }
    }
    tokens_.push_back({token::kind::end, "", line_});
    return std::move(tokens_);
  }

  /// The next {{, {% or {#.
  [[nodiscard]] std::size_t find_start() const {
    for (std::size_t i = at_; i + 1 < source_.size(); ++i) {
      if (source_[i] == '{' &&
          (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#'))
        return i;
    }
    return source_.size();
  }

  /// Takes away the blanks before a block that stands first in its line.
  void strip_indentation(std::string& text) const {
    const std::size_t new_line = text.rfind('\n');
    const std::size_t first = new_line == text.npos ? 0 : new_line + 1;
    if (first == 0 && !line_starts_) return;
    if (skip_spaces(text, first) == text.size()) text.erase(first);
  }

  /// Where white space ends that begins at `at`.
  static std::size_t skip_spaces(std::string_view text, std::size_t at) {
    while (at < text.size()) {
      const std::size_t count = character_bytes(text, at);
      if (!is_space(code_point_of(text.substr(at, count)))) break;
      at += count;
    }
    return at;
  }

  static void strip_right(std::string& text) {
    std::size_t end = 0;  // of what is no white space
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t count = character_bytes(text, at);
      if (!is_space(code_point_of(std::string_view(text).substr(at, count)))) end = at + count;
      at += count;
    }
    text.erase(end);
  }

  void add_text(const std::string& text) {
    if (!text.empty()) tokens_.push_back({token::kind::text, text, line_});
  }

  [[nodiscard]] int count_lines(std::size_t first, std::size_t last) const {
    int lines = 0;
    for (std::size_t i = first; i < last; ++i) lines += source_[i] == '\n';
    return lines;
  }

  [[nodiscard]] bool starts_with(std::string_view text) const {
    return std::string_view(source_).substr(at_).starts_with(text);
  }

  /// After the end of a block at `at_`: `sign` is what stood before it.
  void skip_after_end(char sign, bool trims_line) {
    const std::size_t first = at_;
    if (sign == '-') {
      at_ = skip_spaces(source_, at_);
    } else if (sign != '+' && trims_line && at_ < source_.size() && source_[at_] == '\n') {
      ++at_;
    }
    line_ += count_lines(first, at_);
    line_starts_ = at_ > 0 && source_[at_ - 1] == '\n';
  }

  void skip_comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == source_.npos) fail(line_, "a comment has no end, expected #}");
    const char sign = end > at_ ? source_[end - 1] : '\0';
    line_ += count_lines(at_, end);
    at_ = end + 2;
    skip_after_end(sign, true);
  }

  /// Skips blanks, `word`, blanks and the end of the block; the sign before it, or nothing.
  [[nodiscard]] bool match_block(std::size_t from, std::string_view word, std::size_t& end,
                                 char& sign) const {
    std::size_t i = skip_spaces(source_, from);
    if (!std::string_view(source_).substr(i).starts_with(word)) return false;
    i = skip_spaces(source_, i + word.size());
    sign = '\0';
    if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) sign = source_[i++];
    if (!std::string_view(source_).substr(i).starts_with("%}")) return false;
    end = i + 2;
    return true;
  }

  [[nodiscard]] bool is_raw_block() const {
    std::size_t end = 0;
    char sign = '\0';
    return match_block(at_, "raw", end, sign) && sign != '+';
  }

  void add_raw_block() {
    std::size_t end = 0;
    char sign = '\0';
    static_cast<void>(match_block(at_, "raw", end, sign));
    line_ += count_lines(at_, end);
    at_ = end;
    skip_after_end(sign, false);  // jinja2 keeps the line break here
    for (std::size_t i = source_.find("{%", at_); i != source_.npos;
         i = source_.find("{%", i + 2)) {
      std::size_t inside = i + 2;
      const char start_sign = inside < source_.size() ? source_[inside] : '\0';
      if (start_sign == '-' || start_sign == '+') ++inside;
      if (!match_block(inside, "endraw", end, sign)) continue;
      std::string text = source_.substr(at_, i - at_);
      if (start_sign == '-') {
        strip_right(text);
      } else if (start_sign != '+') {
        strip_indentation(text);
      }
      add_text(text);
      line_ += count_lines(at_, end);
      at_ = end;
      skip_after_end(sign, true);
      return;
    }
    fail(line_, "a raw block has no end, expected {% endraw %}");
  }

  /// The tokens of a statement or an expression, up to and with its end.
  void add_code(bool is_statement) {
    const std::string_view end = is_statement ? "%}" : "}}";
    tokens_.push_back(
        {is_statement ? token::kind::statement_start : token::kind::expression_start, "", line_});
    const int first_line = line_;
    std::string brackets;
    for (;;) {
      const std::size_t word = skip_spaces(source_, at_);
      line_ += count_lines(at_, word);
      at_ = word;
      if (at_ == source_.size())
        fail(first_line, "a block has no end, expected " + std::string(end));
      if (brackets.empty()) {
        const bool has_sign = source_[at_] == '-' || (is_statement && source_[at_] == '+');
        const char sign = has_sign ? source_[at_] : '\0';
        if (std::string_view(source_).substr(at_ + (has_sign ? 1 : 0)).starts_with(end)) {
          at_ += (has_sign ? 1 : 0) + 2;
          tokens_.push_back(
              {is_statement ? token::kind::statement_end : token::kind::expression_end, "", line_});
          skip_after_end(sign, is_statement);
          return;
        }
      }
      add_word(brackets);
    }
  }

  void add_word(std::string& brackets) {
    const char c = source_[at_];
    if (is_name_start(c)) {
      const std::size_t first = at_;
      while (at_ < source_.size() && (is_name_start(source_[at_]) || is_digit(source_[at_]))) ++at_;
      tokens_.push_back({token::kind::name, source_.substr(first, at_ - first), line_});
    } else if (is_digit(c)) {
      add_number();
    } else if (c == '"' || c == '\'') {
      add_string(c);
    } else {
      add_symbol(brackets);
    }
  }

  void add_symbol(std::string& brackets) {
    constexpr std::string_view symbols[] = {"//", "**", "==", "!=", "<=", ">=", "+", "-", "/",
                                            "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                            ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    for (const std::string_view symbol : symbols) {
      if (!starts_with(symbol)) continue;
      const char c = symbol[0];
      if (c == '(' || c == '[' || c == '{') brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
      if (c == ')' || c == ']' || c == '}') {
        if (brackets.empty() || brackets.back() != c)
          fail(line_, std::string("unexpected '") + c + "'" +
                          (brackets.empty() ? std::string()
                                            : std::string(", expected '") + brackets.back() + "'"));
        brackets.pop_back();
      }
      tokens_.push_back({token::kind::symbol, std::string(symbol), line_});
      at_ += symbol.size();
      return;
    }
    fail(line_, "unexpected character '" + printable(source_.substr(at_, 1)) + "'");
  }

  void add_number() {
    std::string digits;
    std::size_t i = at_;
    const auto take = [&](auto accepts) {
      while (i < source_.size() &&
             (accepts(source_[i]) ||
              (source_[i] == '_' && i + 1 < source_.size() && accepts(source_[i + 1])))) {
        if (source_[i] != '_') digits += source_[i];
        ++i;
      }
    };
    int base = 10;
    if (source_[i] == '0' && i + 2 < source_.size()) {
      const char mark = static_cast<char>(source_[i + 1] | 0x20);
      base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
      if (base != 10) i += 2;
    }
    take([&](char c) {
      return base == 16 ? is_hex(c) : base == 10 ? is_digit(c) : c >= '0' && c < '0' + base;
    });
    bool is_real = false;
    const auto digit_at = [&](std::size_t at) {
      return at < source_.size() && is_digit(source_[at]);
    };
    // a.0.1 is an item of an item.
    const bool may_be_real = base == 10 && (at_ == 0 || source_[at_ - 1] != '.');
    if (may_be_real && i < source_.size() && source_[i] == '.' && digit_at(i + 1)) {
      is_real = true;
      digits += source_[i++];
      take(is_digit);
    }
    if (may_be_real && i < source_.size() && (source_[i] == 'e' || source_[i] == 'E')) {
      const bool has_sign =
          i + 1 < source_.size() && (source_[i + 1] == '+' || source_[i + 1] == '-');
      if (digit_at(i + (has_sign ? 2 : 1))) {
        is_real = true;
        digits += source_.substr(i, has_sign ? 2 : 1);
        i += has_sign ? 2 : 1;
        take(is_digit);
      }
    }
    if (!is_real && base == 10 && digits[0] == '0' && digits.find_first_not_of('0') != digits.npos)
      fail(line_, "a number may not begin with 0");
    token number{is_real ? token::kind::real : token::kind::integer, digits, line_};
    const char *first = digits.data(), *last = first + digits.size();
    const auto read = is_real ? std::from_chars(first, last, number.real)
                              : std::from_chars(first, last, number.integer, base);
    if (is_real && read.ec == std::errc::result_out_of_range) {
      const bool is_small = digits.find("e-") != digits.npos || digits.find("E-") != digits.npos;
      number.real = is_small ? 0 : std::numeric_limits<double>::infinity();
    } else if (read.ec != std::errc() || read.ptr != last)
      fail(line_, "the number " + printable(digits, 30) + " is out of range");
    at_ = i;
    tokens_.push_back(number);
  }

  void add_string(char quote) {
    token string{token::kind::string, "", line_};
    std::size_t i = at_ + 1;
    for (; i < source_.size() && source_[i] != quote; ++i) {
      line_ += source_[i] == '\n';
      if (source_[i] != '\\' || i + 1 == source_.size()) {
        string.text += source_[i];
        continue;
      }
      ++i;
      add_escape(string.text, i);
    }
    if (i == source_.size()) fail(string.line, "a string has no end");
    at_ = i + 1;
    tokens_.push_back(string);
  }

  /// Appends what the escape means whose character after the backslash is at `i`, and moves `i` to
  /// its last character. An unknown escape stays as it is.
  void add_escape(std::string& text, std::size_t& i) {
    constexpr std::string_view names = "\\'\"abfnrtv", meanings = "\\'\"\a\b\f\n\r\t\v";
    const char c = source_[i];
    if (const std::size_t at = names.find(c); at != names.npos) {
      text += meanings[at];
    } else if (c == '\n') {
      ++line_;  // the line goes on
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const std::size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      std::uint32_t code = 0;
      const char* first = source_.data() + i + 1;
      if (source_.size() - i - 1 < count) fail(line_, "an escape in a string is cut off");
      const auto read = std::from_chars(first, first + count, code, 16);
      if (read.ptr != first + count || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        fail(line_, std::string("an escape \\") + c + " names no character");
      append_utf8(text, code);
      i += count;
    } else if (c >= '0' && c <= '7') {
      char32_t code = 0;
      std::size_t count = 0;
      for (; count < 3 && i + count < source_.size() && source_[i + count] >= '0' &&
             source_[i + count] <= '7';
           ++count)
        code = code * 8 + static_cast<char32_t>(source_[i + count] - '0');
      append_utf8(text, code);
      i += count - 1;
    } else {
      text += '\\';
      text += c;
    }
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
  static bool is_name_start(char c) {
    return c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           static_cast<unsigned char>(c) >= 0x80;
  }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starts_ = true;  // what comes next is the first of its line
  std::vector<token> tokens_;
};

}  // namespace rocmforge::jinja
