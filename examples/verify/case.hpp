// What is verified: cases, each one op on one shape with one element type, and how fast ops are.
// Plain C++; what launches kernels is behind functions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace verify {

enum class number_format { f32, f16, bf16, i32 };

/// How far a result may be from what is expected: relative * max(|expected|, floor * the largest
/// expected magnitude).
struct tolerance {
  double relative = 0;  // 0: equal
  double floor = 0;
};

/// One output of a run, on the host.
struct reading {
  std::vector<double> values;
  std::vector<std::uint32_t> bits;  // of the same elements
  std::string damage;               // what was written outside the output; empty if nothing was
};

/// A tensor on the device that an op writes, amid memory that it must leave alone.
class output {
 public:
  output() = default;
  output(const output&) = delete;
  output& operator=(const output&) = delete;
  virtual ~output() = default;
  /// Fills it with what no op writes (or with its input, where it is one).
  virtual void reset() = 0;
  virtual reading read() const = 0;

  std::string name;
  number_format format = number_format::f32;
  std::function<std::vector<double>()> expected;
  tolerance allowed;
};

/// An op with its inputs on the device, ready to run any number of times.
struct trial {
  std::function<std::string()> launch;  // what was refused, or nothing
  std::vector<std::shared_ptr<output>> outputs;
};

/// Where a case's data are in a batch of `copies` times their number; the other places hold other
/// data.
struct placement {
  int copies = 1;
  int slot = 0;
};

struct test_case {
  std::string op, type, shape;
  bool has_slots;  // can be asked for more than one copy
  std::function<trial(const placement&)> prepare;
};

/// What an op costs on a large shape.
struct speed_case {
  std::string op, type, shape;
  double bytes = 0;  // that must be read and written, or
  double flops = 0;
  std::function<std::function<std::string()>()> prepare;  // makes the launch
};

/// What decides which cases there are.
struct settings {
  bool quick = false;
  int wave_size = 1;
  std::string architecture;
};

struct case_list {
  std::vector<test_case> tests;
  std::vector<speed_case> speeds;
  std::vector<std::string> skipped;  // what a device cannot be asked, and why
};

/// Families of ops register themselves: what is not linked is not verified.
using family = void (*)(const settings&, case_list&);
struct registered_family {
  std::string name;
  family add_cases;
};
std::vector<registered_family>& families();

struct registration {
  registration(const char* name, family add_cases) { families().push_back({name, add_cases}); }
};

}  // namespace verify
