// The hyperbolic tangent.
#include <rocmforge/block/tanh.hpp>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

using namespace device;

ROCMFORGE_KERNEL_TEST_SUITE(tanh_of_packets);

struct tanh_each {
  tensor_view<const float, 1> x;
  tensor_view<float, 1> y;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    for (int i = 4 * block.thread; i + 4 <= x.extent[0]; i += 4 * Block::block_size)
      store_packet(&y(i), tanh_of(load_packet<4>(&x(i))));
  }
};

TEST_P(tanh_of_packets, are_within_a_few_units_in_the_last_place) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> x = {0, -0.0f, infinity, -infinity, 9, -9, 1e-30f, -1e-30f};
  std::mt19937 engine(6);
  for (const float range : {1e-3f, 0.1f, 1.0f, 10.0f, 1e4f}) {
    std::uniform_real_distribution<float> uniform(-range, range);
    for (int i = 0; i < 3000; ++i) x.push_back(uniform(engine));
  }
  x.insert(x.end(), 4, std::numeric_limits<float>::quiet_NaN());
  const int count = static_cast<int>(x.size());
  device_buffer<float> device_x(x), device_y(x.size());
  EXPECT_SUCCESS(run_on_device<64>(tanh_each{device_x.view(count), device_y.view(count)}));
  const auto y = device_y.to_host();
  for (std::size_t i = 0; i + 4 < x.size(); ++i) {
    const double expected = std::tanh(double(x[i]));
    ASSERT_NEAR(y[i], expected, 5 * 0x1p-23 * std::fabs(expected)) << x[i];
  }
  for (std::size_t i = x.size() - 4; i < x.size(); ++i) EXPECT_TRUE(std::isnan(y[i]));
}

}  // namespace
}  // namespace rocmforge::testing
