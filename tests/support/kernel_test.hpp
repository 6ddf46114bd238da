// What every kernel test needs: a fixture that runs each test on every device of the platform,
// seeded random data, device copies of it, and a comparison that says where and by how much.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <rocmforge/dtype.hpp>
#include <rocmforge/memory.hpp>
#include <rocmforge/status.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/data.hpp"

namespace rocmforge::testing {

// Functions, because code for a message at each of a thousand calls, which `status` inlines, is
// what the compiler would spend its time on.
inline void expect_success(const status& actual, const char* call, const char* file, int line) {
  if (!actual.ok()) ADD_FAILURE_AT(file, line) << call << "\n" << actual.message();
}
inline void expect_refused(const status& actual, status_code code, std::string_view argument,
                           const char* call, const char* file, int line) {
  if (actual.code != code || actual.argument != argument) {
    ADD_FAILURE_AT(file, line) << call << "\nis " << name_of(actual.code) << ", argument '"
                               << actual.argument << "': " << actual.message() << "\nexpected "
                               << name_of(code) << ", argument '" << argument << "'";
  }
}

#define EXPECT_SUCCESS(expression) \
  ::rocmforge::testing::expect_success((expression), #expression, __FILE__, __LINE__)

/// The call is refused with this code, and the message names the argument.
#define EXPECT_REFUSED(expression, expected_code, expected_argument)                       \
  ::rocmforge::testing::expect_refused((expression), (expected_code), (expected_argument), \
                                       #expression, __FILE__, __LINE__)

/// Runs on each device of the platform: host, emulated32 and emulated64 on the host; the cards
/// elsewhere.
class kernel_test : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (devices().empty())
      GTEST_SKIP() << "there is no device of this platform: compiled, not executed";
    set_device(GetParam());
  }
  void TearDown() override {
    if (!devices().empty()) set_device(0);
  }
  [[nodiscard]] static const device_properties& device() {
    return devices()[static_cast<std::size_t>(current_device())];
  }
};

inline std::size_t bytes_in_use() {
  return current_memory_statistics().bytes_in_use;
}

/// A test of what owns memory: as much of it is in use after the test as was before.
class memory_test : public kernel_test {
 protected:
  void SetUp() override {
    kernel_test::SetUp();
    before_ = bytes_in_use();
  }
  void TearDown() override {
    device_memory_limit() = std::numeric_limits<std::size_t>::max();
    EXPECT_EQ(bytes_in_use(), before_);
    kernel_test::TearDown();
  }
  std::size_t before_ = 0;
};

inline std::vector<int> device_numbers() {
  std::vector<int> numbers;
  for (int i = 0; i < static_cast<int>(devices().size()); ++i) numbers.push_back(i);
  if (numbers.empty())
    numbers.push_back(0);  // so that the tests are there, and say why they are skipped
  return numbers;
}

inline std::string device_name(const ::testing::TestParamInfo<int>& info) {
  if (devices().empty()) return "no_device";
  const device_properties& device = devices()[static_cast<std::size_t>(info.param)];
  return device.architecture == "emulated" ? "emulated" + std::to_string(device.wave_size)
                                           : device.architecture;
}

#define ROCMFORGE_KERNEL_TEST_SUITE(name)                                               \
  class name : public ::rocmforge::testing::kernel_test {};                             \
  INSTANTIATE_TEST_SUITE_P(devices, name,                                               \
                           ::testing::ValuesIn(::rocmforge::testing::device_numbers()), \
                           ::rocmforge::testing::device_name)

/// Every element is within `relative` * max(|expected|, scale) of what is expected, where scale is
/// the largest expected magnitude times `floor`; NaN equals nothing.
template <class T>
void expect_close(const std::vector<T>& actual, const std::vector<double>& expected,
                  double relative, double floor = 1e-3) {
  ASSERT_EQ(actual.size(), expected.size());
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::fabs(value));
  double worst = -1;
  std::size_t where = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference =
        std::fabs(static_cast<double>(static_cast<float>(actual[i])) - expected[i]);
    const double ratio =
        difference / (relative * std::max({std::fabs(expected[i]), largest * floor, 1e-30}));
    if (!(ratio <= worst)) {  // also NaN
      worst = std::isnan(ratio) ? std::numeric_limits<double>::infinity() : ratio;
      where = i;
    }
  }
  EXPECT_LE(worst, 1.0) << "element " << where << " of " << actual.size() << " is "
                        << static_cast<double>(static_cast<float>(actual[where])) << ", expected "
                        << expected[where] << " within a relative " << relative;
}

/// The element types of a typed part of a test: calls `f(T{})` for float, half and bfloat16.
template <class F>
void for_each_dtype(F f) {
  {
    SCOPED_TRACE("float");
    f(float{});
  }
  {
    SCOPED_TRACE("half");
    f(half{});
  }
  {
    SCOPED_TRACE("bfloat16");
    f(bfloat16{});
  }
}

}  // namespace rocmforge::testing
