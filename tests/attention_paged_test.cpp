// Attention over pages: sequences of different lengths side by side, each as if it were alone.
#include <rocmforge/attention.hpp>

#include "reference/attention_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(attention_paged);

using sequences = paged_sequences<float, float>;

void run(sequences& s, bool causal = true, const attention_plan& plan = {}) {
  const auto q = s.q();
  split_memory workspace(plan, s.batch().kv_len.extent[0], q.extent[1], s.max_q_len, q.extent[2]);
  EXPECT_SUCCESS(paged_attention(s.out(), q, s.k_pages(), s.v_pages(), s.batch(),
                                 {.causal = causal, .split = workspace.split()}));
  stream_ref{}.synchronize();  // the workspace ends here
}

TEST_P(attention_paged, agrees_with_double_for_every_page_size) {
  for (const int page_size : {1, 16, 32, 48}) {
    for (const int kv_len : {1, 15, 16, 17, 31, 32, 33, 64, 65, 257}) {
      for (const int q_len : {1, 4, 5, 66}) {
        SCOPED_TRACE("page_size " + std::to_string(page_size));
        sequences s({{q_len, kv_len, 1}}, 2, 1, 32, page_size);
        run(s);
        s.expect_results(true, 5e-6);
      }
    }
  }
}

// With kv_len < q_len the first queries see nothing; a sequence may also have no query or no key at
// all.
constexpr auto few_queries = [] {
  return std::vector<paged_sequence>{{1, 40, 1},  {3, 3, 2}, {0, 20, 3},
                                     {4, 129, 4}, {2, 1, 5}, {1, 0, 6}};
};
constexpr auto many_queries = [] {
  return std::vector<paged_sequence>{{1, 33, 1}, {70, 70, 2}, {5, 100, 3},
                                     {0, 0, 4},  {64, 65, 5}, {9, 4, 6}};
};

TEST_P(attention_paged, ragged_sequences_agree_with_double) {
  for (const auto& lengths : {few_queries(), many_queries()}) {
    for (const int head_dim : {16, 64, 80}) {
      for (const bool causal : {true, false}) {
        for (const attention_plan& plan : {attention_plan{}, attention_plan{4, 16}}) {
          SCOPED_TRACE("head_dim " + std::to_string(head_dim) + (causal ? ", causal" : "") + ", " +
                       std::to_string(plan.num_chunks) + " chunks");
          sequences s(lengths, 6, 2, head_dim, 16);
          run(s, causal, plan);
          s.expect_results(causal, 5e-6);
        }
      }
    }
  }
}

// The pages before the window are gone: their entries lead to one full of NaN.
TEST_P(attention_paged, every_option_agrees_with_double) {
  const std::vector<float> sink = {0, 1, -2, 0.5f};
  const device_buffer<float> device_sink(sink);
  const int window = 21, page_size = 16;
  for (const auto& [lengths, plan] :
       {std::pair{few_queries(), attention_plan{}}, std::pair{few_queries(), attention_plan{2, 16}},
        std::pair{few_queries(), attention_plan{5, 8}},
        std::pair{many_queries(), attention_plan{}}}) {
    for (const bool causal : {true, false}) {
      sequences s(lengths, 4, 2, 48, page_size);
      auto table = s.batch().page_table;
      device_buffer<int> pages(s.page_table_without([&](const paged_sequence& sequence) {
        return std::max(0, sequence.kv_len - sequence.q_len + 1 - window) / page_size;
      }));
      table.data = pages.data();
      auto batch = s.batch();
      batch.page_table = table;
      split_memory workspace(plan, int(lengths.size()), 4, s.max_q_len, 48);
      EXPECT_SUCCESS(paged_attention(s.out(), s.q(), s.k_pages(), s.v_pages(), batch,
                                     {.softmax_scale = 0.7f,
                                      .causal = causal,
                                      .logits_soft_cap = 3,
                                      .sliding_window = window,
                                      .sink = device_sink.view(4),
                                      .split = workspace.split()},
                                     s.lse()));
      const auto lse = s.expect_results({.causal = causal,
                                         .scale = double(0.7f),
                                         .soft_cap = 3,
                                         .window = window,
                                         .sink = to_double(sink)},
                                        5e-6);
      expect_lse(s.lse_values().data(), lse, 5e-6);
    }
  }
}

// Queries beyond max_q_len are not computed, in chunks neither.
TEST_P(attention_paged, chunks_leave_other_queries_alone) {
  sequences s({{1, 40, 1}, {4, 60, 2}, {2, 90, 3}}, 2, 1, 32, 16);
  s.max_q_len = 2;
  run(s, true, {4, 16});
  for (const std::size_t sequence : {std::size_t(0), std::size_t(1), std::size_t(2)}) {
    const auto out = s.result(sequence);
    for (std::size_t i = 0; i < out.size(); ++i)
      EXPECT_EQ(std::isnan(out[i]), i >= std::size_t(2 * 2 * 32)) << sequence << ", " << i;
  }
}

TEST_P(attention_paged, lse_of_a_query_that_sees_nothing_is_minus_infinity) {
  sequences s(few_queries(), 2, 1, 32, 16);
  EXPECT_SUCCESS(paged_attention(s.out(), s.q(), s.k_pages(), s.v_pages(), s.batch(), {}, s.lse()));
  expect_lse(s.lse_values().data(), s.expect_results(reference::attention_shape{}, 5e-6), 5e-6);
}

// The kernel is chosen by the longest sequence, so the same max_q_len makes the same choice.
TEST_P(attention_paged, a_sequence_alone_gives_the_same_bits) {
  for (const auto& [lengths, plan] :
       {std::pair{few_queries(), attention_plan{}}, std::pair{few_queries(), attention_plan{3, 16}},
        std::pair{many_queries(), attention_plan{}}}) {
    sequences together(lengths, 3, 1, 64, 16);
    run(together, true, plan);
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      for (const int page_size : {16, 7}) {
        sequences alone({lengths[i]}, 3, 1, 64, page_size);
        alone.max_q_len = together.max_q_len;
        run(alone, true, plan);
        EXPECT_EQ(alone.result(0), together.result(i))
            << "sequence " << i << ", page_size " << page_size << ", " << plan.num_chunks
            << " chunks";
      }
    }
  }
}

// A step's queries are cut out of a [num_tokens, ...] product of Q, K and V, and pages out of a
// cache of all layers.
TEST_P(attention_paged, takes_strided_views) {
  const int num_heads = 2, head_dim = 32, q_len = 6, kv_len = 40, page_size = 16;
  sequences s({{q_len, kv_len, 11}}, num_heads, 1, head_dim, page_size);
  run(s);
  const auto strided = [](const auto& view,
                          auto& buffer) {  // rows twice as far apart, in memory full of NaN
    auto result = view;
    result.data = buffer.data();
    for (int axis = 0; axis + 1 < view.rank; ++axis) result.stride[axis] *= 2;
    return result;
  };
  const auto spread = [](const auto& view, const std::vector<float>& values) {
    std::vector<float> memory(2 * values.size(), not_a_number<float>);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto row = i / std::size_t(view.extent[view.rank - 1]),
                 column = i % std::size_t(view.extent[view.rank - 1]);
      memory[2 * row * std::size_t(view.extent[view.rank - 1]) + column] = values[i];
    }
    return device_buffer<float>(memory);
  };
  const auto values_of = [](const auto& view) {
    std::vector<float> values(std::size_t(view.size()));
    platform_memory::download(values.data(), view.data, values.size() * sizeof(float), {});
    stream_ref{}.synchronize();
    return values;
  };
  auto out = spread(s.out(), std::vector<float>(std::size_t(s.out().size()), 0.0f)),
       q = spread(s.q(), values_of(s.q()));
  auto k = spread(s.k_pages(), values_of(s.k_pages())),
       v = spread(s.v_pages(), values_of(s.v_pages()));
  EXPECT_SUCCESS(paged_attention(strided(s.out(), out), strided(s.q(), q), strided(s.k_pages(), k),
                                 strided(s.v_pages(), v), s.batch()));
  const auto memory = out.to_host(), expected = s.result(0);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const std::size_t row = i / head_dim, column = i % head_dim;
    if (row % 2 == 0) {
      EXPECT_EQ(memory[i], expected[row / 2 * head_dim + column]) << i;
    } else {
      EXPECT_TRUE(std::isnan(memory[i])) << i;
    }
  }
}

TEST_P(attention_paged, refuses_what_does_not_fit) {
  sequences s({{3, 20, 1}, {1, 5, 2}}, 4, 2, 16, 16);
  const auto refuse = [&](auto change, status_code code, const char* argument) {
    auto out = s.out(), q = s.q();
    auto k = s.k_pages(), v = s.v_pages();
    paged_batch batch = s.batch();
    change(out, q, k, v, batch);
    EXPECT_REFUSED(paged_attention(out, q, k, v, batch), code, argument);
  };
  refuse([](auto&, auto& q, auto&, auto&, auto&) { q.extent[0] = 3; }, status_code::invalid_shape,
         "q");
  refuse([](auto&, auto& q, auto&, auto&, auto&) { q.stride[2] = 2; }, status_code::invalid_layout,
         "q");
  refuse([](auto& out, auto&, auto&, auto&, auto&) { out.stride[2] = 2; },
         status_code::invalid_layout, "out");
  refuse([](auto&, auto&, auto& k, auto&, auto&) { k.extent[3] = 15; }, status_code::invalid_shape,
         "k_pages");
  refuse([](auto&, auto&, auto&, auto& v, auto&) { v.extent[2] = 15; }, status_code::invalid_shape,
         "v_pages");
  refuse([](auto&, auto&, auto&, auto& v, auto&) { v.stride[3] = 2; }, status_code::invalid_layout,
         "v_pages");
  refuse([](auto&, auto&, auto& k, auto& v, auto&) { k.extent[1] = v.extent[1] = 3; },
         status_code::invalid_shape, "k_pages");
  refuse([](auto&, auto&, auto& k, auto& v, auto&) { k.extent[2] = v.extent[2] = 0; },
         status_code::invalid_shape, "k_pages");
  refuse([](auto&, auto&, auto&, auto&, auto& batch) { batch.q_begin.extent[0] = 2; },
         status_code::invalid_shape, "q_begin");
  refuse([](auto&, auto&, auto&, auto&, auto& batch) { batch.kv_len.data = nullptr; },
         status_code::invalid_argument, "kv_len");
  refuse([](auto&, auto&, auto&, auto&, auto& batch) { batch.page_table.extent[0] = 1; },
         status_code::invalid_shape, "page_table");
  EXPECT_REFUSED(paged_attention(s.out(), s.q(), s.k_pages(), s.v_pages(), s.batch(), {},
                                 sub_view<0>(s.lse(), 0, 3)),
                 status_code::invalid_shape, "lse");
  EXPECT_REFUSED(
      paged_attention(s.out(), s.q(), s.k_pages(), s.v_pages(), s.batch(), {.sliding_window = -1}),
      status_code::invalid_argument, "sliding_window");
  refuse([](auto&, auto&, auto&, auto&, auto& batch) { batch.max_q_len = -1; },
         status_code::invalid_argument, "max_q_len");
  sequences nobody({}, 4, 2, 16, 16);
  EXPECT_SUCCESS(paged_attention(nobody.out(), nobody.q(), nobody.k_pages(), nobody.v_pages(),
                                 nobody.batch()));
}

}  // namespace
}  // namespace rocmforge::testing
