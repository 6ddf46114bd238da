#include "runner.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <sstream>

#include "device.hpp"
#include "ulp.hpp"

namespace verify {
namespace {

std::string number(double value) {
  std::ostringstream text;
  text.precision(9);
  text << value;
  return text.str();
}

std::vector<reading> run_once(const trial& work) {
  for (const auto& out : work.outputs) out->reset();
  const std::string refused = work.launch();
  if (!refused.empty()) throw std::runtime_error("refused: " + refused);
  synchronize();
  std::vector<reading> readings;
  for (const auto& out : work.outputs) readings.push_back(out->read());
  return readings;
}

void fail(case_result& result, const std::string& why) {
  if (result.failure.empty()) result.failure = why;
}

void compare(const output& out, const reading& got, case_result& result) {
  const std::vector<double> expected = out.expected();
  if (expected.size() != got.values.size()) {
    fail(result, out.name + ": " + std::to_string(got.values.size()) + " elements, expected " +
                     std::to_string(expected.size()));
    return;
  }
  double largest = 0;
  for (const double value : expected) {
    if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
  }
  double worst_excess = 0;
  std::size_t worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double magnitude = std::max(std::fabs(expected[i]), out.allowed.floor * largest);
    const bool special = !std::isfinite(expected[i]);
    const bool same = special && (std::isnan(expected[i]) ? std::isnan(got.values[i])
                                                          : got.values[i] == expected[i]);
    double error = same ? 0 : std::fabs(got.values[i] - expected[i]);
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    const double ulp = same || special ? 0 : error / unit_in_last_place(out.format, magnitude);
    result.max_ulp = std::max(result.max_ulp, ulp);
    result.sum_ulp += ulp;
    ++result.elements;
    // Where a format's steps do not shrink any further, one rounding is half a step.
    const double allowed =
        out.allowed.relative > 0
            ? std::max(out.allowed.relative * magnitude, unit_in_last_place(out.format, 0) / 2)
            : 0;
    const double excess = error - (special ? 0 : allowed);
    if (excess > worst_excess) {
      worst_excess = excess;
      worst = i;
    }
  }
  if (worst_excess > 0) {
    fail(result,
         out.name + ": element " + std::to_string(worst) + " of " +
             std::to_string(expected.size()) + " is " + number(got.values[worst]) + ", expected " +
             number(expected[worst]) +
             (out.allowed.relative > 0 ? " within a relative " + number(out.allowed.relative)
                                       : " exactly"));
  }
}

/// Which output of `b` has other bits than `a`; empty if none.
std::string first_difference(const trial& work, const std::vector<reading>& a,
                             const std::vector<reading>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto [left, right] =
        std::mismatch(a[i].bits.begin(), a[i].bits.end(), b[i].bits.begin(), b[i].bits.end());
    if (left != a[i].bits.end() || right != b[i].bits.end()) {
      return work.outputs[i]->name + ", element " + std::to_string(left - a[i].bits.begin());
    }
  }
  return "";
}

void check(const test_case& test, int num_orders, case_result& result) {
  set_order(1);
  const trial alone = test.prepare({});
  const std::vector<reading> first = run_once(alone);
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!first[i].damage.empty()) fail(result, first[i].damage);
    compare(*alone.outputs[i], first[i], result);
  }
  for (int order = 2; order <= 1 + num_orders; ++order) {
    set_order(order);
    const std::vector<reading> again = run_once(alone);
    const std::string where = first_difference(alone, first, again);
    if (!where.empty()) {
      result.deterministic = false;
      fail(result, "other bits in run " + std::to_string(order) + ": " + where);
    }
    for (const reading& r : again) {
      if (!r.damage.empty()) fail(result, r.damage);
    }
  }
  set_order(1);
  if (!test.has_slots) return;
  const placement elsewhere{3, 1};
  const trial batch = test.prepare(elsewhere);
  const std::vector<reading> in_batch = run_once(batch);
  const std::string where = first_difference(batch, first, in_batch);
  if (!where.empty()) fail(result, "other bits in slot 1 of a batch of 3: " + where);
  for (const reading& r : in_batch) {
    if (!r.damage.empty()) fail(result, "in a batch of 3: " + r.damage);
  }
  result.slot_checked = true;
}

}  // namespace

std::vector<registered_family>& families() {
  static std::vector<registered_family> list;
  return list;
}

case_result run_case(const test_case& test, int num_orders) {
  case_result result;
  try {
    check(test, num_orders, result);
  } catch (const std::exception& fault) {
    fail(result, fault.what());
  }
  return result;
}

}  // namespace verify
