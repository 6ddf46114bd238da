// libFuzzer target: from the bytes of a file to hyper-parameters and bound weights.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/fuzz_mutator.hpp"
#include "support/model_exercise.hpp"
#include "support/tiny_model.hpp"

namespace rocmforge::testing {

/// As small as models get, so that most changes meet something that matters.
std::vector<byte_vector> fuzz_seeds() {
  tiny_model_options llama{.num_layers = 1,
                           .hidden_dim = 32,
                           .ffn_dim = 32,
                           .vocab_size = 3,
                           .num_heads = 1,
                           .head_dim = 32,
                           .type_of = [](const std::string& name) {
                             if (name.ends_with("norm.weight")) return gguf::tensor_type::f16;
                             return name.ends_with("s.weight") ? gguf::tensor_type::f32
                                                               : gguf::tensor_type::q4_0;
                           }};
  tiny_model_options qwen2{.architecture = "qwen2",
                           .num_layers = 2,
                           .hidden_dim = 4,
                           .ffn_dim = 3,
                           .vocab_size = 2,
                           .num_heads = 2,
                           .num_kv_heads = 1,
                           .head_dim = 2,
                           .rotary_dim = 2,
                           .softmax_scale = 0.5,
                           .tied = false,
                           .rope_factors = true,
                           .biased = {"attn_q", "attn_k", "attn_v", "attn_output"}};
  tiny_model_options fused = llama;
  fused.fused_qkv = true;
  fused.position_scale = 0.5;
  std::vector<byte_vector> seeds;
  for (const tiny_model_options& options : {llama, qwen2, fused}) {
    gguf_writer writer = tiny_model(options).writer();
    writer.add_array("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"});
    seeds.push_back(writer.bytes());
  }
  return seeds;
}

}  // namespace rocmforge::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocmforge::testing::exercise_model(std::as_bytes(std::span(data, size)));
  return 0;
}
