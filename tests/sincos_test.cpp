// Sine and cosine of large angles.
#include <rocmforge/block/sincos.hpp>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

using namespace device;

ROCMFORGE_KERNEL_TEST_SUITE(sincos_of);

struct sincos_each {
  tensor_view<const double, 1> angles;
  tensor_view<float, 2> y;  // [2, count]
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    for (int i = block.thread; i < angles.extent[0]; i += Block::block_size) {
      const reduced_angle reduced = reduce_angle(angles(i));
      const auto [sine, cosine] =
          sincos(packet<float, 1>(reduced.rest), packet<int, 1>(reduced.quadrant));
      y(0, i) = sine[0];
      y(1, i) = cosine[0];
    }
  }
};

TEST_P(sincos_of, large_angles_is_within_two_units_in_the_last_place) {
  std::vector<double> angles = {0, 1e-30, -1e-30};
  std::mt19937 engine(6);
  for (const double range : {1.0, 10.0, 1e4, 1e7, 1e9}) {
    std::uniform_real_distribution<double> uniform(-range, range);
    for (int i = 0; i < 3000; ++i) angles.push_back(uniform(engine));
  }
  const int count = static_cast<int>(angles.size());
  const device_buffer<double> device_angles(angles);
  device_buffer<float> device_y(2 * angles.size());
  EXPECT_SUCCESS(
      run_on_device<256>(sincos_each{device_angles.view(count), device_y.view(2, count)}));
  const auto y = device_y.to_host();
  for (std::size_t i = 0; i < angles.size(); ++i) {
    const auto expect = [&](float actual, long double expected) {
      const float magnitude = std::fabs(static_cast<float>(expected));
      const double unit = std::nextafter(magnitude, 2.0f) - magnitude;
      ASSERT_NEAR(actual, double(expected), 2 * unit + std::fabs(angles[i]) * 3e-16) << angles[i];
    };
    expect(y[i], std::sin(static_cast<long double>(angles[i])));
    expect(y[angles.size() + i], std::cos(static_cast<long double>(angles[i])));
  }
}

}  // namespace
}  // namespace rocmforge::testing
