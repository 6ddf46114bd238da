// Runs a case: once on its own, again with the same and with other orders, and in another place of
// a larger batch.
#pragma once

#include <string>

#include "case.hpp"

namespace verify {

struct case_result {
  std::string failure;  // empty where all is right
  double max_ulp = 0;   // of the output's type, over all outputs
  double sum_ulp = 0;   // over `elements`
  long elements = 0;
  bool deterministic = true;  // the same bits again
  bool slot_checked = false;  // the same bits in another slot of a larger batch
};

/// @param num_orders  on an emulated device, how many orders of its lanes are tried
case_result run_case(const test_case& test, int num_orders);

}  // namespace verify
