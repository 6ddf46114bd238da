// Packets on every device: arithmetic, reductions, 2^x, pairs.
#include <cstring>
#include <rocmforge/block/packets.hpp>
#include <rocmforge/platform/packet_pairs.hpp>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

using namespace device;

ROCMFORGE_KERNEL_TEST_SUITE(packets);

/// Packet sizes that kernels use: 4 and 8 on a GPU, up to a full register on the host.
template <class F>
void for_each_size(F f) {
  f(std::integral_constant<int, 4>{});
  f(std::integral_constant<int, 8>{});
  f(std::integral_constant<int, 16>{});
}

/// Rows of the result: what each operation makes of the packets at a, b and c.
enum operation {
  plus,
  minus,
  times,
  divided,
  scaled,
  fused,
  larger,
  absolute,
  shifted,
  anded,
  orred,
  from_int,
  num_operations
};

template <int N>
struct apply_operations {
  const float *a, *b, *c;
  tensor_view<float, 2> y;  // [num_operations, N]
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    if (block.thread != 0) return;
    const auto x = load_packet<N>(a), z = load_packet<N>(b), w = load_packet<N>(c);
    store_packet(&y(plus, 0), x + z);
    store_packet(&y(minus, 0), x - z);
    store_packet(&y(times, 0), x * z);
    store_packet(&y(divided, 0), x / z);
    store_packet(&y(scaled, 0), x * 3.0f);
    store_packet(&y(fused, 0), fma(x, z, w));
    store_packet(&y(larger, 0), maximum(x, z));
    const packet<unsigned, N> bits = bit_cast<unsigned>(x);
    store_packet(&y(absolute, 0), bit_cast<float>(bits & packet<unsigned, N>(0x7fffffffu)));
    store_packet(&y(shifted, 0),
                 to_float((bits >> packet<unsigned, N>(16u)) << packet<unsigned, N>(1u)));
    store_packet(&y(anded, 0), to_float(bits & packet<unsigned, N>(255u)));
    store_packet(&y(orred, 0),
                 to_float((bits >> packet<unsigned, N>(24u)) | packet<unsigned, N>(256u)));
    packet<int, N> whole(0);
    for (int i = 0; i < N; ++i) whole.set(i, i * i - 7);
    store_packet(&y(from_int, 0), to_float(whole));
  }
};

TEST_P(packets, compute_elementwise) {
  for_each_size([](auto size) {
    constexpr int N = size;
    const auto a = random_values<float>(N, 1, -9, 9), b = random_values<float>(N, 2, -9, 9),
               c = random_values<float>(N, 3, -9, 9);
    device_buffer<float> device_a(a), device_b(b), device_c(c), y(num_operations * N);
    EXPECT_SUCCESS(run_on_device<64>(apply_operations<N>{
        device_a.data(), device_b.data(), device_c.data(), y.view(num_operations, N)}));
    const auto result = y.to_host();
    for (std::size_t i = 0; i < N; ++i) {
      const auto at = [&](operation op) { return result[std::size_t(op) * N + i]; };
      std::uint32_t bits;
      std::memcpy(&bits, &a[i], 4);
      EXPECT_EQ(at(plus), a[i] + b[i]);
      EXPECT_EQ(at(minus), a[i] - b[i]);
      EXPECT_EQ(at(times), a[i] * b[i]);
      EXPECT_FLOAT_EQ(at(divided), a[i] / b[i]);
      EXPECT_EQ(at(scaled), a[i] * 3.0f);
      EXPECT_NEAR(at(fused), double(a[i]) * double(b[i]) + double(c[i]), 2e-5);
      EXPECT_EQ(at(larger), std::max(a[i], b[i]));
      EXPECT_EQ(at(absolute), std::fabs(a[i]));
      EXPECT_EQ(at(shifted), float((bits >> 16) << 1));
      EXPECT_EQ(at(anded), float(bits & 255u));
      EXPECT_EQ(at(orred), float((bits >> 24) | 256u));
      EXPECT_EQ(at(from_int), float(int(i * i) - 7));
    }
  });
}

template <int N>
struct fold_packet {
  const float* x;
  float* y;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    if (block.thread != 0) return;
    const auto value = load_packet<N>(x);
    y[0] = horizontal_sum(value);
    y[1] = horizontal_maximum(value);
  }
};

TEST_P(packets, sum_and_maximum_take_every_element) {
  for_each_size([](auto size) {
    constexpr int N = size;
    for (int place = 0; place < N; ++place) {
      std::vector<float> x(N, -1.0f);
      x[std::size_t(place)] = 1000;
      device_buffer<float> device_x(x), y(2);
      EXPECT_SUCCESS(run_on_device<64>(fold_packet<N>{device_x.data(), y.data()}));
      EXPECT_EQ(y.to_host(), (std::vector<float>{1000.0f - (N - 1), 1000.0f})) << place;
    }
  });
}

struct exp2_each {
  tensor_view<const float, 1> x;
  tensor_view<float, 1> y;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    for_each_packet<4>(block, x.extent[0],
                       [&](auto at) { store(y.data, at, exp2_of(load(x.data, at))); });
  }
};

TEST_P(packets, exp2_is_within_two_units_in_the_last_place) {
  auto x = random_values<float>(20000, 4, -126, 127.4);
  const auto near_zero = random_values<float>(5000, 5, -1, 1);
  x.insert(x.end(), near_zero.begin(), near_zero.end());
  for (int whole = -126; whole < 128; ++whole) x.push_back(static_cast<float>(whole));
  const int count = static_cast<int>(x.size());
  device_buffer<float> device_x(x), device_y(x.size());
  EXPECT_SUCCESS(run_on_device<256>(exp2_each{device_x.view(count), device_y.view(count)}));
  const auto y = device_y.to_host();
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double expected = std::exp2(static_cast<double>(x[i]));
    ASSERT_NEAR(y[i] / expected, 1, 2 * 0x1p-23) << "2^" << x[i];
  }
}

TEST_P(packets, exp2_of_the_ends) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {-infinity, -1e30f, -200, infinity,
                                1e30f,     128,    0,    std::numeric_limits<float>::quiet_NaN()};
  device_buffer<float> device_x(x), device_y(x.size());
  EXPECT_SUCCESS(run_on_device<64>(exp2_each{device_x.view(8), device_y.view(8)}));
  const auto y = device_y.to_host();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(y[i], 0.0f) << x[i];
  for (std::size_t i = 3; i < 6; ++i) EXPECT_EQ(y[i], infinity) << x[i];
  EXPECT_EQ(y[6], 1.0f);
  EXPECT_TRUE(std::isnan(y[7]));
}

template <int N>
struct shuffle_pairs {
  const float* x;
  float* y;  // unzipped, zipped, both of them after another
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    if (block.thread != 0) return;
    const packet_pair<N> pair{load_packet<N>(x), load_packet<N>(x + N)};
    const packet_pair<N> results[] = {unzip(pair), zip(pair), zip(unzip(pair))};
    for (int i = 0; i < 3; ++i) {
      store_packet(y + 2 * N * i, results[i].first);
      store_packet(y + 2 * N * i + N, results[i].second);
    }
  }
};

TEST_P(packets, of_pairs_are_taken_apart_and_put_together) {
  for_each_size([](auto size) {
    constexpr int N = size;
    std::vector<float> x;
    for (int i = 0; i < 2 * N; ++i) x.push_back(static_cast<float>(i));
    device_buffer<float> device_x(x), y(6 * N);
    EXPECT_SUCCESS(run_on_device<64>(shuffle_pairs<N>{device_x.data(), y.data()}));
    const auto result = y.to_host();
    for (int i = 0; i < 2 * N; ++i) {
      EXPECT_EQ(result[std::size_t(i)], float(i < N ? 2 * i : 2 * (i - N) + 1));
      EXPECT_EQ(result[std::size_t(2 * N + i)], float(i % 2 == 0 ? i / 2 : i / 2 + N));
      EXPECT_EQ(result[std::size_t(4 * N + i)], float(i));
    }
  });
}

}  // namespace
}  // namespace rocmforge::testing
