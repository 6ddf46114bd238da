// GGUF model files: memory-mapped, checked, read by key and by tensor name.
// Source: ggml's docs/gguf.md.
#pragma once

#include <rocmforge/gguf/index.hpp>
#include <rocmforge/gguf/mapped_file.hpp>
#include <rocmforge/gguf/parse.hpp>
#include <rocmforge/gguf/split.hpp>
#include <rocmforge/gguf/types.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace rocmforge::gguf {

/// A GGUF model: its file, memory-mapped read-only, and the index of its contents. Move-only.
/// Strings and tensor data are views of the mapping: they are valid as long as this object or the
/// one it is moved to.
///
/// A model that is split over several files (`model-00001-of-00003.gguf` and its siblings in the
/// same folder) is opened by the path of its first file, and appears as one file.
///
/// ```
/// const gguf::file model("model.gguf");
/// const int num_layers = model.get<int>("llama.block_count");
/// const gguf::tensor_info& embedding = model.tensor("token_embd.weight");  // extent: hidden_dim,
/// vocab_size
/// ```
class file : public index {
 public:
  /// Throws `error` if a file cannot be opened or mapped, or is not valid.
  explicit file(const std::string& path) : file(open(path)) {}

 private:
  struct opened {
    std::vector<mapped_file> mappings;
    detail::contents contents;
  };

  static opened open(const std::string& first_path) {
    std::vector<mapped_file> mappings;
    std::vector<detail::contents> parts;
    const auto add = [&](const std::string& path) {
      mappings.emplace_back(path);
      parts.push_back(detail::parse_file(mappings.back().bytes(), path));
    };
    add(first_path);
    const std::vector<std::string> paths = detail::split_paths(parts.front());
    for (std::size_t i = 1; i < paths.size(); ++i) add(paths[i]);
    return {std::move(mappings), detail::join(std::move(parts))};
  }

  explicit file(opened model)
      : index(std::move(model.contents)), mappings_(std::move(model.mappings)) {}

  std::vector<mapped_file> mappings_;
};

}  // namespace rocmforge::gguf
