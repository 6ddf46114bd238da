// Scales and masks of scores against plain loops.
#include <rocmforge/mask.hpp>

#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(masks);

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr int row_sizes[] = {1, 3, 31, 32, 33, 63, 64, 65, 255, 256, 257, 1025};

bool seen(int position, int key, const attention_mask& mask) {
  if (mask.causal && key > position) return false;
  return mask.sliding_window == 0 || key > position - mask.sliding_window;
}

TEST_P(masks, that_are_causal_hold_0_or_minus_infinity) {
  for_each_dtype([]<class T>(T) {
    for (const int kv_len : row_sizes) {
      const int q_len = 6;
      for (const int position : {kv_len - q_len, 0, 40, -3}) {
        for (const attention_mask mask :
             {attention_mask{}, attention_mask{true, 1}, attention_mask{true, 30},
              attention_mask{false, 30}, attention_mask{false, 0}}) {
          SCOPED_TRACE("kv_len " + std::to_string(kv_len) + ", position " +
                       std::to_string(position) + ", window " +
                       std::to_string(mask.sliding_window) + (mask.causal ? ", causal" : ""));
          const int gap = kv_len % 2;
          device_buffer<T> y(std::vector<T>(std::size_t(q_len * (kv_len + gap)), T(7.0f)));
          EXPECT_SUCCESS(
              causal_mask(sub_view<1>(y.view(q_len, kv_len + gap), 0, kv_len), position, mask));
          const auto actual = y.to_host();
          for (int i = 0; i < q_len; ++i) {
            for (int j = 0; j < kv_len + gap; ++j) {
              const float expected = j == kv_len                   ? 7.0f
                                     : seen(position + i, j, mask) ? 0.0f
                                                                   : -infinity;
              ASSERT_EQ(float(actual[std::size_t(i * (kv_len + gap) + j)]), expected)
                  << i << ", " << j;
            }
          }
        }
      }
    }
  });
}

TEST_P(masks, leave_the_scores_that_are_seen) {
  const int batch = 2, num_heads = 3;
  for_each_dtype([]<class T>(T) {
    for (const int kv_len : {1, 33, 257}) {
      for (const int q_len : {1, 5, 40}) {
        for (const attention_mask mask : {attention_mask{}, attention_mask{true, 7}}) {
          SCOPED_TRACE("q_len " + std::to_string(q_len) + ", kv_len " + std::to_string(kv_len));
          const auto x = random_values<T>(std::size_t(batch * num_heads * q_len * kv_len), 1);
          device_buffer<T> buffer(x);
          const auto view = buffer.view(batch, num_heads, q_len, kv_len);
          EXPECT_SUCCESS(mask_scores(view, view, mask));
          const auto actual = buffer.to_host();
          for (std::size_t i = 0; i < x.size(); ++i) {
            const int key = int(i) % kv_len, query = int(i) / kv_len % q_len;
            ASSERT_EQ(float(actual[i]),
                      seen(kv_len - q_len + query, key, mask) ? float(x[i]) : -infinity)
                << i;
          }
        }
      }
    }
  });
}

TEST_P(masks, are_added_to_scores) {
  const int batch = 2, num_heads = 3, q_len = 5;
  for_each_dtype([]<class T>(T) {
    for (const int kv_len : row_sizes) {
      SCOPED_TRACE(kv_len);
      const auto x = random_values<T>(std::size_t(batch * num_heads * q_len * kv_len), 1);
      auto mask = random_values<T>(std::size_t(q_len * kv_len), 2);
      mask[mask.size() / 2] = T(-infinity);
      device_buffer<T> device_x(x), device_mask(mask), y(x.size());
      auto mask_view = device_mask.view(1, 1, q_len, kv_len);  // one for all sequences and heads
      mask_view.extent[0] = batch, mask_view.stride[0] = 0;
      mask_view.extent[1] = num_heads, mask_view.stride[1] = 0;
      EXPECT_SUCCESS(add_mask(y.view(batch, num_heads, q_len, kv_len),
                              device_x.view(batch, num_heads, q_len, kv_len), mask_view));
      const auto actual = y.to_host();
      for (std::size_t i = 0; i < x.size(); ++i)
        ASSERT_EQ(float(actual[i]), float(T(float(x[i]) + float(mask[i % mask.size()])))) << i;
    }
  });
}

TEST_P(masks, hide_scores_that_are_no_numbers) {
  for_each_dtype([]<class T>(T) {
    const int kv_len = 67;
    std::vector<T> x(kv_len, T(1.0f)), mask(kv_len, T(-infinity));
    x[3] = T(std::numeric_limits<float>::quiet_NaN());
    x[34] = T(infinity);
    x[66] = T(-infinity);
    mask[7] = T(0.5f);
    x[8] = mask[9] = T(std::numeric_limits<float>::quiet_NaN());
    mask[8] = T(0.0f);
    device_buffer<T> device_x(x), device_mask(mask), y(x.size());
    EXPECT_SUCCESS(add_mask(y.view(1, 1, 1, kv_len), device_x.view(1, 1, 1, kv_len),
                            device_mask.view(1, 1, 1, kv_len)));
    const auto actual = y.to_host();
    for (int key = 0; key < kv_len; ++key) {
      const float score = float(actual[std::size_t(key)]);
      if (key == 7) {
        EXPECT_EQ(score, 1.5f);
      } else if (key == 8 || key == 9) {
        EXPECT_TRUE(std::isnan(score)) << key;
      } else {
        EXPECT_EQ(score, -infinity) << key;
      }
    }
  });
}

TEST_P(masks, and_scales_are_exact_and_may_be_in_place) {
  for_each_dtype([]<class T>(T) {
    for (const int kv_len : row_sizes) {
      SCOPED_TRACE(kv_len);
      const auto x = random_values<T>(std::size_t(2 * 3 * kv_len), 1);
      device_buffer<T> buffer(x);
      const auto view = permuted<0, 2, 1, 3>(buffer.view(1, 3, 2, kv_len));
      EXPECT_SUCCESS(scale_scores(view, view, 0.37f));
      const auto actual = buffer.to_host();
      for (std::size_t i = 0; i < x.size(); ++i)
        ASSERT_EQ(float(actual[i]), float(T(float(x[i]) * 0.37f))) << i;
    }
  });
}

TEST_P(masks, refuse_what_does_not_fit) {
  device_buffer<float> buffer(256);
  const auto x = buffer.view(2, 2, 4, 8);
  const auto transposed = permuted<0, 1, 3, 2>(buffer.view(2, 2, 8, 4));
  tensor_view<float, 4> nothing = x;
  nothing.data = nullptr;
  EXPECT_REFUSED(scale_scores(x, buffer.view(2, 2, 4, 7), 1), status_code::invalid_shape, "x");
  EXPECT_REFUSED(scale_scores(transposed, x, 1), status_code::invalid_layout, "y");
  EXPECT_REFUSED(scale_scores(x, transposed, 1), status_code::invalid_layout, "x");
  EXPECT_REFUSED(scale_scores(nothing, x, 1), status_code::invalid_argument, "y");
  EXPECT_REFUSED(scale_scores(x, x, infinity), status_code::invalid_argument, "factor");
  EXPECT_REFUSED(add_mask(x, x, buffer.view(2, 2, 3, 8)), status_code::invalid_shape, "mask");
  EXPECT_REFUSED(add_mask(x, x, transposed), status_code::invalid_layout, "mask");
  EXPECT_REFUSED(add_mask(x, buffer.view(1, 2, 4, 8), x), status_code::invalid_shape, "x");
  EXPECT_REFUSED(mask_scores(x, buffer.view(2, 1, 4, 8)), status_code::invalid_shape, "x");
  EXPECT_REFUSED(mask_scores(x, x, {true, -1}), status_code::invalid_argument, "sliding_window");
  EXPECT_REFUSED(causal_mask(permuted<1, 0>(buffer.view(8, 4)), 0), status_code::invalid_layout,
                 "y");
  EXPECT_REFUSED(causal_mask(buffer.view(4, 8), 0, {true, -1}), status_code::invalid_argument,
                 "sliding_window");
  EXPECT_REFUSED(causal_mask(buffer.view(4, 8), 1 << 30), status_code::invalid_argument,
                 "position");
  EXPECT_SUCCESS(causal_mask(buffer.view(0, 8), 0));
  EXPECT_SUCCESS(scale_scores(buffer.view(2, 2, 4, 0), buffer.view(2, 2, 4, 0), 2));
}

}  // namespace
}  // namespace rocmforge::testing
