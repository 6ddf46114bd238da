// Files with a small vocabulary each, one for each model of a tokenizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/gguf_writer.hpp"

namespace rocmforge::testing {

/// Rules for normalization, of which the only one makes "y" of "x": its trie begins at node 0,
/// whose children are at 1 with the byte exclusive-ored, and the rule's value is the node 0x80
/// away.
inline std::vector<std::uint8_t> small_rules() {
  std::vector<std::uint32_t> nodes(256);
  nodes[0] = 1u << 10;
  nodes[1 ^ 'x'] = 0x80u << 10 | 1u << 8 | 'x';
  nodes[1 ^ 'x' ^ 0x80] = 1u << 31;
  std::vector<std::uint8_t> bytes;
  const auto append_word = [&](std::size_t word) {
    for (int shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<std::uint8_t>(word >> shift & 0xFF));
    }
  };
  append_word(nodes.size() * sizeof(std::uint32_t));
  for (const std::uint32_t node : nodes) append_word(node);
  bytes.insert(bytes.end(), {'y', 0});
  return bytes;
}

/// A file with a vocabulary of thirty tokens.
inline byte_vector vocabulary_file(const std::string& model, const std::string& chat_template) {
  std::vector<std::string> tokens = {"<unk>",         "<s>",        "</s>",
                                     "<|im_start|>",  "<|im_end|>", "<start_of_turn>",
                                     "<end_of_turn>", "<0x0A>",     "<0xC3>"};
  std::vector<std::int32_t> kinds = {2, 3, 3, 3, 3, 3, 3, 6, 6};
  std::vector<float> scores(tokens.size(), 0.0f);
  for (const char* text : {"▁", "H", "e", "l", "o",  "He", "ll", "ello", "▁Hello", "hello", "Ġ",
                           "ö", "w", "1", "2", "12", "d",  "s",  "<",    "▁w",     "ré"}) {
    tokens.emplace_back(text);
    kinds.push_back(1);
    scores.push_back(-static_cast<float>(tokens.size()));
  }
  gguf_writer writer;
  const auto key = [](const char* name) { return "tokenizer.ggml." + std::string(name); };
  writer.add(key("model"), model).add(key("pre"), std::string("llama-bpe"));
  writer.add_array(key("tokens"), tokens).add_array(key("token_type"), kinds);
  writer.add_array(key("scores"), scores);
  writer.add_array(key("merges"), std::vector<std::string>{"l l", "H e", "1 2", "e ll"});
  writer.add(key("bos_token_id"), std::uint32_t{1}).add(key("eos_token_id"), std::uint32_t{2});
  writer.add(key("unknown_token_id"), std::uint32_t{0});
  writer.add_array(key("suppress_tokens"), std::vector<std::int32_t>{5, 100});
  writer.add(key("add_bos_token"), true).add(key("add_space_prefix"), true);
  writer.add("tokenizer.chat_template", chat_template);
  if (model == "t5") writer.add_array(key("precompiled_charsmap"), small_rules());
  return writer.bytes();
}

inline std::vector<byte_vector> vocabulary_files() {
  return {
      vocabulary_file("gpt2", "{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}"),
      vocabulary_file("llama", "{{ bos_token }}[INST] {{ messages[0].content.strip() }} [/INST]"),
      vocabulary_file("bert", ""), vocabulary_file("t5", "<start_of_turn>{{ messages }}")};
}

}  // namespace rocmforge::testing
