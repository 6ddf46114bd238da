// What a status says, and the checks that launch functions make.
#include <rocmforge/status.hpp>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <rocmforge/block/checks.hpp>
#include <set>
#include <type_traits>

#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

static_assert(std::is_trivially_copyable_v<status>);
static_assert(sizeof(status) <= 72, "a status is returned from every launch");
static_assert(status{}.ok() && !status{status_code::unsupported}.ok());
static_assert(!std::is_convertible_v<status, bool>);  // only in a condition

TEST(status, of_success_says_so) {
  EXPECT_TRUE(status{});
  EXPECT_EQ(status{}.message(), "success");
}

TEST(status, message_names_op_argument_and_numbers) {
  const status s{status_code::invalid_shape,
                 "op",
                 "x",
                 "extent {0} is {1}, expected {2} or {3}",
                 {1, -5, 3000000000, 7}};
  EXPECT_FALSE(s);
  EXPECT_EQ(s.message(), "op: x: extent 1 is -5, expected 3000000000 or 7 (invalid_shape)");
}

TEST(status, message_without_an_argument_has_no_empty_part) {
  EXPECT_EQ((status{status_code::no_device, "op", "", "there is no device", {}}.message()),
            "op: there is no device (no_device)");
}

TEST(status, message_leaves_other_braces_alone) {
  EXPECT_EQ((status{status_code::unsupported, "op", "x", "{4} {} {0 {0}", {9}}.message()),
            "op: x: {4} {} {0 9 (unsupported)");
}

TEST(status, codes_have_names_of_their_own) {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(status_code::device_error); ++code) {
    names.insert(name_of(static_cast<status_code>(code)));
  }
  EXPECT_EQ(names.size(), 7u);
  EXPECT_EQ(names.count("unknown"), 0u);
}

// The macros of kernel tests fail where they should, and say what was called and what it said.
TEST(kernel_test, expectations_of_a_status_can_fail) {
  static constexpr status bad{status_code::invalid_shape, "op", "x", "wrong", {}};
  EXPECT_SUCCESS(status{});
  EXPECT_REFUSED(bad, status_code::invalid_shape, "x");
  EXPECT_NONFATAL_FAILURE(EXPECT_SUCCESS(bad), "bad\nop: x: wrong (invalid_shape)");
  EXPECT_NONFATAL_FAILURE(EXPECT_REFUSED(status{}, status_code::invalid_shape, "x"), "success");
  EXPECT_NONFATAL_FAILURE(EXPECT_REFUSED(bad, status_code::unsupported, "x"), "invalid_shape");
  EXPECT_NONFATAL_FAILURE(EXPECT_REFUSED(bad, status_code::invalid_shape, "y"), "expected");
}

TEST(checks, name_the_axis_that_disagrees) {
  float data[64];
  const auto view = make_view(data, 2, 3, 4);
  EXPECT_TRUE(checks::same_extents("op", "x", view, view));
  EXPECT_EQ(checks::same_extents("op", "x", make_view(data, 2, 3, 5), view).message(),
            "op: x: extent 2 is 5, expected 4 (invalid_shape)");
  EXPECT_EQ(checks::extent("op", "x", 0, 1, 2).message(),
            "op: x: extent 0 is 1, expected 2 (invalid_shape)");
}

TEST(checks, views_need_memory_and_a_contiguous_last_axis) {
  float data[64];
  EXPECT_TRUE(checks::view("op", "x", make_view(data, 2, 3)));
  EXPECT_TRUE(checks::view(
      "op", "x", tensor_view<float, 2>{nullptr, {0, 3}, {3, 1}}));  // empty: no memory wanted
  EXPECT_TRUE(checks::view(
      "op", "x", tensor_view<float, 2>{data, {3, 1}, {1, 99}}));  // one element: any stride
  EXPECT_EQ(checks::view("op", "x", permuted<1, 0>(make_view(data, 2, 3))).message(),
            "op: x: the last axis has stride 3, expected 1 (invalid_layout)");
  EXPECT_EQ(checks::view("op", "x", tensor_view<float, 2>{nullptr, {2, 3}, {3, 1}}).message(),
            "op: x: the view has no memory (null data) (invalid_argument)");
  EXPECT_EQ(checks::view("op", "x", tensor_view<float, 2>{data, {2, -3}, {3, 1}}).message(),
            "op: x: extent 1 is -3, expected 0 to 1073741824 (invalid_shape)");
}

TEST(checks, extents_and_strides_have_limits) {
  float data[64];
  constexpr int limit = 1 << 30;
  EXPECT_TRUE(checks::view("op", "x", make_view(data, limit)));
  EXPECT_EQ(checks::view("op", "x", make_view(data, 2, limit + 1)).message(),
            "op: x: extent 1 is 1073741825, expected 0 to 1073741824 (invalid_shape)");
  EXPECT_TRUE(checks::view("op", "x", tensor_view<float, 3>{data, {limit, limit, 1}, {0, 0, 1}}));
  EXPECT_EQ(checks::view("op", "x", tensor_view<float, 3>{data, {limit, limit, 2}, {0, 0, 1}}).code,
            status_code::invalid_shape);
  EXPECT_EQ(checks::view("op", "x", make_view(data, {3, 4}, {std::int64_t{1} << 48, 1})).message(),
            "op: x: axis 0 of extent 3 has stride 281474976710656, which reaches beyond any memory "
            "(invalid_layout)");
}

TEST(checks, elements_of_outputs_are_apart) {
  float data[64];
  const auto check = [](const auto& view) { return checks::output("op", "y", view); };
  EXPECT_TRUE(check(make_view(data, 2, 3, 4)));
  EXPECT_TRUE(check(permuted<1, 0, 2>(make_view(data, 2, 3, 4))));
  EXPECT_TRUE(check(make_view(data, {2, 3}, {5, 1})));
  EXPECT_TRUE(check(make_view(data + 12, {3, 4}, {-4, 1})));
  EXPECT_TRUE(check(make_view(data, {1, 3, 1}, {0, 1, 0})));  // one element an axis: any stride
  EXPECT_TRUE(check(make_view(data, {0, 3}, {0, 1})));        // no elements at all
  EXPECT_EQ(check(make_view(data, {2, 3}, {0, 1})).message(),
            "op: y: elements overlap: axis 0 of extent 2 has stride 0, expected at least 1 "
            "(invalid_layout)");
  EXPECT_EQ(check(make_view(data, {4, 2, 3}, {5, 2, 1})).message(),
            "op: y: elements overlap: axis 1 of extent 2 has stride 2, expected at least 3 "
            "(invalid_layout)");
  EXPECT_EQ(check(make_view(data, {4, 2, 3}, {5, 3, 1})).numbers[3], 6);
  EXPECT_EQ(check(make_view(data + 12, {3, 4}, {-3, 1})).code, status_code::invalid_layout);
}

TEST(checks, products_are_counted_without_overflow) {
  constexpr int large = 1 << 30;
  EXPECT_TRUE(checks::countable("op", "x", "", large, 1));
  EXPECT_TRUE(checks::countable("op", "x", "", large, large, 0));
  EXPECT_FALSE(checks::countable("op", "x", "", large, large, large));
  EXPECT_EQ(checks::countable("op", "x", "{0} times {1}", large, 2).message(),
            "op: x: 1073741824 times 2 (invalid_shape)");
  EXPECT_EQ(checks::product(large, large, 0), 0);
  EXPECT_EQ(checks::product(3, 4, 5), 60);
}

TEST(checks, all_is_the_first_failure) {
  const status first{status_code::invalid_shape, "op", "first", "", {}},
      second{status_code::invalid_layout, "op", "second", "", {}};
  EXPECT_TRUE(checks::all(status{}, status{}));
  EXPECT_STREQ(checks::all(status{}, first, second).argument, "first");
  EXPECT_STREQ(checks::all(second, status{}, first).argument, "second");
}

}  // namespace
}  // namespace rocmforge::testing
