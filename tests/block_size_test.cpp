// Block sizes of the caller's own: those that are whole waves of the device run, others are
// refused.
#include <rocmforge/activation.hpp>
#include <rocmforge/attention.hpp>
#include <rocmforge/kv_cache.hpp>
#include <rocmforge/linear.hpp>
#include <rocmforge/norm.hpp>
#include <rocmforge/rope.hpp>
#include <rocmforge/sampling.hpp>
#include <rocmforge/softmax.hpp>

#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(block_size);

int wave_size_of_device() {
  return devices()[static_cast<std::size_t>(current_device())].wave_size;
}

/// What `call` writes to the first argument, [2, 96] floats, or nothing where it is refused because
/// a wave of the device has more lanes than go into a block.
template <int BlockSize, class Call>
std::vector<float> result_of(Call&& call) {
  device_buffer<float> y(std::vector<float>(2 * 96, -7.0f));
  const status s = call(y, std::integral_constant<int, BlockSize>{});
  if (wave_size_of_device() > 1 && BlockSize % wave_size_of_device() != 0) {
    EXPECT_EQ(s.message(), std::string(s.op) + ": BlockSize: is " + std::to_string(BlockSize) +
                               ", no multiple of the " + std::to_string(wave_size_of_device()) +
                               " lanes in a wave of the device (unsupported)");
    EXPECT_EQ(y.to_host(), std::vector<float>(2 * 96, -7.0f));
    return {};
  }
  EXPECT_TRUE(s) << s.message();
  return y.to_host();
}

/// Blocks of 32 and of 96 lanes compute what blocks of 256 do.
template <class Call>
void check(Call&& call) {
  const auto expected = to_double(result_of<256>(call));
  const auto close = [&](const std::vector<float>& result) {
    if (!result.empty()) expect_close(result, expected, 1e-4);
  };
  close(result_of<32>(call));
  close(result_of<96>(call));
}

TEST_P(block_size, of_one_and_of_three_waves_of_32) {
  device_buffer<float> x(random_values<float>(2 * 96, 1)), weight(random_values<float>(96, 2)),
      matrix(random_values<float>(96 * 96, 3));
  const device_buffer<int> positions(std::vector<int>{3, 70}), slots(std::vector<int>{1, 0});
  check([&](auto& y, auto size) {
    return rms_norm<float, size>(y.view(2, 96), x.view(2, 96), weight.view(96));
  });
  check([&](auto& y, auto size) { return softmax<float, size>(y.view(2, 96), x.view(2, 96)); });
  check([&](auto& y, auto size) {
    return swiglu<float, size>(y.view(2, 96), x.view(2, 96), x.view(2, 96));
  });
  check([&](auto& y, auto size) {
    return rope<float, size>(y.view(2, 3, 32), x.view(2, 3, 32), positions.view(2),
                             {.layout = rope_layout::half_split});
  });
  check([&](auto& y, auto size) {
    return kv_append<float, const float, size>(y.view(1, 1, 2, 96), y.view(1, 1, 2, 96),
                                               x.view(2, 1, 96), x.view(2, 1, 96), slots.view(2));
  });
  check([&](auto& y, auto size) {
    return linear<float, const float, size>(y.view(2, 96), x.view(2, 96), matrix.view(96, 96));
  });
  check([&](auto& y, auto size) {  // kernels::attention_decode
    return attention<float, const float, size>(y.view(1, 1, 2, 96), x.view(1, 1, 2, 96),
                                               matrix.view(1, 1, 96, 96),
                                               matrix.view(1, 1, 96, 96));
  });
  check([&](auto& y, auto size) {
    return filter_logits<float, size>(y.view(2, 96), x.view(2, 96),
                                      {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 0.5f});
  });
}

}  // namespace
}  // namespace rocmforge::testing
