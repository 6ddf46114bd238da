// Attention of one sequence in double: every score is in memory, the softmax is done at once.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace rocmforge::testing::reference {

struct attention_shape {
  int num_heads, num_kv_heads;
  int q_len, kv_len;
  int head_dim;
  bool causal;   // query i sees keys 0 to kv_len - q_len + i
  double scale;  // 0: 1 / sqrt(head_dim)
};

struct attention_result {
  std::vector<double> out;  // [num_heads, q_len, head_dim]
  std::vector<double> lse;  // [num_heads, q_len]
};

/// @param q  [num_heads, q_len, head_dim]
/// @param k  [num_kv_heads, kv_len, head_dim]
/// @param v  [num_kv_heads, kv_len, head_dim]
inline attention_result attention(const std::vector<double>& q, const std::vector<double>& k,
                                  const std::vector<double>& v, const attention_shape& shape) {
  const auto [num_heads, num_kv_heads, q_len, kv_len, head_dim, causal, given_scale] = shape;
  const double scale = given_scale != 0 ? given_scale : 1 / std::sqrt(double(head_dim));
  const auto row = [](int head, int length, int position, int dim) {
    return (std::size_t(head) * std::size_t(length) + std::size_t(position)) * std::size_t(dim);
  };
  attention_result result;
  result.out.assign(row(num_heads, q_len, 0, head_dim), 0.0);
  result.lse.assign(row(num_heads, q_len, 0, 1), -std::numeric_limits<double>::infinity());
  for (int head = 0; head < num_heads; ++head) {
    const int kv_head = head * num_kv_heads / num_heads;
    for (int i = 0; i < q_len; ++i) {
      const double* query = &q[row(head, q_len, i, head_dim)];
      double* out = &result.out[row(head, q_len, i, head_dim)];
      std::vector<double> scores;
      for (int j = 0; j < kv_len; ++j) {
        if (causal && j - kv_len > i - q_len) break;
        const double* key = &k[row(kv_head, kv_len, j, head_dim)];
        double dot = 0;
        for (int d = 0; d < head_dim; ++d) dot += query[d] * key[d];
        scores.push_back(scale * dot);
      }
      if (scores.empty()) continue;
      const double largest = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (double& score : scores) sum += score = std::exp(score - largest);
      for (std::size_t j = 0; j < scores.size(); ++j) {
        const double* value = &v[row(kv_head, kv_len, int(j), head_dim)];
        for (int d = 0; d < head_dim; ++d) out[d] += scores[j] / sum * value[d];
      }
      result.lse[row(head, q_len, i, 1)] = largest + std::log(sum);
    }
  }
  return result;
}

}  // namespace rocmforge::testing::reference
