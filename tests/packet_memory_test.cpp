// Loads and stores of packets, of each type and at any address.
#include <rocmforge/block/packets.hpp>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

using namespace device;

ROCMFORGE_KERNEL_TEST_SUITE(packets_in_memory);

/// Packet sizes that kernels use: 4 and 8 on a GPU, up to a full register on the host.
template <class F>
void for_each_size(F f) {
  f(std::integral_constant<int, 4>{});
  f(std::integral_constant<int, 8>{});
  f(std::integral_constant<int, 16>{});
}

/// Copies `count` elements (or a whole packet) from x + offset to y + offset.
template <int N, class T>
struct copy_packet {
  const T* x;
  T* y;
  int count;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    if (block.thread != 0) return;
    if (count == N) {
      store_packet(y, load_packet<N>(x));
    } else {
      store_packet(y, load_packet<N>(x, count) + packet<float, N>(0.0f), count);
    }
  }
};

// Aligned for the element only, and nothing beyond the count is written. AMD's compiler joins
// 16-bit accesses to wide ones, which the cards do at any address and emulators of them at
// multiples of four bytes.
TEST_P(packets_in_memory, load_and_store_at_any_address) {
  const bool is_amd = device().architecture.rfind("gfx", 0) == 0;
  for_each_dtype([&]<class T>(T) {
    const int step = is_amd ? 4 / static_cast<int>(sizeof(T)) : 1;
    for_each_size([&](auto size) {
      constexpr int N = size;
      const auto x = random_values<T>(3 * N, 7, 1, 2);
      device_buffer<T> device_x(x);
      for (int offset = 0; offset < 9; offset += step) {
        for (const int count : {0, 1, N / 2 + 1, N - 1, N}) {
          device_buffer<T> y(x.size());
          y.fill_bytes(0);
          EXPECT_SUCCESS(run_on_device<64>(
              copy_packet<N, T>{device_x.data() + offset, y.data() + offset, count}));
          const auto result = y.to_host();
          for (int i = 0; i < 3 * N; ++i) {
            const bool inside = i >= offset && i < offset + count;
            ASSERT_EQ(float(result[std::size_t(i)]), inside ? float(x[std::size_t(i)]) : 0.0f)
                << offset << " " << count << " " << i;
          }
        }
      }
    });
  });
}

template <class From, class To>
struct convert_packets {
  tensor_view<const From, 1> x;
  tensor_view<To, 1> y;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    constexpr int N = packet_size<half, Block::wave_size>;
    for_each_packet<N>(block, x.extent[0], [&](auto at) { store(y.data, at, load(x.data, at)); });
  }
};

// Whole packets may take other instructions than single elements do; dtype_test has those.
template <class T>
void check_conversions() {
  std::vector<T> patterns;
  for (unsigned bits = 0; bits < 65536; ++bits)
    patterns.push_back(T::from_bits(static_cast<std::uint16_t>(bits)));
  device_buffer<T> device_patterns(patterns), device_back(patterns.size());
  device_buffer<float> device_floats(patterns.size());
  EXPECT_SUCCESS(run_on_device<256>(
      convert_packets<T, float>{device_patterns.view(65536), device_floats.view(65536)}));
  EXPECT_SUCCESS(run_on_device<256>(
      convert_packets<float, T>{device_floats.view(65536), device_back.view(65536)}));
  const auto floats = device_floats.to_host();
  const auto back = device_back.to_host();
  std::vector<float> halfway;
  for (std::size_t bits = 0; bits < 65536; ++bits) {
    const float expected(patterns[bits]);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(floats[bits]) && std::isnan(float(back[bits]))) << bits;
    } else {
      ASSERT_EQ(floats[bits], expected) << bits;
      ASSERT_EQ(back[bits].bits, bits);
      if (bits % 32768 != 0 && std::isfinite(expected)) {
        const float below(T::from_bits(static_cast<std::uint16_t>(bits - 1)));
        halfway.push_back(static_cast<float>((double(expected) + double(below)) / 2));
        halfway.push_back(std::nextafter(halfway.back(), 0.0f));
      }
    }
  }
  const int count = static_cast<int>(halfway.size());
  device_buffer<float> device_halfway(halfway);
  device_buffer<T> device_rounded(halfway.size());
  EXPECT_SUCCESS(run_on_device<256>(
      convert_packets<float, T>{device_halfway.view(count), device_rounded.view(count)}));
  const auto rounded = device_rounded.to_host();
  for (std::size_t i = 0; i < halfway.size(); ++i)
    ASSERT_EQ(rounded[i].bits, T(halfway[i]).bits) << halfway[i];
}

TEST_P(packets_in_memory, convert_every_half_large) {
  check_conversions<half>();
}
TEST_P(packets_in_memory, convert_every_bfloat16_large) {
  check_conversions<bfloat16>();
}

template <int N, class Byte>
struct widen_bytes {
  const Byte* x;
  float* y;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    if (block.thread == 0) store_packet(y, to_float(load_bytes<N>(x)));
  }
};

template <class Byte>
void check_bytes() {
  for_each_size([](auto size) {
    constexpr int N = size;
    std::vector<Byte> x;
    for (int i = 0; i < 256; ++i) x.push_back(static_cast<Byte>(i * 37));
    device_buffer<Byte> device_x(x);
    device_buffer<float> y(N);
    for (int offset = 0; offset < 100; offset += 7) {
      EXPECT_SUCCESS(run_on_device<64>(widen_bytes<N, Byte>{device_x.data() + offset, y.data()}));
      const auto result = y.to_host();
      for (int i = 0; i < N; ++i)
        ASSERT_EQ(result[std::size_t(i)], float(x[std::size_t(offset + i)])) << offset;
    }
  });
}

TEST_P(packets_in_memory, bytes_are_extended_with_their_sign) {
  check_bytes<std::uint8_t>();
  check_bytes<std::int8_t>();
}

}  // namespace
}  // namespace rocmforge::testing
