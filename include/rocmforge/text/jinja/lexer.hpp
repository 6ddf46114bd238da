// From a template's source to tokens: text between blocks as it is to be written, and the words of
// expressions and statements. White space is controlled as transformers sets jinja2 up
// (trim_blocks, lstrip_blocks, no trailing newline).
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
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
  /// Published templates have some thousand bytes, and tokens take more room than their text.
  static constexpr std::size_t max_source_bytes = std::size_t{1} << 20;

  /// @throws error with the line, if the source is not a template
  static std::vector<token> tokenize(std::string_view source) { return lexer(source).run(); }

 private:
  explicit lexer(std::string_view source) {
    if (source.size() > max_source_bytes)
      fail(1, "the template has " + std::to_string(source.size()) + " bytes, expected at most " +
                  std::to_string(max_source_bytes));
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
    std::size_t end = 0;  // of what is not white space
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

  /// After the end of a block at `at_`.
  /// @param sign        what stood before it
  /// @param trims_line  a line break after it goes
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

  /// Digits, and where it is a float, a fraction or an exponent.
  void add_number() {
    const auto digit_at = [&](std::size_t at) {
      return at < source_.size() && is_digit(source_[at]);
    };
    std::size_t end = at_;
    const auto skip_digits = [&] {
      while (digit_at(end)) ++end;
    };
    skip_digits();
    bool is_real = false;
    // a.0.1 is an item of an item.
    const bool may_be_real = at_ == 0 || source_[at_ - 1] != '.';
    if (may_be_real && source_[end] == '.' && digit_at(end + 1)) {
      is_real = true;
      ++end;
      skip_digits();
    }
    if (may_be_real && (source_[end] == 'e' || source_[end] == 'E')) {
      const bool has_sign = source_[end + 1] == '+' || source_[end + 1] == '-';
      if (digit_at(end + (has_sign ? 2 : 1))) {
        is_real = true;
        end += has_sign ? 2 : 1;
        skip_digits();
      }
    }
    token number{is_real ? token::kind::real : token::kind::integer, source_.substr(at_, end - at_),
                 line_};
    const char *first = number.text.data(), *last = first + number.text.size();
    const auto read = is_real ? std::from_chars(first, last, number.real)
                              : std::from_chars(first, last, number.integer);
    if (read.ec != std::errc())
      fail(line_, "the number " + printable(number.text, 30) + " is out of range");
    at_ = end;
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
    } else if (is_digit(c)) {
      fail(line_, std::string("an escape \\") + c + " in a string is not supported");
    } else {
      text += '\\';
      text += c;
    }
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
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
