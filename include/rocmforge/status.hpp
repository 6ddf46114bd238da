// What a launch function returns: whether it launched, and if not, which argument is wrong and how.
#pragma once

#include <cstdint>
#include <string>

#include "rocmforge/platform/standard.hpp"

namespace rocmforge {

enum class status_code : int {
  success,
  invalid_shape,     // extents disagree, or are not in the range the op takes
  invalid_layout,    // a stride the op does not take (the last axis must have stride 1)
  invalid_argument,  // an option or pointer out of range
  unsupported,       // valid, but there is no kernel for it; the message says what there is
  no_device,         // the machine has no device of this platform
  device_error       // the runtime refused the launch; numbers[0] is its error code
};

/// Name of a status code as it is spelled in the source.
constexpr const char* name_of(status_code code) {
  switch (code) {
    case status_code::success:
      return "success";
    case status_code::invalid_shape:
      return "invalid_shape";
    case status_code::invalid_layout:
      return "invalid_layout";
    case status_code::invalid_argument:
      return "invalid_argument";
    case status_code::unsupported:
      return "unsupported";
    case status_code::no_device:
      return "no_device";
    case status_code::device_error:
      return "device_error";
  }
  return "unknown";
}

/// Result of a launch. Small and trivially copyable; the sentence is written only when it is asked
/// for. (Its functions are always inlined: see macros.hpp on what lies outside of the platform's
/// namespace.)
struct [[nodiscard]] status {
  status_code code = status_code::success;
  const char* op = "";        // the function that refused
  const char* argument = "";  // its argument
  const char* sentence = "";  // what is wrong; {0} to {3} stand for the numbers
  std::int64_t numbers[4] = {};
  const char* reason = "";  // what the runtime says, if it was asked

  [[nodiscard, gnu::always_inline]] constexpr bool ok() const {
    return code == status_code::success;
  }
  [[gnu::always_inline]] explicit constexpr operator bool() const { return ok(); }

  /// For example "rms_norm: weight: extent 0 is 512, expected 576 (invalid_shape)".
  [[nodiscard, gnu::always_inline]] std::string message() const {
    if (ok()) return "success";
    std::string text = std::string(op) + ": ";
    if (*argument != '\0') text += std::string(argument) + ": ";
    for (const char* c = sentence; *c != '\0'; ++c) {
      if (c[0] == '{' && c[1] >= '0' && c[1] <= '3' && c[2] == '}') {
        text += std::to_string(numbers[c[1] - '0']);
        c += 2;
      } else {
        text += *c;
      }
    }
    if (*reason != '\0') text += std::string(": ") + reason;
    return text + " (" + name_of(code) + ")";
  }
};

}  // namespace rocmforge
