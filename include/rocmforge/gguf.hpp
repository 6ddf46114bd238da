// GGUF model files: memory-mapped, checked, read by key and by tensor name.
// Source: ggml's docs/gguf.md.
#pragma once

#include <rocmforge/gguf/index.hpp>
#include <rocmforge/gguf/mapped_file.hpp>
#include <rocmforge/gguf/parse.hpp>
#include <rocmforge/gguf/types.hpp>

#include <string>
#include <utility>

namespace rocmforge::gguf {

/// A GGUF file, memory-mapped read-only, together with what it contains. Move-only; strings and
/// tensor data are views of the mapping and live as long as this object or the one it is moved to.
///
/// ```
/// const gguf::file model("model.gguf");
/// const int num_layers = model.get<int>("llama.block_count");
/// const gguf::tensor_info& embedding = model.tensor("token_embd.weight");  // extent: hidden_dim,
/// vocab_size
/// ```
class file : public index {
 public:
  /// Throws `error` if the file cannot be opened or mapped, or is not a valid GGUF file.
  explicit file(const std::string& path) : file(mapped_file(path), path) {}

 private:
  file(mapped_file mapping, const std::string& path)
      : index(parse(mapping.bytes(), path)), mapping_(std::move(mapping)) {}

  mapped_file mapping_;
};

}  // namespace rocmforge::gguf
