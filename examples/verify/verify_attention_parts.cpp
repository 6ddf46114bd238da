// Attention in parts, and the masks of scores.
#include <rocmforge/attention/parts.hpp>

#include <algorithm>
#include <limits>

#include "attention_cases.hpp"

namespace verify {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

struct parts_case {
  int q_len, kv_len, num_heads, num_kv_heads, head_dim;
  int window = 0;
  float soft_cap = 0;
  bool sinks = false;
  int infinite_key = -1;   // a key whose value is infinite
  bool first_nan = false;  // a mask hides the first key, which is NaN like its value
};

std::string text_of(const parts_case& c) {
  return shape_text({{"q_len", c.q_len},
                     {"kv_len", c.kv_len},
                     {"heads", c.num_heads},
                     {"kv_heads", c.num_kv_heads},
                     {"head_dim", c.head_dim}}) +
         (c.window != 0 ? ", window " + std::to_string(c.window) : "") +
         (c.soft_cap != 0 ? ", soft cap" : "") + (c.sinks ? ", sinks" : "") +
         (c.infinite_key >= 0 ? ", infinite value " + std::to_string(c.infinite_key) : "") +
         (c.first_nan ? ", NaN under a mask" : "");
}

/// `rows` of each head without the first.
std::vector<double> without_first(const std::vector<double>& rows, int num_heads, int size) {
  const auto head = std::ptrdiff_t(rows.size()) / num_heads;
  std::vector<double> result;
  for (auto first = rows.begin(); first != rows.end(); first += head)
    result.insert(result.end(), first + size, first + head);
  return result;
}

/// The whole chain, whose scores lie in memory; the weights and the output are compared.
template <class T>
void add_chain(case_list& list, const parts_case& c) {
  const auto prepare = [=](const placement& at) {
    const auto q_count = std::size_t(c.num_heads * c.q_len * c.head_dim),
               kv_count = std::size_t(c.num_kv_heads * c.kv_len * c.head_dim);
    const int batch = at.copies, gap = 3;
    const auto q = make_heads<T>(batch, c.num_heads, c.q_len, c.head_dim, false, gap, 1);
    const auto k = make_heads<T>(batch, c.num_kv_heads, c.kv_len, c.head_dim, true, gap, 0);
    const auto v = make_heads<T>(batch, c.num_kv_heads, c.kv_len, c.head_dim, false, 0, 1);
    q->fill(placed_values<T>(at, q_count, 1, -3, 3));
    const auto cached = [=](unsigned seed, int key, float value) {
      auto rows = random_values<T>(kv_count, seed);
      for (int head = 0; head < c.num_kv_heads && key >= 0; ++head)
        std::fill_n(rows.begin() + (head * c.kv_len + key) * c.head_dim, c.head_dim, T(value));
      if (c.first_nan) {
        for (int head = 0; head < c.num_kv_heads; ++head)
          std::fill_n(rows.begin() + head * c.kv_len * c.head_dim, c.head_dim,
                      T(std::numeric_limits<float>::quiet_NaN()));
      }
      return rows;
    };
    const auto keys = [=](unsigned seed) { return cached(seed, -1, 0); };
    const auto values = [=](unsigned seed) { return cached(seed, c.infinite_key, infinity); };
    k->fill(placed(at, 2, keys));
    v->fill(placed(at, 3, values));
    std::vector<float> added(std::size_t(c.kv_len), 0.0f);
    added.front() = -infinity;
    const auto mask = make_tensor<float>({1, 1, 1, c.kv_len}, added);
    const auto sink_values = random_values<float>(c.sinks ? std::size_t(c.num_heads) : 0, 4, -2, 2);
    const auto sink = make_tensor<float>({int(sink_values.size())}, sink_values);
    const auto result = [=] {
      const auto seen = [=](const std::vector<T>& rows) {
        return c.first_nan ? without_first(to_double(rows), c.num_kv_heads, c.head_dim)
                           : to_double(rows);
      };
      return reference::attention(
          to_double(random_values<T>(q_count, 1, -3, 3)), seen(keys(2)), seen(values(3)),
          {c.num_heads, c.num_kv_heads, c.q_len, c.first_nan ? c.kv_len - 1 : c.kv_len, c.head_dim,
           true, 0, c.head_dim, double(c.soft_cap), c.window, to_double(sink_values)});
    };
    const auto expected_weights = [=] {
      const auto computed = result().weights;
      if (!c.first_nan) return computed;
      std::vector<double> all;  // the first key's are 0
      for (std::size_t i = 0; i < computed.size(); ++i) {
        if (i % std::size_t(c.kv_len - 1) == 0) all.push_back(0);
        all.push_back(computed[i]);
      }
      return all;
    };
    const auto weights =
        expecting(make_heads<float>(batch, c.num_heads, c.q_len, c.kv_len, false, gap, 1),
                  "weights", at.slot, at.slot + 1, {5e-6, 1.0}, expected_weights);
    const auto out =
        expecting(make_heads<T>(batch, c.num_heads, c.q_len, c.head_dim, true, gap, 0), "out",
                  at.slot, at.slot + 1, {rounding<T> + 5e-6, 1.0}, [=] { return result().out; });
    return trial{
        [=] {
          const auto scores = weights->view();
          std::string refused = refusal(rocmforge::attention_scores(scores, q->view(), k->view()));
          tensor_view<float, 4> hidden;
          if (c.first_nan) {
            hidden = mask->view();
            std::copy_n(scores.extent, 3, hidden.extent);
            std::fill_n(hidden.stride, 3, 0);
          }
          refused += refusal(rocmforge::attention_softmax(
              scores, scores,
              {.logits_soft_cap = c.soft_cap,
               .sliding_window = c.window,
               .sink = c.sinks ? sink->view() : tensor_view<float, 1>{}},
              hidden));
          refused += refusal(rocmforge::attention_weighted_sum(out->view(), scores, v->view()));
          return refused;
        },
        {weights, out}};
  };
  list.tests.push_back({"attention in parts", type_name<T>, text_of(c), true, prepare});
}

/// What a launch makes of `x`, [batch, heads, q_len, kv_len], element by element.
template <class T, class Expected, class Launch>
void add_map(case_list& list, const char* op, int q_len, int kv_len, const Expected& expected,
             const Launch& start) {
  const auto prepare = [=](const placement& at) {
    const int heads = 3;
    const auto count = std::size_t(heads * q_len * kv_len);
    const auto x = make_heads<T>(at.copies, heads, q_len, kv_len, true, 5, 1);
    x->fill(placed_values<T>(at, count, 1));
    const auto y = expecting(make_heads<T>(at.copies, heads, q_len, kv_len, false, 7, 0), "y",
                             at.slot, at.slot + 1, {}, [=] {
                               auto values = to_double(random_values<T>(count, 1));
                               for (std::size_t i = 0; i < count; ++i) {
                                 const int key = int(i) % kv_len, query = int(i) / kv_len % q_len;
                                 values[i] = expected(values[i], query, key);
                               }
                               return values;
                             });
    return trial{[=] { return refusal(start(y->view(), x->view())); }, {y}};
  };
  list.tests.push_back(
      {op, type_name<T>, shape_text({{"q_len", q_len}, {"kv_len", kv_len}}), true, prepare});
}

template <class T>
void add_masks(case_list& list, int q_len, int kv_len, int window) {
  const rocmforge::attention_mask mask{true, window};
  const auto seen = [=](int position, int key) {
    return key <= position && (window == 0 || key > position - window);
  };
  add_map<T>(
      list, "mask_scores", q_len, kv_len,
      [=](double value, int query, int key) {
        return seen(kv_len - q_len + query, key) ? value : double(-infinity);
      },
      [=](auto y, auto x) { return rocmforge::mask_scores(y, x, mask); });
  add_map<T>(
      list, "scale_scores", q_len, kv_len,
      [](double value, int, int) { return double(float(T(float(value) * 0.5f))); },
      [](auto y, auto x) { return rocmforge::scale_scores(y, x, 0.5f); });
  const auto values = random_values<T>(std::size_t(q_len * kv_len), 9);
  const auto added = make_tensor<T>({1, 1, q_len, kv_len}, values);
  add_map<T>(
      list, "add_mask", q_len, kv_len,
      [=](double value, int query, int key) {
        const float sum =
            float(value) + float(values[std::size_t(query * kv_len) + std::size_t(key)]);
        return double(float(T(sum)));
      },
      [=](auto y, auto x) {
        auto view = added->view();
        for (const int axis : {0, 1}) {
          view.extent[axis] = y.extent[axis];
          view.stride[axis] = 0;
        }
        return rocmforge::add_mask(y, x, view);
      });
  const auto prepare = [=](const placement& at) {
    const int all = at.copies * q_len;
    const auto y =
        expecting(make_tensor<T>({all, kv_len}, layout{1, 3}), "y", at.slot * q_len,
                  (at.slot + 1) * q_len, {}, [=] {
                    std::vector<double> expected;
                    for (int query = 0; query < q_len; ++query) {
                      for (int key = 0; key < kv_len; ++key) {
                        expected.push_back(seen(5 + query, key) ? 0.0 : double(-infinity));
                      }
                    }
                    return expected;
                  });
    return trial{
        [=] { return refusal(rocmforge::causal_mask(y->view(), 5 - at.slot * q_len, mask)); }, {y}};
  };
  list.tests.push_back({"causal_mask", type_name<T>,
                        shape_text({{"q_len", q_len}, {"kv_len", kv_len}, {"window", window}}),
                        true, prepare});
}

const registration parts("attention_parts", [](const settings& s, case_list& list) {
  add_chain<float>(list, {1, 33, 2, 1, 32});
  add_chain<float>(list, {65, 66, 1, 1, 33, 0, 0, true});
  add_chain<float>(list, {9, 70, 2, 1, 16, 40, 2, true});
  add_chain<float>(list, {5, 3, 4, 2, 16});
  add_chain<half>(list, {9, 40, 2, 1, 33});
  add_chain<float>(list, {.q_len = 5,
                          .kv_len = 70,
                          .num_heads = 4,
                          .num_kv_heads = 2,
                          .head_dim = 16,
                          .infinite_key = 67});
  add_chain<float>(list, {.q_len = 5,
                          .kv_len = 70,
                          .num_heads = 4,
                          .num_kv_heads = 2,
                          .head_dim = 16,
                          .first_nan = true});
  add_masks<float>(list, 5, 33, 0);
  add_masks<float>(list, 3, 1025, 300);
  add_masks<half>(list, 40, 64, 17);
  if (s.quick) return;
  add_chain<float>(list, {128, 300, 9, 3, 64});
  add_chain<half>(list, {2, 9001, 2, 1, 128, 6000});
  add_masks<bfloat16>(list, 40, 64, 17);
});

}  // namespace
}  // namespace verify
