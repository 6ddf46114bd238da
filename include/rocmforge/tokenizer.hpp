// Byte-level BPE tokenisers from GGUF files: text to token ids and back, streaming, and chat.
//
//   const gguf::file file("model.gguf");
//   const tokenizer words(load_vocabulary(file));
//   const std::vector<int> ids = words.encode("The capital of France is");
//   stream_decoder text(words);
//   for (const int id : ids) show(text.push(id));
//   show(text.finish());
//
// text/vocabulary.hpp      what a file says: tokens, merges, ids of special tokens
// text/special_tokens.hpp  finding control tokens in a text, and which of them end a generation
// text/pre_tokenizer.hpp   cutting text into words, by the pattern that the file names
// text/byte_pair_merger.hpp  merging the bytes of a word into tokens
// text/tokenizer.hpp       the class `tokenizer` and `stream_decoder`
// text/chat.hpp            conversations
#pragma once

#include <rocmforge/text/chat.hpp>
#include <rocmforge/text/tokenizer.hpp>
#include <rocmforge/text/vocabulary.hpp>
