// Attention on plain tensors and on pages, for one pair of element types.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <rocmforge/attention.hpp>
#include <span>

#include "reference/attention.hpp"
#include "tensors.hpp"
#include "weights.hpp"

namespace verify {

template <class T, class TCache>
std::string attention_types() {
  return std::is_same_v<T, TCache> ? type_name<T> : type_name<T> + "*" + weight_name<TCache>;
}

struct attention_case {
  int q_len = 1, kv_len = 1, num_heads = 1, num_kv_heads = 1, head_dim = 1;
  bool causal = true;
  bool seq_first = false;  // memory in the order [batch, seq, heads, head_dim]
  int gap = 0;             // between rows; those of k, v and the output differ
  int unit = 1;            // elements that offsets and gaps count; 8 start all rows at 16 bytes
  double magnitude = 1;    // of queries and keys: large ones overflow without the maximum
  float scale = 0;         // 0: 1 / sqrt(head_dim)
  int v_head_dim = 0;      // 0: head_dim
  float soft_cap = 0;
  int window = 0;
  bool sinks = false;
  int infinite_key = -1;  // a key whose value is infinite
  rocmforge::attention_plan plan = {};

  [[nodiscard]] int out_dim() const { return v_head_dim != 0 ? v_head_dim : head_dim; }
};

/// What a cache holds: values up to `magnitude`, or blocks.
template <class TCache>
std::vector<TCache> cache_values(std::size_t count, unsigned seed, double magnitude = 1) {
  if constexpr (reference::is_quantized<TCache>) {
    return reference::random_weights<TCache>(count, seed);
  } else {
    return random_values<TCache>(count, seed, -magnitude, magnitude);
  }
}

template <class T>
tensor<T, 4> make_heads(int batch, int heads, int seq, int head_dim, bool seq_first, int gap,
                        int offset) {
  const std::int64_t row = head_dim + gap;
  const std::int64_t strides[] = {heads * (seq + 1) * row, seq_first ? row : (seq + 1) * row,
                                  seq_first ? heads * row : row, 1};
  const int extents[] = {batch, heads, seq, head_dim};
  return std::make_shared<guarded_tensor<T, 4>>(extents, strides, layout{offset, gap});
}

inline std::string plan_text(const rocmforge::attention_plan& plan) {
  return plan.num_chunks == 1 ? ""
                              : ", " + std::to_string(plan.num_chunks) + " chunks of " +
                                    std::to_string(plan.min_chunk) + " keys or more";
}

/// Workspace of a plan, amid memory that is nobody's; full of NaN.
inline tensor<float, 1> plan_workspace(const rocmforge::attention_plan& plan, int batch,
                                       int num_heads, int q_len, int v_head_dim) {
  return make_tensor<float>(
      {int(rocmforge::attention_workspace_bytes(plan, batch, num_heads, q_len, v_head_dim) /
           sizeof(float))});
}
inline rocmforge::attention_split split_of(const rocmforge::attention_plan& plan,
                                           const tensor<float, 1>& workspace) {
  const auto view = workspace->view();
  return {plan, std::as_writable_bytes(std::span(view.data, std::size_t(view.extent[0])))};
}

inline double attention_tolerance(double magnitude) {
  return magnitude > 1 ? 1e-4 : 5e-6;  // an error of a large score is one of its power's exponent
}

inline const char* attention_name(int q_len, bool paged) {
  const bool vector = q_len <= rocmforge::max_decode_queries;
  return paged ? (vector ? "paged_attention few queries" : "paged_attention")
               : (vector ? "attention few queries" : "attention");
}

/// `attend(out, q, k, v, options, lse)` launches what is tried.
template <class T, class TCache, class Attend>
void add_attention_by(case_list& list, const char* name, const attention_case& c,
                      const Attend& attend) {
  const auto prepare = [=](const placement& at) {
    const auto q_count = std::size_t(c.num_heads * c.q_len * c.head_dim),
               k_count = std::size_t(c.num_kv_heads * c.kv_len * c.head_dim),
               v_count = std::size_t(c.num_kv_heads * c.kv_len * c.out_dim());
    constexpr int elements = rocmforge::block_traits<TCache>::elements;
    const int batch = at.copies, gap = c.gap * c.unit;
    const auto q = make_heads<T>(batch, c.num_heads, c.q_len, c.head_dim, c.seq_first, gap, gap);
    const auto k = make_heads<TCache>(batch, c.num_kv_heads, c.kv_len, c.head_dim / elements,
                                      c.seq_first, gap, gap);
    const auto v = make_heads<TCache>(batch, c.num_kv_heads, c.kv_len, c.out_dim() / elements,
                                      !c.seq_first, gap + 3 * c.unit, c.unit);
    q->fill(placed_values<T>(at, q_count, 1, -c.magnitude, c.magnitude));
    const auto keys = [=](unsigned seed) {
      return cache_values<TCache>(k_count, seed, c.magnitude);
    };
    const auto values = [=](unsigned seed) {
      auto rows = cache_values<TCache>(v_count, seed);
      if constexpr (!reference::is_quantized<TCache>) {
        for (int head = 0; head < c.num_kv_heads && c.infinite_key >= 0; ++head)
          std::fill_n(rows.begin() + (head * c.kv_len + c.infinite_key) * c.out_dim(), c.out_dim(),
                      TCache(std::numeric_limits<float>::infinity()));
      }
      return rows;
    };
    k->fill(placed(at, 2, keys));
    v->fill(placed(at, 3, values));
    const auto sink_values = random_values<float>(c.sinks ? std::size_t(c.num_heads) : 0, 4, -2, 2);
    const auto sink = make_tensor<float>({int(sink_values.size())}, sink_values);
    const auto workspace = plan_workspace(c.plan, batch, c.num_heads, c.q_len, c.out_dim());
    const auto result = [=] {
      return reference::attention(
          to_double(random_values<T>(q_count, 1, -c.magnitude, c.magnitude)),
          reference::decode(keys(2)), reference::decode(values(3)),
          {c.num_heads, c.num_kv_heads, c.q_len, c.kv_len, c.head_dim, c.causal, double(c.scale),
           c.out_dim(), double(c.soft_cap), c.window, to_double(sink_values)});
    };
    const double relative = attention_tolerance(c.magnitude);
    const layout beside = for_output({gap, gap});
    const auto out = expecting(make_heads<T>(batch, c.num_heads, c.q_len, c.out_dim(), c.seq_first,
                                             beside.gap, beside.offset),
                               "out", at.slot, at.slot + 1, {attention_rounding<T> + relative, 1.0},
                               [=] { return result().out; });
    const auto lse = expecting(make_tensor<float>({batch, c.num_heads, c.q_len}), "lse", at.slot,
                               at.slot + 1, {relative, 1.0}, [=] { return result().lse; });
    return trial{[=] {
                   return refusal(attend(out->view(), q->view(), k->view(), v->view(),
                                         {.softmax_scale = c.scale,
                                          .causal = c.causal,
                                          .logits_soft_cap = c.soft_cap,
                                          .sliding_window = c.window,
                                          .sink = c.sinks ? sink->view() : tensor_view<float, 1>{},
                                          .split = split_of(c.plan, workspace)},
                                         lse->view()));
                 },
                 {out, lse}};
  };
  list.tests.push_back(
      {name, attention_types<T, TCache>(),
       shape_text({{"q_len", c.q_len},
                   {"kv_len", c.kv_len},
                   {"heads", c.num_heads},
                   {"kv_heads", c.num_kv_heads},
                   {"head_dim", c.head_dim},
                   {"gap", c.gap * c.unit}}) +
           (c.causal ? "" : ", not causal") + (c.seq_first ? ", seq first" : "") +
           (c.magnitude > 1 ? ", large scores" : "") +
           (c.v_head_dim != 0 ? ", v_head_dim " + std::to_string(c.v_head_dim) : "") +
           (c.soft_cap != 0 ? ", soft cap" : "") +
           (c.window != 0 ? ", window " + std::to_string(c.window) : "") +
           (c.sinks ? ", sinks" : "") + plan_text(c.plan) +
           (c.infinite_key >= 0 ? ", infinite value " + std::to_string(c.infinite_key) : ""),
       true, prepare});
}

template <class T, class TCache>
void add_attention(case_list& list, const attention_case& c) {
  add_attention_by<T, TCache>(
      list, attention_name(c.q_len, false), c,
      [](const tensor_view<T, 4>& out, const tensor_view<T, 4>& q, const tensor_view<TCache, 4>& k,
         const tensor_view<TCache, 4>& v, const rocmforge::attention_options& options,
         const tensor_view<float, 3>& lse) {
        return rocmforge::attention(out, q, k, v, options, lse);
      });
}

struct sequence_case {
  int q_len, kv_len;
};

template <class T, class TCache>
void add_paged(case_list& list, const std::vector<sequence_case>& sequences, int num_heads,
               int num_kv_heads, int head_dim, int page_size,
               const rocmforge::attention_plan& plan = {}) {
  int max_q_len = 0, num_tokens = 0;
  std::string shape;
  for (const auto& [q_len, kv_len] : sequences) {
    max_q_len = std::max(max_q_len, q_len);
    num_tokens += q_len;
    shape += (shape.empty() ? "queries/keys " : ", ") + std::to_string(q_len) + "/" +
             std::to_string(kv_len);
  }
  const auto prepare = [=](const placement& at) {
    const auto head_values = [=](const sequence_case& s, unsigned seed) {
      return cache_values<TCache>(std::size_t(num_kv_heads * s.kv_len * head_dim), seed);
    };
    const auto seed_of = [=](int copy, std::size_t i) {
      return unsigned(10 * i + 1) + (copy == at.slot ? 0u : 1000u * unsigned(copy + 1));
    };
    std::vector<int> q_begin{0}, kv_lens;
    int num_pages = 1, max_pages = 1;
    for (int copy = 0; copy < at.copies; ++copy) {
      for (const auto& [q_len, kv_len] : sequences) {
        const int pages = (kv_len + page_size - 1) / page_size;
        q_begin.push_back(q_begin.back() + q_len);
        kv_lens.push_back(kv_len);
        num_pages += pages;
        max_pages = std::max(max_pages, pages);
      }
    }
    std::vector<int> free_pages;
    for (int page = 0; page < num_pages; ++page) free_pages.push_back(page);
    std::shuffle(free_pages.begin(), free_pages.end(), std::mt19937(7));
    const int unused = free_pages.back();  // full of NaN; entries that must not be used lead there
    free_pages.pop_back();

    const int row_size = head_dim / rocmforge::block_traits<TCache>::elements;
    std::vector<TCache> k_values(std::size_t(num_pages * num_kv_heads * page_size * row_size));
    std::memset(static_cast<void*>(k_values.data()), 0xff,
                k_values.size() * sizeof(TCache));  // NaN
    std::vector<TCache> v_values = k_values;
    std::vector<int> table(kv_lens.size() * std::size_t(max_pages), unused);
    std::vector<T> queries;
    std::size_t row = 0;
    for (int copy = 0; copy < at.copies; ++copy) {
      for (std::size_t i = 0; i < sequences.size(); ++i, ++row) {
        const unsigned seed = seed_of(copy, i);
        const auto q =
            random_values<T>(std::size_t(sequences[i].q_len * num_heads * head_dim), seed);
        queries.insert(queries.end(), q.begin(), q.end());
        const auto k = head_values(sequences[i], seed + 1), v = head_values(sequences[i], seed + 2);
        for (int position = 0; position < sequences[i].kv_len; ++position) {
          int& page = table[row * std::size_t(max_pages) + std::size_t(position / page_size)];
          if (page == unused) {
            page = free_pages.back();
            free_pages.pop_back();
          }
          for (int head = 0; head < num_kv_heads; ++head) {
            const auto from = (head * sequences[i].kv_len + position) * row_size;
            const auto to =
                ((page * num_kv_heads + head) * page_size + position % page_size) * row_size;
            std::copy_n(k.begin() + from, row_size, k_values.begin() + to);
            std::copy_n(v.begin() + from, row_size, v_values.begin() + to);
          }
        }
      }
    }
    const int all = at.copies * num_tokens, num_rows = int(kv_lens.size());
    const auto q = make_tensor<T>({all, num_heads, head_dim}, queries);
    const int page_extents[] = {num_pages, num_kv_heads, page_size, row_size};
    const auto k = make_tensor<TCache>(page_extents, k_values),
               v = make_tensor<TCache>(page_extents, v_values, layout{0, 8});
    const auto begins = make_tensor<int>({num_rows + 1}, q_begin),
               lengths = make_tensor<int>({num_rows}, kv_lens);
    const auto pages = make_tensor<int>({num_rows, max_pages}, table);
    const auto workspace = plan_workspace(plan, num_rows, num_heads, max_q_len, head_dim);
    const auto result = [=] {
      std::vector<double> expected;      // [num_tokens, num_heads, head_dim]
      std::vector<double> expected_lse;  // [num_tokens, num_heads]
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        const auto [q_len, kv_len] = sequences[i];
        const unsigned seed = seed_of(at.slot, i);
        const auto tokens =
            to_double(random_values<T>(std::size_t(q_len * num_heads * head_dim), seed));
        const auto swapped = [&](const std::vector<double>& from, int outer, int inner, int size) {
          std::vector<double> to;  // axes [inner, outer, size] from [outer, inner, size]
          for (int a = 0; a < inner; ++a) {
            for (int b = 0; b < outer; ++b) {
              const auto first = from.begin() + (b * inner + a) * size;
              to.insert(to.end(), first, first + size);
            }
          }
          return to;
        };
        const auto one =
            reference::attention(swapped(tokens, q_len, num_heads, head_dim),
                                 reference::decode(head_values(sequences[i], seed + 1)),
                                 reference::decode(head_values(sequences[i], seed + 2)),
                                 {num_heads, num_kv_heads, q_len, kv_len, head_dim, true, 0});
        const auto rows = swapped(one.out, num_heads, q_len, head_dim),
                   lse_rows = swapped(one.lse, num_heads, q_len, 1);
        expected.insert(expected.end(), rows.begin(), rows.end());
        expected_lse.insert(expected_lse.end(), lse_rows.begin(), lse_rows.end());
      }
      return std::pair{expected, expected_lse};
    };
    const auto out = expecting(make_tensor<T>({all, num_heads, head_dim}), "out",
                               at.slot * num_tokens, (at.slot + 1) * num_tokens,
                               {attention_rounding<T> + 5e-6, 1.0}, [=] { return result().first; });
    const auto lse =
        expecting(make_tensor<float>({all, num_heads}), "lse", at.slot * num_tokens,
                  (at.slot + 1) * num_tokens, {5e-6, 1.0}, [=] { return result().second; });
    return trial{[=] {
                   const rocmforge::paged_batch batch{begins->view(), lengths->view(),
                                                      pages->view(), max_q_len};
                   return refusal(rocmforge::paged_attention(
                       out->view(), q->view(), k->view(), v->view(), batch,
                       {.split = split_of(plan, workspace)}, lse->view()));
                 },
                 {out, lse}};
  };
  list.tests.push_back({attention_name(max_q_len, true), attention_types<T, TCache>(),
                        shape + ", " +
                            shape_text({{"heads", num_heads},
                                        {"kv_heads", num_kv_heads},
                                        {"head_dim", head_dim},
                                        {"page_size", page_size}}) +
                            plan_text(plan),
                        true, prepare});
}

template <class T, class TCache>
void add_attention_speed(const settings& s, case_list& list, int q_len) {
  const bool host = s.architecture == "host";
  const int heads = 32, kv_heads = 8, head_dim = 128;
  const bool decoding = q_len <= rocmforge::max_decode_queries;
  const int batch = decoding ? (host ? 2 : 16) : 1, kv_len = decoding ? 4096 : q_len;
  const double kv_elements = double(batch) * kv_heads * kv_len * head_dim;
  // A prompt's queries see half of the keys on average.
  const double flops = 4.0 * batch * heads * double(q_len) * kv_len * head_dim / 2;
  list.speeds.push_back(
      {attention_name(q_len, false), attention_types<T, TCache>(),
       shape_text({{"batch", batch},
                   {"q_len", q_len},
                   {"kv_len", kv_len},
                   {"heads", heads},
                   {"kv_heads", kv_heads},
                   {"head_dim", head_dim}}),
       decoding ? 2 * kv_elements * double(sizeof(TCache)) : 0, decoding ? 0 : flops, [=] {
         const auto q_count = std::size_t(batch * heads * q_len) * head_dim;
         const auto q = timing_data<T>(q_count), out = timing_data<T>(q_count);
         const auto k = timing_data<TCache>(std::size_t(kv_elements)),
                    v = timing_data<TCache>(std::size_t(kv_elements));
         const auto plan = rocmforge::plan_attention(
             rocmforge::devices()[std::size_t(rocmforge::current_device())],
             {heads, kv_heads, head_dim, kv_len, batch, q_len});
         const auto workspace = plan_workspace(decoding ? plan : rocmforge::attention_plan{}, batch,
                                               heads, q_len, head_dim);
         return [=] {
           return refusal(rocmforge::attention(
               out->view(batch, heads, q_len, head_dim), q->view(batch, heads, q_len, head_dim),
               k->view(batch, kv_heads, kv_len, head_dim),
               v->view(batch, kv_heads, kv_len, head_dim), {.split = split_of(plan, workspace)}));
         };
       }});
}

template <class T, class TCache>
void add_attentions(const settings& s, case_list& list) {
  // Few queries: every width of a team of lanes, more teams than keys, and the reverse.
  std::vector<attention_case> cases = {
      {1, 1, 2, 1, 32},
      {1, 75, 6, 2, 64, true, true, 1},
      {3, 33, 4, 4, 40},
      {4, 257, 2, 1, 128, true, false, 2},
      {2, 5, 3, 1, 17, false},
      {4, 3, 2, 1, 32},  // the first query sees no key
      {1, 70, 2, 1, 64, true, false, 0, 30, 1},
      // Many: more and fewer keys than queries, tails of every tile.
      {5, 5, 2, 1, 32},
      {33, 130, 6, 2, 64, false, true, 1},
      {65, 65, 2, 1, 64, true, false, 2},
      {17, 70, 2, 1, 100},
      {70, 40, 2, 1, 32},
      {9, 66, 2, 1, 64, true, false, 0, 30, 1},
      {6, 35, 1, 1, 200},
      // Soft caps, windows, sinks and values of another head_dim.
      {.q_len = 2, .kv_len = 150, .num_heads = 4, .num_kv_heads = 2, .head_dim = 32, .window = 40},
      {.q_len = 1,
       .kv_len = 33,
       .num_heads = 6,
       .num_kv_heads = 2,
       .head_dim = 64,
       .scale = 1,
       .v_head_dim = 48,
       .soft_cap = 2,
       .sinks = true},
      {.q_len = 40, .kv_len = 150, .num_heads = 4, .num_kv_heads = 2, .head_dim = 32, .window = 30},
      {.q_len = 9,
       .kv_len = 70,
       .num_heads = 6,
       .num_kv_heads = 2,
       .head_dim = 24,
       .gap = 1,
       .scale = 1,
       .v_head_dim = 64,
       .soft_cap = 2,
       .window = 17,
       .sinks = true},
      // A value that only some of the queries see.
      {.q_len = 3,
       .kv_len = 33,
       .num_heads = 2,
       .num_kv_heads = 1,
       .head_dim = 32,
       .infinite_key = 31},
      // Keys in chunks: more than fit at their smallest size, and fewer; both ends of a window in
      // the middle of one; a sink; a value that only some of the queries see.
      {.q_len = 1,
       .kv_len = 150,
       .num_heads = 6,
       .num_kv_heads = 2,
       .head_dim = 64,
       .plan = {4, 16}},
      {.q_len = 3,
       .kv_len = 150,
       .num_heads = 4,
       .num_kv_heads = 2,
       .head_dim = 32,
       .window = 40,
       .plan = {4, 16}},
      {.q_len = 2,
       .kv_len = 75,
       .num_heads = 6,
       .num_kv_heads = 2,
       .head_dim = 64,
       .gap = 1,
       .scale = 1,
       .v_head_dim = 48,
       .soft_cap = 2,
       .sinks = true,
       .plan = {9, 16}},
      {.q_len = 3,
       .kv_len = 33,
       .num_heads = 2,
       .num_kv_heads = 1,
       .head_dim = 32,
       .infinite_key = 31,
       .plan = {3, 16}},
      {.q_len = 40,
       .kv_len = 150,
       .num_heads = 2,
       .num_kv_heads = 1,
       .head_dim = 32,
       .window = 30,
       .infinite_key = 120},
  };
  if (!s.quick) {
    const attention_case more[] = {{1, 31, 9, 3, 64},
                                   {1, 63, 14, 2, 64, false, true, 1},
                                   {1, 64, 8, 1, 96, true, true, 0},
                                   {1, 65, 2, 2, 128, true, false, 1},
                                   {2, 255, 4, 2, 256},
                                   {1, 1025, 9, 3, 64, true, true, 0},
                                   {4, 2000, 8, 2, 128, true, true, 0},
                                   {.q_len = 1,
                                    .kv_len = 4000,
                                    .num_heads = 8,
                                    .num_kv_heads = 2,
                                    .head_dim = 128,
                                    .plan = {40, 64}},
                                   {31, 31, 4, 2, 64},
                                   {63, 63, 2, 1, 128, true, true, 1},
                                   {64, 64, 2, 1, 64, false},
                                   {127, 129, 4, 4, 32},
                                   {128, 300, 9, 3, 64, true, true, 0},
                                   {16, 257, 2, 1, 256, true, false, 1},
                                   {33, 65, 3, 1, 80},
                                   {8, 40, 5, 5, 1}};
    cases.insert(cases.end(), std::begin(more), std::end(more));
  }
  for (const attention_case& c : cases) add_attention<T, TCache>(list, c);
  add_attention_speed<T, TCache>(s, list, 1);
  add_attention_speed<T, TCache>(s, list, s.architecture == "host" ? 256 : 2048);
}

template <class T, class TCache>
void add_paged_attentions(const settings& s, case_list& list) {
  add_paged<T, TCache>(list, {{1, 1}, {1, 40}, {1, 17}}, 6, 2, 64, 16);
  add_paged<T, TCache>(list, {{3, 30}, {1, 5}, {2, 2}}, 2, 1, 33, 5);
  add_paged<T, TCache>(list, {{1, 1}, {1, 100}, {3, 65}}, 6, 2, 64, 16, {4, 16});
  add_paged<T, TCache>(list, {{20, 20}, {1, 70}, {7, 33}}, 4, 2, 64, 16);
  if (s.quick) return;
  add_paged<T, TCache>(list, {{1, 511}, {1, 512}, {1, 513}, {1, 3}}, 9, 3, 64, 32);
  add_paged<T, TCache>(list, {{4, 100}, {4, 4}}, 8, 2, 128, 1);
  add_paged<T, TCache>(list, {{65, 65}, {64, 200}, {3, 9}}, 9, 3, 64, 32);
  add_paged<T, TCache>(list, {{5, 21}, {33, 40}}, 2, 2, 256, 7);
}

}  // namespace verify
