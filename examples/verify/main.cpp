// Verifies the library on the devices of the platform that it was compiled for. docs/verify.md
// tells how to use it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <regex>
#include <stdexcept>

#include "device.hpp"
#include "options.hpp"
#include "report.hpp"
#include "runner.hpp"

namespace verify {
namespace {

constexpr int status_failed = 1;
constexpr int status_bad_usage = 2;

/// Bad usage or no device: one line, and no report.
struct cannot_start : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string describe(int number, const device_facts& d) {
  return fmt::format("{}  {} ({}), waves of {}\n", number, d.name, d.architecture, d.wave_size);
}

std::vector<int> chosen_devices(const std::string& wanted, std::size_t count) {
  std::vector<int> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(static_cast<int>(i));
  if (wanted == "all") return all;
  for (const int device : all) {
    if (wanted == std::to_string(device)) return {device};
  }
  throw cannot_start(
      fmt::format("--device {}: expected a number from 0 to {} or all", wanted, count - 1));
}

/// The line of an op and type; those of an op stand together.
op_report& line_of(std::vector<op_report>& lines, const std::string& op, const std::string& type) {
  auto place = lines.end();
  for (auto line = lines.begin(); line != lines.end(); ++line) {
    if (line->op != op) continue;
    if (line->type == type) return *line;
    place = line + 1;
  }
  op_report fresh;
  fresh.op = op;
  fresh.type = type;
  return *lines.insert(place, fresh);
}

void measure(const speed_case& speed, op_report& line) {
  constexpr double budget = 0.15;
  try {
    const double seconds = seconds_per_launch(speed.prepare(), budget);
    line.speed_shape = speed.shape;
    line.bytes_per_second = speed.bytes / seconds;
    line.flops = speed.flops / seconds;
  } catch (const std::exception& fault) {
    line.failures.push_back({line.op + "/" + line.type + "/timing: " + speed.shape, fault.what()});
  }
}

/// Called before and after the ops: the better of both, for what else the machine does.
void measure_ceilings(device_report& report) {
  constexpr double budget = 0.3;
  report.copy_rate = std::max(report.copy_rate, measure_copy_rate(budget));
  const peak_rate peak = measure_peak(report.facts.architecture, budget);
  if (peak.flops > report.peak.flops) report.peak = peak;
}

device_report verify_device(int number, const device_facts& facts, const options& o) {
  const auto start = std::chrono::steady_clock::now();
  device_report report;
  report.number = number;
  report.facts = facts;
  choose_device(number);
  const std::regex filter(o.filter);
  const settings s{o.quick, facts.wave_size, facts.architecture};
  // On an emulated device each order finds other races; elsewhere the device makes its own.
  const bool emulated = facts.architecture == "emulated";
  const int num_orders = emulated ? 4 : 1;
  const bool timed = !o.quick && !emulated;
  if (timed) {
    measure_ceilings(report);
  } else {
    report.skipped.push_back(emulated ? "timing, which means nothing on an emulated device"
                                      : "timing and large shapes (--quick)");
  }
  for (const registered_family& family : families()) {
    case_list list;
    family.add_cases(s, list);
    const auto chosen = [&](const auto& c) {
      return std::regex_search(family.name + "/" + c.op + "/" + c.type + "/" + c.shape, filter);
    };
    for (const test_case& test : list.tests) {
      if (!chosen(test)) continue;
      const std::string name = fmt::format("{}/{}/{}", test.op, test.type, test.shape);
      op_report& line = line_of(report.ops, test.op, test.type);
      line.add(test, name, run_case(test, num_orders));
      if (o.fail_fast && !line.failures.empty()) return report;
    }
    for (const speed_case& speed : list.speeds) {
      if (timed && chosen(speed)) measure(speed, line_of(report.ops, speed.op, speed.type));
    }
    if (std::regex_search(family.name + "/", filter))
      report.skipped.insert(report.skipped.end(), list.skipped.begin(), list.skipped.end());
  }
  if (timed && !report.ops.empty()) measure_ceilings(report);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

void write(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::fputs(text.c_str(), stdout);
    return;
  }
  std::FILE* file = std::fopen(path.c_str(), "w");
  const bool written = file != nullptr && std::fputs(text.c_str(), file) >= 0;
  if (file == nullptr || std::fclose(file) != 0 || !written)
    throw cannot_start(fmt::format("--json {}: cannot be written", path));
}

int run(const options& o) {
  if (!o.text_to_show.empty()) {
    std::fputs(o.text_to_show.c_str(), stdout);
    return 0;
  }
  const std::vector<device_facts> devices = list_devices();
  if (devices.empty())
    throw cannot_start(fmt::format("there is no {} device here", platform_name()));
  if (o.list_devices) {
    for (std::size_t i = 0; i < devices.size(); ++i)
      std::fputs(describe(static_cast<int>(i), devices[i]).c_str(), stdout);
    return 0;
  }
  std::sort(families().begin(), families().end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::vector<device_report> reports;
  bool any = false, passed = true;
  for (const int number : chosen_devices(o.device, devices.size())) {
    reports.push_back(verify_device(number, devices[static_cast<std::size_t>(number)], o));
    if (reports.back().ops.empty()) continue;
    if (o.json != "-") {
      if (reports.size() > 1) std::fputs("\n", stdout);
      std::fputs(table(reports.back()).c_str(), stdout);
      std::fflush(stdout);
    }
    any = any || !reports.back().ops.empty();
    passed = passed && reports.back().passed();
  }
  if (!any) throw cannot_start(fmt::format("--filter {}: no case matches", o.filter));
  if (!o.json.empty()) write(o.json, json(reports, o.quick, o.filter));
  return passed ? 0 : status_failed;
}

/// Ends with one line on standard error.
int fail(std::string message, int status) {
  std::replace_if(
      message.begin(), message.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  fmt::print(stderr, "verify: {}\n", message);
  return status;
}

int run_and_report(int num_arguments, const char* const* arguments) {
  options o;
  try {
    o = parse_options(num_arguments, arguments);
  } catch (const std::runtime_error& fault) {
    return fail(fault.what(), status_bad_usage);
  }
  try {
    return run(o);
  } catch (const cannot_start& fault) {
    return fail(fault.what(), status_bad_usage);
  } catch (const std::exception& fault) {
    return fail(fault.what(), status_failed);
  }
}

}  // namespace
}  // namespace verify

int main(int num_arguments, char** arguments) {
  return verify::run_and_report(num_arguments, arguments);
}
