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
// text/special_tokens.hpp   finding control tokens in a text, and which of them end a generation
// text/byte_pair.hpp        the models, one each: byte-level byte pairs (with
// text/pre_tokenizer.hpp, text/spm.hpp              which cuts a text into words by the pattern
// that the file names), text/wordpiece.hpp        SentencePiece's byte pairs, WordPiece,
// text/unigram.hpp          and SentencePiece's unigrams
// text/tokenizer.hpp        the class `tokenizer` and `stream_decoder`
// text/chat.hpp             conversations
#pragma once

#include <rocmforge/text/chat.hpp>
#include <rocmforge/text/load_vocabulary.hpp>
#include <rocmforge/text/tokenizer.hpp>
#include <rocmforge/text/vocabulary.hpp>
