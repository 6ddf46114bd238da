// model.gguf in the working folder: a tiny llama with a byte-level vocabulary.
#pragma once

#include <rocmforge/gguf.hpp>
#include <rocmforge/tokenizer.hpp>

#include "snippet.hpp"
#include "support/small_vocabulary.hpp"
#include "support/tiny_model.hpp"

struct prelude : rocmforge::testing::snippet {
  prelude() {
    const rocmforge::vocabulary vocab = rocmforge::testing::small_vocabulary({"h e", "l l"});
    std::vector<int> kinds;
    for (const rocmforge::token_kind kind : vocab.kinds) kinds.push_back(static_cast<int>(kind));
    rocmforge::testing::tiny_model_options options;
    options.vocab_size = static_cast<int>(vocab.tokens.size());
    rocmforge::testing::gguf_writer writer = rocmforge::testing::tiny_model(options).writer();
    writer.add("tokenizer.ggml.model", "gpt2").add("tokenizer.ggml.pre", "gpt-2");
    writer.add_array("tokenizer.ggml.tokens", vocab.tokens);
    writer.add_array("tokenizer.ggml.token_type", kinds);
    writer.add_array("tokenizer.ggml.merges", vocab.merges);
    writer.add("tokenizer.ggml.eos_token_id", std::uint32_t(vocab.tokens.size() - 1));
    writer.add("tokenizer.chat_template", "<|im_start|>{{ messages[0].content }}<|im_end|>");
    writer.write("model.gguf");
  }
  template <class... Values>
  void use(const Values&...) {}
  void show(const std::string&) {}
  const std::string prompt = "<|im_start|>user";
  const std::vector<int> generated = {104, 101};
};

struct file_prelude : prelude {
  const rocmforge::gguf::file file{"model.gguf"};
  const int vocab_size = static_cast<int>(file.tensor("token_embd.weight").extent[1]);
};

struct chat_prelude : file_prelude {
  const rocmforge::tokenizer words{rocmforge::load_vocabulary(file)};
};
