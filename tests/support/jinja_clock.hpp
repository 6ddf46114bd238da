// The time that chat templates are given in tests; jinja_compare_test.py has the same.
#pragma once

#include <ctime>

namespace rocmforge::testing {

/// Monday 2024-07-01 09:05:03.
inline std::tm monday() {
  std::tm time{};
  time.tm_year = 124;
  time.tm_mon = 6;
  time.tm_mday = 1;
  time.tm_hour = 9;
  time.tm_min = 5;
  time.tm_sec = 3;
  time.tm_wday = 1;
  time.tm_yday = 182;
  return time;
}

}  // namespace rocmforge::testing
