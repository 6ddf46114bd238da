// What was found, as a table for people and as JSON.
#pragma once

#include <string>
#include <vector>

#include "device.hpp"
#include "runner.hpp"

namespace verify {

struct failed_case {
  std::string name, why;
};

/// One line of the table: an op with one element type.
struct op_report {
  std::string op, type;
  int num_cases = 0, num_passed = 0;
  double max_ulp = 0, sum_ulp = 0;
  long elements = 0;
  std::string worst_case;  // the one with max_ulp
  bool deterministic = true;
  int num_slots_checked = 0;
  std::vector<failed_case> failures;
  std::string speed_shape;
  double bytes_per_second = 0, flops = 0;

  void add(const test_case& test, const std::string& name, const case_result& result);
};

struct device_report {
  int number = 0;
  device_facts facts;
  double copy_rate = 0;  // bytes per second; 0: not measured
  peak_rate peak;
  double seconds = 0;
  std::vector<op_report> ops;
  std::vector<std::string> skipped;  // what was not verified, and why

  bool passed() const;
};

std::string table(const device_report& report);
std::string json(const std::vector<device_report>& reports, bool quick, const std::string& filter);

}  // namespace verify
