// Conversions of half and bfloat16, on the host and on every device, against double arithmetic over
// the formats' definition.
#include <rocmforge/dtype.hpp>

#include <bit>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

static_assert(float(half(1.5f)) == 1.5f && half(65504.0f).bits == 0x7bff &&
              half(65520.0f).bits == 0x7c00);
static_assert(half(0x1p-24f).bits == 1 && half(0x1p-25f).bits == 0 && half(-2.0f).bits == 0xc000);
static_assert(float(bfloat16(1.5f)) == 1.5f && bfloat16(1.0f + 0x1p-8f).bits == 0x3f80 &&
              bfloat16(1.0f + 0x3p-8f).bits == 0x3f82);
static_assert(half::from_bits(0x3c00).bits == 0x3c00 && bfloat16::from_bits(0x3f80).bits == 0x3f80);
static_assert(dtype_of<float> == dtype::f32 && dtype_of<half> == dtype::f16 &&
              dtype_of<bfloat16> == dtype::bf16);
static_assert(bytes_of(dtype::f32) == 4 && bytes_of(dtype::f16) == 2 && bytes_of(dtype::bf16) == 2);
static_assert(floating_dtype<half> && !floating_dtype<int> && !floating_dtype<double>);
static_assert(!std::is_convertible_v<float, half> &&
              !std::is_convertible_v<half, float>);  // only by name

template <class T>
inline constexpr int mantissa_bits = std::is_same_v<T, half> ? 10 : 7;

/// What a bit pattern means.
template <class T>
double value_of(unsigned bits) {
  constexpr int mantissa_size = mantissa_bits<T>, exponent_size = 15 - mantissa_size;
  constexpr int bias = (1 << (exponent_size - 1)) - 1;
  const double sign = bits >> 15 != 0 ? -1 : 1;
  const int exponent = static_cast<int>(bits >> mantissa_size) & ((1 << exponent_size) - 1);
  const int mantissa = static_cast<int>(bits) & ((1 << mantissa_size) - 1);
  if (exponent == (1 << exponent_size) - 1) {
    return mantissa == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_size);
  return sign * std::ldexp((1 << mantissa_size) + mantissa, exponent - bias - mantissa_size);
}

bool same(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
}

/// Floats and the 16 bits they must become.
struct rounding_cases {
  std::vector<float> from;
  std::vector<unsigned> to;
  void add(float value, unsigned bits) {
    from.push_back(value);
    to.push_back(bits);
    from.push_back(-value);
    to.push_back(bits | 0x8000);
  }
};

/// Every value and the halfway point above it, each with the floats next to it, in order of the
/// magnitude.
template <class T>
rounding_cases all_rounding_cases() {
  const unsigned infinity = std::is_same_v<T, half> ? 0x7c00 : 0x7f80;
  rounding_cases cases;
  for (unsigned bits = 0; bits < infinity; ++bits) {
    const double value = value_of<T>(bits);
    // Infinity is rounded to as if it were the next value of an unbounded exponent.
    const double next =
        bits + 1 == infinity ? 2 * value - value_of<T>(bits - 1) : value_of<T>(bits + 1);
    const float exact = static_cast<float>(value), halfway = static_cast<float>((value + next) / 2);
    cases.add(exact, bits);
    cases.add(std::nextafter(exact, std::numeric_limits<float>::infinity()), bits);
    cases.add(std::nextafter(halfway, 0.0f), bits);
    cases.add(halfway, bits % 2 == 0 ? bits : bits + 1);
    cases.add(std::nextafter(halfway, std::numeric_limits<float>::infinity()), bits + 1);
  }
  cases.add(std::numeric_limits<float>::infinity(), infinity);
  cases.add(std::numeric_limits<float>::max(), infinity);
  return cases;
}

std::vector<float> nans() {
  std::vector<float> result;
  for (const std::uint32_t bits : {0x7f800001u, 0x7f801fffu, 0x7fc00000u, 0x7fffffffu, 0x7fa00000u,
                                   0xff800001u, 0xffc12345u}) {
    result.push_back(std::bit_cast<float>(bits));
  }
  return result;
}

template <class T>
class sixteen_bits : public ::testing::Test {};
using sixteen_bit_types = ::testing::Types<half, bfloat16>;
TYPED_TEST_SUITE(sixteen_bits, sixteen_bit_types);

TYPED_TEST(sixteen_bits, become_the_float_of_the_same_value) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const TypeParam value = TypeParam::from_bits(static_cast<std::uint16_t>(bits));
    ASSERT_TRUE(same(static_cast<float>(value), value_of<TypeParam>(bits))) << bits;
  }
}

TYPED_TEST(sixteen_bits, go_to_float_and_back_unchanged) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const TypeParam back(
        static_cast<float>(TypeParam::from_bits(static_cast<std::uint16_t>(bits))));
    if (std::isnan(value_of<TypeParam>(bits))) {
      ASSERT_TRUE(std::isnan(value_of<TypeParam>(back.bits))) << bits;
    } else {
      ASSERT_EQ(back.bits, bits);
    }
  }
}

TYPED_TEST(sixteen_bits, are_rounded_to_the_nearest_and_to_even) {
  const rounding_cases cases = all_rounding_cases<TypeParam>();
  for (std::size_t i = 0; i < cases.from.size(); ++i)
    ASSERT_EQ(TypeParam(cases.from[i]).bits, cases.to[i]) << cases.from[i];
  for (const float nan : nans()) EXPECT_TRUE(std::isnan(static_cast<float>(TypeParam(nan))));
}

TEST(half, without_the_instructions_is_the_same) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    ASSERT_TRUE(same(convert::portable_float_from_half(static_cast<std::uint16_t>(bits)),
                     value_of<half>(bits)))
        << bits;
  }
  const rounding_cases cases = all_rounding_cases<half>();
  for (std::size_t i = 0; i < cases.from.size(); ++i) {
    ASSERT_EQ(convert::portable_half_from_float(cases.from[i]), cases.to[i]) << cases.from[i];
  }
  for (const float nan : nans())
    EXPECT_TRUE(std::isnan(value_of<half>(convert::portable_half_from_float(nan))));
}

TEST(dtype, has_names) {
  EXPECT_STREQ(name_of(dtype::f32), "f32");
  EXPECT_STREQ(name_of(dtype::f16), "f16");
  EXPECT_STREQ(name_of(dtype::bf16), "bf16");
}

ROCMFORGE_KERNEL_TEST_SUITE(dtype_on_device);

/// Converts one after the other, element by element as kernels do at the end of a row.
template <class From, class To>
struct convert_each {
  tensor_view<const From, 1> from;
  tensor_view<To, 1> to;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    for (int i = block.thread; i < from.extent[0]; i += Block::block_size)
      to(i) = To(static_cast<float>(from(i)));
  }
};

template <class From, class To>
std::vector<To> converted_on_device(const std::vector<From>& values) {
  device_buffer<From> from(values);
  device_buffer<To> to(values.size());
  const int count = static_cast<int>(values.size());
  EXPECT_SUCCESS(run_on_device<256>(convert_each<From, To>{from.view(count), to.view(count)}));
  return to.to_host();
}

template <class T>
void check_on_device() {
  std::vector<T> patterns;
  for (unsigned bits = 0; bits < 65536; ++bits)
    patterns.push_back(T::from_bits(static_cast<std::uint16_t>(bits)));
  const auto floats = converted_on_device<T, float>(patterns);
  for (unsigned bits = 0; bits < 65536; ++bits)
    ASSERT_TRUE(same(floats[bits], value_of<T>(bits))) << bits;

  const rounding_cases cases = all_rounding_cases<T>();
  const auto rounded = converted_on_device<float, T>(cases.from);
  for (std::size_t i = 0; i < rounded.size(); ++i)
    ASSERT_EQ(rounded[i].bits, cases.to[i]) << cases.from[i];
  for (const T nan : converted_on_device<float, T>(nans()))
    EXPECT_TRUE(std::isnan(value_of<T>(nan.bits)));
}

TEST_P(dtype_on_device, half_large) {
  check_on_device<half>();
}
TEST_P(dtype_on_device, bfloat16_large) {
  check_on_device<bfloat16>();
}

}  // namespace
}  // namespace rocmforge::testing
