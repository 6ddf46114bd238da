// Spaces that only the tokens of a vocabulary have.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rocmforge {

/// `text` without a space before each of ? ! . , and before 's 'm 're 've, and without those around
/// an apostrophe that stands alone: vocabularies of older English models cut text so. The rules,
/// and their order, are those of the library that published most of these models, transformers.
inline std::string without_token_spaces(std::string_view text) {
  std::string marks;
  for (const char c : text) {
    const bool is_mark = c == '?' || c == '!' || c == '.' || c == ',';
    if (is_mark && marks.ends_with(' ')) marks.pop_back();
    marks += c;
  }
  std::string apostrophes;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const bool alone = i > 0 && std::string_view(marks).substr(i - 1, 3) == " ' ";
    if (alone) apostrophes.pop_back();
    apostrophes += marks[i];
    if (alone) marks[++i] = '\0';  // and it is no space any more for what follows
  }
  std::string result;
  for (std::size_t i = 0; i < apostrophes.size(); ++i) {
    const std::string_view rest = std::string_view(apostrophes).substr(i);
    const bool contraction = rest.starts_with("'s") || rest.starts_with("'m") ||
                             rest.starts_with("'re") || rest.starts_with("'ve");
    if (contraction && result.ends_with(' ')) result.pop_back();
    result += rest[0];
  }
  return result;
}

}  // namespace rocmforge
