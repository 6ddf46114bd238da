#include "machine.hpp"

#include <fmt/format.h>

#include <rocmforge/error.hpp>

#include "stopwatch.hpp"
#include "terminal.hpp"

namespace decoder {
namespace {

/// A line on standard error that is drawn over and over, and wiped at the end.
class progress_bar {
 public:
  ~progress_bar() {
    if (percent_ >= 0) write_error("\r\x1b[K");
  }

  void show(double fraction) {
    constexpr int width = 40;
    constexpr double patience_seconds = 0.5;
    const int percent = static_cast<int>(fraction * 100);
    if (percent == percent_ || since_start_.seconds() < patience_seconds) return;
    percent_ = percent;
    write_error(fmt::format("\rloading [{:<{}}] {:3} %", std::string(percent * width / 100, '#'),
                            width, percent));
  }

 private:
  stopwatch since_start_;
  int percent_ = -1;
};

}  // namespace

std::string device_list() {
  std::string lines;
  for (const auto& device : host_devices()) {
    lines += fmt::format("{}  {}\n", device.name, device.details);
  }
  return lines;
}

int find_device(const std::string& name) {
  const auto devices = host_devices();
  if (name.empty() && !devices.empty()) return 0;
  std::string names;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i].name == name) return static_cast<int>(i);
    names += (i == 0 ? "" : ", ") + devices[i].name;
  }
  throw rocmforge::error(fmt::format("--device {}: no such device, expected one of: {}",
                                     rocmforge::printable(name), names));
}

std::unique_ptr<engine> load_model(const rocmforge::gguf::file& file, const options& o,
                                   int device) {
  engine_options machine = o.engine;
  machine.device = device;
  if (o.quiet || !error_is_terminal()) return make_host_engine(file, machine, [](double) {});
  progress_bar bar;
  return make_host_engine(file, machine, [&bar](double fraction) { bar.show(fraction); });
}

}  // namespace decoder
