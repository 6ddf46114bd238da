// The devices of the platform that the program was compiled for. Plain C++.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace verify {

struct device_facts {
  std::string name, architecture;
  int wave_size = 1;
  int num_compute_units = 1;
  std::size_t shared_bytes = 0, memory_bytes = 0;
};

const char* platform_name();
/// Versions of the runtime and of the driver, for logs.
std::string runtime_version();
std::string compiler_version();
std::vector<device_facts> list_devices();
void choose_device(int device);
/// Waits for the device. Throws if it reports an error.
void synchronize();
/// The order in which an emulated device runs its lanes; nothing elsewhere.
void set_order(int order);

/// Seconds that a launch takes, from the best of several batches within about `budget` seconds.
double seconds_per_launch(const std::function<std::string()>& launch, double budget);

/// Bytes per second that a plain copy on the device reads and writes together.
double measure_copy_rate(double budget);
/// The arithmetic that the device reaches with operands in registers.
struct peak_rate {
  std::string instruction;  // which
  double flops = 0;         // per second
};
/// The best of the library's matrix instructions that the device has, or of plain multiply-adds.
peak_rate measure_peak(const std::string& architecture, double budget);

}  // namespace verify
