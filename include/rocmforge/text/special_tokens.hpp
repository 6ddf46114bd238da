// Tokens that are found in a text as they are written, before it is cut into words; and those that
// end a generation.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/vocabulary.hpp>

namespace rocmforge {

/// What `<|im_end|>` in a text is: ten characters, or the control token of that name.
/// Text from outside must be `as_text`, or whoever wrote it can end a turn and speak as somebody
/// else.
enum class special_tokens { as_text, parse };

/// The texts by which the common vocabularies end a text or a turn, whatever their metadata say.
inline constexpr std::string_view end_of_generation_texts[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<\xEF\xBD\x9C"
    "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"};  // DeepSeek's

/// Whether the token `id` of `vocab` is one of the texts above. A normal "</s>" is HTML and ends
/// nothing.
inline bool ends_generation_by_text(const vocabulary& vocab, std::size_t id) {
  const std::string& text = vocab.tokens[id];
  if (text == "</s>" && vocab.kinds[id] == token_kind::normal) return false;
  return std::ranges::find(end_of_generation_texts, text) !=
         std::ranges::end(end_of_generation_texts);
}

/// For each token of `vocab`, whether a generation ends with it: eos, eot, eom, the ending tokens
/// of fill-in-the-middle, and those that do by their text.
inline std::vector<bool> find_end_of_generation(const vocabulary& vocab) {
  std::vector<bool> result(vocab.tokens.size());
  for (const int id :
       {vocab.eos, vocab.eot, vocab.eom, vocab.fim_pad, vocab.fim_rep, vocab.fim_sep}) {
    if (id >= 0) result[id] = true;
  }
  for (std::size_t id = 0; id < vocab.tokens.size(); ++id) {
    if (ends_generation_by_text(vocab, id)) result[id] = true;
  }
  return result;
}

/// Makes control tokens of those in `vocab` that end a generation or begin a ChatML turn by their
/// text. Some files call them user-defined, and then text from outside would reach them.
inline void mark_control_tokens(vocabulary& vocab) {
  for (std::size_t id = 0; id < vocab.tokens.size(); ++id) {
    if (vocab.tokens[id] == "<|im_start|>" || ends_generation_by_text(vocab, id)) {
      vocab.kinds[id] = token_kind::control;
    }
  }
}

/// Finds the special tokens in texts. The longest is looked for first, over the whole text, then
/// the next in what is left: the order of llama.cpp, which is not the same as the longest at each
/// place where tokens overlap.
class special_token_splitter {
 public:
  /// A stretch of text, or one special token.
  struct fragment {
    std::string_view text;
    int token = -1;
  };

  explicit special_token_splitter(const vocabulary& vocab) {
    for (std::size_t id = 0; id < vocab.tokens.size(); ++id) {
      const token_kind kind = vocab.kinds[id];
      const bool is_special = is_control(kind) || kind == token_kind::user_defined;
      if (!is_special || vocab.tokens[id].empty()) continue;
      entries_.push_back({vocab.tokens[id], static_cast<int>(id), is_control(kind)});
      begins_[static_cast<unsigned char>(vocab.tokens[id][0])] = true;
    }
    std::ranges::sort(entries_, {}, &entry::text);
    longest_first_.resize(entries_.size());
    std::iota(longest_first_.begin(), longest_first_.end(), std::size_t{0});
    std::ranges::sort(longest_first_, [&](std::size_t a, std::size_t b) {
      return std::pair(entries_[b].text.size(), a) < std::pair(entries_[a].text.size(), b);
    });
  }

  /// `text` in fragments, none of them empty. User-defined tokens are found in either mode.
  [[nodiscard]] std::vector<fragment> split(std::string_view text, special_tokens mode) const {
    std::vector<fragment> fragments;
    if (!text.empty()) fragments.push_back({text});
    const std::vector<bool> present = find_present(text);
    for (const std::size_t i : longest_first_) {
      if (!present[i] || (mode == special_tokens::as_text && entries_[i].control)) continue;
      fragments = cut(fragments, entries_[i].text, entries_[i].token);
    }
    return fragments;
  }

 private:
  struct entry {
    std::string text;
    int token;
    bool control;  // not looked for in text from outside
  };

  static std::vector<fragment> cut(const std::vector<fragment>& fragments, std::string_view text,
                                   int token) {
    std::vector<fragment> result;
    for (fragment rest : fragments) {
      while (rest.token < 0) {
        const std::size_t at = rest.text.find(text);
        if (at == std::string_view::npos) break;
        if (at > 0) result.push_back({rest.text.substr(0, at)});
        result.push_back({rest.text.substr(at, text.size()), token});
        rest.text.remove_prefix(at + text.size());
      }
      if (!rest.text.empty()) result.push_back(rest);
    }
    return result;
  }

  // Which entries occur in `text`, in one pass: a vocabulary may have a thousand special tokens, a
  // text has a few.
  std::vector<bool> find_present(std::string_view text) const {
    std::vector<bool> present(entries_.size());
    for (; !text.empty(); text.remove_prefix(1)) {
      if (!begins_[static_cast<unsigned char>(text[0])]) continue;
      // Narrows the sorted entries to those that agree with the text in ever more characters.
      std::size_t low = 0;
      std::size_t high = entries_.size();
      for (std::size_t length = 0; low < high; ++length) {
        if (entries_[low].text.size() == length) present[low++] = true;
        if (length == text.size()) break;
        const auto first = entries_.begin();
        const auto same = std::ranges::equal_range(
            first + low, first + high, static_cast<unsigned char>(text[length]), {},
            [&](const entry& e) { return static_cast<unsigned char>(e.text[length]); });
        low = same.begin() - first;
        high = same.end() - first;
      }
    }
    return present;
  }

  std::vector<entry> entries_;  // sorted by text
  std::vector<std::size_t> longest_first_;
  std::array<bool, 256> begins_{};
};

}  // namespace rocmforge
