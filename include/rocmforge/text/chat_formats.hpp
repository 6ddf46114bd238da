// Chat templates of well-known families, for files that have none. Sources: the templates published
// with each family's models (tokenizer_config.json), reduced to plain turns.
#pragma once

#include <array>
#include <string_view>

namespace rocmforge {

/// The chat template of one family of models.
struct chat_format {
  std::string_view name;
  std::array<std::string_view, 4> tokens = {};  // must be tokens of the vocabulary
  std::string_view source = {};
};

inline constexpr chat_format chat_formats[] = {
    {"chatml",
     {"<|im_start|>", "<|im_end|>"},
     "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
     "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"},
    {"llama-2",
     {},
     "{% set ns = namespace(system='') %}{% for m in messages %}"
     "{% if m.role == 'system' %}{% set ns.system = m.content %}"
     "{% elif m.role == 'user' %}{{ bos_token }}[INST] "
     "{% if ns.system %}<<SYS>>\n{{ ns.system }}\n<</SYS>>\n\n{{ m.content.rstrip() }}"
     "{% set ns.system = '' %}{% else %}{{ m.content.strip() }}{% endif %} [/INST]"
     "{% else %} {{ m.content.strip() }} {{ eos_token }}{% endif %}{% endfor %}"},
    {"llama-3",
     {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
     "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
     "{{ m.content|trim }}<|eot_id|>{% endfor %}"
     "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"},
    {"mistral-v1",
     {},
     "{% set ns = namespace(system='') %}{% for m in messages %}"
     "{% if m.role == 'system' %}{% set ns.system = m.content ~ '\n\n' %}"
     "{% elif m.role == 'user' %} [INST] {{ ns.system ~ m.content }} [/INST]"
     "{% set ns.system = '' %}{% else %} {{ m.content ~ eos_token }}{% endif %}{% endfor %}"},
    {"mistral-v3",
     {"[INST]", "[/INST]"},
     "{% set ns = namespace(system='') %}{% for m in messages %}"
     "{% if m.role == 'system' %}{% set ns.system = m.content ~ '\n\n' %}"
     "{% elif m.role == 'user' %}[INST] {{ ns.system ~ m.content }}[/INST]"
     "{% set ns.system = '' %}{% else %} {{ m.content|trim ~ eos_token }}{% endif %}{% endfor %}"},
    {"mistral-v3-tekken",
     {"[INST]", "[/INST]"},
     "{% set ns = namespace(system='') %}{% for m in messages %}"
     "{% if m.role == 'system' %}{% set ns.system = m.content ~ '\n\n' %}"
     "{% elif m.role == 'user' %}[INST]{{ ns.system ~ m.content }}[/INST]"
     "{% set ns.system = '' %}{% else %}{{ m.content ~ eos_token }}{% endif %}{% endfor %}"},
    {"mistral-v7",
     {"[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"},
     "{% for m in messages %}{% if m.role == 'system' %}"
     "[SYSTEM_PROMPT] {{ m.content }}[/SYSTEM_PROMPT]"
     "{% elif m.role == 'user' %}[INST] {{ m.content }}[/INST]"
     "{% else %} {{ m.content ~ eos_token }}{% endif %}{% endfor %}"},
    {"mistral-v7-tekken",
     {"[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"},
     "{% for m in messages %}{% if m.role == 'system' %}"
     "[SYSTEM_PROMPT]{{ m.content }}[/SYSTEM_PROMPT]"
     "{% elif m.role == 'user' %}[INST]{{ m.content }}[/INST]"
     "{% else %}{{ m.content ~ eos_token }}{% endif %}{% endfor %}"},
    {"phi-3",
     {"<|user|>", "<|assistant|>", "<|end|>"},
     "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
     "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"},
    {"phi-4-mini",
     {"<|user|>", "<|assistant|>", "<|end|>"},
     "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
     "{% if add_generation_prompt %}<|assistant|>{% endif %}"},
    {"phi-4",
     {"<|im_start|>", "<|im_sep|>", "<|im_end|>"},
     "{% for m in messages %}<|im_start|>{{ m.role }}<|im_sep|>{{ m.content }}<|im_end|>"
     "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant<|im_sep|>{% endif %}"},
    {"zephyr",
     {},
     "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content ~ eos_token }}\n{% endfor %}"
     "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"},
    {"gemma",
     {"<start_of_turn>", "<end_of_turn>"},
     "{% set ns = namespace(system='') %}{% for m in messages %}"
     "{% if m.role == 'system' %}{% set ns.system = m.content ~ '\n\n' %}{% else %}"
     "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
     "{{ ns.system ~ m.content|trim }}<end_of_turn>\n{% set ns.system = '' %}"
     "{% endif %}{% endfor %}"
     "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"},
    {"command-r",
     {"<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"},
     "{% for m in messages %}<|START_OF_TURN_TOKEN|>"
     "{% if m.role == 'system' %}<|SYSTEM_TOKEN|>{{ m.content }}"
     "{% elif m.role == 'user' %}<|USER_TOKEN|>{{ m.content|trim }}"
     "{% else %}<|CHATBOT_TOKEN|>{{ m.content|trim }}{% endif %}<|END_OF_TURN_TOKEN|>{% endfor %}"
     "{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}"},
    {"deepseek-v2",
     {},
     "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}\n\n"
     "{% elif m.role == 'user' %}User: {{ m.content }}\n\n"
     "{% else %}Assistant: {{ m.content ~ eos_token }}{% endif %}{% endfor %}"
     "{% if add_generation_prompt %}Assistant:{% endif %}"},
    {"deepseek-v3",
     {"<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"},
     "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
     "{% elif m.role == 'user' %}<｜User｜>{{ m.content }}"
     "{% else %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>"
     "{% endif %}{% endfor %}{% if add_generation_prompt %}<｜Assistant｜>{% endif %}"},
    {"deepseek-r1",
     {"<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"},
     "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
     "{% elif m.role == 'user' %}<｜User｜>{{ m.content }}"
     "{% else %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>"
     "{% endif %}{% endfor %}{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"},
    {"granite",
     {"<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"},
     "{% for m in messages %}<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}"
     "<|end_of_text|>\n{% endfor %}"
     "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"},
};

}  // namespace rocmforge
