// Reads a vocabulary from a GGUF file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/error.hpp>
#include <rocmforge/gguf.hpp>
#include <rocmforge/text/special_tokens.hpp>
#include <rocmforge/text/vocabulary.hpp>

namespace rocmforge {

namespace load_detail {

/// Defaults of one tokenizer model, for keys that the file does not have.
struct model_defaults {
  std::string_view name;
  tokenizer_model model;
  std::string_view pre = {};  // the pre-tokenizer, whatever the file says; empty: it is the file's
  int bos = -1;               // an id is ignored if the vocabulary has fewer tokens
  int eos = -1;
  int unknown = -1;
  int separator = -1;
  int padding = -1;
  int mask = -1;
  bool add_bos = false;  // these three are ignored if the id is missing
  bool add_eos = false;
  bool add_separator = false;
  bool add_space_prefix = false;
  bool clean_spaces = false;
};

inline constexpr model_defaults known_models[] = {
    {.name = "gpt2", .model = tokenizer_model::byte_pair},
    {.name = "llama",
     .model = tokenizer_model::spm,
     .bos = 1,
     .eos = 2,
     .unknown = 0,
     .add_bos = true,
     .add_space_prefix = true},
    {.name = "bert",
     .model = tokenizer_model::wordpiece,
     .bos = 101,
     .unknown = 100,
     .separator = 102,
     .padding = 0,
     .mask = 103,
     .add_bos = true,
     .add_separator = true,
     .clean_spaces = true},
    {.name = "t5",
     .model = tokenizer_model::unigram,
     .eos = 1,
     .unknown = 2,
     .padding = 0,
     .add_eos = true},
    {.name = "gemma4", .model = tokenizer_model::byte_pair, .pre = "gemma4"}};

inline const model_defaults& find_model(const vocabulary& vocab, std::string_view name) {
  std::string known;
  for (const model_defaults& candidate : known_models) {
    if (candidate.name == name) return candidate;
    known += (known.empty() ? "\"" : ", \"") + std::string(candidate.name) + "\"";
  }
  refuse_vocabulary(
      vocab, "tokenizer \"" + printable(name) + "\" is not supported, expected one of " + known);
}

/// Reads an array of numbers of type `T`, or of integers.
template <class T>
std::vector<T> read_numbers(const gguf::index& file, std::string_view key) {
  const auto entry = std::ranges::find(file.metadata(), key, &gguf::metadata_entry::key);
  const bool is_float = entry == file.metadata().end() ||
                        entry->element_type == gguf::value_type::f32 ||
                        entry->element_type == gguf::value_type::f64;
  if (is_float) return file.get_array<T>(key);
  const auto integers = file.get_array<std::int32_t>(key);
  return {integers.begin(), integers.end()};
}

/// Drops the elements of `values` beyond one for each token: some files have more than tokens.
template <class T>
void drop_surplus(std::vector<T>& values, std::size_t num_tokens) {
  if (values.size() > num_tokens) values.resize(num_tokens);
}

/// Sets which special tokens remove the white space next to them. The file does not say: it depends
/// on the name of the model.
inline void mark_stripping_tokens(const gguf::index& file, vocabulary& vocab) {
  const auto text_of = [&](std::string_view key) {
    return std::string(file.find<std::string_view>(key).value_or(""));
  };
  const auto contains = [](const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  };
  std::string name = text_of("general.name");
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const std::string architecture = text_of("general.architecture");
  const bool jina = contains(vocab.pre, "jina-v2-de") || contains(vocab.pre, "jina-v2-es") ||
                    contains(vocab.pre, "jina-v2-code");
  if (jina || contains(architecture, "nomic-bert-moe") || contains(architecture, "jina-bert-v3")) {
    const auto mask = std::ranges::find(vocab.tokens, "<mask>");
    if (mask != vocab.tokens.end()) {
      vocab.strips_left.push_back(static_cast<int>(mask - vocab.tokens.begin()));
    }
  } else if (contains(name, "phi-3") || contains(name, "phi3")) {
    for (std::size_t id = 0; id < vocab.tokens.size(); ++id) {
      const std::string& text = vocab.tokens[id];
      const bool special =
          is_control(vocab.kinds[id]) || vocab.kinds[id] == token_kind::user_defined;
      if ((!special && text != "</s>") || text == "<unk>" || text == "<s>") continue;
      if (text != "<|endoftext|>") vocab.strips_right.push_back(static_cast<int>(id));
    }
  }
}

/// Reads eos, which may be an array of several in either of two keys. The first one is eos, the
/// others end a generation too.
inline void read_ends(const gguf::index& file, vocabulary& vocab, int otherwise) {
  std::vector<int> ends;
  for (const std::string_view key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eos_token_ids"}) {
    const auto entry = std::ranges::find(file.metadata(), key, &gguf::metadata_entry::key);
    if (entry == file.metadata().end()) continue;
    if (entry->type != gguf::value_type::array) {
      ends.push_back(file.get<int>(key));
    } else {
      const std::vector<int> more = file.get_array<int>(key);
      ends.insert(ends.end(), more.begin(), more.end());
    }
  }
  vocab.eos = ends.empty() ? otherwise : ends.front();
  if (!ends.empty()) vocab.other_ends.assign(ends.begin() + 1, ends.end());
}

/// Reads the tokens that must not be generated, each once. An id that no token has is left out.
inline void read_suppressed(const gguf::index& file, vocabulary& vocab) {
  constexpr std::string_view key = "tokenizer.ggml.suppress_tokens";
  if (!file.contains(key)) return;
  const auto num_tokens = static_cast<std::int64_t>(vocab.tokens.size());
  std::vector<int>& ids = vocab.suppressed;
  for (const std::int64_t id : file.get_array<std::int64_t>(key)) {
    if (id >= 0 && id < num_tokens) ids.push_back(static_cast<int>(id));
  }
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (!ids.empty() && ids.size() == vocab.tokens.size()) {
    refuse_vocabulary(vocab,
                      std::string(key) + " has every token, expected one that may be generated");
  }
}

/// Kinds of tokens for a file that does not say them, so that a text never becomes a control token.
inline void guess_kinds(vocabulary& vocab) {
  for (const int id : {vocab.bos, vocab.eos}) {
    if (id >= 0 && id < static_cast<int>(vocab.kinds.size()) && is_marker(vocab.tokens[id]))
      vocab.kinds[id] = token_kind::control;
  }
  if (vocab.unknown >= 0 && vocab.unknown < static_cast<int>(vocab.kinds.size()) &&
      is_marker(vocab.tokens[vocab.unknown]))
    vocab.kinds[vocab.unknown] = token_kind::unknown;
}

}  // namespace load_detail

/// Reads the vocabulary of `file` and checks it.
/// Throws `error` if the file has no vocabulary, or if it is inconsistent or of a model that is not
/// in `tokenizer_model`.
inline vocabulary load_vocabulary(const gguf::index& file) {
  vocabulary vocab;
  vocab.source = file.path();
  const auto key = [](std::string_view name) { return "tokenizer.ggml." + std::string(name); };
  const auto& defaults = load_detail::find_model(vocab, file.get<std::string_view>(key("model")));
  vocab.model = defaults.model;

  const auto tokens = file.get_array<std::string_view>(key("tokens"));
  vocab.tokens.assign(tokens.begin(), tokens.end());
  vocab.kinds.assign(tokens.size(), token_kind::normal);
  if (file.contains(key("token_type"))) {
    auto kinds = file.get_array<std::uint8_t>(key("token_type"));
    load_detail::drop_surplus(kinds, tokens.size());
    vocab.kinds.resize(kinds.size());
    std::ranges::transform(kinds, vocab.kinds.begin(),
                           [](std::uint8_t kind) { return static_cast<token_kind>(kind); });
  }
  if (vocab.model == tokenizer_model::byte_pair) {
    vocab.pre =
        !defaults.pre.empty() ? defaults.pre : file.find<std::string_view>(key("pre")).value_or("");
    if (vocab.pre.empty()) {
      // Files from before the key existed.
      vocab.pre = "default";
      vocab.pre_is_assumed = true;
    }
    if (vocab.pre != "kimi-k2" || file.contains(key("merges"))) {
      const auto merges = file.get_array<std::string_view>(key("merges"));
      vocab.merges.assign(merges.begin(), merges.end());
    }
  }
  if (vocab.model == tokenizer_model::spm || vocab.model == tokenizer_model::unigram) {
    vocab.scores.assign(tokens.size(), 0);
    if (file.contains(key("scores"))) {
      vocab.scores = load_detail::read_numbers<float>(file, key("scores"));
      load_detail::drop_surplus(vocab.scores, tokens.size());
    }
  }
  if (vocab.model == tokenizer_model::unigram && file.contains(key("precompiled_charsmap"))) {
    for (const int byte : file.get_array<std::int16_t>(key("precompiled_charsmap"))) {
      if (byte < -128 || byte > 255) {
        refuse_vocabulary(vocab, key("precompiled_charsmap") + " has the element " +
                                     std::to_string(byte) + ", expected bytes");
      }
      vocab.precompiled_charsmap += static_cast<char>(byte);
    }
  }

  const int num_tokens = static_cast<int>(vocab.tokens.size());
  const auto id = [&](std::string_view name, int otherwise = -1) {
    return file.find<int>(key(name)).value_or(otherwise < num_tokens ? otherwise : -1);
  };
  // Of a token that this tokenizer can do without. Some files say here that there is none by an id
  // that no token has.
  const auto optional_id = [&](std::string_view name, int otherwise = -1) {
    const auto number = file.find<std::int64_t>(key(name));
    if (number && *number >= 0 && *number < num_tokens) return static_cast<int>(*number);
    return otherwise < num_tokens ? otherwise : -1;
  };
  const bool needs_unknown =
      vocab.model == tokenizer_model::wordpiece || vocab.model == tokenizer_model::unigram;
  const bool needs_separator = vocab.model == tokenizer_model::wordpiece;
  vocab.bos = id("bos_token_id", id("cls_token_id", defaults.bos));
  load_detail::read_ends(file, vocab, defaults.eos < num_tokens ? defaults.eos : -1);
  load_detail::read_suppressed(file, vocab);
  vocab.eot = id("eot_token_id");
  vocab.eom = id("eom_token_id");
  vocab.unknown = needs_unknown ? id("unknown_token_id", defaults.unknown)
                                : optional_id("unknown_token_id", defaults.unknown);
  constexpr std::string_view separator = "seperator_token_id";  // spelled so in the format
  vocab.separator = needs_separator ? id(separator, defaults.separator)
                                    : optional_id(separator, defaults.separator);
  vocab.padding = optional_id("padding_token_id", defaults.padding);
  vocab.mask = optional_id("mask_token_id", defaults.mask);
  vocab.fim_pad = optional_id("fim_pad_token_id");
  vocab.fim_rep = optional_id("fim_rep_token_id");
  vocab.fim_sep = optional_id("fim_sep_token_id");
  if (!file.contains(key("token_type"))) load_detail::guess_kinds(vocab);

  const auto flag = [&](std::string_view name, bool otherwise) {
    return file.find<bool>(key(name)).value_or(otherwise);
  };
  bool add_bos = defaults.add_bos;
  vocab.clean_spaces = defaults.clean_spaces;
  if (vocab.model == tokenizer_model::byte_pair) {
    check_vocabulary(vocab);  // first, because the family needs a known name
    add_bos = find_pre_tokenizer_family(vocab.pre).adds_bos;
    vocab.clean_spaces = find_pre_tokenizer_family(vocab.pre).clean_spaces;
  }
  vocab.add_bos = flag("add_bos_token", add_bos && vocab.bos >= 0);
  // Gemma 4 needs a bos; some of its files say that there is none.
  if (vocab.bos >= 0 && (vocab.pre == "gemma4" || vocab.pre == "granite-embed-multi-311m"))
    vocab.add_bos = true;
  vocab.add_eos = flag("add_eos_token", defaults.add_eos && vocab.eos >= 0);
  if (vocab.model == tokenizer_model::wordpiece) {
    vocab.add_separator = flag("add_sep_token", defaults.add_separator && vocab.separator >= 0);
    vocab.lowercase = file.find<bool>("tokenizer.ggml.normalizer.lowercase").value_or(true);
  }
  vocab.add_space_prefix = flag("add_space_prefix", defaults.add_space_prefix);
  vocab.remove_extra_whitespaces = flag("remove_extra_whitespaces", false);
  vocab.escape_whitespaces = flag("escape_whitespaces", true);
  vocab.chat_template = file.find<std::string_view>("tokenizer.chat_template").value_or("");
  constexpr std::string_view named = "tokenizer.chat_template.";
  for (const gguf::metadata_entry& entry : file.metadata()) {
    if (entry.key.starts_with(named))
      vocab.named_chat_templates.emplace_back(entry.key.substr(named.size()),
                                              file.get<std::string_view>(entry.key));
  }
  load_detail::mark_stripping_tokens(file, vocab);
  check_vocabulary(vocab);
  return vocab;
}

}  // namespace rocmforge
