#include "machine.hpp"

#include <fmt/format.h>

#include <rocmforge/error.hpp>
#include <utility>

#include "stopwatch.hpp"
#include "terminal.hpp"

namespace decoder {
namespace {

/// A progress bar on standard error, which the destructor erases.
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

/// All devices that this program can use, cards first.
std::vector<machine_device> machine_devices() {
  std::vector<machine_device> list;
#if defined(DECODER_HAS_CARD)
  const platform card = card_platform();
  for (const auto& device : card.devices()) {
    const int index = static_cast<int>(list.size());
    list.push_back({card, index, fmt::format("{}:{}", card.name, index),
                    fmt::format("{}, {}, {:.0f} GiB", device.name, device.architecture,
                                static_cast<double>(device.memory_bytes) / (1 << 30))});
  }
#endif
  const platform host = host_platform();
  const auto processor = host.devices().front();
  list.push_back({host, 0, host.name,
                  fmt::format("{}, {} threads", processor.name, processor.num_compute_units)});
  return list;
}

}  // namespace

std::string device_list() {
  std::string lines;
  for (const auto& device : machine_devices()) {
    lines += fmt::format("{}  {}\n", device.name, device.details);
  }
  return lines;
}

machine_device find_device(const std::string& name) {
  std::string names;
  for (const machine_device& device : machine_devices()) {
    if (name.empty() || name == device.name || name + ":0" == device.name) return device;
    names += (names.empty() ? "" : ", ") + device.name;
  }
  throw rocmforge::error(fmt::format("--device {}: no such device, expected one of: {}",
                                     rocmforge::printable(name), names));
}

std::unique_ptr<engine> load_model(const rocmforge::gguf::file& file, const options& o,
                                   const machine_device& device) {
  engine_options machine = o.engine;
  machine.device = device.index;
  if (device.name != "host") machine.card = device.name + ", " + device.details;
  if (o.quiet || !error_is_terminal()) return device.on.make_engine(file, machine, [](double) {});
  progress_bar bar;
  return device.on.make_engine(file, machine, [&bar](double fraction) { bar.show(fraction); });
}

}  // namespace decoder
