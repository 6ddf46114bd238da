// Removes spaces that are in the tokens of a vocabulary but not in the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rocmforge {

/// `text` without the spaces before ? ! . , and before 's 'm 're 've, and without the spaces around
/// a separate apostrophe: vocabularies of older English models add these spaces. The rules, and
/// their order, are those of the transformers library, which published most of these models.
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
    if (alone) marks[++i] = '\0';  // no longer a space for the rules that follow
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
