// Attention of one sequence in double: every score is in memory, the softmax is done at once.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace rocmforge::testing::reference {

struct attention_shape {
  int num_heads = 1, num_kv_heads = 1;
  int q_len = 1, kv_len = 1;
  int head_dim = 1;
  bool causal = true;          // query i sees keys 0 to kv_len - q_len + i
  double scale = 0;            // 0: 1 / sqrt(head_dim)
  int v_head_dim = 0;          // 0: head_dim
  double soft_cap = 0;         // 0: none
  int window = 0;              // 0: none; how many keys up to its own position a query sees
  std::vector<double> sink{};  // [num_heads] or empty
};

struct attention_result {
  std::vector<double> out;      // [num_heads, q_len, v_head_dim]
  std::vector<double> lse;      // [num_heads, q_len]
  std::vector<double> weights;  // [num_heads, q_len, kv_len]
};

/// @param q  [num_heads, q_len, head_dim]
/// @param k  [num_kv_heads, kv_len, head_dim]
/// @param v  [num_kv_heads, kv_len, v_head_dim]
inline attention_result attention(const std::vector<double>& q, const std::vector<double>& k,
                                  const std::vector<double>& v, const attention_shape& shape) {
  const int num_heads = shape.num_heads, q_len = shape.q_len, kv_len = shape.kv_len,
            head_dim = shape.head_dim;
  const int v_head_dim = shape.v_head_dim != 0 ? shape.v_head_dim : head_dim;
  const double scale = shape.scale != 0 ? shape.scale : 1 / std::sqrt(double(head_dim));
  const auto row = [](int head, int length, int position, int dim) {
    return (std::size_t(head) * std::size_t(length) + std::size_t(position)) * std::size_t(dim);
  };
  attention_result result;
  result.out.assign(row(num_heads, q_len, 0, v_head_dim), 0.0);
  result.weights.assign(row(num_heads, q_len, 0, kv_len), 0.0);
  result.lse.assign(row(num_heads, q_len, 0, 1), -std::numeric_limits<double>::infinity());
  for (int head = 0; head < num_heads; ++head) {
    const int kv_head = head * shape.num_kv_heads / num_heads;
    for (int i = 0; i < q_len; ++i) {
      const double* query = &q[row(head, q_len, i, head_dim)];
      double* out = &result.out[row(head, q_len, i, v_head_dim)];
      std::vector<double> scores;  // of the keys seen, then the sink
      std::vector<int> seen;
      for (int j = 0; j < kv_len; ++j) {
        const int ahead = j - (kv_len - q_len + i);
        if (shape.causal && ahead > 0) continue;
        if (shape.window > 0 && -ahead >= shape.window) continue;
        const double* key = &k[row(kv_head, kv_len, j, head_dim)];
        double dot = 0;
        for (int d = 0; d < head_dim; ++d) dot += query[d] * key[d];
        const double score = scale * dot, cap = shape.soft_cap;
        scores.push_back(cap > 0 ? cap * std::tanh(score / cap) : score);
        seen.push_back(j);
      }
      if (!shape.sink.empty() && std::isfinite(shape.sink[std::size_t(head)]))
        scores.push_back(shape.sink[std::size_t(head)]);
      if (scores.empty()) continue;
      const double largest = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (double& score : scores) sum += score = std::exp(score - largest);
      for (std::size_t j = 0; j < seen.size(); ++j) {
        const double weight = scores[j] / sum;
        const double* value = &v[row(kv_head, kv_len, seen[j], v_head_dim)];
        for (int d = 0; d < v_head_dim; ++d) out[d] += weight * value[d];
        result.weights[row(head, q_len, i, kv_len) + std::size_t(seen[j])] = weight;
      }
      result.lse[row(head, q_len, i, 1)] = largest + std::log(sum);
    }
  }
  return result;
}

}  // namespace rocmforge::testing::reference
