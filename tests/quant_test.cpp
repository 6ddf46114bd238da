// What the kernels decode out of a block, bit for bit, against a decode from the bytes.
#include <rocmforge/dispatch.hpp>
#include <rocmforge/quant.hpp>

#include "reference/quant.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(quant);

/// Decodes a row fragment by fragment, packets of N.
template <class Type, int N, int BlockSize, int WaveSize>
struct decode_row {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {};

  tensor_view<float, 1> weights;      // [whole groups]
  tensor_view<const Type, 1> stored;  // [num_weights / elements]
  int num_weights;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const int fragments = weights.extent[0] / (2 * N);
    for (int i = block.thread; i < fragments; i += BlockSize) {
      const int group = i / num_parts<N>, part = i % num_parts<N>, first = group * group_elements;
      const auto values =
          block_traits<Type>::template decode<N>(stored.data, group, part, num_weights - first);
      store_packet(weights.data + first + part * N, values.low);
      store_packet(weights.data + first + part * N + 16, values.high);
    }
  }
};

template <int N, class Type>
std::vector<float> decoded(const std::vector<Type>& stored) {
  const int num_weights = static_cast<int>(stored.size()) * block_traits<Type>::elements;
  const int padded = (num_weights + group_elements - 1) / group_elements * group_elements;
  const device_buffer<Type> device_stored(stored);
  const device_buffer<float> weights(static_cast<std::size_t>(padded));
  EXPECT_SUCCESS(dispatch_wave_size("decode_row", {}, [&](auto wave) {
    using kernel = decode_row<Type, N, lanes<64, wave>, wave>;
    return launch("decode_row",
                  kernel{weights.view(padded), device_stored.view(static_cast<int>(stored.size())),
                         num_weights},
                  {1}, {});
  }));
  return weights.to_host();
}

/// Every packet width, each value exactly that of the reference.
template <class Type>
void expect_decoded(const std::vector<Type>& stored) {
  const std::vector<double> expected = reference::decode(stored);
  const auto expect_same = [&](const std::vector<float>& actual) {
    for (std::size_t i = 0; i < actual.size(); ++i)
      ASSERT_EQ(actual[i], i < expected.size() ? float(expected[i]) : 0.0f) << i;
  };
  expect_same(decoded<4>(stored));
  expect_same(decoded<8>(stored));
  expect_same(decoded<16>(stored));
}

/// 16 blocks of bytes from a linear congruential generator that starts at 12345 + the type's number
/// in GGUF, with the scales 2^-6 and 2^-8.
template <class Type>
std::vector<Type> published_blocks(unsigned type_number) {
  constexpr auto layout = reference::layout_of<Type>;
  std::uint32_t x = 12345 + type_number;
  std::vector<unsigned char> bytes(16 * layout.block_bytes);
  for (unsigned char& byte : bytes) {
    x = x * 1664525 + 1013904223;
    byte = static_cast<unsigned char>(x >> 24);
  }
  for (std::size_t block = 0; block < bytes.size(); block += layout.block_bytes) {
    bytes[block + layout.d] = 0;
    bytes[block + layout.d + 1] = 0x24;
    if (layout.m != 0) {
      bytes[block + layout.m] = 0;
      bytes[block + layout.m + 1] = 0x1c;
    }
  }
  std::vector<Type> blocks(16);
  std::memcpy(static_cast<void*>(blocks.data()), bytes.data(), bytes.size());
  return blocks;
}

/// The first four values are those that ggml gives for the same bytes.
template <class Type>
void check_published(unsigned type_number, const std::vector<float>& first_values) {
  const auto blocks = published_blocks<Type>(type_number);
  expect_decoded(blocks);
  const auto actual = decoded<4>(blocks);
  for (std::size_t i = 0; i < first_values.size(); ++i) EXPECT_EQ(actual[i], first_values[i]) << i;
}

TEST_P(quant, published_blocks_decode_to_published_values) {
  check_published<q4_0>(2, {0.015625f, -0.046875f, 0.09375f, 0.046875f});
  check_published<q4_1>(3, {0.12890625f, 0.17578125f, 0.14453125f, 0.17578125f});
  check_published<q8_0>(8, {0.078125f, -0.28125f, 0.953125f, 0.375f});
}

TEST_P(quant, random_scales_decode_to_the_same_bits) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    expect_decoded(reference::random_weights<q4_0>(32 * 70, seed));
    expect_decoded(reference::random_weights<q4_1>(32 * 70, seed));
    expect_decoded(reference::random_weights<q8_0>(32 * 70, seed));
  }
}

// Scales that are zero, subnormal, the smallest normal number and the largest.
TEST_P(quant, extreme_scales_decode_to_the_same_bits) {
  for (const std::uint16_t bits : {0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x7bff, 0xfbff}) {
    SCOPED_TRACE(bits);
    auto a = reference::random_weights<q4_0>(64, 1);
    auto b = reference::random_weights<q4_1>(64, 2);
    auto c = reference::random_weights<q8_0>(64, 3);
    for (auto& block : a) block.d = half::from_bits(bits);
    for (auto& block : b) block.d = block.m = half::from_bits(bits);
    for (auto& block : c) block.d = half::from_bits(bits);
    expect_decoded(a);
    expect_decoded(b);
    expect_decoded(c);
  }
}

// Dense rows of any length: nothing is read beyond the end, and zeros come out.
TEST_P(quant, dense_rows_of_every_length_end_in_zeros) {
  for (std::size_t size = 1; size <= 70; ++size) {
    SCOPED_TRACE(size);
    for_each_dtype([&]<class T>(T) { expect_decoded(random_values<T>(size, unsigned(size))); });
  }
}

}  // namespace
}  // namespace rocmforge::testing
