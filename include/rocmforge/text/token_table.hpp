// Finds tokens of a vocabulary by their text.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <rocmforge/text/special_tokens.hpp>
#include <rocmforge/text/vocabulary.hpp>

namespace rocmforge {

/// A checked vocabulary. It cannot be moved, because encoders hold views of its texts.
class token_table {
 public:
  /// Throws `error` if `vocab` is inconsistent (see `check_vocabulary`).
  explicit token_table(vocabulary vocab) : vocab_(std::move(vocab)) {
    check_vocabulary(vocab_);
    mark_control_tokens(vocab_);
    mark_byte_tokens(vocab_);
    ids_.reserve(vocab_.tokens.size());
    for (int id = 0; id < size(); ++id) {
      if (!vocab_.tokens[id].empty()) ids_.emplace(vocab_.tokens[id], id);
    }
  }
  token_table(const token_table&) = delete;
  token_table& operator=(const token_table&) = delete;

  [[nodiscard]] const vocabulary& vocab() const { return vocab_; }
  [[nodiscard]] int size() const { return static_cast<int>(vocab_.tokens.size()); }

  /// The token whose text is exactly `text`, if there is one; the first of several.
  [[nodiscard]] std::optional<int> find(std::string_view text) const {
    const auto found = ids_.find(text);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

  /// The same, but only tokens that ordinary text may become: not control or byte tokens.
  [[nodiscard]] std::optional<int> find_text(std::string_view text) const {
    const std::optional<int> id = find(text);
    return id && is_text(*id) ? id : std::nullopt;
  }
  [[nodiscard]] bool is_text(int id) const {
    return !is_control(vocab_.kinds[id]) && vocab_.kinds[id] != token_kind::byte;
  }

 private:
  vocabulary vocab_;
  std::unordered_map<std::string_view, int> ids_;
};

}  // namespace rocmforge
