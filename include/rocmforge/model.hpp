// Models: weights and metadata from a GGUF file, and the steps that run them. They use only the
// public ops of the kernel headers.
//
//   const gguf::file file("model.gguf");
//   transformer model(file);
//   paged_cache cache(model.cache_options());
//   cached_sequence text(cache, model.options().max_length);
//   const auto logits = model.step(cache, {{{&text, tokens}}});   // [1, vocab_size], on the device
//
// model/config.hpp       hyper-parameters
// model/weights.hpp      matrices in the file's formats
// model/paged_cache.hpp  keys and values in pages
// model/layer.hpp        one transformer layer, composed of public ops
// model/transformer.hpp  the whole model
#pragma once

#include "rocmforge/model/config.hpp"
#include "rocmforge/model/layer.hpp"
#include "rocmforge/model/paged_cache.hpp"
#include "rocmforge/model/transformer.hpp"
#include "rocmforge/model/weights.hpp"
