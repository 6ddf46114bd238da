// Conversations as token ids. The chat template in a model file is a program from an untrusted
// source: it is compared with the known formats, never executed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/chat_formats.hpp>
#include <rocmforge/text/tokenizer.hpp>

namespace rocmforge {

/// One message of a conversation.
struct chat_message {
  std::string role;  // "system", "user", "assistant"
  std::string text;
};

/// The format of a chat template, or null if it is unknown.
inline const chat_format* recognize_chat_template(std::string_view chat_template) {
  std::string text;
  for (std::size_t i = 0; i < chat_template.size(); ++i) {
    const bool is_break = chat_template.substr(i, 2) == "\\n";
    text += is_break ? '\n' : chat_template[i];
    if (is_break) ++i;
  }
  const auto contains = [&](std::string_view part) { return text.find(part) != text.npos; };
  const auto found = std::ranges::find_if(chat_formats, [&](const chat_format& format) {
    return std::ranges::all_of(format.has, contains) &&
           std::ranges::none_of(format.lacks, [&](std::string_view part) {
             return !part.empty() && contains(part);
           });
  });
  return found == std::ranges::end(chat_formats) ? nullptr : found;
}

/// The first marker of a format that is no special token of the vocabulary, and so would be written
/// as letters; empty if there is none.
inline std::string_view find_missing_marker(const tokenizer& source, const chat_format& format) {
  const auto is_missing = [&](std::string_view marker) {
    if (marker.empty()) return false;
    const std::optional<int> id = source.find_token(marker);
    return !id ||
           (!source.is_control(*id) && source.vocab().kinds[*id] != token_kind::user_defined);
  };
  const auto found = std::ranges::find_if(format.tokens, is_missing);
  return found == format.tokens.end() ? std::string_view() : *found;
}

/// The format of the model's chat template, or null if it is unknown or the vocabulary does not
/// have its markers.
inline const chat_format* find_chat_format(const tokenizer& source) {
  const chat_format* format = recognize_chat_template(source.vocab().chat_template);
  return format != nullptr && find_missing_marker(source, *format).empty() ? format : nullptr;
}

/// Whether `encode_chat` knows the model's chat template.
inline bool has_chat_template(const tokenizer& source) {
  return find_chat_format(source) != nullptr;
}

/// The format of the model's chat template. Throws `error`, with the known formats, if it is
/// unknown.
inline const chat_format& require_chat_format(const tokenizer& source) {
  if (const chat_format* format = find_chat_format(source)) return *format;
  std::string known;
  for (const chat_format& format : chat_formats) {
    if (known.ends_with(format.name)) continue;  // the same format, recognized in two ways
    known += (known.empty() ? "" : ", ") + std::string(format.name);
  }
  const vocabulary& vocab = source.vocab();
  std::string what = vocab.chat_template.empty() ? "no chat template" : "unknown chat template";
  if (const chat_format* recognized = recognize_chat_template(vocab.chat_template)) {
    what = "chat template whose marker " + std::string(find_missing_marker(source, *recognized)) +
           " is no special token";
  }
  throw error((vocab.source.empty() ? "" : vocab.source + ": ") + what + ", expected one of " +
              known);
}

namespace chat_detail {

inline std::string_view trim_right(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t\n\v\f\r") + 1);
}
inline std::string_view trim(std::string_view text) {
  text = trim_right(text);
  return text.substr(std::min(text.find_first_not_of(" \t\n\v\f\r"), text.size()));
}
inline std::string_view answer(std::string_view text) {
  constexpr std::string_view end_of_thought = "</think>";
  const std::size_t at = text.rfind(end_of_thought);
  return at == text.npos ? text : text.substr(at + end_of_thought.size());
}

/// Whether a chat template writes the vocabulary's bos: uses the variable bos_token.
inline bool names_bos(std::string_view chat_template) {
  constexpr std::string_view name = "bos_token";
  for (std::size_t at = 0; (at = chat_template.find(name, at)) != chat_template.npos; ++at) {
    const char before = at == 0 ? ' ' : chat_template[at - 1];
    const std::size_t end = at + name.size();
    const char after = end == chat_template.size() ? ' ' : chat_template[end];
    const auto is_part_of_a_name = [](char c) {
      return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    if (!is_part_of_a_name(before) && !is_part_of_a_name(after)) return true;  // not add_bos_token
  }
  return false;
}

/// A conversation as parts: markers, and texts of messages, in which no marker is recognized.
class rendering {
 public:
  /// @param continues  these messages continue a conversation
  rendering(const tokenizer& source, const chat_format& format, bool continues)
      : source_(source), format_(format), is_first_(!continues) {}

  void add(const chat_message& message) {
    const bool is_user = message.role == "user";
    if (message.role == "system" && format_.system.empty()) {
      if (system_) refuse("a second system message before the user's, expected one");
      system_ = message.text;
    } else if (is_user && system_) {
      add(format_.user_after_system, message);
      system_.reset();
    } else {
      add(pattern_of(message.role), message);
    }
  }

  void add_reply() {
    require_no_system();
    add(format_.reply, {"assistant", ""});
  }

  /// The template's text after an assistant's message.
  void add_end_of_reply() {
    const std::size_t end = format_.assistant.find('}', format_.assistant.find("{text"));
    add(format_.assistant.substr(end + 1), {"assistant", ""});
  }

  void require_no_system() const {
    if (system_) refuse("a system message with no user message after it, expected one");
  }

  [[nodiscard]] std::span<const text_part> parts() const { return parts_; }

 private:
  [[noreturn]] void refuse(const std::string& message) const {
    throw error("chat in the format " + std::string(format_.name) + ": " + message);
  }

  std::string_view pattern_of(const std::string& role) const {
    if (role == "system") return format_.system;
    if (role == "user") return format_.user;
    if (role == "assistant") return format_.assistant;
    if (format_.other.empty()) {
      refuse("role \"" + printable(role) + "\", expected system, user or assistant");
    }
    return format_.other;
  }

  void add(std::string_view pattern, const chat_message& message) {
    while (!pattern.empty()) {
      const std::size_t open = std::min(pattern.find('{'), pattern.size());
      add_part(pattern.substr(0, open), special_tokens::parse);
      pattern.remove_prefix(open);
      if (pattern.empty()) break;
      const std::size_t close = pattern.find('}');
      add_place(pattern.substr(1, close - 1), message);
      pattern.remove_prefix(close + 1);
    }
    is_first_ = false;
  }

  void add_place(std::string_view place, const chat_message& message) {
    using enum special_tokens;
    if (place == "text") return add_part(message.text, as_text);
    if (place == "text|trim") return add_part(trim(message.text), as_text);
    if (place == "text|rstrip") return add_part(trim_right(message.text), as_text);
    if (place == "text|answer") return add_part(answer(message.text), as_text);
    if (place == "system") return add_part(*system_, as_text);
    if (place == "role") return add_part(message.role, as_text);
    const int id = place == "eos" ? source_.vocab().eos : source_.vocab().bos;
    if (id < 0) refuse("the vocabulary has no " + std::string(place) + ", expected one");
    if (place == "eos" || !is_first_) add_part(source_.vocab().tokens[id], parse);
  }

  void add_part(std::string_view text, special_tokens special) {
    if (text.empty()) return;
    parts_.push_back({kept_.emplace_back(text), special});
  }

  const tokenizer& source_;
  const chat_format& format_;
  bool is_first_;  // no message has been added yet
  std::optional<std::string> system_;
  std::deque<std::string> kept_;  // owns texts that the parts are views of
  std::vector<text_part> parts_;
};

inline void add_messages(rendering& result, std::span<const chat_message> messages,
                         bool add_generation_prompt) {
  for (const chat_message& message : messages) result.add(message);
  if (add_generation_prompt) result.add_reply();
  result.require_no_system();
}

}  // namespace chat_detail

/// The ids of a conversation. Starts with one bos if the vocabulary or its chat template asks for
/// it. Adds no default system message. Nothing in a message is read as a control token.
///
/// @param add_generation_prompt  append the start of the assistant's turn, which the model
/// continues Throws `error` if the model's chat template is unknown (see `has_chat_template`) or
/// does not allow a message.
[[nodiscard]] inline std::vector<int> encode_chat(const tokenizer& source,
                                                  std::span<const chat_message> messages,
                                                  bool add_generation_prompt) {
  chat_detail::rendering result(source, require_chat_format(source), /*continues=*/false);
  chat_detail::add_messages(result, messages, add_generation_prompt);
  std::vector<int> ids;
  const vocabulary& vocab = source.vocab();
  const bool asks_for_bos = vocab.add_bos || chat_detail::names_bos(vocab.chat_template);
  if (asks_for_bos && vocab.bos >= 0) ids.push_back(vocab.bos);
  source.append(result.parts(), /*continues=*/false, ids);
  return ids;
}

/// The ids that continue a conversation after a reply of the assistant: the end of the reply's
/// turn, then `messages`. The ids before these must end with the tokens of the reply, without the
/// token that ended it. Throws `error` as `encode_chat` does.
[[nodiscard]] inline std::vector<int> continue_chat(const tokenizer& source,
                                                    std::span<const chat_message> messages,
                                                    bool add_generation_prompt) {
  chat_detail::rendering result(source, require_chat_format(source), /*continues=*/true);
  result.add_end_of_reply();
  chat_detail::add_messages(result, messages, add_generation_prompt);
  std::vector<int> ids;
  source.append(result.parts(), /*continues=*/true, ids);
  return ids;
}

}  // namespace rocmforge
