// Tokenizers from GGUF files: text to token ids and back, streaming, and chat.
//
//   const gguf::file file("model.gguf");
//   const tokenizer words(load_vocabulary(file));
//   const std::vector<int> ids = words.encode("The capital of France is");
//   stream_decoder text(words);
//   for (const int id : ids) show(text.push(id));
//   show(text.finish());
//
// text/vocabulary.hpp       the data: tokens, scores, merges, ids of special tokens
// text/load_vocabulary.hpp  reading them from a file
// text/special_tokens.hpp   finding control tokens in a text; the tokens that end a generation
// text/byte_pair.hpp        the encoder of byte-level byte pairs
// text/pre_tokenizer.hpp    splitting a text into words, for byte pairs
// text/spm.hpp              the encoder of SentencePiece's byte pairs
// text/wordpiece.hpp        the encoder of WordPiece
// text/unigram.hpp          the encoder of SentencePiece's unigram model
// text/tokenizer.hpp        the class `tokenizer` and `stream_decoder`
// text/chat.hpp             conversations
#pragma once

#include <rocmforge/text/chat.hpp>
#include <rocmforge/text/load_vocabulary.hpp>
#include <rocmforge/text/tokenizer.hpp>
#include <rocmforge/text/vocabulary.hpp>
