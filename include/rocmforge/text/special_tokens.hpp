// Special tokens: finding them in a text before it is split into words, and those that end a
// generation.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/prefix_index.hpp>
#include <rocmforge/text/vocabulary.hpp>

namespace rocmforge {

/// Whether `<|im_end|>` in a text is ten characters or the control token of that name.
/// Untrusted text must be `as_text`: otherwise its author can end a turn and write a message in
/// another role.
enum class special_tokens { as_text, parse };

/// The texts of tokens that end a text or a turn in common vocabularies, even if the metadata do
/// not say so.
inline constexpr std::string_view end_of_generation_texts[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<end_of_turn>",
    "<turn|>",
    "<|tool_response>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "[e~[",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<\xEF\xBD\x9C"
    "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"};  // DeepSeek's

/// The texts of the three ending tokens of fill-in-the-middle: padding, the name of a repository,
/// and the beginning of another file. They count where the metadata do not say the token.
inline constexpr std::string_view fim_pad_texts[] = {"<|fim_pad|>", "<fim-pad>", "<fim_pad>",
                                                     "<PAD>", "[PAD]"};
inline constexpr std::string_view fim_rep_texts[] = {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>",
                                                     "<REPO>", "<reponame>"};
inline constexpr std::string_view fim_sep_texts[] = {"<|file_sep|>"};

/// Whether a text is written as control tokens are: "<...>" or "[...]".
inline bool is_marker(std::string_view text) {
  return text.size() > 2 && ((text.front() == '<' && text.back() == '>') ||
                             (text.front() == '[' && text.back() == ']'));
}

/// Whether the token `id` of `vocab` has one of the texts above. "</s>" as a normal token is HTML,
/// and ends nothing.
inline bool ends_generation_by_text(const vocabulary& vocab, std::size_t id) {
  const std::string& text = vocab.tokens[id];
  if (text == "</s>" && vocab.kinds[id] == token_kind::normal) return false;
  const auto is_in = [&](const auto& texts) {
    return std::ranges::find(texts, text) != std::ranges::end(texts);
  };
  return is_in(end_of_generation_texts) || (vocab.fim_pad < 0 && is_in(fim_pad_texts)) ||
         (vocab.fim_rep < 0 && is_in(fim_rep_texts)) || (vocab.fim_sep < 0 && is_in(fim_sep_texts));
}

/// For each token of `vocab`, whether it ends a generation: eos and its like, eot, eom, the ending
/// tokens of fill-in-the-middle, and the tokens with the texts above. Source: llama.cpp.
inline std::vector<bool> find_end_of_generation(const vocabulary& vocab) {
  std::vector<bool> result(vocab.tokens.size());
  for (const int id :
       {vocab.eos, vocab.eot, vocab.eom, vocab.fim_pad, vocab.fim_rep, vocab.fim_sep}) {
    if (id >= 0) result[id] = true;
  }
  for (const int id : vocab.other_ends) result[id] = true;
  std::vector<std::size_t> ends_of_parts, ends_of_html;
  bool has_return = false, has_call = false, has_flush = false, has_tool_response = false;
  for (std::size_t id = 0; id < vocab.tokens.size(); ++id) {
    if (ends_generation_by_text(vocab, id)) result[id] = true;
    const std::string& text = vocab.tokens[id];
    if (text == "<|end|>") ends_of_parts.push_back(id);
    if (text == "</s>") ends_of_html.push_back(id);
    has_return = has_return || text == "<|return|>";
    has_call = has_call || text == "<|call|>" || text == "<|calls|>";
    has_flush = has_flush || text == "<|flush|>";
    has_tool_response = has_tool_response || text == "<|tool_response>";
  }
  // gpt-oss and Solar end a part of a reply, such as a thought, with <|end|>, and the reply itself
  // with the other tokens.
  if (has_call && (has_return || has_flush)) {
    for (const std::size_t id : ends_of_parts) result[id] = false;
  }
  // Gemma 4's </s> is HTML, whatever its type.
  if (has_tool_response) {
    for (const std::size_t id : ends_of_html) result[id] = false;
  }
  return result;
}

/// The texts of tokens that start a turn, or a part of one, in the known chat templates.
inline constexpr std::string_view turn_marker_texts[] = {
    "<|im_start|>",
    "<|im_sep|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<start_of_turn>",
    "[INST]",
    "[/INST]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "<|START_OF_TURN_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|SYSTEM_TOKEN|>",
    "<|USER_TOKEN|>",
    "<|CHATBOT_TOKEN|>",
    "<|start_of_role|>",
    "<|end_of_role|>",
    "<\xEF\xBD\x9CUser\xEF\xBD\x9C>",
    "<\xEF\xBD\x9C"
    "Assistant\xEF\xBD\x9C>"};  // the last two are DeepSeek's

/// Makes control tokens of the tokens with these texts, and of bos and eos if they are written as
/// markers. Some files declare them user-defined or normal: then an untrusted text could contain
/// them, or a chat template could not write them.
inline void mark_control_tokens(vocabulary& vocab) {
  for (std::size_t id = 0; id < vocab.tokens.size(); ++id) {
    const bool is_text =
        vocab.kinds[id] == token_kind::user_defined || vocab.kinds[id] == token_kind::normal;
    const std::string& text = vocab.tokens[id];
    const bool opens_turn = is_text && std::ranges::find(turn_marker_texts, text) !=
                                           std::ranges::end(turn_marker_texts);
    const int number = static_cast<int>(id);
    const bool is_named =
        is_text && (number == vocab.bos || number == vocab.eos) && is_marker(text);
    if (opens_turn || is_named || ends_generation_by_text(vocab, id))
      vocab.kinds[id] = token_kind::control;
  }
}

/// Makes byte tokens of the tokens "<0x00>" to "<0xFF>" of vocabularies that fall back to bytes.
/// Some files declare them normal, or have no types.
inline void mark_byte_tokens(vocabulary& vocab) {
  if (!falls_back_to_bytes(vocab)) return;
  for (std::size_t id = 0; id < vocab.tokens.size(); ++id) {
    const bool is_text =
        vocab.kinds[id] == token_kind::user_defined || vocab.kinds[id] == token_kind::normal;
    if (is_text && byte_of_token(vocab.tokens[id])) vocab.kinds[id] = token_kind::byte;
  }
}

/// Finds special tokens in texts. Searches the whole text for the longest token first, then the
/// rest for the next longest, and so on. This is llama.cpp's order; for overlapping tokens the
/// result can differ from taking the longest token at each position.
class special_token_splitter {
 public:
  /// A part of the text, or one special token.
  struct fragment {
    std::string_view text;
    int token = -1;
  };

  /// @param vocab  must outlive the splitter
  explicit special_token_splitter(const vocabulary& vocab) {
    std::vector<prefix_index::entry> texts;
    for (std::size_t id = 0; id < vocab.tokens.size(); ++id) {
      const token_kind kind = vocab.kinds[id];
      const bool is_special = is_control(kind) || kind == token_kind::user_defined;
      if (!is_special || vocab.tokens[id].empty()) continue;
      const int token = static_cast<int>(id);
      const auto is_in = [&](const std::vector<int>& list) {
        return std::ranges::find(list, token) != list.end();
      };
      specials_.push_back({vocab.tokens[id], token, is_control(kind), is_in(vocab.strips_left),
                           is_in(vocab.strips_right)});
    }
    std::ranges::sort(specials_, [](const special& a, const special& b) {
      return std::pair(b.text.size(), a.token) < std::pair(a.text.size(), b.token);
    });
    for (std::size_t i = 0; i < specials_.size(); ++i) {
      texts.push_back({specials_[i].text, static_cast<int>(i)});
    }
    texts_ = prefix_index(std::move(texts));
  }

  /// Splits `text` into fragments, none of them empty. White space that a token removes is dropped.
  ///
  /// @param may_be_control  called with the position and size of the text of a control token:
  ///                        whether to read it as one. User-defined tokens are always found.
  template <class MayBeControl>
  [[nodiscard]] std::vector<fragment> split(std::string_view text,
                                            const MayBeControl& may_be_control) const {
    const auto longest_token_in = [&](std::size_t at, std::size_t size) {
      int longest = unowned;
      texts_.for_each_prefix(text.substr(at, size), [&](const prefix_index::entry& entry) {
        if (!specials_[entry.value].control || may_be_control(at, entry.text.size())) {
          longest = entry.value;
        }
      });
      return longest;
    };
    // Of the tokens at a position only the longest has its turn; a shorter one has it once another
    // token turns out to be in the way.
    std::vector<candidate> candidates;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const int token = longest_token_in(at, text.size());
      if (token != unowned) candidates.push_back({token, at});
    }
    std::vector<int> owners(text.size(), unowned);
    for (std::priority_queue queue(std::greater<candidate>(), std::move(candidates));
         !queue.empty();) {
      const auto [token, at] = queue.top();
      queue.pop();
      const std::size_t size = specials_[token].text.size();
      const std::size_t room = unowned_bytes(owners, at, at + size);
      if (room == size) {
        take(text, specials_[token], token, at, owners);
      } else if (const int shorter = longest_token_in(at, room); shorter != unowned) {
        // The token in the way is no shorter than the one that has its turn, so that each time
        // half of the room is lost: a position has few turns.
        queue.push({shorter, at});
      }
    }
    return fragments_of(text, owners);
  }

 private:
  struct special {
    std::string_view text;
    int token;
    bool control;
    bool strips_left;
    bool strips_right;
  };
  /// A token that may begin at a position. They have their turns in ascending order.
  struct candidate {
    int token;  // index in `specials_`
    std::size_t at;
    auto operator<=>(const candidate&) const = default;
  };

  static constexpr std::string_view white_space = " \t\n\v\f\r";

  // The owner of a byte is the index of a token in `specials_`, or one of these.
  static constexpr int unowned = -1;
  static constexpr int white_space_removed = -2;

  /// How many bytes from `begin` on, up to `end`, have no owner.
  static std::size_t unowned_bytes(const std::vector<int>& owners, std::size_t begin,
                                   std::size_t end) {
    std::size_t at = begin;
    while (at < end && owners[at] == unowned) ++at;
    return at - begin;
  }

  static void take(std::string_view text, const special& token, int index, std::size_t at,
                   std::vector<int>& owners) {
    const auto is_removed = [&](std::size_t i) {
      return owners[i] == unowned && white_space.find(text[i]) != white_space.npos;
    };
    const std::size_t end = at + token.text.size();
    for (std::size_t i = at; i < end; ++i) owners[i] = index;
    for (std::size_t i = at; token.strips_left && i > 0 && is_removed(i - 1); --i) {
      owners[i - 1] = white_space_removed;
    }
    for (std::size_t i = end; token.strips_right && i < text.size() && is_removed(i); ++i) {
      owners[i] = white_space_removed;
    }
  }

  std::vector<fragment> fragments_of(std::string_view text, const std::vector<int>& owners) const {
    std::vector<fragment> fragments;
    std::size_t at = 0;
    while (at < text.size()) {
      std::size_t size = 1;
      if (owners[at] == unowned) {
        size = unowned_bytes(owners, at, text.size());
        fragments.push_back({text.substr(at, size)});
      } else if (owners[at] != white_space_removed) {
        const special& token = specials_[owners[at]];
        size = token.text.size();
        fragments.push_back({text.substr(at, size), token.token});
      }
      at += size;
    }
    return fragments;
  }

  std::vector<special> specials_;  // the longest first
  prefix_index texts_;             // its numbers are indices into `specials_`
};

}  // namespace rocmforge
