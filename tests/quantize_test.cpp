// Encoding into blocks: the bytes that ggml gives where it defines them, the error of the K
// formats, and that every platform gives the same.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <rocmforge/quant.hpp>
#include <string>
#include <vector>

#include "reference/quant.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(quantize);

/// [rows, row_blocks] blocks of x, [rows, row_blocks * elements].
template <class Type, class T>
std::vector<Type> encoded(const std::vector<T>& x, int rows = 1) {
  const int row_size = int(x.size()) / rows, row_blocks = row_size / block_traits<Type>::elements;
  device_buffer<T> numbers(x);
  device_buffer<Type> blocks(std::size_t(rows * row_blocks));
  EXPECT_SUCCESS(
      rocmforge::quantize<Type>(blocks.view(rows, row_blocks), numbers.view(rows, row_size)));
  return blocks.to_host();
}

/// The FNV-1a hash of the blocks' bytes.
template <class Type>
std::uint64_t hash_of(const std::vector<Type>& blocks) {
  std::vector<unsigned char> bytes(blocks.size() * sizeof(Type));
  std::memcpy(bytes.data(), blocks.data(), bytes.size());
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

/// 8192 numbers from a linear congruential generator, 64 each of a size, then 256 zeros, 256 times
/// -1/4, and 256 of which but one is small.
std::vector<float> published_numbers() {
  std::uint32_t x = 12345;
  std::vector<float> numbers;
  for (int i = 0; i < 8192; ++i) {
    x = x * 1664525 + 1013904223;
    numbers.push_back(
        std::ldexp(static_cast<float>(static_cast<int>(x >> 8) - (1 << 23)), i / 64 % 5 - 25));
  }
  numbers.insert(numbers.end(), 256, 0.0f);
  numbers.insert(numbers.end(), 256, -0.25f);
  for (int i = 0; i < 256; ++i) numbers.push_back(i == 77 ? -8.0f : numbers[std::size_t(i)] / 64);
  return numbers;
}

// Those of q4_0 to q8_1 and of q8_k are what ggml's reference gives; those of the others what this
// library gave first, so that all platforms give it.
const std::map<std::string, std::uint64_t> hashes = {
    {"q4_0", 0x95549dfcc392e840}, {"q4_1", 0xdd2172b546c34de7}, {"q5_0", 0x70f06194ab15adde},
    {"q5_1", 0xd98f7599147077af}, {"q8_0", 0x0ea9f34833da7f77}, {"q8_1", 0x1eb815a0fd688d49},
    {"q2_k", 0x8b3199016be5d008}, {"q3_k", 0x27ef68c33b8e9b83}, {"q4_k", 0xb3436ba52b149e34},
    {"q5_k", 0xd9d44e5c8b41eb5b}, {"q6_k", 0x0b8a48f481df3ebc}, {"q8_k", 0xb871a45593cc0d79},
};

TEST_P(quantize, gives_the_same_bytes_everywhere) {
#if defined(ROCMFORGE_PLATFORM_HOST) && !defined(__FMA__)
  GTEST_SKIP() << "needs a fused multiply-add";
#endif
  const auto numbers = published_numbers();
  std::size_t seen = 0;
  for_each_encoded_format([&]<class Type>(Type) {
    const std::string name = reference::format<Type>::name;
    SCOPED_TRACE(name);
    const auto expected = hashes.find(name);
    ASSERT_NE(expected, hashes.end());
    EXPECT_EQ(hash_of(encoded<Type>(numbers)), expected->second);
    ++seen;
  });
  EXPECT_EQ(seen, hashes.size());
}

/// The root of the squared error over that of the squared numbers.
template <class Type>
double relative_error(const std::vector<float>& numbers) {
  const auto decoded = reference::decode(encoded<Type>(numbers));
  double error = 0, squares = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    error += (decoded[i] - numbers[i]) * (decoded[i] - numbers[i]);
    squares += double(numbers[i]) * numbers[i];
  }
  return std::sqrt(error / squares);
}

std::vector<float> normal_numbers(std::size_t count, double mean, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal(mean, 0.02);
  std::vector<float> numbers(count);
  for (float& number : numbers) number = float(normal(engine));
  return numbers;
}

// The limits are the errors of ggml's encoders with the same distribution, of 2^18 numbers.
TEST_P(quantize, errs_no_more_than_ggml) {
  const auto numbers = normal_numbers(16384, 0, 1), shifted = normal_numbers(16384, 0.05, 2);
  const auto check = [&]<class Type>(Type, double limit, double limit_when_shifted) {
    SCOPED_TRACE(reference::format<Type>::name);
    EXPECT_LT(relative_error<Type>(numbers), limit);
    EXPECT_LT(relative_error<Type>(shifted), limit_when_shifted);
  };
  check(q2_k{}, 0.2963, 0.1331);
  check(q3_k{}, 0.1506, 0.1074);
  check(q4_k{}, 0.0713, 0.0298);
  check(q5_k{}, 0.0361, 0.0148);
  check(q6_k{}, 0.0177, 0.0128);
}

/// The largest error of -1, 0 and 1, which the search of the K formats finds a scale for.
template <class Type>
double error_of_three_numbers() {
  if (std::is_same_v<Type, q4_0>) return 1 / 8.0;  // -8 to 7 for -1 to 1
  if (std::is_same_v<Type, q5_0>) return 1 / 16.0;
  if (std::is_same_v<Type, q4_1>) return 1 / 14.0;  // 0 lies between two numbers
  if (std::is_same_v<Type, q5_1>) return 1 / 30.0;
  if (std::is_same_v<Type, q3_k>) return 1 / 31.0;  // a scale of -32 to 31 for both signs
  if (std::is_same_v<Type, q6_k>) return 1 / 100.0;
  return 0.005;
}

TEST_P(quantize, keeps_numbers_that_a_block_holds) {
  for_each_encoded_format([&]<class Type>(Type) {
    SCOPED_TRACE(reference::format<Type>::name);
    for (const float size : {0x1p-5f, 1.0f, 0x1p+8f}) {
      std::vector<float> numbers(512);
      for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = size * (float(i % 3) - 1);
      const auto decoded = reference::decode(encoded<Type>(numbers));
      for (std::size_t i = 0; i < numbers.size(); ++i)
        ASSERT_NEAR(decoded[i], numbers[i], size * error_of_three_numbers<Type>()) << i;
    }
  });
}

/// Rows that lie apart, of another type, give the blocks of the same floats in one row.
template <class Type, class T>
void check_rows(int rows, int row_blocks) {
  SCOPED_TRACE(reference::format<Type>::name);
  constexpr int elements = block_traits<Type>::elements;
  const int row_size = row_blocks * elements, stride = row_size + 3, block_stride = row_blocks + 1;
  const auto numbers = random_values<T>(std::size_t(rows * stride), 5);
  std::vector<float> together;
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < row_size; ++i)
      together.push_back(float(numbers[std::size_t(row * stride + i)]));
  }
  const auto expected = encoded<Type>(together);
  device_buffer<T> x(numbers);
  Type poison;
  std::memset(static_cast<void*>(&poison), 0xab, sizeof(Type));
  device_buffer<Type> y(std::vector<Type>(std::size_t(rows * block_stride), poison));
  EXPECT_SUCCESS(rocmforge::quantize<Type>(
      tensor_view<Type, 2>{y.data(), {rows, row_blocks}, {block_stride, 1}},
      tensor_view<const T, 2>{x.data(), {rows, row_size}, {stride, 1}}));
  const auto actual = y.to_host();
  for (int i = 0; i < rows * block_stride; ++i) {
    const int row = i / block_stride, column = i % block_stride;
    const Type& wanted =
        column < row_blocks ? expected[std::size_t(row * row_blocks + column)] : poison;
    ASSERT_EQ(std::memcmp(&actual[std::size_t(i)], &wanted, sizeof(Type)), 0)
        << "row " << row << ", block " << column;
  }
}

TEST_P(quantize, takes_rows_of_any_length_and_type) {
  for_each_encoded_format([&]<class Type>(Type) { check_rows<Type, float>(3, 5); });
  check_rows<q4_0, half>(2, 300);
  check_rows<q8_0, bfloat16>(300, 1);
  check_rows<q4_k, half>(33, 1);
  check_rows<q6_k, bfloat16>(1, 40);
}

TEST_P(quantize, refuses_what_does_not_fit) {
  device_buffer<float> x(512);
  device_buffer<q4_k> y(2);
  EXPECT_REFUSED(rocmforge::quantize<q4_k>(y.view(2, 1), x.view(1, 512)),
                 status_code::invalid_shape, "x");
  EXPECT_REFUSED(rocmforge::quantize<q4_k>(y.view(1, 2), x.view(1, 511)),
                 status_code::invalid_shape, "x");
  EXPECT_REFUSED(rocmforge::quantize<q4_k>(y.view(2, 1), permuted<1, 0>(x.view(256, 2))),
                 status_code::invalid_layout, "x");
  EXPECT_SUCCESS(rocmforge::quantize<q4_k>(y.view(0, 2), x.view(0, 512)));
}

}  // namespace
}  // namespace rocmforge::testing
