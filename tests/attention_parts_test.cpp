// Attention in parts: each against plain loops, and their chain against the fused kernels.
#include <rocmforge/attention/parts.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/attention_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(attention_parts);

struct problem {
  int batch = 1, num_heads = 2, num_kv_heads = 1;
  int q_len = 1, kv_len = 1;
  int head_dim = 32, v_head_dim = 32;
  bool causal = true;
  float scale = 0;
  float soft_cap = 0;
  int window = 0;
  std::vector<float> sink{};
  bool seq_first = false;
  int gap = 0;
};

/// The chain of the parts, beside the fused kernel and plain loops in double.
void check(const problem& p) {
  SCOPED_TRACE("heads " + std::to_string(p.num_heads) + "/" + std::to_string(p.num_kv_heads) +
               ", q_len " + std::to_string(p.q_len) + ", kv_len " + std::to_string(p.kv_len) +
               ", head_dim " + std::to_string(p.head_dim) + "/" + std::to_string(p.v_head_dim) +
               (p.causal ? ", causal" : "") + ", window " + std::to_string(p.window) +
               ", soft cap " + std::to_string(p.soft_cap) + (p.sink.empty() ? "" : ", sinks"));
  const auto tensor = [&](int num_heads, int length, int dim) {
    return padded_tensor<float>(p.batch, num_heads, length, dim, p.seq_first, p.gap);
  };
  auto q = tensor(p.num_heads, p.q_len, p.head_dim),
       k = tensor(p.num_kv_heads, p.kv_len, p.head_dim),
       v = tensor(p.num_kv_heads, p.kv_len, p.v_head_dim);
  auto scores = tensor(p.num_heads, p.q_len, p.kv_len),
       chained = tensor(p.num_heads, p.q_len, p.v_head_dim),
       fused = tensor(p.num_heads, p.q_len, p.v_head_dim);
  q.fill(1), k.fill(2), v.fill(3);
  const device_buffer<float> sink(p.sink);
  attention_options options{.softmax_scale = p.scale,
                            .causal = p.causal,
                            .logits_soft_cap = p.soft_cap,
                            .sliding_window = p.window,
                            .sink = sink.view(int(p.sink.size()))};
  const auto q_view = q.upload(), k_view = k.upload(), v_view = v.upload();
  EXPECT_SUCCESS(rocmforge::attention(fused.upload(), q_view, k_view, v_view, options));
  const auto scores_view = scores.upload();
  EXPECT_SUCCESS(attention_scores(scores_view, q_view, k_view, p.scale));
  options.softmax_scale = 0;
  EXPECT_SUCCESS(attention_softmax(scores_view, scores_view, options));
  EXPECT_SUCCESS(attention_weighted_sum(chained.upload(), scores_view, v_view));
  fused.download(), chained.download(), scores.download();
  for (int b = 0; b < p.batch; ++b) {
    const auto expected = reference::attention(
        to_double(q.values(b)), to_double(k.values(b)), to_double(v.values(b)),
        {p.num_heads, p.num_kv_heads, p.q_len, p.kv_len, p.head_dim, p.causal, double(p.scale),
         p.v_head_dim, double(p.soft_cap), p.window, to_double(p.sink)});
    expect_close(scores.values(b), expected.weights, 5e-6, 1.0);
    expect_close(chained.values(b), expected.out, 5e-6, 1.0);
    expect_close(chained.values(b), to_double(fused.values(b)), 5e-6, 1.0);
  }
}

TEST_P(attention_parts, chained_give_what_the_fused_kernels_give) {
  for (const int q_len : {1, 4, 5, 63, 64, 65}) {
    for (const int kv_len : {1, 31, 64, 65, 130}) {
      for (const bool causal : {true, false})
        check({.q_len = q_len, .kv_len = kv_len, .causal = causal});
    }
  }
}

TEST_P(attention_parts, chained_take_every_head_dim_group_and_stride) {
  for (const int head_dim : {1, 31, 33, 64, 80, 127, 256}) {
    check({.batch = 2,
           .num_heads = 6,
           .num_kv_heads = 2,
           .q_len = 7,
           .kv_len = 35,
           .head_dim = head_dim,
           .v_head_dim = 65,
           .seq_first = head_dim % 2 == 1,
           .gap = 3});
    check({.q_len = 3, .kv_len = 70, .head_dim = 16, .v_head_dim = head_dim, .causal = false});
  }
}

TEST_P(attention_parts, chained_take_every_option) {
  for (const int q_len : {3, 66}) {
    for (const bool causal : {true, false}) {
      const problem p{.num_heads = 4,
                      .num_kv_heads = 2,
                      .q_len = q_len,
                      .kv_len = 90,
                      .causal = causal,
                      .scale = 0.6f};
      auto with = p;
      with.window = 20;
      check(with);
      with = p;
      with.soft_cap = 2;
      check(with);
      with = p;
      with.sink = {1, -2, 3, 0};
      check(with);
      with.window = 33;
      with.soft_cap = 1.5f;
      check(with);
    }
  }
}

// The first queries of a causal mask see nothing, with sinks and without.
TEST_P(attention_parts, chained_give_zeros_where_no_key_is_seen) {
  for (const int q_len : {4, 70}) {
    check({.q_len = q_len, .kv_len = 3});
    check({.q_len = q_len, .kv_len = 3, .sink = {0.5f, -1}});
  }
}

// A row of several chunks of registers: two reads.
TEST_P(attention_parts, softmax_takes_rows_of_any_length_large) {
  check({.q_len = 2, .kv_len = 9001, .soft_cap = 3, .window = 6000, .sink = {1, 2}});
  check({.num_heads = 1, .q_len = 2, .kv_len = 8193, .causal = false});
}

TEST_P(attention_parts, softmax_adds_a_mask_of_any_shape) {
  const int batch = 2, num_heads = 3, q_len = 5, kv_len = 67;
  const auto count = std::size_t(batch * num_heads * q_len * kv_len);
  const auto scores = random_values<float>(count, 1, -4, 4);
  auto mask = random_values<float>(std::size_t(num_heads * q_len * kv_len), 2, -2, 2);
  for (std::size_t i = 0; i < mask.size(); i += 3)
    mask[i] = -std::numeric_limits<float>::infinity();
  for (int key = 0; key < kv_len; ++key)  // a row that sees nothing
    mask[std::size_t(kv_len + key)] = -std::numeric_limits<float>::infinity();
  device_buffer<float> device_scores(scores), device_mask(mask), weights(count);
  auto mask_view = device_mask.view(1, num_heads, q_len, kv_len);
  mask_view.extent[0] = batch;
  mask_view.stride[0] = 0;
  EXPECT_SUCCESS(attention_softmax(weights.view(batch, num_heads, q_len, kv_len),
                                   device_scores.view(batch, num_heads, q_len, kv_len),
                                   {.causal = false}, mask_view));
  std::vector<double> expected(count, 0.0);
  for (std::size_t row = 0; row < count / std::size_t(kv_len); ++row) {
    const auto logit = [&](int key) {
      const std::size_t at = row * std::size_t(kv_len) + std::size_t(key);
      return std::exp(double(scores[at]) + double(mask[at % mask.size()]));
    };
    double sum = 0;
    for (int key = 0; key < kv_len; ++key) sum += logit(key);
    for (int key = 0; key < kv_len; ++key)
      expected[row * std::size_t(kv_len) + std::size_t(key)] = sum > 0 ? logit(key) / sum : 0;
  }
  expect_close(weights.to_host(), expected, 5e-6, 1.0);
}

constexpr float infinity = std::numeric_limits<float>::infinity();

// As zeros in place of the key and its value, to the bit, for the queries that do not see it.
TEST_P(attention_parts, keys_that_are_not_seen_have_no_influence) {
  const int q_len = 9, kv_len = 75, head_dim = 48;
  const auto q = random_values<float>(std::size_t(q_len * head_dim), 1);
  for (const int window : {0, 20}) {
    for (const int key : {0, 50, 54, 70, 74}) {
      const auto result = [&](float value) {
        auto k = random_values<float>(std::size_t(kv_len * head_dim), 2),
             v = random_values<float>(k.size(), 3);
        std::fill_n(k.begin() + key * head_dim, head_dim, value);
        std::fill_n(v.begin() + key * head_dim, head_dim, value);
        device_buffer<float> device_q(q), device_k(k), device_v(v), out(q.size()),
            scores(std::size_t(q_len * kv_len));
        const auto scores_view = scores.view(1, 1, q_len, kv_len);
        EXPECT_SUCCESS(attention_scores(scores_view, device_q.view(1, 1, q_len, head_dim),
                                        device_k.view(1, 1, kv_len, head_dim)));
        EXPECT_SUCCESS(attention_softmax(scores_view, scores_view, {.sliding_window = window}));
        EXPECT_SUCCESS(attention_weighted_sum(out.view(1, 1, q_len, head_dim), scores_view,
                                              device_v.view(1, 1, kv_len, head_dim)));
        return out.to_host();
      };
      const auto expected = result(0);
      for (const float value : {not_a_number<float>, infinity, -infinity}) {
        SCOPED_TRACE("window " + std::to_string(window) + ", key " + std::to_string(key) +
                     " holds " + std::to_string(value));
        const auto actual = result(value);
        for (int i = 0; i < q_len * head_dim; ++i) {
          const int position = kv_len - q_len + i / head_dim;
          const bool seen = key <= position && (window == 0 || key > position - window);
          if (seen) {
            EXPECT_FALSE(std::isfinite(actual[std::size_t(i)])) << i;
          } else {
            EXPECT_EQ(actual[std::size_t(i)], expected[std::size_t(i)]) << i;
          }
        }
      }
    }
  }
}

TEST_P(attention_parts, softmax_hides_any_score_under_a_mask) {
  const int kv_len = 67;
  auto scores = random_values<float>(kv_len, 1, -4, 4);
  std::vector<float> mask(kv_len, 0.0f);
  for (const int key : {0, 5, 33, 66}) mask[std::size_t(key)] = -infinity;
  const auto result = [&] {
    device_buffer<float> device_scores(scores), device_mask(mask), weights(scores.size());
    EXPECT_SUCCESS(attention_softmax(weights.view(1, 1, 1, kv_len),
                                     device_scores.view(1, 1, 1, kv_len), {.causal = false},
                                     device_mask.view(1, 1, 1, kv_len)));
    return weights.to_host();
  };
  const auto expected = result();
  scores[0] = scores[33] = not_a_number<float>;
  scores[5] = infinity;
  scores[66] = -infinity;
  EXPECT_EQ(result(), expected);
  mask[0] = 0;
  EXPECT_TRUE(std::isnan(result()[1]));
}

template <class T>
void check_types() {
  const int num_heads = 4, num_kv_heads = 2, q_len = 9, kv_len = 40, head_dim = 48;
  const auto q = random_values<T>(std::size_t(num_heads * q_len * head_dim), 1);
  const auto k = random_values<T>(std::size_t(num_kv_heads * kv_len * head_dim), 2),
             v = random_values<T>(k.size(), 3);
  device_buffer<T> device_q(q), device_k(k), device_v(v), out(q.size());
  device_buffer<float> scores(std::size_t(num_heads * q_len * kv_len));
  const auto scores_view = scores.view(1, num_heads, q_len, kv_len);
  EXPECT_SUCCESS(attention_scores(scores_view, device_q.view(1, num_heads, q_len, head_dim),
                                  device_k.view(1, num_kv_heads, kv_len, head_dim)));
  EXPECT_SUCCESS(attention_softmax(scores_view, scores_view));
  EXPECT_SUCCESS(attention_weighted_sum(out.view(1, num_heads, q_len, head_dim), scores_view,
                                        device_v.view(1, num_kv_heads, kv_len, head_dim)));
  const auto expected =
      reference::attention(to_double(q), to_double(k), to_double(v),
                           {num_heads, num_kv_heads, q_len, kv_len, head_dim, true, 0});
  expect_close(out.to_host(), expected.out, rounding<T> + 5e-6, 1.0);
}

TEST_P(attention_parts, take_half) {
  check_types<half>();
}
TEST_P(attention_parts, take_bfloat16) {
  check_types<bfloat16>();
}

TEST_P(attention_parts, refuse_what_does_not_fit) {
  device_buffer<float> buffer(std::vector<float>(4096, 1.0f));
  const auto q = buffer.view(2, 4, 3, 16), k = buffer.view(2, 2, 5, 16);
  const auto scores = buffer.view(2, 4, 3, 5);
  EXPECT_REFUSED(attention_scores(scores, buffer.view(2, 4, 2, 16), k), status_code::invalid_shape,
                 "q");
  EXPECT_REFUSED(attention_scores(scores, q, buffer.view(1, 2, 5, 16)), status_code::invalid_shape,
                 "k");
  EXPECT_REFUSED(attention_scores(scores, q, buffer.view(2, 2, 6, 16)), status_code::invalid_shape,
                 "k");
  EXPECT_REFUSED(attention_scores(scores, q, buffer.view(2, 2, 5, 15)), status_code::invalid_shape,
                 "k");
  EXPECT_REFUSED(attention_scores(scores, q, buffer.view(2, 3, 5, 16)), status_code::invalid_shape,
                 "k");
  EXPECT_REFUSED(attention_scores(scores, q, permuted<0, 1, 3, 2>(buffer.view(2, 2, 16, 5))),
                 status_code::invalid_layout, "k");
  EXPECT_REFUSED(attention_scores(permuted<0, 1, 3, 2>(buffer.view(2, 4, 5, 3)), q, k),
                 status_code::invalid_layout, "scores");
  EXPECT_REFUSED(attention_scores(scores, q, k, infinity), status_code::invalid_argument,
                 "softmax_scale");
  EXPECT_REFUSED(attention_softmax(scores, buffer.view(2, 4, 3, 6)), status_code::invalid_shape,
                 "scores");
  EXPECT_REFUSED(attention_softmax(scores, scores, {.sliding_window = -2}),
                 status_code::invalid_argument, "sliding_window");
  EXPECT_REFUSED(attention_softmax(scores, scores, {.sink = buffer.view(2)}),
                 status_code::invalid_shape, "sink");
  EXPECT_REFUSED(attention_softmax(scores, scores, {}, buffer.view(2, 4, 3, 4)),
                 status_code::invalid_shape, "mask");
  EXPECT_REFUSED(
      attention_softmax(scores, scores, {}, permuted<0, 1, 3, 2>(buffer.view(2, 4, 5, 3))),
      status_code::invalid_layout, "mask");
  const auto tall = make_view(buffer.data(), 65536, 32768, 1, 1);  // refused before it is read
  EXPECT_REFUSED(attention_softmax(tall, tall), status_code::invalid_shape, "scores");
  EXPECT_REFUSED(attention_weighted_sum(q, scores, buffer.view(2, 2, 6, 16)),
                 status_code::invalid_shape, "v");
  EXPECT_REFUSED(attention_weighted_sum(q, scores, buffer.view(2, 2, 5, 15)),
                 status_code::invalid_shape, "v");
  EXPECT_REFUSED(attention_weighted_sum(q, scores, buffer.view(1, 2, 5, 16)),
                 status_code::invalid_shape, "v");
  EXPECT_REFUSED(attention_weighted_sum(q, buffer.view(2, 4, 2, 5), k), status_code::invalid_shape,
                 "weights");
  EXPECT_REFUSED(attention_weighted_sum(q, scores, buffer.view(2, 3, 5, 16)),
                 status_code::invalid_shape, "k");
  EXPECT_SUCCESS(attention_scores(buffer.view(2, 4, 0, 5), buffer.view(2, 4, 0, 16), k));
}

}  // namespace
}  // namespace rocmforge::testing
