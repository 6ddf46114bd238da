// A decoder of the llama family and its relatives in double: all tokens of one sequence at once, no
// cache, plain loops.
#pragma once

#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "reference/attention.hpp"
#include "reference/linear.hpp"

namespace rocmforge::testing::reference {

struct transformer_shape {
  int num_layers, hidden_dim, ffn_dim;
  int num_heads, num_kv_heads, head_dim;
  int vocab_size;
  double epsilon;
  int rotary_dim;
  double rope_theta, position_scale;
  bool half_split;       // pairs (i, i + rotary_dim / 2), not (2i, 2i + 1)
  double softmax_scale;  // 0: 1 / sqrt(head_dim)
  bool gelu = false;     // GeGLU with tanh, not SwiGLU
  double embedding_scale = 1;
  double attention_soft_cap = 0, logits_soft_cap = 0;
  int window = 0, global_every = 0;  // every so-many-th layer has no window
  double local_rope_theta = 0;       // of layers with a window, unscaled; 0: as the others
};

/// Row by row, under the names that a GGUF file gives them.
using transformer_weights = std::map<std::string, std::vector<double>>;

/// x / sqrt(mean(x^2) + epsilon) * weight, for each row.
inline std::vector<double> rms_norm(std::vector<double> x, const std::vector<double>& weight,
                                    double epsilon) {
  const std::size_t size = weight.size();
  for (std::size_t row = 0; row < x.size(); row += size) {
    double squares = 0;
    for (std::size_t i = 0; i < size; ++i) squares += x[row + i] * x[row + i];
    const double scale = 1 / std::sqrt(squares / double(size) + epsilon);
    for (std::size_t i = 0; i < size; ++i) x[row + i] *= scale * weight[i];
  }
  return x;
}

/// Rotates each head of x [num_tokens, num_heads, head_dim] by its token's position, 0, 1, ...
inline void rotate(std::vector<double>& x, const transformer_shape& s, int num_heads,
                   const std::vector<double>& divisors) {
  const int num_pairs = s.rotary_dim / 2;
  for (std::size_t head = 0; head * std::size_t(s.head_dim) < x.size(); ++head) {
    const double position = double(head / std::size_t(num_heads)) * s.position_scale;
    double* const element = &x[head * std::size_t(s.head_dim)];
    for (int pair = 0; pair < num_pairs; ++pair) {
      double angle = position * std::pow(s.rope_theta, -2.0 * pair / s.rotary_dim);
      if (!divisors.empty()) angle /= divisors[std::size_t(pair)];
      double& a = element[s.half_split ? pair : 2 * pair];
      double& b = element[s.half_split ? pair + num_pairs : 2 * pair + 1];
      const double rotated = a * std::cos(angle) - b * std::sin(angle);
      b = b * std::cos(angle) + a * std::sin(angle);
      a = rotated;
    }
  }
}

/// [rows, columns, head_dim] as [columns, rows, head_dim].
inline std::vector<double> swapped(const std::vector<double>& x, int rows, int columns,
                                   int head_dim) {
  std::vector<double> y;
  for (int column = 0; column < columns; ++column) {
    for (int row = 0; row < rows; ++row) {
      const auto at = x.begin() + (std::ptrdiff_t(row) * columns + column) * head_dim;
      y.insert(y.end(), at, at + head_dim);
    }
  }
  return y;
}

inline void add(std::vector<double>& x, const std::vector<double>& y) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
}

/// @return the logits of every token, [num_tokens, vocab_size]
inline std::vector<double> transformer(const transformer_shape& s,
                                       const transformer_weights& weights,
                                       const std::vector<int>& tokens) {
  const int num_tokens = int(tokens.size());
  const auto optional = [&](const std::string& name) {
    const auto found = weights.find(name);
    return found == weights.end() ? std::vector<double>() : found->second;
  };
  const auto linear = [&](const std::vector<double>& x, const std::string& name, int out, int in) {
    return reference::linear(x, weights.at(name + ".weight"), optional(name + ".bias"), num_tokens,
                             out, in);
  };

  std::vector<double> x;
  const auto with_norm = [&](std::vector<double> y, const std::string& name) {
    const auto weight = optional(name);
    return weight.empty() ? y : rms_norm(y, weight, s.epsilon);
  };
  for (const int token : tokens) {
    const auto row = weights.at("token_embd.weight").begin() + std::ptrdiff_t(token) * s.hidden_dim;
    x.insert(x.end(), row, row + s.hidden_dim);
  }
  for (double& element : x) element *= s.embedding_scale;
  const int q_dim = s.num_heads * s.head_dim, kv_dim = s.num_kv_heads * s.head_dim;
  const std::vector<double> divisors = optional("rope_freqs.weight");
  for (int layer = 0; layer < s.num_layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    const bool local = s.window != 0 && (s.global_every == 0 || (layer + 1) % s.global_every != 0);
    transformer_shape rotation = s;
    if (local && s.local_rope_theta != 0) {
      rotation.rope_theta = s.local_rope_theta;
      rotation.position_scale = 1;
    }
    auto h = rms_norm(x, weights.at(block + "attn_norm.weight"), s.epsilon);
    auto q = linear(h, block + "attn_q", q_dim, s.hidden_dim);
    auto k = linear(h, block + "attn_k", kv_dim, s.hidden_dim);
    const auto v = linear(h, block + "attn_v", kv_dim, s.hidden_dim);
    q = with_norm(q, block + "attn_q_norm.weight");
    k = with_norm(k, block + "attn_k_norm.weight");
    rotate(q, rotation, s.num_heads, divisors);
    rotate(k, rotation, s.num_kv_heads, divisors);
    const auto attended =
        attention(swapped(q, num_tokens, s.num_heads, s.head_dim),
                  swapped(k, num_tokens, s.num_kv_heads, s.head_dim),
                  swapped(v, num_tokens, s.num_kv_heads, s.head_dim),
                  {s.num_heads, s.num_kv_heads, num_tokens, num_tokens, s.head_dim, true,
                   s.softmax_scale, 0, s.attention_soft_cap, local ? s.window : 0})
            .out;
    add(x, with_norm(linear(swapped(attended, s.num_heads, num_tokens, s.head_dim),
                            block + "attn_output", s.hidden_dim, q_dim),
                     block + "post_attention_norm.weight"));

    h = rms_norm(x, weights.at(block + "ffn_norm.weight"), s.epsilon);
    auto gate = linear(h, block + "ffn_gate", s.ffn_dim, s.hidden_dim);
    const auto up = linear(h, block + "ffn_up", s.ffn_dim, s.hidden_dim);
    for (std::size_t i = 0; i < gate.size(); ++i) {
      const double g = gate[i];
      const double t = std::sqrt(2 / std::acos(-1.0)) * (g + 0.044715 * g * g * g);
      gate[i] = up[i] * (s.gelu ? g * (1 + std::tanh(t)) / 2 : g / (1 + std::exp(-g)));
    }
    add(x, with_norm(linear(gate, block + "ffn_down", s.hidden_dim, s.ffn_dim),
                     block + "post_ffw_norm.weight"));
  }
  x = rms_norm(x, weights.at("output_norm.weight"), s.epsilon);
  auto logits = linear(x, weights.contains("output.weight") ? "output" : "token_embd", s.vocab_size,
                       s.hidden_dim);
  if (s.logits_soft_cap != 0) {
    for (double& l : logits) l = s.logits_soft_cap * std::tanh(l / s.logits_soft_cap);
  }
  return logits;
}

}  // namespace rocmforge::testing::reference
