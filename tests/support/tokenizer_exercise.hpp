// The promise of the tokenizers: the metadata of any file gives a tokenizer that encodes and
// decodes any text, or an error.
#pragma once

#include <rocmforge/tokenizer.hpp>

#include "support/gguf_exercise.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rocmforge::testing {

/// Runs `action`; an error is fine if it is one short line. Returns whether there was none.
template <class Action>
bool is_not_refused(const Action& action) {
  try {
    action();
    return true;
  } catch (const error& caught) {
    const std::string_view message = caught.what();
    require(message.size() < 2000, "an error is short");
    require(message.find('\n') == message.npos, "an error is one line");
    return false;
  }
}

/// Encodes `text` in every way, and decodes what comes of it in both ways.
inline void exercise(const tokenizer& words, std::string_view text) {
  for (const special_tokens mode : {special_tokens::as_text, special_tokens::parse}) {
    is_not_refused([&] {
      const std::vector<int> ids = words.encode(text, mode, /*add_special=*/true);
      stream_decoder stream(words);
      std::string streamed;
      for (const int id : ids) {
        require(id >= 0 && id < words.vocab_size(), "every id is a token");
        (void)words.is_end_of_generation(id);
        const std::string part = stream.push(id);
        require(replace_invalid_utf8(part) == part, "a stream gives whole characters");
        streamed += part;
      }
      require(streamed + stream.finish() == words.decode(ids), "a stream equals the whole");
      (void)words.decode_clean(ids, control_tokens::show);
    });
  }
  is_not_refused([&] {
    for (const int id : words.encode(text)) {
      require(!words.is_control(id) || id == words.vocab().unknown, "text is no control token");
    }
  });
  const chat_message messages[] = {{"system", std::string(text)}, {"user", std::string(text)}};
  is_not_refused([&] { (void)encode_chat(words, messages, true); });
}

/// Parses a file, and if it has a vocabulary exercises it with some texts. Returns whether it has.
inline bool exercise_tokenizer(std::span<const std::byte> input) {
  // A block of just this size, so that an address sanitizer sees a read past its end.
  const std::vector<std::byte> bytes(input.begin(), input.end());
  return is_not_refused([&] {
    const tokenizer words(load_vocabulary(gguf::parse(bytes, "fuzz.gguf")));
    exercise(words, " Hello,  w\u00F6rld 123\n\xFF\u4E16 <s> <|im_end|> don't");
    // What is in the file is likelier to be in the vocabulary.
    const std::size_t size = std::min<std::size_t>(bytes.size(), 600);
    exercise(words, {reinterpret_cast<const char*>(bytes.data() + bytes.size() - size), size});
    for (int id = 0; id < words.vocab_size(); ++id) {
      (void)words.token_bytes(id, control_tokens::show);
    }
  });
}

}  // namespace rocmforge::testing
