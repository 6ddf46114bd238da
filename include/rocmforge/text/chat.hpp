// Conversations as token ids, by the chat template of the model's file. The template is a program
// from an untrusted source: jinja.hpp runs it under limits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/text/chat_formats.hpp>
#include <rocmforge/text/jinja.hpp>
#include <rocmforge/text/tokenizer.hpp>

namespace rocmforge {

/// What a template may write of its own, in bytes: what it writes has to be tokenized too, and a
/// hostile one must come to its end soon.
inline constexpr std::size_t max_template_bytes = std::size_t{4} << 20;

/// One message of a conversation.
struct chat_message {
  std::string role;  // "system", "user", "assistant"
  std::string text;
};

/// Whether the model's file has a chat template.
inline bool has_chat_template(const tokenizer& source) {
  return !source.vocab().chat_template.empty();
}

/// The chat template of this name: "default" is the file's own; then those of the file that have a
/// name, then the formats of chat_formats.hpp. Nothing if there is none.
/// Throws `error` for a format whose markers are not tokens of the vocabulary.
inline std::optional<std::string_view> find_chat_template(const tokenizer& source,
                                                          std::string_view name) {
  const vocabulary& vocab = source.vocab();
  if (name == "default" && has_chat_template(source)) return vocab.chat_template;
  for (const auto& [known, text] : vocab.named_chat_templates)
    if (known == name) return text;
  const auto format = std::ranges::find(chat_formats, name, &chat_format::name);
  if (format == std::ranges::end(chat_formats)) return std::nullopt;
  for (const std::string_view marker : format->tokens) {
    if (!marker.empty() && !source.find_token(marker))
      refuse_vocabulary(vocab, "no token \"" + printable(marker) +
                                   "\", expected one for the chat template " + std::string(name));
  }
  return format->source;
}

/// All names that `find_chat_template` knows, for messages.
inline std::string chat_template_names(const tokenizer& source) {
  std::string names = has_chat_template(source) ? "default" : "";
  const auto add = [&](std::string_view name) {
    names += (names.empty() ? "" : ", ") + printable(name, 40);
  };
  for (const auto& named : source.vocab().named_chat_templates) add(named.first);
  for (const chat_format& format : chat_formats) add(format.name);
  return names;
}

/// Writes conversations with a chat template. The tokenizer must outlive it.
class chat_writer {
 public:
  /// With the template of the model's file. Throws `error` if it has none, or one that is none.
  explicit chat_writer(const tokenizer& source)
      : chat_writer(source, source.vocab().chat_template, source.vocab().source) {}

  /// @param chat_template  a program in Jinja, see jinja.hpp
  /// @param origin         the file that it is from, for messages
  chat_writer(const tokenizer& source, std::string_view chat_template, std::string origin)
      : source_(&source), origin_(std::move(origin)), template_(parse(chat_template)) {}

  /// The ids of a conversation. They begin with one bos, if the template writes it or the
  /// vocabulary asks for it. What the template writes may become control tokens; nothing in a
  /// message is read as one.
  ///
  /// @param add_generation_prompt  append the start of the assistant's turn, which the model
  ///                               continues
  /// Throws `error` where the template fails, refuses the conversation, or writes more than twice
  /// the text of the messages and `max_template_bytes`.
  [[nodiscard]] std::vector<int> encode(std::span<const chat_message> messages,
                                        bool add_generation_prompt) const {
    const vocabulary& vocab = source_->vocab();
    std::vector<jinja::segment> segments = render(messages, add_generation_prompt);
    const std::string bos = text_of(vocab.bos);
    std::vector<int> ids;
    const bool writes_bos = !bos.empty() && !segments.empty() && !segments[0].is_data &&
                            segments[0].text.starts_with(bos);
    if (writes_bos) segments[0].text.erase(0, bos.size());
    if (writes_bos || vocab.add_bos) ids.push_back(vocab.bos);
    std::vector<text_part> parts;
    for (const jinja::segment& segment : segments)
      parts.push_back(
          {segment.text, segment.is_data ? special_tokens::as_text : special_tokens::parse});
    source_->append(parts, /*continues=*/false, ids);
    return ids;
  }

 private:
  [[nodiscard]] jinja::chat_template parse(std::string_view source) const {
    if (source.empty()) fail("no chat template");
    try {
      return jinja::chat_template(source);
    } catch (const error& fault) {
      fail(fault.what());
    }
  }

  [[nodiscard]] std::vector<jinja::segment> render(std::span<const chat_message> messages,
                                                   bool add_generation_prompt) const {
    jinja::sequence list;
    std::size_t num_bytes = 0;
    for (const chat_message& message : messages) {
      num_bytes += message.text.size();
      // These roles come from no user, and templates make markers of them: <|user|>.
      constexpr std::string_view roles[] = {"system", "user", "assistant", "tool", "developer"};
      const bool is_usual = std::ranges::find(roles, message.role) != std::ranges::end(roles);
      jinja::mapping entry;
      entry.set("role", jinja::marked_text(message.role, !is_usual));
      entry.set("content", jinja::marked_text(message.text, /*is_data=*/true));
      list.items.emplace_back(std::move(entry));
    }
    jinja::mapping context;
    context.set("messages", std::move(list));
    context.set("add_generation_prompt", add_generation_prompt);
    context.set("bos_token", text_of(source_->vocab().bos));
    context.set("eos_token", text_of(source_->vocab().eos));
    // As transformers gives them where there are none.
    context.set("tools", jinja::none{});
    context.set("documents", jinja::none{});
    try {
      jinja::render_options options;
      options.limit.output_bytes =
          std::min(options.limit.output_bytes, max_template_bytes + 2 * num_bytes);
      return template_.render(context, options);
    } catch (const error& fault) {
      fail(fault.what());
    }
  }

  [[nodiscard]] std::string text_of(int id) const {
    return id < 0 ? std::string() : source_->vocab().tokens[static_cast<std::size_t>(id)];
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw error((origin_.empty() ? "" : origin_ + ": ") + what);
  }

  const tokenizer* source_;
  std::string origin_;
  jinja::chat_template template_;
};

/// The ids of a conversation, written with the template of the model's file: see
/// `chat_writer::encode`.
[[nodiscard]] inline std::vector<int> encode_chat(const tokenizer& source,
                                                  std::span<const chat_message> messages,
                                                  bool add_generation_prompt) {
  return chat_writer(source).encode(messages, add_generation_prompt);
}

}  // namespace rocmforge
