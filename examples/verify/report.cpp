#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <rocmforge/version.hpp>

namespace verify {
namespace {

double mean_ulp(const op_report& op) {
  return op.elements != 0 ? op.sum_ulp / static_cast<double>(op.elements) : 0;
}

double share(double rate, double ceiling) {
  return ceiling > 0 ? rate / ceiling : 0;
}

std::string speed(const op_report& op, const device_report& report) {
  if (op.bytes_per_second > 0) {
    return fmt::format("{:8.1f} GB/s    {:3.0f} %", op.bytes_per_second / 1e9,
                       100 * share(op.bytes_per_second, report.copy_rate));
  }
  if (op.flops > 0) {
    return fmt::format("{:8.1f} GFLOP/s {:3.0f} %", op.flops / 1e9,
                       100 * share(op.flops, report.peak.flops));
  }
  return "-";
}

std::string ulp_text(double ulp) {
  return std::isfinite(ulp) && ulp < 1e6 ? fmt::format("{:.2f}", ulp) : "large";
}

}  // namespace

void op_report::add(const test_case& test, const std::string& name, const case_result& result) {
  op = test.op;
  type = test.type;
  ++num_cases;
  num_passed += result.failure.empty();
  if (result.max_ulp > max_ulp || worst_case.empty()) worst_case = test.shape;
  max_ulp = std::max(max_ulp, result.max_ulp);
  sum_ulp += result.sum_ulp;
  elements += result.elements;
  deterministic = deterministic && result.deterministic;
  num_slots_checked += result.slot_checked;
  if (!result.failure.empty()) failures.push_back({name, result.failure});
}

bool device_report::passed() const {
  return std::all_of(ops.begin(), ops.end(), [](const op_report& op) {
    return op.num_passed == op.num_cases && op.failures.empty();
  });
}

std::string table(const device_report& report) {
  const device_facts& d = report.facts;
  std::string text = fmt::format("device {}: {} ({}), waves of {}, {} compute units", report.number,
                                 d.name, d.architecture, d.wave_size, d.num_compute_units);
  if (d.memory_bytes != 0) text += fmt::format(", {:.1f} GiB", double(d.memory_bytes) / (1 << 30));
  text += fmt::format("\nplatform {}, {}; compiled by {}\n", platform_name(), runtime_version(),
                      compiler_version());
  if (report.copy_rate > 0) {
    text += fmt::format("ceilings: copy {:.1f} GB/s; {} {:.1f} GFLOP/s\n", report.copy_rate / 1e9,
                        report.peak.instruction, report.peak.flops / 1e9);
  }
  std::size_t width = 2;
  for (const op_report& op : report.ops) width = std::max(width, op.op.size());
  text += fmt::format("\n{:<{}} {:<10} {:>6} {:>6} {:>9} {:>9} {:>6} {:>6}  {}\n", "op", width,
                      "type", "cases", "passed", "max ULP", "mean ULP", "again", "slots", "speed");
  int num_cases = 0, num_passed = 0;
  for (const op_report& op : report.ops) {
    text += fmt::format("{:<{}} {:<10} {:>6} {:>6} {:>9} {:>9} {:>6} {:>6}  {}\n", op.op, width,
                        op.type, op.num_cases, op.num_passed, ulp_text(op.max_ulp),
                        ulp_text(mean_ulp(op)), op.deterministic ? "same" : "OTHER",
                        op.num_slots_checked != 0 ? fmt::format("{}", op.num_slots_checked) : "-",
                        speed(op, report));
    num_cases += op.num_cases;
    num_passed += op.num_passed;
  }
  constexpr std::size_t most_shown = 3;  // of an op and type; the report has all of them
  for (const op_report& op : report.ops) {
    for (std::size_t i = 0; i < std::min(most_shown, op.failures.size()); ++i)
      text += fmt::format("FAILED {}: {}\n", op.failures[i].name, op.failures[i].why);
    if (op.failures.size() > most_shown) {
      text +=
          fmt::format("FAILED {}/{}: {} more\n", op.op, op.type, op.failures.size() - most_shown);
    }
  }
  for (const std::string& what : report.skipped) text += fmt::format("skipped: {}\n", what);
  text += fmt::format("{} of {} cases passed, {:.1f} s\n", num_passed, num_cases, report.seconds);
  return text;
}

std::string json(const std::vector<device_report>& reports, bool quick, const std::string& filter) {
  nlohmann::ordered_json all = {{"version", ROCMFORGE_VERSION_STRING},
                                {"platform", platform_name()},
                                {"runtime", runtime_version()},
                                {"compiler", compiler_version()},
                                {"quick", quick},
                                {"filter", filter},
                                {"devices", nlohmann::ordered_json::array()}};
  bool passed = true;
  for (const device_report& report : reports) {
    const device_facts& d = report.facts;
    nlohmann::ordered_json device = {{"number", report.number},
                                     {"name", d.name},
                                     {"architecture", d.architecture},
                                     {"wave_size", d.wave_size},
                                     {"num_compute_units", d.num_compute_units},
                                     {"shared_bytes", d.shared_bytes},
                                     {"memory_bytes", d.memory_bytes},
                                     {"passed", report.passed()},
                                     {"seconds", report.seconds}};
    if (report.copy_rate > 0) {
      device["copy_bytes_per_second"] = report.copy_rate;
      device["peak"] = {{"instruction", report.peak.instruction}, {"flops", report.peak.flops}};
    }
    for (const op_report& op : report.ops) {
      nlohmann::ordered_json line = {{"op", op.op},
                                     {"type", op.type},
                                     {"cases", op.num_cases},
                                     {"passed", op.num_passed},
                                     {"max_ulp", op.max_ulp},  // null: infinite
                                     {"mean_ulp", mean_ulp(op)},
                                     {"worst_case", op.worst_case},
                                     {"deterministic", op.deterministic},
                                     {"slots_checked", op.num_slots_checked}};
      if (op.bytes_per_second > 0 || op.flops > 0) {
        const bool moves = op.bytes_per_second > 0;
        line["speed"] = {
            {"shape", op.speed_shape},
            {moves ? "bytes_per_second" : "flops", moves ? op.bytes_per_second : op.flops},
            {"share", moves ? share(op.bytes_per_second, report.copy_rate)
                            : share(op.flops, report.peak.flops)}};
      }
      for (const failed_case& f : op.failures)
        line["failures"].push_back({{"case", f.name}, {"why", f.why}});
      device["ops"].push_back(line);
    }
    device["skipped"] = report.skipped;
    all["devices"].push_back(device);
    passed = passed && report.passed();
  }
  all["passed"] = passed;
  return all.dump(2) + "\n";
}

}  // namespace verify
