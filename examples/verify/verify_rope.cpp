// Rotary position embedding, alone and with the norm of queries and keys.
#include <rocmforge/rope.hpp>
#include <tuple>

#include "reference/norm.hpp"
#include "reference/rope.hpp"
#include "tensors.hpp"

namespace verify {
namespace {

namespace reference = rocmforge::testing::reference;

struct rope_case {
  int heads, head_dim, rotary_dim = 0;  // 0: head_dim
  float theta = 10000, position_scale = 1;
  bool factors = false;
  int first_position = 0;
};

template <class T>
void add_rope(case_list& list, const rope_case& c, bool interleaved, const layout& how) {
  const int tokens = 3, rotary_dim = c.rotary_dim != 0 ? c.rotary_dim : c.head_dim;
  const auto prepare = [=](const placement& at) {
    const auto count = std::size_t(tokens * c.heads * c.head_dim);
    const auto positions = [=](unsigned seed) {
      return std::vector<int>{c.first_position + int(seed) % 7, c.first_position + 1,
                              c.first_position + 77 + int(seed) % 5};
    };
    std::vector<float> factors;
    for (int pair = 0; c.factors && pair < rotary_dim / 2; ++pair)
      factors.push_back(1.0f + 0.25f * static_cast<float>(pair));
    const int all = at.copies * tokens;
    const auto x = make_tensor<T>({all, c.heads, c.head_dim}, placed_values<T>(at, count, 1), how);
    const auto where = make_tensor<int>({all}, placed(at, 1, positions));
    const auto divisors = make_tensor<float>({int(factors.size())}, factors);
    const auto y =
        expecting(make_tensor<T>({all, c.heads, c.head_dim}, for_output(how)), "y",
                  at.slot * tokens, (at.slot + 1) * tokens, {rounding<T> + 3e-7, 1.0}, [=] {
                    return reference::rope(to_double(random_values<T>(count, 1)), positions(1),
                                           {c.heads, c.head_dim, rotary_dim, interleaved,
                                            double(c.theta), double(c.position_scale)},
                                           factors);
                  });
    return trial{[=] {
                   rocmforge::rope_options options{
                       .layout = interleaved ? rocmforge::rope_layout::interleaved
                                             : rocmforge::rope_layout::half_split};
                   options.theta = c.theta;
                   options.rotary_dim = c.rotary_dim;
                   options.position_scale = c.position_scale;
                   if (c.factors) options.frequency_factors = divisors->view();
                   return refusal(rocmforge::rope(y->view(), x->view(), where->view(), options));
                 },
                 {y}};
  };
  std::string shape = shape_text({{"heads", c.heads},
                                  {"head_dim", c.head_dim},
                                  {"rotary_dim", c.rotary_dim},
                                  {"position", c.first_position},
                                  {"theta", int(c.theta)},
                                  {"gap", how.gap}});
  if (c.position_scale != 1) shape += ", scaled positions";
  if (c.factors) shape += ", frequency factors";
  list.tests.push_back(
      {interleaved ? "rope interleaved" : "rope half_split", type_name<T>, shape, true, prepare});
}

/// Fractional positions, in three sections of the pairs, and an attention factor.
void add_sections(case_list& list, bool interleaved_sections, bool interleaved) {
  const int tokens = 3, heads = 2, head_dim = 34, num_sections = 3;
  const std::vector<int> row_of_pair =
      interleaved_sections ? std::vector<int>{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0}
                           : std::vector<int>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2};
  const auto prepare = [=](const placement& at) {
    const auto count = std::size_t(tokens * heads * head_dim);
    const auto position = [=](unsigned seed, int row, int token) {
      return 0.25f * static_cast<float>(int(seed) % 5 + 7 * row + 30 * token * token);
    };
    const int all = at.copies * tokens;
    // Rows of positions are as long as the batch.
    std::vector<float> positions, own;
    for (int row = 0; row < num_sections; ++row) {
      for (int copy = 0; copy < at.copies; ++copy) {
        for (int token = 0; token < tokens; ++token) {
          positions.push_back(position(copy == at.slot ? 1 : 1001 + unsigned(copy), row, token));
          if (copy == at.slot) own.push_back(positions.back());
        }
      }
    }
    const auto x = make_tensor<float>({all, heads, head_dim}, placed_values<float>(at, count, 1));
    const auto where = make_tensor<float>({num_sections, all}, positions);
    const auto y =
        expecting(make_tensor<float>({all, heads, head_dim}), "y", at.slot * tokens,
                  (at.slot + 1) * tokens, {rounding<float> + 3e-7, 1.0}, [=] {
                    return reference::rope(
                        to_double(random_values<float>(count, 1)), own,
                        {heads, head_dim, head_dim, interleaved, 10000, 1, 1.25, row_of_pair});
                  });
    return trial{[=] {
                   rocmforge::rope_options options{
                       .layout = interleaved ? rocmforge::rope_layout::interleaved
                                             : rocmforge::rope_layout::half_split};

                   options.attention_factor = 1.25f;
                   options.section_order = interleaved_sections
                                               ? rocmforge::rope_sections::interleaved
                                               : rocmforge::rope_sections::consecutive;
                   options.sections[0] = 10;
                   options.sections[1] = 4;
                   options.sections[2] = 3;
                   return refusal(rocmforge::rope(y->view(), x->view(), where->view(), options));
                 },
                 {y}};
  };
  list.tests.push_back({interleaved ? "rope interleaved" : "rope half_split", "f32",
                        std::string(interleaved_sections ? "interleaved" : "consecutive") +
                            " sections, fractional positions, attention factor",
                        true, prepare});
}

template <class T>
void add_qk_norm_rope(case_list& list, int heads, int kv_heads, int head_dim, int rotary_dim,
                      bool interleaved, const layout& how) {
  const int tokens = 3;
  const auto prepare = [=](const placement& at) {
    const std::vector<int> own = {3, 400, 77};
    const auto positions = [=](unsigned seed) {
      return std::vector<int>{own[0] + int(seed) - 1, own[1], own[2]};
    };
    const int all = at.copies * tokens, begin = at.slot * tokens, end = begin + tokens;
    const auto where = make_tensor<int>({all}, placed(at, 1, positions));
    const auto make = [&](const char* name, int count, unsigned seed) {
      const auto size = std::size_t(tokens * count * head_dim);
      const auto weights = random_values<T>(std::size_t(head_dim), seed + 1);
      const auto x =
          make_tensor<T>({all, count, head_dim}, placed_values<T>(at, size, seed, -3, 5), how);
      const auto weight = make_tensor<T>({head_dim}, weights, {.offset = how.offset});
      const auto y = expecting(
          make_tensor<T>({all, count, head_dim}, for_output(how)), name, begin, end,
          {rounding<T> + 1e-6, 1.0}, [=] {
            const auto normed =
                reference::rms_norm(to_double(random_values<T>(size, seed, -3, 5)),
                                    to_double(weights), tokens * count, head_dim, 1e-5);
            return reference::rope(normed, own, {count, head_dim, rotary_dim, interleaved});
          });
      return std::tuple{x, weight, y};
    };
    const auto [q, q_weight, q_out] = make("q_out", heads, 1);
    const auto [k, k_weight, k_out] = make("k_out", kv_heads, 11);
    return trial{
        [=, q = q, q_weight = q_weight, q_out = q_out, k = k, k_weight = k_weight, k_out = k_out] {
          rocmforge::rope_options options{.layout = interleaved
                                                        ? rocmforge::rope_layout::interleaved
                                                        : rocmforge::rope_layout::half_split};

          options.rotary_dim = rotary_dim;
          return refusal(rocmforge::qk_norm_rope(q_out->view(), k_out->view(), q->view(), k->view(),
                                                 q_weight->view(), k_weight->view(), where->view(),
                                                 options));
        },
        {q_out, k_out}};
  };
  list.tests.push_back({interleaved ? "qk_norm_rope interl." : "qk_norm_rope half", type_name<T>,
                        shape_text({{"heads", heads},
                                    {"kv_heads", kv_heads},
                                    {"head_dim", head_dim},
                                    {"rotary_dim", rotary_dim},
                                    {"gap", how.gap}}),
                        true, prepare});
}

template <class T>
void add_speed(const settings& s, case_list& list, bool interleaved) {
  const int heads = 32, head_dim = 128, tokens = timing_rows<T>(s, heads * head_dim);
  const auto count = std::size_t(tokens) * std::size_t(heads * head_dim);
  list.speeds.push_back({interleaved ? "rope interleaved" : "rope half_split", type_name<T>,
                         shape_text({{"tokens", tokens}, {"heads", heads}, {"head_dim", head_dim}}),
                         2.0 * double(count) * sizeof(T), 0, [=] {
                           const auto x = timing_data<T>(count), y = timing_data<T>(count);
                           std::vector<int> positions;
                           for (int token = 0; token < tokens; ++token) positions.push_back(token);
                           const auto where =
                               std::make_shared<rocmforge::device_buffer<int>>(positions);
                           return [=] {
                             rocmforge::rope_options options{
                                 .layout = interleaved ? rocmforge::rope_layout::interleaved
                                                       : rocmforge::rope_layout::half_split};

                             return refusal(rocmforge::rope(y->view(tokens, heads, head_dim),
                                                            x->view(tokens, heads, head_dim),
                                                            where->view(tokens), options));
                           };
                         }});
}

const registration rope("rope", [](const settings& s, case_list& list) {
  const std::vector<int> head_dims =
      s.quick ? std::vector<int>{2, 34, 64}
              : std::vector<int>{2, 6, 16, 30, 32, 34, 62, 64, 66, 80, 96, 128, 256, 512};
  for_each_dtype([&]<class T>(T) {
    for (const bool interleaved : {true, false}) {
      int i = 0;
      for (const int head_dim : head_dims) {
        add_rope<T>(list, {3, head_dim}, interleaved, {i % 3, i % 2 * 3});
        ++i;
      }
      add_rope<T>(list, {9, 256}, interleaved, {});  // more heads than a block works on at once
      add_rope<T>(list, {2, 64, 0, 1e6f, 1, false, 100}, interleaved, {});
      add_rope<T>(list, {5, 80, 32, 10000, 1, false, 1000}, interleaved, {});
      add_rope<T>(list, {2, 65, 64, 10000, 1, false, 3}, interleaved, {});
      add_rope<T>(list, {1, 128, 0, 500000, 1, false, 131000}, interleaved, {});
      add_rope<T>(list, {2, 64, 0, 10000, 0.25f, false, 1}, interleaved, {});
      add_rope<T>(list, {2, 64, 0, 10000, 1, true, 50}, interleaved, {});
      add_qk_norm_rope<T>(list, 9, 3, 64, 64, interleaved, {1, 3});
      add_qk_norm_rope<T>(list, 2, 33, 130, 66, interleaved, {});
      add_speed<T>(s, list, interleaved);
    }
  });
  for (const bool interleaved : {true, false}) {
    for (const bool interleaved_sections : {true, false})
      add_sections(list, interleaved_sections, interleaved);
  }
});

}  // namespace
}  // namespace verify
