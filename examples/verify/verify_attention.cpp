// Attention in float.
#include <cmath>

#include "attention_cases.hpp"

namespace verify {
namespace {

/// Merges the states of parts of the keys; every third has seen no key, and is NaN.
template <class T>
void add_merge(case_list& list, int num_states, int num_heads, int q_len, int head_dim) {
  const auto prepare = [=](const placement& at) {
    const int batch = at.copies;
    const int rows = num_heads * q_len;  // of a copy
    const auto state_values = [=](unsigned seed) {
      auto values = random_values<float>(std::size_t(num_states * rows * head_dim), seed);
      for (int i = 0; i < num_states * rows; i += 3)
        std::fill_n(values.begin() + i * head_dim, head_dim,
                    std::numeric_limits<float>::quiet_NaN());
      return values;
    };
    const auto lse_values = [=](unsigned seed) {
      auto values = random_values<float>(std::size_t(num_states * rows), seed, -3, 3);
      for (int i = 0; i < num_states * rows; i += 3)
        values[std::size_t(i)] = -std::numeric_limits<float>::infinity();
      return values;
    };
    // In memory [batch, num_states, ...], so that copies lie one after the other.
    const int state_extents[] = {batch, num_states, num_heads, q_len, head_dim};
    const auto states = make_tensor<float>(state_extents, placed(at, 1, state_values), {0, 3});
    const auto state_lse =
        make_tensor<float>({batch, num_states, num_heads, q_len}, placed(at, 2, lse_values));
    const auto result = [=] {
      const auto values = state_values(1), lses = lse_values(2);
      std::pair<std::vector<double>, std::vector<double>> merged;
      for (int row = 0; row < rows; ++row) {
        double sum = 0;
        std::vector<double> out(std::size_t(head_dim), 0.0);
        for (int i = row; i < num_states * rows; i += rows) {
          if (i % 3 == 0) continue;
          const double weight = std::exp(double(lses[std::size_t(i)]));
          sum += weight;
          for (int d = 0; d < head_dim; ++d)
            out[std::size_t(d)] += weight * double(values[std::size_t(i * head_dim + d)]);
        }
        for (const double value : out) merged.first.push_back(sum > 0 ? value / sum : 0);
        merged.second.push_back(std::log(sum));
      }
      return merged;
    };
    const auto out =
        expecting(make_tensor<T>({batch, num_heads, q_len, head_dim}, layout{0, 5}), "out", at.slot,
                  at.slot + 1, {rounding<T> + 2e-6, 1.0}, [=] { return result().first; });
    const auto lse = expecting(make_tensor<float>({batch, num_heads, q_len}), "lse", at.slot,
                               at.slot + 1, {1e-6, 1.0}, [=] { return result().second; });
    return trial{[=] {
                   return refusal(rocmforge::merge_states(
                       out->view(), rocmforge::permuted<1, 0, 2, 3, 4>(states->view()),
                       rocmforge::permuted<1, 0, 2, 3>(state_lse->view()), lse->view()));
                 },
                 {out, lse}};
  };
  list.tests.push_back({"merge_states", type_name<T>,
                        shape_text({{"states", num_states},
                                    {"heads", num_heads},
                                    {"q_len", q_len},
                                    {"head_dim", head_dim}}),
                        true, prepare});
}

const registration attention("attention", [](const settings& s, case_list& list) {
  add_attentions<float, float>(s, list);
  add_merge<float>(list, 2, 3, 2, 128);
  add_merge<half>(list, 70, 4, 1, 64);
  add_merge<bfloat16>(list, 9, 1, 1, 250);
});

}  // namespace
}  // namespace verify
