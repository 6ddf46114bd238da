// Rotary position embedding against long double arithmetic.
#include <rocmforge/rope.hpp>

#include "reference/norm.hpp"
#include "reference/rope.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(rotary);

constexpr rope_layout pairs = rope_layout::interleaved;

template <class Position>
std::vector<double> reference_rope(const std::vector<double>& x, int heads, int head_dim,
                                   const std::vector<Position>& positions,
                                   const rope_options& options,
                                   const std::vector<float>& factors = {},
                                   const std::vector<int>& row_of_pair = {}) {
  return reference::rope(
      x, positions,
      {heads, head_dim, options.rotary_dim == 0 ? head_dim : options.rotary_dim,
       options.layout == rope_layout::interleaved, double(options.theta),
       double(options.position_scale), double(options.attention_factor), row_of_pair},
      factors);
}

template <class T>
void check(int heads, int head_dim, const std::vector<int>& positions, rope_options options) {
  SCOPED_TRACE("heads " + std::to_string(heads) + ", head_dim " + std::to_string(head_dim) +
               ", rotary_dim " + std::to_string(options.rotary_dim));
  for (const rope_layout layout : {rope_layout::interleaved, rope_layout::half_split}) {
    SCOPED_TRACE(layout == rope_layout::interleaved ? "interleaved" : "half_split");
    options.layout = layout;
    const int tokens = int(positions.size());
    const auto x = random_values<T>(std::size_t(tokens * heads * head_dim), 1);
    device_buffer<T> device_x(x), y(x.size());
    const device_buffer<int> device_positions(positions);
    EXPECT_SUCCESS(rope(y.view(tokens, heads, head_dim), device_x.view(tokens, heads, head_dim),
                        device_positions.view(tokens), options));
    expect_close(y.to_host(), reference_rope(to_double(x), heads, head_dim, positions, options),
                 rounding<T> + 3e-7, 1.0);
  }
}

TEST_P(rotary, agrees_with_long_double) {
  for_each_dtype([]<class T>(T) {
    for (const int head_dim : {2, 6, 16, 30, 32, 34, 62, 64, 66, 80, 96, 128, 256, 512}) {
      check<T>(3, head_dim, {0, 1, 77}, {.layout = pairs});
    }
    check<T>(9, 64, {100, 101, 102, 103, 5}, {.layout = pairs, .theta = 1e6f});
  });
}

TEST_P(rotary, leaves_what_is_beyond_rotary_dim) {
  for_each_dtype([]<class T>(T) {
    for (const auto& [head_dim, rotary_dim] :
         {std::pair{80, 32}, {64, 2}, {65, 64}, {96, 94}, {1000, 512}}) {
      check<T>(5, head_dim, {3, 1000}, {.layout = pairs, .rotary_dim = rotary_dim});
    }
  });
}

TEST_P(rotary, is_exact_at_far_positions) {
  check<float>(1, 128, {131071, 131070, 65537, 1048575}, {.layout = pairs});
  check<float>(2, 128, {131071}, {.layout = pairs, .theta = 500000});
  check<float>(1, 64, {-1, -131071}, {.layout = pairs});  // backwards
}

TEST_P(rotary, scaled_positions_are_not_cut_to_whole_ones) {
  check<float>(2, 64, {1, 2, 3, 5}, {.layout = pairs, .position_scale = 0.25f});
  check<float>(2, 64, {1, 7, 131071}, {.layout = pairs, .position_scale = 0.1f});
  check<float>(2, 64, {1, 7, 1000}, {.layout = pairs, .position_scale = 2.5f});
}

// x = (1, 0) in every pair makes the result the table itself.
TEST_P(rotary, sines_and_cosines_are_within_two_units_in_the_last_place) {
  const int tokens = 300, head_dim = 64;
  std::vector<float> x(std::size_t(tokens * head_dim), 0.0f);
  for (std::size_t i = 0; i < x.size(); i += 2) x[i] = 1;
  std::vector<int> positions;
  for (int token = 0; token < tokens; ++token)
    positions.push_back(token < 200 ? token : 131071 - token);
  device_buffer<float> device_x(x), y(x.size());
  const device_buffer<int> device_positions(positions);
  EXPECT_SUCCESS(rope(y.view(tokens, 1, head_dim), device_x.view(tokens, 1, head_dim),
                      device_positions.view(tokens), {.layout = pairs}));
  const auto result = y.to_host();
  const auto expected = reference_rope(to_double(x), 1, head_dim, positions, {.layout = pairs});
  for (std::size_t i = 0; i < result.size(); ++i) {
    const float magnitude = std::fabs(static_cast<float>(expected[i]));
    const double unit = std::nextafter(magnitude, 2.0f) - magnitude;
    ASSERT_NEAR(result[i], expected[i], std::max(2 * unit, 2e-10))
        << i;  // 131071 as a double is good to 1e-11
  }
}

TEST_P(rotary, divides_by_frequency_factors) {
  const int tokens = 2, heads = 2, head_dim = 64;
  std::vector<float> factors;
  for (int pair = 0; pair < head_dim / 2; ++pair) factors.push_back(1.0f + 0.25f * float(pair));
  const std::vector<int> positions = {9, 4000};
  const auto x = random_values<float>(std::size_t(tokens * heads * head_dim), 2);
  device_buffer<float> device_x(x), y(x.size()), device_factors(factors);
  const device_buffer<int> device_positions(positions);
  rope_options options{.layout = rope_layout::half_split,
                       .theta = 500000,
                       .frequency_factors = device_factors.view(head_dim / 2)};
  EXPECT_SUCCESS(rope(y.view(tokens, heads, head_dim), device_x.view(tokens, heads, head_dim),
                      device_positions.view(tokens), options));
  expect_close(y.to_host(),
               reference_rope(to_double(x), heads, head_dim, positions, options, factors), 3e-7,
               1.0);
}

TEST_P(rotary, takes_fractional_positions) {
  const std::vector<float> positions = {0.5f, 1.75f, -2.25f, 100.125f, 70000.3f};
  const int tokens = int(positions.size()), heads = 2, head_dim = 34;
  const auto x = random_values<float>(std::size_t(tokens * heads * head_dim), 4);
  device_buffer<float> device_x(x), y(x.size()), device_positions(positions);
  for (const rope_options& options :
       {rope_options{.layout = pairs},
        {.layout = rope_layout::half_split, .position_scale = 0.3f}}) {
    EXPECT_SUCCESS(rope(y.view(tokens, heads, head_dim), device_x.view(tokens, heads, head_dim),
                        device_positions.view(tokens), options));
    expect_close(y.to_host(), reference_rope(to_double(x), heads, head_dim, positions, options),
                 3e-7, 1.0);
  }
}

TEST_P(rotary, multiplies_by_the_attention_factor) {
  check<float>(3, 66, {5, 9}, {.layout = pairs, .attention_factor = 1.25f});
  // What is beyond rotary_dim is copied as it is.
  check<half>(2, 80, {5, 9}, {.layout = pairs, .rotary_dim = 32, .attention_factor = 0.75f});
}

struct section_case {
  std::vector<int> sections;
  rope_sections order;
  std::vector<int> row_of_pair;
};

// Times, heights and widths of image tokens, and of text between them, where all are one.
TEST_P(rotary, pairs_take_their_positions_from_their_sections) {
  const int tokens = 3, heads = 2, head_dim = 20;  // ten pairs, of which eight are rotated
  const std::vector<section_case> cases = {
      {{2, 3, 3}, rope_sections::consecutive, {0, 0, 1, 1, 1, 2, 2, 2}},
      {{0, 8}, rope_sections::consecutive, {1, 1, 1, 1, 1, 1, 1, 1}},
      {{1, 2, 4, 1}, rope_sections::consecutive, {0, 1, 1, 2, 2, 2, 2, 3}},
      {{4, 2, 2}, rope_sections::interleaved, {0, 1, 2, 0, 1, 2, 0, 0}},
      {{5, 2, 1}, rope_sections::interleaved, {0, 1, 2, 0, 1, 0, 0, 0}},
  };
  for (const section_case& c : cases) {
    const int rows = int(c.sections.size());
    SCOPED_TRACE("sections " + std::to_string(&c - cases.data()));
    const auto x = random_values<float>(std::size_t(tokens * heads * head_dim), 5);
    std::vector<int> whole;
    std::vector<float> fractional;
    for (int i = 0; i < rows * tokens; ++i) {
      whole.push_back(i * i + 3);
      fractional.push_back(0.25f * float(i * i) - 2);
    }
    device_buffer<float> device_x(x), y(x.size()), device_fractional(fractional);
    const device_buffer<int> device_whole(whole);
    for (const rope_layout layout : {rope_layout::interleaved, rope_layout::half_split}) {
      rope_options options{.layout = layout, .rotary_dim = 16, .section_order = c.order};
      std::copy(c.sections.begin(), c.sections.end(), options.sections);
      const auto to = y.view(tokens, heads, head_dim),
                 from = device_x.view(tokens, heads, head_dim);
      EXPECT_SUCCESS(rope(to, from, device_whole.view(rows, tokens), options));
      expect_close(y.to_host(),
                   reference_rope(to_double(x), heads, head_dim, whole, options, {}, c.row_of_pair),
                   3e-7, 1.0);
      EXPECT_SUCCESS(rope(to, from, device_fractional.view(rows, tokens), options));
      expect_close(
          y.to_host(),
          reference_rope(to_double(x), heads, head_dim, fractional, options, {}, c.row_of_pair),
          3e-7, 1.0);
    }
  }
}

struct qk_shape {
  int heads, kv_heads, head_dim, rotary_dim = 0;
  float weight_offset = 0;
};

template <class T>
void check_qk_norm(const qk_shape& s, rope_layout layout) {
  SCOPED_TRACE("heads " + std::to_string(s.heads) + ", head_dim " + std::to_string(s.head_dim) +
               (layout == rope_layout::interleaved ? ", interleaved" : ", half_split"));
  const std::vector<int> positions = {0, 7, 4000};
  const int tokens = int(positions.size());
  const rope_options options{.layout = layout, .rotary_dim = s.rotary_dim};
  const device_buffer<int> device_positions(positions);
  const auto q = random_values<T>(std::size_t(tokens * s.heads * s.head_dim), 6, -3, 5),
             k = random_values<T>(std::size_t(tokens * s.kv_heads * s.head_dim), 7, -9, 2),
             q_weight = random_values<T>(std::size_t(s.head_dim), 8),
             k_weight = random_values<T>(std::size_t(s.head_dim), 9);
  device_buffer<T> device_q(q), device_k(k), device_q_weight(q_weight), device_k_weight(k_weight),
      q_out(q.size());
  const auto k_view = device_k.view(tokens, s.kv_heads, s.head_dim);  // rotated in place
  EXPECT_SUCCESS(qk_norm_rope(q_out.view(tokens, s.heads, s.head_dim), k_view,
                              device_q.view(tokens, s.heads, s.head_dim), k_view,
                              device_q_weight.view(s.head_dim), device_k_weight.view(s.head_dim),
                              device_positions.view(tokens), options,
                              {.epsilon = 1e-6f, .weight_offset = s.weight_offset}));
  const auto expected = [&](const std::vector<T>& x, const std::vector<T>& weight, int heads) {
    const auto normed = reference::rms_norm(to_double(x), to_double(weight), tokens * heads,
                                            s.head_dim, 1e-6f, double(s.weight_offset));
    return reference_rope(normed, heads, s.head_dim, positions, options);
  };
  expect_close(q_out.to_host(), expected(q, q_weight, s.heads), rounding<T> + 1e-6, 1.0);
  expect_close(device_k.to_host(), expected(k, k_weight, s.kv_heads), rounding<T> + 1e-6, 1.0);
}

TEST_P(rotary, qk_norm_rope_agrees_with_both_in_double) {
  for (const rope_layout layout : {rope_layout::interleaved, rope_layout::half_split}) {
    for (const qk_shape& s : {qk_shape{3, 1, 2},
                              {3, 2, 6},
                              {5, 5, 30},
                              {9, 3, 64},
                              {4, 1, 66},
                              {2, 1, 128, 0, 1},
                              {33, 4, 80, 32},
                              {2, 2, 65, 64},
                              {3, 1, 256},
                              {1, 2, 512},
                              {70, 1, 34, 30}}) {
      check_qk_norm<float>(s, layout);
    }
    check_qk_norm<half>({14, 2, 128}, layout);
    check_qk_norm<half>({2, 1, 96, 50}, layout);
    check_qk_norm<bfloat16>({4, 4, 256, 0, 1}, layout);
  }
}

// ---- context extension ----

TEST_P(rotary, llama3_factors_keep_fast_pairs_and_slow_the_others) {
  const int rotary_dim = 128;
  const double theta = 500000, original = 8192, pi = std::acos(-1.0);
  const auto factors = llama3_frequency_factors(theta, rotary_dim);
  ASSERT_EQ(factors.size(), 64u);
  for (int pair = 0; pair < 64; ++pair) {
    const double wavelength = 2 * pi * std::pow(theta, 2.0 * pair / rotary_dim);
    double expected = 1;
    if (wavelength > original / 1) {
      expected = 8;
    } else if (wavelength >= original / 4) {
      const double smooth = (original / wavelength - 1) / (4 - 1);
      expected = 1 / ((1 - smooth) / 8 + smooth);
    }
    EXPECT_NEAR(factors[std::size_t(pair)], expected, 1e-6 * expected) << pair;
  }
  EXPECT_EQ(factors.front(), 1.0f);
  EXPECT_EQ(factors.back(), 8.0f);
}

TEST_P(rotary, yarn_factors_lie_on_a_ramp_of_frequencies) {
  // Qwen2.5 with a context of 32768 stretched four times: turns of 32 and of 1 are pairs 23 and 39.
  const int rotary_dim = 128;
  const auto factors = yarn_frequency_factors(1e6, rotary_dim, {4, 32768});
  ASSERT_EQ(factors.size(), 64u);
  for (int pair = 0; pair < 64; ++pair) {
    const double part = pair <= 23 ? 0 : pair >= 40 ? 1 : (pair - 23) / 17.0;
    const double frequency = part / 4 + (1 - part);  // of what it was
    EXPECT_NEAR(factors[std::size_t(pair)], 1 / frequency, 1e-6) << pair;
  }
  EXPECT_DOUBLE_EQ(yarn_attention_factor(4), 0.1 * std::log(4.0) + 1);
  EXPECT_DOUBLE_EQ(yarn_attention_factor(40, 0.5), 0.05 * std::log(40.0) + 1);
  EXPECT_EQ(yarn_attention_factor(1), 1);
  EXPECT_EQ(yarn_attention_factor(0.5), 1);
}

TEST_P(rotary, ntk_bases_slow_the_last_pair_by_the_factor) {
  const double theta = 10000;
  for (const double factor : {1.0, 2.0, 8.0}) {
    const double base = ntk_theta(theta, 64, factor);
    EXPECT_NEAR(std::pow(base, -62.0 / 64) * factor, std::pow(theta, -62.0 / 64), 1e-12);
  }
  EXPECT_EQ(dynamic_ntk_theta(theta, 64, 2, 4096, 4096), theta);
  // Of 8192 tokens in a context of 4096 with a factor of 2: 2 * 2 - 1.
  EXPECT_DOUBLE_EQ(dynamic_ntk_theta(theta, 64, 2, 8192, 4096), ntk_theta(theta, 64, 3));
}

TEST_P(rotary, longrope_attention_factor_grows_with_the_logarithm_of_the_context) {
  EXPECT_EQ(longrope_attention_factor(4096, 4096), 1);
  EXPECT_EQ(longrope_attention_factor(2048, 4096), 1);
  // Phi-3 mini 128k: sqrt(1 + ln 32 / ln 4096) = sqrt(1 + 5 / 12).
  EXPECT_NEAR(longrope_attention_factor(131072, 4096), std::sqrt(17.0 / 12), 1e-12);
}

TEST_P(rotary, works_in_place_on_strided_and_permuted_views) {
  const int tokens = 21, heads = 4, head_dim = 34, width = heads * head_dim + 11;
  std::vector<int> positions;
  for (int token = 0; token < tokens; ++token) positions.push_back(3 * token);
  const device_buffer<int> device_positions(positions);
  for (const rope_layout layout : {rope_layout::interleaved, rope_layout::half_split}) {
    // Heads first in memory, and rows of a wider buffer: both are seen as [tokens, heads,
    // head_dim].
    const auto x = random_values<float>(std::size_t(tokens * width), 3);
    device_buffer<float> wide(x), heads_first(std::size_t(tokens * heads * head_dim));
    const tensor_view<float, 3> inside{
        wide.data() + 5, {tokens, heads, head_dim}, {width, head_dim, 1}};
    const auto permuted_y = permuted<1, 0, 2>(heads_first.view(heads, tokens, head_dim));
    EXPECT_SUCCESS(rope(permuted_y, inside, device_positions.view(tokens), {.layout = layout}));
    EXPECT_SUCCESS(rope(inside, inside, device_positions.view(tokens), {.layout = layout}));
    std::vector<double> dense;
    for (int token = 0; token < tokens; ++token) {
      for (int i = 0; i < heads * head_dim; ++i)
        dense.push_back(x[std::size_t(token * width + 5 + i)]);
    }
    const auto expected = reference_rope(dense, heads, head_dim, positions, {.layout = layout});
    const auto in_place = wide.to_host(), out_of_place = heads_first.to_host();
    for (int token = 0; token < tokens; ++token) {
      for (int i = 0; i < width; ++i) {
        const int at = i - 5, head = at / head_dim;
        const float value = in_place[std::size_t(token * width + i)];
        if (at < 0 || at >= heads * head_dim) {
          EXPECT_EQ(value, x[std::size_t(token * width + i)]);
        } else {
          const double wanted = expected[std::size_t(token * heads * head_dim + at)];
          EXPECT_NEAR(value, wanted, 4e-7);
          EXPECT_NEAR(out_of_place[std::size_t((head * tokens + token) * head_dim + at % head_dim)],
                      wanted, 4e-7);
        }
      }
    }
  }
}

TEST_P(rotary, real_shapes_large) {
  std::vector<int> positions;
  for (int token = 0; token < 70; ++token) positions.push_back(1000 + token);
  check<float>(9, 64, positions, {.layout = pairs});
  check<half>(32, 128, {12345, 8}, {.layout = pairs, .theta = 500000});
}

TEST_P(rotary, refuses_what_does_not_fit) {
  device_buffer<float> buffer(4096);
  device_buffer<int> ints(8);
  const auto x = buffer.view(2, 3, 8);
  const auto positions = ints.view(2);
  const float infinity = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_REFUSED(rope(x, buffer.view(2, 4, 8), positions, {.layout = pairs}),
                 status_code::invalid_shape, "x");
  EXPECT_REFUSED(rope(x, x, ints.view(3), {.layout = pairs}), status_code::invalid_shape,
                 "positions");
  EXPECT_REFUSED(rope(permuted<0, 2, 1>(buffer.view(2, 8, 3)), x, positions, {.layout = pairs}),
                 status_code::invalid_layout, "y");
  EXPECT_REFUSED(rope(x, permuted<0, 2, 1>(buffer.view(2, 8, 3)), positions, {.layout = pairs}),
                 status_code::invalid_layout, "x");
  EXPECT_REFUSED(rope(x, x, tensor_view<int, 1>{ints.data(), {2}, {2}}, {.layout = pairs}),
                 status_code::invalid_layout, "positions");
  EXPECT_REFUSED(rope(x, x, tensor_view<int, 1>{nullptr, {2}, {1}}, {.layout = pairs}),
                 status_code::invalid_argument, "positions");
  EXPECT_REFUSED(rope(x, x, positions, {.layout = pairs, .rotary_dim = 3}),
                 status_code::invalid_argument, "rotary_dim");
  EXPECT_REFUSED(rope(x, x, positions, {.layout = pairs, .rotary_dim = 10}),
                 status_code::invalid_argument, "rotary_dim");
  EXPECT_REFUSED(rope(x, x, positions, {.layout = pairs, .rotary_dim = -2}),
                 status_code::invalid_argument, "rotary_dim");
  EXPECT_REFUSED(rope(buffer.view(2, 3, 7), buffer.view(2, 3, 7), positions, {.layout = pairs}),
                 status_code::invalid_argument, "rotary_dim");
  EXPECT_REFUSED(rope(buffer.view(2, 1, 514), buffer.view(2, 1, 514), positions, {.layout = pairs}),
                 status_code::unsupported, "rotary_dim");
  for (const float wrong : {0.0f, -1.0f, infinity, nan}) {
    EXPECT_REFUSED(rope(x, x, positions, {.layout = pairs, .theta = wrong}),
                   status_code::invalid_argument, "theta");
    EXPECT_REFUSED(rope(x, x, positions, {.layout = pairs, .position_scale = wrong}),
                   status_code::invalid_argument, "position_scale");
  }
  EXPECT_REFUSED(rope(x, x, positions, {.layout = pairs, .frequency_factors = buffer.view(8)}),
                 status_code::invalid_shape, "frequency_factors");
  EXPECT_REFUSED(
      rope(x, x, positions, {.layout = pairs, .frequency_factors = {buffer.data(), {4}, {2}}}),
      status_code::invalid_layout, "frequency_factors");
  EXPECT_SUCCESS(rope(buffer.view(0, 3, 8), buffer.view(0, 3, 8), ints.view(0), {.layout = pairs}));
  EXPECT_REFUSED(rope(x, x, positions, {.layout = pairs, .attention_factor = infinity}),
                 status_code::invalid_argument, "attention_factor");
  EXPECT_REFUSED(rope(x, x, ints.view(3, 2), {.layout = pairs}), status_code::invalid_argument,
                 "sections");
  EXPECT_REFUSED(rope(x, x, ints.view(3, 2), {.layout = pairs, .sections = {2, 1, 2}}),
                 status_code::invalid_argument, "sections");
  EXPECT_REFUSED(rope(x, x, ints.view(3, 2), {.layout = pairs, .sections = {5, -1}}),
                 status_code::invalid_argument, "sections");
  EXPECT_REFUSED(rope(x, x, ints.view(2, 2), {.layout = pairs, .sections = {2, 1, 1}}),
                 status_code::invalid_argument, "sections");
  EXPECT_REFUSED(
      rope(x, x, ints.view(2, 2),
           {.layout = pairs, .sections = {2, 2}, .section_order = rope_sections::interleaved}),
      status_code::invalid_argument, "sections");
  EXPECT_REFUSED(rope(x, x, ints.view(2, 3), {.layout = pairs, .sections = {2, 2}}),
                 status_code::invalid_shape, "positions");
  EXPECT_REFUSED(rope(x, x, buffer.view(5, 2), {.layout = pairs, .sections = {2, 2}}),
                 status_code::invalid_shape, "positions");
  EXPECT_REFUSED(
      rope(x, x, permuted<1, 0>(buffer.view(2, 3)), {.layout = pairs, .sections = {2, 1, 1}}),
      status_code::invalid_layout, "positions");
  EXPECT_REFUSED(rope(x, x, {}, {.layout = pairs}), status_code::invalid_shape, "positions");
  EXPECT_SUCCESS(rope(x, x, ints.view(2, 2), {.layout = pairs, .sections = {3, 1}}));
}

TEST_P(rotary, qk_norm_rope_refuses_what_does_not_fit) {
  device_buffer<float> buffer(4096);
  device_buffer<int> ints(8);
  const auto q = buffer.view(2, 3, 8), k = buffer.view(2, 1, 8);
  const auto w = buffer.view(8);
  const auto p = ints.view(2);
  EXPECT_REFUSED(qk_norm_rope(buffer.view(2, 2, 8), k, q, k, w, w, p, {.layout = pairs}),
                 status_code::invalid_shape, "q_out");
  EXPECT_REFUSED(qk_norm_rope(q, buffer.view(2, 2, 8), q, k, w, w, p, {.layout = pairs}),
                 status_code::invalid_shape, "k_out");
  EXPECT_REFUSED(qk_norm_rope(q, k, q, buffer.view(3, 1, 8), w, w, p, {.layout = pairs}),
                 status_code::invalid_shape, "k");
  EXPECT_REFUSED(qk_norm_rope(q, k, q, buffer.view(2, 1, 6), w, w, p, {.layout = pairs}),
                 status_code::invalid_shape, "k");
  EXPECT_REFUSED(qk_norm_rope(q, k, q, k, buffer.view(7), w, p, {.layout = pairs}),
                 status_code::invalid_shape, "q_weight");
  EXPECT_REFUSED(qk_norm_rope(q, k, q, k, w, buffer.view(9), p, {.layout = pairs}),
                 status_code::invalid_shape, "k_weight");
  EXPECT_REFUSED(
      qk_norm_rope(q, k, permuted<0, 2, 1>(buffer.view(2, 8, 3)), k, w, w, p, {.layout = pairs}),
      status_code::invalid_layout, "q");
  EXPECT_REFUSED(qk_norm_rope(q, k, q, k, w, w, ints.view(3), {.layout = pairs}),
                 status_code::invalid_shape, "positions");
  EXPECT_REFUSED(qk_norm_rope(q, k, q, k, w, w, p, {.layout = pairs, .rotary_dim = 3}),
                 status_code::invalid_argument, "rotary_dim");
  EXPECT_REFUSED(qk_norm_rope(q, k, q, k, w, w, p, {.layout = pairs}, {.epsilon = -1}),
                 status_code::invalid_argument, "epsilon");
  EXPECT_REFUSED(qk_norm_rope(q, k, q, k, w, w, p, {.layout = pairs},
                              {.weight_offset = std::numeric_limits<float>::infinity()}),
                 status_code::invalid_argument, "weight_offset");
  const auto none = buffer.view(0, 3, 8), no_k = buffer.view(0, 1, 8);
  EXPECT_SUCCESS(qk_norm_rope(none, no_k, none, no_k, w, w, ints.view(0), {.layout = pairs}));
}

}  // namespace
}  // namespace rocmforge::testing
