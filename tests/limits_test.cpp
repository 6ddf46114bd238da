// Every launcher with extents and options at their limits, and with outputs whose elements overlap.
// Launches are recorded in a graph and not run, so that views may be of any size: what is tested is
// the arithmetic of the launchers (by the undefined-behavior sanitizer) and what they refuse.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <rocmforge/memory.hpp>
#include <rocmforge/rocmforge.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

constexpr int largest_int = std::numeric_limits<int>::max();
constexpr int largest_extent = 1 << 30;

/// Views of memory that nobody touches, contiguous but for the output that is to have a fault.
class view_maker {
 public:
  enum class fault { none, stride_0, overlapping_rows };

  explicit view_maker(std::vector<int> dims) : dims_(std::move(dims)) {}
  view_maker(std::vector<int> dims, int faulty_output, fault what)
      : dims_(std::move(dims)), faulty_output_(faulty_output), fault_(what) {}

  int operator[](std::size_t i) const { return dims_[i]; }
  /// A product of extents that is an extent itself; the largest one if it is too large.
  static int times(int a, int b) {
    return static_cast<int>(std::min<std::int64_t>(std::int64_t{a} * b, largest_int));
  }

  template <class T, class... Extent>
  tensor_view<const T, sizeof...(Extent)> in(Extent... extent) {
    return make_view(static_cast<const T*>(memory()), extent...);
  }
  template <class T, class... Extent>
  tensor_view<T, sizeof...(Extent)> out(const char* name, Extent... extent) {
    constexpr int rank = sizeof...(Extent);
    auto view = make_view(static_cast<T*>(memory()), extent...);
    if (static_cast<int>(outputs_.size()) == faulty_output_) {
      if (fault_ == fault::stride_0) view.stride[0] = 0;
      if (fault_ == fault::overlapping_rows && rank > 1) view.stride[rank - 2] -= 1;
      if (fault_ == fault::overlapping_rows && rank == 1) view.stride[0] = 0;
    }
    outputs_.emplace_back(name);
    return view;
  }
  /// Workspace of any size.
  static std::span<std::byte> bytes() {
    return {static_cast<std::byte*>(memory()), std::numeric_limits<std::size_t>::max() / 2};
  }
  [[nodiscard]] const std::vector<std::string>& outputs() const { return outputs_; }

 private:
  static void* memory() { return reinterpret_cast<void*>(std::uintptr_t{1} << 45); }
  std::vector<int> dims_;
  int faulty_output_ = -1;
  fault fault_ = fault::none;
  std::vector<std::string> outputs_;
};

struct launcher {
  const char* name;
  std::vector<int> dims;  // with which it launches, each above 1
  std::function<status(view_maker&)> call;
};

template <class F>
launcher elementwise(const char* name, F f) {
  return {name, {3, 8}, [f](view_maker& m) {
            auto y = m.out<float>("y", m[0], m[1]);
            return f(y, m.in<float>(m[0], m[1]));
          }};
}
template <class F>
launcher gated(const char* name, F f) {
  return {name, {3, 8}, [f](view_maker& m) {
            auto y = m.out<float>("y", m[0], m[1]);
            return f(y, m.in<float>(m[0], m[1]), m.in<float>(m[0], m[1]));
          }};
}
template <class F>
launcher gated_halves(const char* name, F f) {
  return {name, {3, 8}, [f](view_maker& m) {
            auto y = m.out<float>("y", m[0], m[1]);
            return f(y, m.in<float>(m[0], view_maker::times(m[1], 2)));
          }};
}

std::vector<launcher> elementwise_launchers() {
  return {
      elementwise("softmax", [](auto y, auto x) { return softmax(y, x); }),
      elementwise("rms_norm", [](auto y, auto x) { return rms_norm(y, x, {}); }),
      elementwise("layer_norm", [](auto y, auto x) { return layer_norm(y, x, {}); }),
      elementwise("l2_norm", [](auto y, auto x) { return l2_norm(y, x); }),
      elementwise("silu", [](auto y, auto x) { return silu(y, x); }),
      elementwise("gelu", [](auto y, auto x) { return gelu(y, x); }),
      elementwise("quick_gelu", [](auto y, auto x) { return quick_gelu(y, x); }),
      elementwise("soft_cap", [](auto y, auto x) { return soft_cap(y, x, 1.0f); }),
      elementwise("scale", [](auto y, auto x) { return scale(y, x, 2.0f); }),
      elementwise("relu", [](auto y, auto x) { return relu(y, x); }),
      elementwise("relu_squared", [](auto y, auto x) { return relu_squared(y, x); }),
      elementwise("dequantize", [](auto y, auto x) { return dequantize<float>(y, x); }),
      gated("add", [](auto y, auto a, auto b) { return add(y, a, b); }),
      gated("swiglu", [](auto y, auto a, auto b) { return swiglu(y, a, b); }),
      gated("geglu", [](auto y, auto a, auto b) { return geglu(y, a, b); }),
      gated("reglu", [](auto y, auto a, auto b) { return reglu(y, a, b); }),
      gated("clamped_swiglu", [](auto y, auto a, auto b) { return clamped_swiglu(y, a, b); }),
      gated_halves("swiglu", [](auto y, auto x) { return swiglu(y, x); }),
      gated_halves("geglu", [](auto y, auto x) { return geglu(y, x); }),
      gated_halves("reglu", [](auto y, auto x) { return reglu(y, x); }),
      gated_halves("clamped_swiglu", [](auto y, auto x) { return clamped_swiglu(y, x); }),
      {"add_rms_norm",
       {3, 8},
       [](view_maker& m) {
         auto y = m.out<float>("y", m[0], m[1]);
         auto sum = m.out<float>("sum", m[0], m[1]);
         y.data += 1;  // not the sum itself
         const auto x = m.in<float>(m[0], m[1]);
         return add_rms_norm(y, sum, x, x, m.in<float>(m[1]));
       }},
      {"add_layer_norm",
       {3, 8},
       [](view_maker& m) {
         auto y = m.out<float>("y", m[0], m[1]);
         auto sum = m.out<float>("sum", m[0], m[1]);
         y.data += 1;  // not the sum itself
         const auto x = m.in<float>(m[0], m[1]);
         return add_layer_norm(y, sum, x, x, m.in<float>(m[1]), m.in<float>(m[1]));
       }},
      {"scale_scores",
       {2, 3, 4, 5},
       [](view_maker& m) {
         auto y = m.out<float>("y", m[0], m[1], m[2], m[3]);
         return scale_scores(y, m.in<float>(m[0], m[1], m[2], m[3]), 1.0f);
       }},
      {"add_mask",
       {2, 3, 4, 5},
       [](view_maker& m) {
         auto y = m.out<float>("y", m[0], m[1], m[2], m[3]);
         const auto x = m.in<float>(m[0], m[1], m[2], m[3]);
         return add_mask(y, x, x);
       }},
      {"mask_scores",
       {2, 3, 4, 5},
       [](view_maker& m) {
         auto y = m.out<float>("y", m[0], m[1], m[2], m[3]);
         return mask_scores(y, m.in<float>(m[0], m[1], m[2], m[3]));
       }},
      {"causal_mask",
       {4, 5},
       [](view_maker& m) { return causal_mask(m.out<float>("y", m[0], m[1]), 0); }},
  };
}

std::vector<launcher> product_launchers() {
  return {
      {"embedding",
       {3, 8, 5},
       [](view_maker& m) {
         auto y = m.out<float>("y", m[0], m[1]);
         return embedding<float>(y, m.in<float>(m[2], m[1]), m.in<int>(m[0]));
       }},
      {"quantize",
       {3, 2},
       [](view_maker& m) {
         auto y = m.out<q8_0>("y", m[0], m[1]);
         return quantize<q8_0>(y, m.in<float>(m[0], view_maker::times(m[1], 32)));
       }},
      {"linear",
       {3, 4, 8},
       [](view_maker& m) {
         auto y = m.out<float>("y", m[0], m[1]);
         return linear(y, m.in<float>(m[0], m[2]), m.in<float>(m[1], m[2]), m.in<float>(m[1]));
       }},
      {"gemm",
       {3, 4, 8},
       [](view_maker& m) {
         auto c = m.out<float>("c", m[0], m[1]);
         return gemm(c, m.in<float>(m[0], m[2]), m.in<float>(m[2], m[1]));
       }},
      {"gemm, batched",
       {2, 3, 4, 8},
       [](view_maker& m) {
         auto c = m.out<float>("c", m[0], m[1], m[2]);
         return gemm(c, m.in<float>(m[0], m[1], m[3]), m.in<float>(m[0], m[3], m[2]));
       }},
      {"argmax",
       {3, 8},
       [](view_maker& m) {
         auto tokens = m.out<int>("tokens", m[0]);
         return argmax(tokens, m.in<float>(m[0], m[1]));
       }},
      {"top_k",
       {3, 8, 4},
       [](view_maker& m) {
         auto values = m.out<float>("values", m[0], m[2]);
         auto tokens = m.out<int>("tokens", m[0], m[2]);
         return top_k(values, tokens, m.in<float>(m[0], m[1]));
       }},
      {"filter_logits",
       {3, 8},
       [](view_maker& m) {
         auto filtered = m.out<float>("filtered", m[0], m[1]);
         return filter_logits(filtered, m.in<float>(m[0], m[1]));
       }},
      {"sample",
       {3, 8},
       [](view_maker& m) {
         auto tokens = m.out<int>("tokens", m[0]);
         return sample(tokens, m.in<float>(m[0], m[1]), m.in<draw_counter>(m[0]));
       }},
      {"apply_penalties",
       {3, 8, 4},
       [](view_maker& m) {
         auto logits = m.out<float>("logits", m[0], m[1]);
         return apply_penalties(logits, m.in<int>(m[0], m[2]), {});
       }},
      {"add_logit_bias",
       {3, 8, 4},
       [](view_maker& m) {
         auto logits = m.out<float>("logits", m[0], m[1]);
         return add_logit_bias(logits, m.in<int>(m[0], m[2]), m.in<float>(m[0], m[2]));
       }},
      {"log_probabilities",
       {3, 8, 4},
       [](view_maker& m) {
         auto log_p = m.out<float>("log_p", m[0], m[2]);
         return log_probabilities(log_p, m.in<float>(m[0], m[1]), m.in<int>(m[0], m[2]));
       }},
  };
}

constexpr rope_layout layout = rope_layout::half_split;

/// paged_attention of the extents tokens, heads, kv heads, page size (and pages a sequence),
/// sequences.
status paged(view_maker& m, int max_q_len, const attention_options& options) {
  auto out = m.out<float>("out", m[0], m[1], 32);
  auto lse = m.out<float>("lse", m[0], m[1]);
  const auto q = m.in<float>(m[0], m[1], 32);
  const auto k = m.in<float>(m[4], m[2], m[3], 32);
  const int batch = m[4] == largest_int ? largest_int : m[4] + 1;
  return paged_attention(out, q, k, k,
                         {m.in<int>(batch), m.in<int>(m[4]), m.in<int>(m[4], m[3]), max_q_len},
                         options, lse);
}

std::vector<launcher> attention_launchers() {
  return {
      {"attention",
       {2, 2, 6, 3, 32},
       [](view_maker& m) {
         auto out = m.out<float>("out", m[0], m[1], m[2], m[4]);
         auto lse = m.out<float>("lse", m[0], m[1], m[2]);
         const auto q = m.in<float>(m[0], m[1], m[2], m[4]);
         const auto k = m.in<float>(m[0], m[1], m[3], m[4]);
         return attention(out, q, k, k, {}, lse);
       }},
      {"paged_attention", {6, 4, 2, 3, 2}, [](view_maker& m) { return paged(m, m[0], {}); }},
      {"attention, its keys split",
       {2, 2, 3, 32},
       [](view_maker& m) {
         auto out = m.out<float>("out", m[0], m[1], 4, m[3]);
         const auto q = m.in<float>(m[0], m[1], 4, m[3]), k = m.in<float>(m[0], m[1], m[2], m[3]);
         return attention(out, q, k, k, {.split = {{max_attention_chunks, 1 << 30}, m.bytes()}});
       }},
      {"paged_attention, its keys split",
       {6, 4, 2, 3, 2},
       [](view_maker& m) {
         return paged(m, 3, {.split = {{max_attention_chunks, 64}, m.bytes()}});
       }},
      {"merge_states",
       {4, 2, 2, 6, 8},
       [](view_maker& m) {
         auto out = m.out<float>("out", m[1], m[2], m[3], m[4]);
         auto lse = m.out<float>("lse", m[1], m[2], m[3]);
         return merge_states(out, m.in<float>(m[0], m[1], m[2], m[3], m[4]),
                             m.in<float>(m[0], m[1], m[2], m[3]), lse);
       }},
      {"attention_scores",
       {2, 2, 6, 3, 8},
       [](view_maker& m) {
         auto scores = m.out<float>("scores", m[0], m[1], m[2], m[3]);
         return attention_scores(scores, m.in<float>(m[0], m[1], m[2], m[4]),
                                 m.in<float>(m[0], m[1], m[3], m[4]));
       }},
      {"attention_softmax",
       {2, 2, 6, 3},
       [](view_maker& m) {
         auto weights = m.out<float>("weights", m[0], m[1], m[2], m[3]);
         return attention_softmax(weights, m.in<float>(m[0], m[1], m[2], m[3]));
       }},
      {"attention_weighted_sum",
       {2, 2, 6, 3, 8},
       [](view_maker& m) {
         auto out = m.out<float>("out", m[0], m[1], m[2], m[4]);
         return attention_weighted_sum(out, m.in<float>(m[0], m[1], m[2], m[3]),
                                       m.in<float>(m[0], m[1], m[3], m[4]));
       }},
      {"rope",
       {3, 2, 8},
       [](view_maker& m) {
         auto y = m.out<float>("y", m[0], m[1], m[2]);
         return rope(y, m.in<float>(m[0], m[1], m[2]), m.in<int>(m[0]), {.layout = layout});
       }},
      {"qk_norm_rope",
       {3, 2, 4, 8},
       [](view_maker& m) {
         auto q = m.out<float>("q_out", m[0], m[1], m[3]);
         auto k = m.out<float>("k_out", m[0], m[2], m[3]);
         return qk_norm_rope(q, k, m.in<float>(m[0], m[1], m[3]), m.in<float>(m[0], m[2], m[3]),
                             m.in<float>(m[3]), m.in<float>(m[3]), m.in<int>(m[0]),
                             {.layout = layout});
       }},
      {"kv_append",
       {3, 2, 4, 2, 8},
       [](view_maker& m) {
         auto k = m.out<float>("k_pages", m[3], m[1], m[2], m[4]);
         auto v = m.out<float>("v_pages", m[3], m[1], m[2], m[4]);
         const auto x = m.in<float>(m[0], m[1], m[4]);
         return kv_append(k, v, x, x, m.in<int>(m[0]));
       }},
      {"rope_kv_append, quantized",
       {3, 2, 4, 3, 2},
       [](view_maker& m) {
         const int head_dim = view_maker::times(m[4], 32);
         auto q_out = m.out<float>("q_out", m[0], m[3], head_dim);
         auto k = m.out<q8_0>("k_pages", 2, m[1], m[2], m[4]);
         auto v = m.out<q8_0>("v_pages", 2, m[1], m[2], m[4]);
         const auto x = m.in<float>(m[0], m[1], head_dim);
         return rope_kv_append(q_out, k, v, m.in<float>(m[0], m[3], head_dim), x, x,
                               m.in<int>(m[0]), m.in<int>(m[0]), {.layout = layout});
       }},
  };
}

std::vector<launcher> launchers() {
  std::vector<launcher> all = elementwise_launchers();
  for (const auto& others : {product_launchers(), attention_launchers()})
    all.insert(all.end(), others.begin(), others.end());
  return all;
}

/// What the launcher says; what it launches is recorded, and never run.
status recorded(const launcher& l, view_maker& views) {
  status result;
  static_cast<void>(graph::capture({}, [&] { result = l.call(views); }));
  return result;
}

std::string text_of(const launcher& l, const std::vector<int>& dims) {
  std::string text = std::string(l.name) + " of";
  for (const int dim : dims) text += " " + std::to_string(dim);
  return text;
}

TEST(limits, extents_of_every_launcher) {
  const std::vector<int> values{0,          1, largest_extent - 1, largest_extent, largest_int - 1,
                                largest_int};
  for (const launcher& l : launchers()) {
    std::vector<std::size_t> choice(l.dims.size());
    for (std::size_t axis = 0; axis < choice.size();) {
      std::vector<int> dims;
      for (const std::size_t c : choice) dims.push_back(values[c]);
      view_maker views(dims);
      const status s = recorded(l, views);
      const int largest = *std::max_element(dims.begin(), dims.end());
      if (largest > largest_extent) {
        ASSERT_FALSE(s) << text_of(l, dims);
      }
      if (!s) {
        const bool odd_head = std::string(s.argument) == "rotary_dim";
        ASSERT_TRUE(s.code == status_code::invalid_shape || s.code == status_code::unsupported ||
                    s.code == status_code::invalid_layout || odd_head)
            << text_of(l, dims) << ": " << s.message();
      }
      for (axis = 0; axis < choice.size() && ++choice[axis] == values.size(); ++axis)
        choice[axis] = 0;
    }
  }
}

TEST(limits, every_launcher_launches_what_is_in_order) {
  for (const launcher& l : launchers()) {
    view_maker views(l.dims);
    const status s = recorded(l, views);
    EXPECT_TRUE(s) << s.message();
    EXPECT_FALSE(views.outputs().empty());
  }
}

TEST(limits, no_launcher_writes_two_elements_to_one_place) {
  using fault = view_maker::fault;
  for (const launcher& l : launchers()) {
    view_maker whole(l.dims);
    static_cast<void>(recorded(l, whole));
    for (std::size_t output = 0; output < whole.outputs().size(); ++output) {
      for (const fault what : {fault::stride_0, fault::overlapping_rows}) {
        view_maker views(l.dims, static_cast<int>(output), what);
        const status s = recorded(l, views);
        EXPECT_EQ(name_of(s.code), name_of(status_code::invalid_layout))
            << l.name << ": " << whole.outputs()[output] << ": " << s.message();
        EXPECT_EQ(s.argument, whole.outputs()[output]) << l.name << ": " << s.message();
      }
    }
  }
}

// ---- options at their limits, with results ----

constexpr int q_len = 3, kv_len = 7, head_dim = 32;

/// Attention of `num_queries` queries over kv_len keys with a window.
std::vector<float> attention_with(int num_queries, int sliding_window) {
  const auto q = random_values<float>(static_cast<std::size_t>(num_queries * head_dim), 1),
             k = random_values<float>(kv_len * head_dim, 2),
             v = random_values<float>(kv_len * head_dim, 3);
  std::vector<float> out(q.size(), -1);
  EXPECT_SUCCESS(attention(
      make_view(out.data(), 1, 1, num_queries, head_dim),
      make_view(q.data(), 1, 1, num_queries, head_dim), make_view(k.data(), 1, 1, kv_len, head_dim),
      make_view(v.data(), 1, 1, kv_len, head_dim), {.sliding_window = sliding_window}));
  return out;
}

TEST(limits, window_of_attention) {
  for (const int num_queries : {q_len, kv_len}) {  // of the two kernels
    const auto unlimited = attention_with(num_queries, 0);
    for (const int window : {kv_len, largest_int - 1, largest_int})
      EXPECT_EQ(attention_with(num_queries, window), unlimited) << window;
    const auto own_key = attention_with(num_queries, 1);
    const auto v = random_values<float>(kv_len * head_dim, 3);
    expect_close(own_key, to_double(std::vector<float>(v.end() - num_queries * head_dim, v.end())),
                 1e-6);
  }
}

TEST(limits, window_of_more_queries_than_keys) {
  // The first queries stand before position 0, from where a window of any size sees all keys.
  constexpr int num_queries = kv_len + 6;
  const auto attended = [](int window) {
    const auto q = random_values<float>(num_queries * head_dim, 1),
               k = random_values<float>(kv_len * head_dim, 2);
    std::vector<float> out(q.size(), -1);
    EXPECT_SUCCESS(attention(make_view(out.data(), 1, 1, num_queries, head_dim),
                             make_view(q.data(), 1, 1, num_queries, head_dim),
                             make_view(k.data(), 1, 1, kv_len, head_dim),
                             make_view(k.data(), 1, 1, kv_len, head_dim),
                             {.causal = false, .sliding_window = window}));
    return out;
  };
  for (const int window : {1 << 30, largest_int - 1, largest_int})
    EXPECT_EQ(attended(window), attended(0)) << window;
}

TEST(limits, window_of_paged_attention_page_size_and_max_q_len) {
  // A page of 2^30 keys, of which the first few exist.
  const auto q = random_values<float>(q_len * head_dim, 1),
             k = random_values<float>(kv_len * head_dim, 2),
             v = random_values<float>(kv_len * head_dim, 3);
  const auto expected = attention_with(q_len, 0);
  const std::vector<int> q_begin{0, q_len}, kv_lens{kv_len}, pages{0};
  for (const int page_size : {kv_len, largest_extent - 1, largest_extent}) {
    for (const int window : {0, largest_int - 1, largest_int}) {
      for (const int max_q_len : {q_len, largest_int - 1, largest_int}) {
        std::vector<float> out(q.size(), -1);
        EXPECT_SUCCESS(paged_attention(make_view(out.data(), q_len, 1, head_dim),
                                       make_view(q.data(), q_len, 1, head_dim),
                                       make_view(k.data(), 1, 1, page_size, head_dim),
                                       make_view(v.data(), 1, 1, page_size, head_dim),
                                       {make_view(q_begin.data(), 2), make_view(kv_lens.data(), 1),
                                        make_view(pages.data(), 1, 1), max_q_len},
                                       {.sliding_window = window}));
        // The largest max_q_len chooses the kernel for many queries, which adds in another order.
        expect_close(out, to_double(expected), 1e-5);
      }
    }
  }
}

TEST(limits, keys_at_the_end_of_a_row_of_the_largest_length) {
  // The same key and value 2^30 times, of which the window leaves the last ones.
  const auto q = random_values<float>(5 * head_dim, 1), k = random_values<float>(head_dim, 2),
             v = random_values<float>(head_dim, 3);
  const auto repeated = [](const std::vector<float>& row, int count) {
    return tensor_view<const float, 4>{row.data(), {1, 1, count, head_dim}, {0, 0, 0, 1}};
  };
  std::vector<double> expected;
  for (int query = 0; query < 5; ++query) {
    for (const float value : v) expected.push_back(value);
  }
  for (const int num_queries : {1, 5}) {  // of the two kernels
    for (const int window : {1, 100}) {
      std::vector<float> out(static_cast<std::size_t>(num_queries * head_dim), -1);
      EXPECT_SUCCESS(attention(make_view(out.data(), 1, 1, num_queries, head_dim),
                               make_view(q.data(), 1, 1, num_queries, head_dim),
                               repeated(k, largest_extent), repeated(v, largest_extent),
                               {.sliding_window = window}));
      expect_close(out,
                   std::vector<double>(expected.begin(), expected.begin() + num_queries * head_dim),
                   1e-5);
    }
  }
}

TEST(limits, window_and_position_of_masks) {
  const auto masked = [](int position, int window) {
    std::vector<float> y(q_len * kv_len, -1);
    EXPECT_SUCCESS(
        causal_mask(make_view(y.data(), q_len, kv_len), position, {.sliding_window = window}));
    return y;
  };
  const float hidden = -std::numeric_limits<float>::infinity();
  const std::vector<float> none(q_len * kv_len, hidden), all(q_len * kv_len, 0.0f);
  constexpr int limit = 1 << 30;
  for (const int window : {0, largest_int - 1, largest_int}) {
    EXPECT_EQ(masked(kv_len, window), all);
    EXPECT_EQ(masked(kv_len - q_len, window), masked(kv_len - q_len, 0));
    EXPECT_EQ(masked(limit - 1, window), all);
    EXPECT_EQ(masked(limit - 2, window), all);
    EXPECT_EQ(masked(1 - limit, window), none);
    EXPECT_EQ(masked(2 - limit, window), none);
  }
  EXPECT_EQ(masked(limit - 1, 1), none);
  EXPECT_EQ(masked(1 - limit, 1), none);
  std::vector<float> y(q_len * kv_len);
  for (const int position : {limit, -limit, largest_int, -largest_int - 1}) {
    EXPECT_REFUSED(causal_mask(make_view(y.data(), q_len, kv_len), position),
                   status_code::invalid_argument, "position");
  }
  const auto x = random_values<float>(q_len * kv_len, 1);
  std::vector<float> windowed(x.size()), unlimited(x.size());
  const auto x4 = make_view(x.data(), 1, 1, q_len, kv_len);
  EXPECT_SUCCESS(mask_scores(make_view(unlimited.data(), 1, 1, q_len, kv_len), x4));
  for (const int window : {largest_int - 1, largest_int}) {
    EXPECT_SUCCESS(mask_scores(make_view(windowed.data(), 1, 1, q_len, kv_len), x4,
                               {.sliding_window = window}));
    EXPECT_EQ(windowed, unlimited);
  }
  EXPECT_SUCCESS(attention_softmax(make_view(unlimited.data(), 1, 1, q_len, kv_len), x4));
  for (const int window : {largest_int - 1, largest_int}) {
    EXPECT_SUCCESS(attention_softmax(make_view(windowed.data(), 1, 1, q_len, kv_len), x4,
                                     {.sliding_window = window}));
    EXPECT_EQ(windowed, unlimited);
  }
}

TEST(limits, top_k_of_sampling) {
  const auto logits = random_values<float>(50, 1);
  const auto filtered = [&](int top_k) {
    std::vector<float> y(50);
    EXPECT_SUCCESS(filter_logits(make_view(y.data(), 1, 50), make_view(logits.data(), 1, 50),
                                 {.top_k = top_k, .top_p = 1, .min_p = 0, .temperature = 1}));
    return y;
  };
  for (const int all : {-largest_int - 1, -1, 0, 50, 51, largest_int - 1, largest_int})
    EXPECT_EQ(filtered(all), logits) << all;
  const auto one = filtered(1);
  EXPECT_EQ(std::count(one.begin(), one.end(), -std::numeric_limits<float>::infinity()), 49);
}

TEST(limits, positions_sections_and_rotary_dim_of_rope) {
  const auto x = random_values<float>(4 * 8, 1);
  const std::vector<int> positions{0, 1, largest_int - 1, largest_int};
  std::vector<float> y(x.size());
  const auto rotated = [&](const rope_options& options) {
    return rope(make_view(y.data(), 4, 1, 8), make_view(x.data(), 4, 1, 8),
                make_view(positions.data(), 4), options);
  };
  // One row of positions: sections have no meaning.
  EXPECT_SUCCESS(rotated(
      {.layout = layout, .sections = {largest_int, largest_int, largest_int, largest_int}}));
  for (int token = 0; token < 4; ++token) {
    for (int pair = 0; pair < 4; ++pair) {
      const double angle = positions[std::size_t(token)] * std::pow(10000.0, -2.0 * pair / 8);
      const std::size_t first = std::size_t(token * 8 + pair), second = first + 4;
      EXPECT_NEAR(y[first], x[first] * std::cos(angle) - x[second] * std::sin(angle), 1e-5);
      EXPECT_NEAR(y[second], x[second] * std::cos(angle) + x[first] * std::sin(angle), 1e-5);
    }
  }
  for (const int rotary_dim : {1, 9, 10, largest_int - 1, largest_int}) {
    EXPECT_REFUSED(rotated({.layout = layout, .rotary_dim = rotary_dim}),
                   status_code::invalid_argument, "rotary_dim");
  }
  const std::vector<int> three(3 * 4);
  EXPECT_REFUSED(rope(make_view(y.data(), 4, 1, 8), make_view(x.data(), 4, 1, 8),
                      make_view(three.data(), 3, 4),
                      {.layout = layout, .sections = {largest_int, largest_int, largest_int}}),
                 status_code::invalid_argument, "sections");
}

TEST(limits, page_size_of_a_cache) {
  const auto x = random_values<float>(2 * 4, 1);
  const std::vector<int> slots{1, largest_int};  // the second is beyond the only page
  for (const int page_size : {2, largest_extent - 1, largest_extent}) {
    std::vector<float> k(2 * 4, 0), v(2 * 4, 0);
    EXPECT_SUCCESS(kv_append(make_view(k.data(), 1, 1, page_size, 4),
                             make_view(v.data(), 1, 1, page_size, 4), make_view(x.data(), 2, 1, 4),
                             make_view(x.data(), 2, 1, 4), make_view(slots.data(), 2)));
    EXPECT_EQ(k, (std::vector<float>{0, 0, 0, 0, x[0], x[1], x[2], x[3]}));
    EXPECT_EQ(v, k);
  }
}

TEST(limits, heads_of_no_elements_with_values_of_some) {
  // Nothing to rotate, but values to append.
  const std::vector<int> zeros(1);
  std::vector<q8_0> v(1);
  const auto values = random_values<float>(32, 1);
  q8_0 no_key{};
  float no_head = 0;
  EXPECT_SUCCESS(rope_kv_append(make_view(&no_head, 1, 1, 0), make_view(&no_key, 1, 1, 1, 0),
                                make_view(v.data(), 1, 1, 1, 1), make_view(&no_head, 1, 1, 0),
                                make_view(&no_head, 1, 1, 0), make_view(values.data(), 1, 1, 32),
                                make_view(zeros.data(), 1), make_view(zeros.data(), 1),
                                {.layout = layout}));
  EXPECT_NE(static_cast<float>(v[0].d), 0.0f);
}

TEST(limits, strides_that_overflow_an_offset) {
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  std::vector<float> data(16, 1.0f);
  for (const std::int64_t stride : {largest, largest - 1, -largest, -largest - 1}) {
    const tensor_view<float, 2> rows{data.data(), {2, 4}, {stride, 1}};
    EXPECT_REFUSED(relu(rows, make_view(data.data(), 2, 4)), status_code::invalid_layout, "y");
    EXPECT_REFUSED(relu(make_view(data.data(), 2, 4), rows), status_code::invalid_layout, "x");
  }
}

TEST(limits, views_of_buffers) {
  device_buffer<float> buffer(6);
  EXPECT_EQ(buffer.view(2, 3).size(), 6);
  EXPECT_EQ(buffer.view(0, largest_int).size(), 0);
  EXPECT_THROW(static_cast<void>(buffer.view(-1, -1)), error);
  EXPECT_THROW(static_cast<void>(buffer.view(7, -1)), error);
  EXPECT_THROW(static_cast<void>(buffer.view(largest_int, largest_int)), error);
  EXPECT_THROW(static_cast<void>(buffer.view(largest_int, largest_int, largest_int, 8)), error);
  EXPECT_THROW(static_cast<void>(buffer.view(std::size_t{1} << 32, 1)), error);  // 0 as an int
  EXPECT_THROW(static_cast<void>(buffer.view((std::size_t{1} << 32) + 1, 2)), error);
}

}  // namespace
}  // namespace rocmforge::testing
