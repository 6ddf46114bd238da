// The known chat templates, as data. Sources: the templates published with each family's models
// (tokenizer_config.json); llama.cpp for how to distinguish them.
#pragma once

#include <array>
#include <string_view>

namespace rocmforge {

/// The chat format of one family of models.
///
/// The texts contain markers, in which control tokens are recognized, and placeholders in braces:
///
///   {text} {text|trim} {text|rstrip}  the message; without white space around it; or after it
///   {text|answer}                     the message after the last "</think>"
///   {system}                          the preceding system message
///   {role}                            the role of the message
///   {bos} {eos}                       the vocabulary's tokens; {bos} is left out at the start of a
///                                     conversation, where the vocabulary says whether to add it
struct chat_format {
  std::string_view name;
  // The file's template must contain all texts in `has`, and none in `lacks`.
  std::array<std::string_view, 4> has = {};
  std::array<std::string_view, 3> lacks = {};
  std::array<std::string_view, 4> tokens = {};  // must be tokens of the vocabulary
  std::string_view system = {};
  std::string_view user = {};
  std::string_view user_after_system =
      {};  // for families whose system message is part of the user's first turn
  std::string_view assistant = {};
  std::string_view other = {};  // any other role; empty: not allowed
  std::string_view reply = {};  // the start of the assistant's next message
};

/// The first format that matches is used. An escaped line break (\n) in a template is compared as a
/// line break.
inline constexpr chat_format chat_formats[] = {
    {.name = "phi-4",
     .has = {"<|im_start|>", "<|im_sep|>"},
     .tokens = {"<|im_start|>", "<|im_sep|>", "<|im_end|>"},
     .system = "<|im_start|>system<|im_sep|>{text}<|im_end|>",
     .user = "<|im_start|>user<|im_sep|>{text}<|im_end|>",
     .assistant = "<|im_start|>assistant<|im_sep|>{text}<|im_end|>",
     .reply = "<|im_start|>assistant<|im_sep|>"},
    {.name = "chatml",
     .has = {"<|im_start|>"},
     .lacks = {"<end_of_utterance>"},
     .tokens = {"<|im_start|>", "<|im_end|>"},
     .system = "<|im_start|>system\n{text}<|im_end|>\n",
     .user = "<|im_start|>user\n{text}<|im_end|>\n",
     .assistant = "<|im_start|>assistant\n{text}<|im_end|>\n",
     .other = "<|im_start|>{role}\n{text}<|im_end|>\n",
     .reply = "<|im_start|>assistant\n"},
    {.name = "mistral-v7",
     .has = {"[INST]", "[SYSTEM_PROMPT] "},
     .tokens = {"[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"},
     .system = "[SYSTEM_PROMPT] {text}[/SYSTEM_PROMPT]",
     .user = "[INST] {text}[/INST]",
     .assistant = " {text}{eos}"},
    {.name = "mistral-v7-tekken",
     .has = {"[INST]", "[SYSTEM_PROMPT]"},
     .tokens = {"[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"},
     .system = "[SYSTEM_PROMPT]{text}[/SYSTEM_PROMPT]",
     .user = "[INST]{text}[/INST]",
     .assistant = "{text}{eos}"},
    {.name = "mistral-v1",
     .has = {"' [INST] ' + system_message"},
     .user = " [INST] {text} [/INST]",
     .user_after_system = " [INST] {system}\n\n{text} [/INST]",
     .assistant = " {text}{eos}"},
    {.name = "mistral-v1",
     .has = {" [INST]", "[AVAILABLE_TOOLS]"},
     .user = " [INST] {text} [/INST]",
     .user_after_system = " [INST] {system}\n\n{text} [/INST]",
     .assistant = " {text}{eos}"},
    {.name = "mistral-v3-tekken",
     .has = {"\"[INST]\"", "[AVAILABLE_TOOLS]"},
     .tokens = {"[INST]", "[/INST]"},
     .user = "[INST]{text}[/INST]",
     .user_after_system = "[INST]{system}\n\n{text}[/INST]",
     .assistant = "{text}{eos}"},
    {.name = "mistral-v3",
     .has = {"[INST]", "[AVAILABLE_TOOLS]"},
     .tokens = {"[INST]", "[/INST]"},
     .user = "[INST] {text}[/INST]",
     .user_after_system = "[INST] {system}\n\n{text}[/INST]",
     .assistant = " {text|trim}{eos}"},
    {.name = "llama-2",
     .has = {"<<SYS>>", "bos_token + '[INST]", "content.strip()"},
     .user = "{bos}[INST] {text|trim} [/INST]",
     .user_after_system = "{bos}[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{text|rstrip} [/INST]",
     .assistant = " {text|trim} {eos}"},
    {.name = "llama-2-bos",
     .has = {"[INST]", "bos_token + '[INST]"},
     .user = "{bos}[INST] {text} [/INST]",
     .user_after_system = "{bos}[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{text} [/INST]",
     .assistant = "{text}{eos}"},
    {.name = "llama-2-strip",
     .has = {"[INST]", "<<SYS>>", "content.strip()"},
     .user = "[INST] {text|trim} [/INST]",
     .user_after_system = "[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{text|rstrip} [/INST]",
     .assistant = " {text|trim} {eos}"},
    {.name = "llama-2-sys",
     .has = {"[INST]", "<<SYS>>"},
     .user = "[INST] {text} [/INST]",
     .user_after_system = "[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{text} [/INST]",
     .assistant = "{text}{eos}"},
    {.name = "llama-2-plain",  // also Mistral 7B Instruct before v1
     .has = {"[INST]"},
     .user = "[INST] {text} [/INST]",
     .user_after_system = "[INST] {system}\n{text} [/INST]",
     .assistant = "{text}{eos}"},
    {.name = "phi-4-mini",
     .has = {"<|assistant|>", "'|>' + message['content'] + '<|end|>'"},
     .tokens = {"<|user|>", "<|assistant|>", "<|end|>"},
     .system = "<|system|>{text}<|end|>",
     .user = "<|user|>{text}<|end|>",
     .assistant = "<|assistant|>{text}<|end|>",
     .reply = "<|assistant|>"},
    {.name = "phi-3",
     .has = {"<|assistant|>", "<|end|>"},
     .tokens = {"<|user|>", "<|assistant|>", "<|end|>"},
     .system = "<|system|>\n{text}<|end|>\n",
     .user = "<|user|>\n{text}<|end|>\n",
     .assistant = "<|assistant|>\n{text}<|end|>\n",
     .reply = "<|assistant|>\n"},
    {.name = "zephyr",
     .has = {"'<|user|>\n' + message['content'] + eos_token"},
     .system = "<|system|>\n{text}{eos}\n",
     .user = "<|user|>\n{text}{eos}\n",
     .assistant = "<|assistant|>\n{text}{eos}\n",
     .reply = "<|assistant|>\n"},
    {.name = "zephyr-stablelm",
     .has = {"<|user|>", "<|endoftext|>"},
     .lacks = {"[gMASK]", "<|tool_declare|>"},
     .tokens = {"<|endoftext|>"},
     .system = "<|system|>\n{text}<|endoftext|>\n",
     .user = "<|user|>\n{text}<|endoftext|>\n",
     .assistant = "<|assistant|>\n{text}<|endoftext|>\n",
     .reply = "<|assistant|>\n"},
    {.name = "gemma",
     .has = {"<start_of_turn>"},
     .tokens = {"<start_of_turn>", "<end_of_turn>"},
     .user = "<start_of_turn>user\n{text|trim}<end_of_turn>\n",
     .user_after_system = "<start_of_turn>user\n{system}\n\n{text|trim}<end_of_turn>\n",
     .assistant = "<start_of_turn>model\n{text|trim}<end_of_turn>\n",
     .reply = "<start_of_turn>model\n"},
    {.name = "command-r",
     .has = {"<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>"},
     .tokens = {"<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>",
                "<|CHATBOT_TOKEN|>"},
     .system = "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{text}<|END_OF_TURN_TOKEN|>",
     .user = "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{text|trim}<|END_OF_TURN_TOKEN|>",
     .assistant = "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{text|trim}<|END_OF_TURN_TOKEN|>",
     .reply = "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"},
    {.name = "llama-3",
     .has = {"<|start_header_id|>", "<|end_header_id|>"},
     .tokens = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
     .system = "<|start_header_id|>system<|end_header_id|>\n\n{text|trim}<|eot_id|>",
     .user = "<|start_header_id|>user<|end_header_id|>\n\n{text|trim}<|eot_id|>",
     .assistant = "<|start_header_id|>assistant<|end_header_id|>\n\n{text|trim}<|eot_id|>",
     .other = "<|start_header_id|>{role}<|end_header_id|>\n\n{text|trim}<|eot_id|>",
     .reply = "<|start_header_id|>assistant<|end_header_id|>\n\n"},
    {.name = "deepseek-v2",
     .has = {"'Assistant: ' + message['content'] + eos_token"},
     .system = "{text}\n\n",
     .user = "User: {text}\n\n",
     .assistant = "Assistant: {text}{eos}",
     .reply = "Assistant:"},
    {.name = "deepseek-r1",
     .has = {"<｜User｜>", "<｜Assistant｜><think>\n"},
     .tokens = {"<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"},
     .system = "{text}",
     .user = "<｜User｜>{text}",
     .assistant = "<｜Assistant｜>{text|answer}<｜end▁of▁sentence｜>",
     .reply = "<｜Assistant｜><think>\n"},
    {.name = "deepseek-v3",
     .has = {"<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"},
     .lacks = {"thinking is defined"},  // V3.1 has two kinds of replies
     .tokens = {"<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"},
     .system = "{text}",
     .user = "<｜User｜>{text}",
     .assistant = "<｜Assistant｜>{text|answer}<｜end▁of▁sentence｜>",
     .reply = "<｜Assistant｜>"},
    {.name = "granite",
     .has = {"<|start_of_role|>"},
     .tokens = {"<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"},
     .system = "<|start_of_role|>system<|end_of_role|>{text}<|end_of_text|>\n",
     .user = "<|start_of_role|>user<|end_of_role|>{text}<|end_of_text|>\n",
     .assistant = "<|start_of_role|>assistant<|end_of_role|>{text}<|end_of_text|>\n",
     .other = "<|start_of_role|>{role}<|end_of_role|>{text}<|end_of_text|>\n",
     .reply = "<|start_of_role|>assistant<|end_of_role|>"},
};

}  // namespace rocmforge
