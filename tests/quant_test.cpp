// What the kernels decode out of a block, bit for bit, against a decode from the bytes; and the op
// that decodes whole tensors.
#include <cmath>
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
  device_buffer<float> weights(static_cast<std::size_t>(padded));
  EXPECT_SUCCESS(dispatch_wave_size<64>("decode_row", {}, [&](auto wave) {
    using kernel = decode_row<Type, N, block_threads<64, wave>, wave>;
    return launch("decode_row",
                  kernel{weights.view(padded), device_stored.view(static_cast<int>(stored.size())),
                         num_weights},
                  {1}, {});
  }));
  return weights.to_host();
}

/// `actual` begins with `expected`, zeros of either sign included, and ends in zeros.
void expect_same(const std::vector<float>& actual, const std::vector<double>& expected) {
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const float wanted = i < expected.size() ? float(expected[i]) : 0.0f;
    ASSERT_EQ(actual[i], wanted) << i;
    ASSERT_EQ(std::signbit(actual[i]), std::signbit(wanted)) << i;
  }
}

/// Every packet width, each value exactly that of the reference.
template <class Type>
void expect_decoded(const std::vector<Type>& stored) {
  const std::vector<double> expected = reference::decode(stored);
  expect_same(decoded<4>(stored), expected);
  expect_same(decoded<8>(stored), expected);
  expect_same(decoded<16>(stored), expected);
}

template <class Type>
void expect_random_blocks_decoded(unsigned seed) {
  SCOPED_TRACE(reference::format<Type>::name);
  const std::size_t blocks = 2048 / reference::format<Type>::elements + 3;
  expect_decoded(reference::random_weights<Type>(
      blocks * std::size_t(reference::format<Type>::elements), seed));
}

TEST_P(quant, random_blocks_of_every_format_decode_to_the_same_bits) {
  for_each_block_format([]<class Type>(Type) {
    for (unsigned seed = 1; seed <= 2; ++seed) expect_random_blocks_decoded<Type>(seed);
  });
}

// Scales that are zero, subnormal, the smallest normal number and the largest.
TEST_P(quant, extreme_scales_decode_to_the_same_bits) {
  for_each_block_format([]<class Type>(Type) {
    SCOPED_TRACE(reference::format<Type>::name);
    for (const unsigned number : {0x0000u, 0x8000u, 0x0001u, 0x83ffu, 0x0400u, 0x7bffu, 0xfbffu}) {
      const auto bits = static_cast<std::uint16_t>(number);
      SCOPED_TRACE(bits);
      auto blocks =
          reference::random_weights<Type>(2 * std::size_t(reference::format<Type>::elements), 1);
      for (Type& block : blocks)
        reference::set_scales(block, half::from_bits(bits), half::from_bits(bits));
      expect_decoded(blocks);
    }
  });
}

// The power of two of mxfp4 goes down to a subnormal float, and the scales of nvfp4 have their own.
TEST_P(quant, every_scale_of_the_four_bit_floats_decodes_to_the_same_bits) {
  std::vector<mxfp4> powers = reference::random_weights<mxfp4>(256 * 32, 1);
  for (std::size_t e = 0; e < 252; ++e) powers[e].e = static_cast<std::uint8_t>(e);
  expect_decoded(powers);
  std::vector<nvfp4> scales = reference::random_weights<nvfp4>(64 * 64, 1);
  for (std::size_t i = 0; i < 256; ++i) scales[i / 4].d[i % 4] = static_cast<std::uint8_t>(i);
  expect_decoded(scales);
}

// Dense rows of any length: nothing is read beyond the end, and zeros come out.
TEST_P(quant, dense_rows_of_every_length_end_in_zeros) {
  for (std::size_t size = 1; size <= 70; ++size) {
    SCOPED_TRACE(size);
    for_each_dtype([&]<class T>(T) { expect_decoded(random_values<T>(size, unsigned(size))); });
  }
}

/// [rows, blocks of Type] decoded into strided rows.
template <class Type, class T>
void check_dequantize(int rows, int row_blocks, int gap) {
  constexpr int elements = block_traits<Type>::elements;
  const auto stored = reference::random_weights<Type>(std::size_t(rows * row_blocks * elements), 3);
  const int row_size = row_blocks * elements, stride = row_size + gap;
  device_buffer<Type> x(stored);
  device_buffer<T> y(std::vector<T>(std::size_t(rows * stride), T(-77.0f)));
  EXPECT_SUCCESS(dequantize<Type>(tensor_view<T, 2>{y.data(), {rows, row_size}, {stride, 1}},
                                  x.view(rows, row_blocks)));
  const auto actual = y.to_host();
  const auto expected = reference::decode(stored);
  for (int i = 0; i < rows * stride; ++i) {
    const int row = i / stride, column = i % stride;
    const T wanted =
        column < row_size ? T(float(expected[std::size_t(row * row_size + column)])) : T(-77.0f);
    ASSERT_EQ(float(actual[std::size_t(i)]), float(wanted)) << "row " << row << ", " << column;
  }
}

TEST_P(quant, dequantize_decodes_every_format) {
  for_each_block_format([]<class Type>(Type) {
    SCOPED_TRACE(reference::format<Type>::name);
    check_dequantize<Type, float>(2, 3, 1);
  });
}

TEST_P(quant, dequantize_decodes_rows_of_any_length) {
  for (const int blocks : {1, 2, 31, 64, 65, 129}) {
    check_dequantize<q4_0, float>(3, blocks, 5);
    check_dequantize<q5_1, half>(3, blocks, 7);
  }
  for (const int blocks : {1, 9, 17}) {
    check_dequantize<q6_k, float>(300 / blocks, blocks, 0);
    check_dequantize<iq3_s, bfloat16>(2, blocks, 1);
  }
  for (const int size : {1, 31, 33, 4097}) {
    check_dequantize<float, float>(2, size, 3);
    check_dequantize<half, float>(2, size, 3);
    check_dequantize<bfloat16, half>(2, size, 3);
    check_dequantize<bfloat16, float>(2, size, 3);
  }
}

// Integers and doubles become the nearest floats.
TEST_P(quant, dequantize_takes_dense_numbers) {
  const auto check = [](const auto& stored) {
    using Type = typename std::decay_t<decltype(stored)>::value_type;
    const int size = int(stored.size());
    device_buffer<Type> x(stored);
    device_buffer<float> y(stored.size());
    EXPECT_SUCCESS(dequantize<Type>(y.view(1, size), x.view(1, size)));
    const auto actual = y.to_host();
    for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_EQ(actual[i], float(stored[i])) << i;
  };
  std::vector<std::int8_t> bytes;
  for (int i = -128; i < 128; ++i) bytes.push_back(static_cast<std::int8_t>(i));
  check(bytes);
  check(std::vector<std::int16_t>{-32768, -1, 0, 32767});
  check(std::vector<std::int32_t>{-2147483647, 16777217, 5});
  std::vector<std::int64_t> large{std::int64_t{1} << 62, -3, 16777219};
  std::vector<double> doubles{0.1, 1e300, -1e-300, 3};
  for (int i = 0; i < 61; ++i) {
    large.push_back(std::int64_t{1} << i | i);
    doubles.push_back(1.0 / (i + 1));
  }
  check(large);
  check(doubles);
}

TEST_P(quant, dequantize_refuses_what_does_not_fit) {
  device_buffer<float> y(64);
  device_buffer<q4_0> x(2);
  EXPECT_REFUSED(dequantize<q4_0>(y.view(2, 32), x.view(1, 2)), status_code::invalid_shape, "x");
  EXPECT_REFUSED(dequantize<q4_0>(y.view(1, 63), x.view(1, 2)), status_code::invalid_shape, "y");
  EXPECT_REFUSED(dequantize<q4_0>(permuted<1, 0>(y.view(32, 2)), x.view(2, 1)),
                 status_code::invalid_layout, "y");
  EXPECT_SUCCESS(dequantize<q4_0>(y.view(0, 64), x.view(0, 2)));
}

}  // namespace
}  // namespace rocmforge::testing
