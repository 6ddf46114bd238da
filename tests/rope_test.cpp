// Rotary position embedding against long double arithmetic.
#include <rocmforge/rope.hpp>

#include "reference/rope.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(rotary);

std::vector<double> reference_rope(const std::vector<double>& x, int heads, int head_dim,
                                   const std::vector<int>& positions, const rope_options& options,
                                   const std::vector<float>& factors = {}) {
  return reference::rope(x, positions,
                         {heads, head_dim, options.rotary_dim == 0 ? head_dim : options.rotary_dim,
                          options.layout == rope_layout::interleaved, double(options.theta),
                          double(options.position_scale)},
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
    const device_buffer<T> device_x(x), y(x.size());
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
      check<T>(3, head_dim, {0, 1, 77}, {});
    }
    check<T>(9, 64, {100, 101, 102, 103, 5}, {.theta = 1e6f});
  });
}

TEST_P(rotary, leaves_what_is_beyond_rotary_dim) {
  for_each_dtype([]<class T>(T) {
    for (const auto& [head_dim, rotary_dim] :
         {std::pair{80, 32}, {64, 2}, {65, 64}, {96, 94}, {1000, 512}}) {
      check<T>(5, head_dim, {3, 1000}, {.rotary_dim = rotary_dim});
    }
  });
}

TEST_P(rotary, is_exact_at_far_positions) {
  check<float>(1, 128, {131071, 131070, 65537, 1048575}, {});
  check<float>(2, 128, {131071}, {.theta = 500000});
  check<float>(1, 64, {-1, -131071}, {});  // backwards
}

TEST_P(rotary, scaled_positions_are_not_cut_to_whole_ones) {
  check<float>(2, 64, {1, 2, 3, 5}, {.position_scale = 0.25f});
  check<float>(2, 64, {1, 7, 131071}, {.position_scale = 0.1f});
  check<float>(2, 64, {1, 7, 1000}, {.position_scale = 2.5f});
}

// x = (1, 0) in every pair makes the result the table itself.
TEST_P(rotary, sines_and_cosines_are_within_two_units_in_the_last_place) {
  const int tokens = 300, head_dim = 64;
  std::vector<float> x(std::size_t(tokens * head_dim), 0.0f);
  for (std::size_t i = 0; i < x.size(); i += 2) x[i] = 1;
  std::vector<int> positions;
  for (int token = 0; token < tokens; ++token)
    positions.push_back(token < 200 ? token : 131071 - token);
  const device_buffer<float> device_x(x), y(x.size());
  const device_buffer<int> device_positions(positions);
  EXPECT_SUCCESS(rope(y.view(tokens, 1, head_dim), device_x.view(tokens, 1, head_dim),
                      device_positions.view(tokens)));
  const auto result = y.to_host();
  const auto expected = reference_rope(to_double(x), 1, head_dim, positions, {});
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
  const device_buffer<float> device_x(x), y(x.size()), device_factors(factors);
  const device_buffer<int> device_positions(positions);
  rope_options options{.theta = 500000,
                       .layout = rope_layout::half_split,
                       .frequency_factors = device_factors.view(head_dim / 2)};
  EXPECT_SUCCESS(rope(y.view(tokens, heads, head_dim), device_x.view(tokens, heads, head_dim),
                      device_positions.view(tokens), options));
  expect_close(y.to_host(),
               reference_rope(to_double(x), heads, head_dim, positions, options, factors), 3e-7,
               1.0);
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
    const device_buffer<float> wide(x), heads_first(std::size_t(tokens * heads * head_dim));
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
  check<float>(9, 64, positions, {});
  check<half>(32, 128, {12345, 8}, {.theta = 500000});
}

TEST_P(rotary, refuses_what_does_not_fit) {
  const device_buffer<float> buffer(4096);
  const device_buffer<int> ints(8);
  const auto x = buffer.view(2, 3, 8);
  const auto positions = ints.view(2);
  const float infinity = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_REFUSED(rope(x, buffer.view(2, 4, 8), positions), status_code::invalid_shape, "x");
  EXPECT_REFUSED(rope(x, x, ints.view(3)), status_code::invalid_shape, "positions");
  EXPECT_REFUSED(rope(permuted<0, 2, 1>(buffer.view(2, 8, 3)), x, positions),
                 status_code::invalid_layout, "y");
  EXPECT_REFUSED(rope(x, permuted<0, 2, 1>(buffer.view(2, 8, 3)), positions),
                 status_code::invalid_layout, "x");
  EXPECT_REFUSED(rope(x, x, tensor_view<int, 1>{ints.data(), {2}, {2}}),
                 status_code::invalid_layout, "positions");
  EXPECT_REFUSED(rope(x, x, tensor_view<int, 1>{nullptr, {2}, {1}}), status_code::invalid_argument,
                 "positions");
  EXPECT_REFUSED(rope(x, x, positions, {.rotary_dim = 3}), status_code::invalid_argument,
                 "rotary_dim");
  EXPECT_REFUSED(rope(x, x, positions, {.rotary_dim = 10}), status_code::invalid_argument,
                 "rotary_dim");
  EXPECT_REFUSED(rope(x, x, positions, {.rotary_dim = -2}), status_code::invalid_argument,
                 "rotary_dim");
  EXPECT_REFUSED(rope(buffer.view(2, 3, 7), buffer.view(2, 3, 7), positions),
                 status_code::invalid_argument, "rotary_dim");
  EXPECT_REFUSED(rope(buffer.view(2, 1, 514), buffer.view(2, 1, 514), positions),
                 status_code::unsupported, "rotary_dim");
  for (const float wrong : {0.0f, -1.0f, infinity, nan}) {
    EXPECT_REFUSED(rope(x, x, positions, {.theta = wrong}), status_code::invalid_argument, "theta");
    EXPECT_REFUSED(rope(x, x, positions, {.position_scale = wrong}), status_code::invalid_argument,
                   "position_scale");
  }
  EXPECT_REFUSED(rope(x, x, positions, {.frequency_factors = buffer.view(8)}),
                 status_code::invalid_shape, "frequency_factors");
  EXPECT_REFUSED(rope(x, x, positions, {.frequency_factors = {buffer.data(), {4}, {2}}}),
                 status_code::invalid_layout, "frequency_factors");
  EXPECT_SUCCESS(rope(buffer.view(0, 3, 8), buffer.view(0, 3, 8), ints.view(0)));
}

}  // namespace
}  // namespace rocmforge::testing
