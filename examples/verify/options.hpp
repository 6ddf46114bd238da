// What the command line asks for.
#pragma once

#include <string>

namespace verify {

struct options {
  std::string text_to_show;  // the help or the version, and nothing else
  bool list_devices = false;
  bool quick = false;
  bool fail_fast = false;
  std::string filter;        // a regular expression
  std::string device = "0";  // a number, or all
  std::string json;          // a file, - for standard output, or nothing
};

/// @throws std::runtime_error with one line for anything that is not understood
options parse_options(int num_arguments, const char* const* arguments);

}  // namespace verify
