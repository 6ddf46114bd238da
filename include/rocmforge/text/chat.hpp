// Conversations as token ids, in the ChatML format: <|im_start|>ROLE newline TEXT<|im_end|>
// newline, for each message. The template in a model file is a program from an untrusted source: it
// is recognised, never executed.
#pragma once

#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/tokenizer.hpp>

namespace rocmforge {

/// One message of a conversation.
struct chat_message {
  std::string role;  // "system", "user", "assistant"
  std::string text;
};

/// Whether the model's chat template is one that `encode_chat` knows: ChatML, with both its markers
/// in the vocabulary.
inline bool has_chat_template(const tokenizer& source) {
  const std::string_view text = source.vocab().chat_template;
  const auto contains = [&](std::string_view part) { return text.find(part) != text.npos; };
  return contains("<|im_start|>") && !contains("<|im_sep|>") && !contains("<end_of_utterance>") &&
         source.find_token("<|im_start|>") && source.find_token("<|im_end|>");
}

namespace chat_detail {

inline void require_template(const tokenizer& source) {
  if (has_chat_template(source)) return;
  const std::string where = source.vocab().source.empty() ? "" : source.vocab().source + ": ";
  throw error(
      where +
      (source.vocab().chat_template.empty() ? "no chat template" : "unknown chat template") +
      ", expected ChatML (<|im_start|> and <|im_end|>)");
}

// Roles and texts are encoded as text, so that no message can close its own turn.
inline void append_text(const tokenizer& source, std::string_view text, std::vector<int>& ids) {
  const std::vector<int> more = source.encode(text, special_tokens::as_text);
  ids.insert(ids.end(), more.begin(), more.end());
}

inline void append_messages(const tokenizer& source, std::span<const chat_message> messages,
                            bool add_generation_prompt, std::vector<int>& ids) {
  for (const chat_message& message : messages) {
    ids.push_back(*source.find_token("<|im_start|>"));
    append_text(source, message.role + "\n" + message.text, ids);
    ids.push_back(*source.find_token("<|im_end|>"));
    append_text(source, "\n", ids);
  }
  if (!add_generation_prompt) return;
  ids.push_back(*source.find_token("<|im_start|>"));
  append_text(source, "assistant\n", ids);
}

}  // namespace chat_detail

/// The ids of a conversation. Begins with bos where the vocabulary asks for it; adds no system
/// message of its own. Nothing in a message is read as a control token.
///
/// @param add_generation_prompt  ends with the opening of the assistant's turn, for the model to go
/// on Throws `error` if the model's chat template is not known (see `has_chat_template`).
[[nodiscard]] inline std::vector<int> encode_chat(const tokenizer& source,
                                                  std::span<const chat_message> messages,
                                                  bool add_generation_prompt) {
  chat_detail::require_template(source);
  std::vector<int> ids;
  if (source.vocab().add_bos) ids.push_back(source.vocab().bos);
  chat_detail::append_messages(source, messages, add_generation_prompt, ids);
  return ids;
}

/// The ids that go on with a conversation after a reply of the assistant: the end of the reply's
/// turn, then `messages`. The ids so far end with the reply's own tokens, without the token that
/// ended it (or at which it was broken off). Throws `error` as `encode_chat` does.
[[nodiscard]] inline std::vector<int> continue_chat(const tokenizer& source,
                                                    std::span<const chat_message> messages,
                                                    bool add_generation_prompt) {
  chat_detail::require_template(source);
  std::vector<int> ids = {*source.find_token("<|im_end|>")};
  chat_detail::append_text(source, "\n", ids);
  chat_detail::append_messages(source, messages, add_generation_prompt, ids);
  return ids;
}

}  // namespace rocmforge
