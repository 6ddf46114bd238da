// Part of every kernel test program: which of the library's kernels were launched on which device
// within cases that passed. At the end they are written beside the XML results, as NAME.launches,
// for scripts/support: a line each of device, op and kernel, and one about each device.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <rocmforge/platform/observe.hpp>
#include <rocmforge/platform/platform.hpp>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

#include "launch_recorder.hpp"

namespace rocmforge {
namespace {

/// Texts that live as long as the program, so that their addresses will do.
struct launch_key {
  const char* op;
  const char* kernel;
  const device_properties* device;
  bool operator==(const launch_key&) const = default;
};

struct launch_hash {
  std::size_t operator()(const launch_key& key) const {
    const auto hash = [](const void* address) { return std::hash<const void*>{}(address); };
    return (hash(key.op) * 31 + hash(key.kernel)) * 31 + hash(key.device);
  }
};

using launches = std::unordered_set<launch_key, launch_hash>;

/// The kernel's type, from `kernels::` on; empty if it is not one of the library's. Compilers write
/// as much of the namespaces before it as they like.
std::string_view library_kernel(std::string_view text) {
  constexpr std::string_view before = "Kernel = ";
  text = text.substr(0, text.rfind(']'));
  text.remove_prefix(text.find(before) + before.size());
  // The host's namespace says the instruction set too.
  for (const std::string_view space : {"rocmforge::", "host_", "amd::", "nvidia::"})
    if (text.starts_with(space)) text.remove_prefix(text.find("::") + 2);
  return text.starts_with("kernels::") ? text : "";
}

/// The name that tests have for a device: host, emulated32, emulated64 or the card's architecture.
std::string name_of(const device_properties& device) {
  return device.architecture == "emulated" ? "emulated" + std::to_string(device.wave_size)
                                           : device.architecture;
}

/// Whether what ran was this machine's processor, a card, or an emulator of one. A card has its
/// driver's device file; a command before the test program is an emulator, unless it is one of
/// NVIDIA's tools, which watch what the card does.
std::string where_of(const device_properties& device) {
  if (device.architecture == "host" || device.architecture == "emulated") return "host";
  const char* launcher = std::getenv("ROCMFORGE_TEST_LAUNCHER");
  const bool emulator =
      launcher != nullptr && *launcher != '\0' &&
      std::string_view(launcher).find("compute-sanitizer") == std::string_view::npos;
  const bool driver =
      std::filesystem::exists(std::string_view(platform_name) == "amd" ? "/dev/kfd"
                                                                       : "/dev/nvidiactl") ||
      std::filesystem::exists("/dev/dxg");  // Linux under Windows
  return emulator || !driver ? "emulator" : "card";
}

class launch_recorder : public ::testing::EmptyTestEventListener {
 public:
  void add(const launch_key& launch) {
    const std::lock_guard lock(mutex_);
    of_case_.insert(launch);
    ++count_;
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  void OnTestProgramStart(const ::testing::UnitTest& /*program*/) override {
    runtime_ = runtime_version();
  }

  void OnTestStart(const ::testing::TestInfo& /*test*/) override { of_case_.clear(); }

  void OnTestEnd(const ::testing::TestInfo& test) override {
    if (test.result()->Passed()) passed_.merge(of_case_);
  }

  void OnTestProgramEnd(const ::testing::UnitTest& /*program*/) override {
    const std::string output = GTEST_FLAG_GET(output);
    if (!output.starts_with("xml:")) return;
    std::set<std::string> lines;
    for (const launch_key& launch : passed_) {
      const std::string_view kernel = library_kernel(launch.kernel);
      if (kernel.empty()) continue;
      const device_properties& device = *launch.device;
      lines.insert(name_of(device) + ' ' + launch.op + ' ' + std::string(kernel));
      lines.insert("device\t" + name_of(device) + '\t' + where_of(device) + '\t' + device.name +
                   '\t' + runtime_);
    }
    const std::filesystem::path path =
        std::filesystem::path(output.substr(4)).replace_extension(".launches");
    std::filesystem::create_directories(path.parent_path());
    std::ofstream file(path);
    for (const std::string& line : lines) file << line << '\n';
  }

  std::mutex mutex_;
  launches of_case_, passed_;
  std::size_t count_ = 0;
  std::string runtime_;
};

/// Belongs to GoogleTest, which has it from before main on.
launch_recorder& recorder() {
  static launch_recorder* const instance = [] {
    auto* created = new launch_recorder;
    ::testing::UnitTest::GetInstance()->listeners().Append(created);
    return created;
  }();
  return *instance;
}

[[maybe_unused]] const launch_recorder& created_before_main = recorder();

}  // namespace

void observe_launch(const char* op, const char* kernel, const device_properties& device) {
  recorder().add({op, kernel, &device});
}

std::size_t testing::num_launches() {
  return recorder().count();
}

}  // namespace rocmforge
