// The promise of everything that takes a model file in: any byte sequence gives weights that agree
// with the file, or an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <rocmforge/model/config.hpp>
#include <rocmforge/model/weight_kernels.hpp>
#include <rocmforge/model/weights.hpp>
#include <span>
#include <vector>

#include "support/gguf_exercise.hpp"

namespace rocmforge::testing {

/// How far a file came.
enum class accepted_by { nothing, reader, config, weights };

/// Parses a file, reads its hyper-parameters, binds and copies its weights, and checks what came
/// of it. All memory is a small multiple of the input's size.
inline accepted_by exercise_model(std::span<const std::byte> input) {
  const std::vector<std::byte> bytes(input.begin(), input.end());
  auto result = accepted_by::nothing;
  succeeds(bytes.size(), [&] {
    const gguf::index model = gguf::parse(bytes, "fuzz.gguf");
    result = accepted_by::reader;
    read_all(model, std::span(&bytes, 1));
    const model_config config = read_model_config(model);
    result = accepted_by::config;
    require(config.num_layers > 0 && config.head_dim > 0 && config.num_kv_heads > 0 &&
                config.num_heads % config.num_kv_heads == 0,
            "hyper-parameters are in range");
    const model_weights weights = weight_loader(model, config, {}).load();
    result = accepted_by::weights;
    require(weights.layers.size() == static_cast<std::size_t>(config.num_layers), "every layer");
    const auto is = [](const weight_matrix& matrix, int out_dim, int in_dim) {
      return matrix.out_dim() == out_dim && matrix.in_dim() == in_dim;
    };
    require(is(weights.embedding, config.vocab_size, config.hidden_dim), "embedding's shape");
    const gguf::tensor_info& embedding = model.tensor("token_embd.weight");
    require(std::memcmp(weights.matrices.data(), embedding.data, embedding.num_bytes) == 0,
            "the embedding, which is the first matrix, is the file's");
    require(is(weights.output_or_embedding(), config.vocab_size, config.hidden_dim),
            "output's shape");
    for (const layer_weights& layer : weights.layers) {
      require(is(layer.qkv, config.q_dim() + 2 * config.kv_dim(), config.hidden_dim) &&
                  is(layer.attention_output, config.hidden_dim, config.q_dim()) &&
                  is(layer.gate_up, 2 * config.ffn_dim, config.hidden_dim) &&
                  is(layer.down, config.hidden_dim, config.ffn_dim),
              "shapes of a layer");
    }
    for (const gguf::tensor_info& tensor : model.tensors()) {
      if (!tensor.name.ends_with("attn_norm.weight") && !tensor.name.ends_with("ffn_norm.weight") &&
          tensor.name != "output_norm.weight") {
        continue;
      }
      const std::int64_t extents[] = {config.hidden_dim};
      require(gguf::has_shape(tensor, extents), "shape of a norm");
    }
  });
  return result;
}

}  // namespace rocmforge::testing
