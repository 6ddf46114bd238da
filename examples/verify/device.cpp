#include "device.hpp"

#include <algorithm>
#include <memory>
#include <rocmforge/block/packets.hpp>
#include <rocmforge/dispatch.hpp>
#include <rocmforge/memory.hpp>
#include <stdexcept>

namespace verify {
namespace {

using namespace rocmforge;

/// y = x, packet by packet, on all of the device: what an op that only moves data would do.
template <int BlockSize, int WaveSize>
struct copy_rows {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {};
  tensor_view<float, 2> y;
  tensor_view<const float, 2> x;
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const float* from = slice(x, block.index.x).data;
    float* to = slice(y, block.index.x).data;
    device::for_each_packet<packet_size<float, WaveSize>>(
        block, x.extent[1], [&](auto at) { store(to, at, load(from, at)); });
  }
};

double batch_seconds(const std::function<std::string()>& launch, int count) {
  event begin, end;
  begin.record();
  for (int i = 0; i < count; ++i) {
    if (const std::string refused = launch(); !refused.empty())
      throw std::runtime_error("refused: " + refused);
  }
  end.record();
  end.synchronize();
  return static_cast<double>(end.milliseconds_since(begin)) / 1e3;
}

}  // namespace

const char* platform_name() {
  return rocmforge::platform_name;
}

std::string runtime_version() {
  return rocmforge::runtime_version();
}

std::string compiler_version() {
#if defined(ROCMFORGE_PLATFORM_NVIDIA)
  return "nvcc " + std::to_string(__CUDACC_VER_MAJOR__) + "." +
         std::to_string(__CUDACC_VER_MINOR__);
#elif defined(__clang__)
  return __VERSION__;
#else
  return "g++ " __VERSION__;
#endif
}

std::vector<device_facts> list_devices() {
  std::vector<device_facts> list;
  for (const device_properties& d : devices()) {
    list.push_back(
        {d.name, d.architecture, d.wave_size, d.num_compute_units, d.shared_bytes, d.memory_bytes});
  }
  return list;
}

void choose_device(int device) {
  set_device(device);
}

void synchronize() {
  stream_ref{}.synchronize();
}

void set_order([[maybe_unused]] int order) {
#if defined(ROCMFORGE_EMULATION)
  emulation::seed() = static_cast<std::uint64_t>(order);
#endif
}

double seconds_per_launch(const std::function<std::string()>& launch, double budget) {
  double spent = batch_seconds(launch, 1);  // for the caches and whatever is loaded at first use
  int count = 1;
  double best = batch_seconds(launch, count);
  // Batches just long enough for the clock, then the best of them: what else the machine does comes
  // and goes.
  constexpr double batch = 0.002;
  while (best * count < batch && spent < budget) {
    count *= 2;
    const double seconds = batch_seconds(launch, count);
    spent += seconds;
    best = seconds / count;
  }
  while (spent < budget) {
    const double seconds = batch_seconds(launch, count);
    spent += seconds;
    best = std::min(best, seconds / count);
  }
  return best;
}

double measure_copy_rate(double budget) {
  const bool on_host = devices()[static_cast<std::size_t>(current_device())].memory_bytes == 0;
  const int rows = on_host ? 2048 : 16384, size = 4096;  // 32 or 256 MiB
  const auto count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(size);
  device_buffer<float> from(count), to(count);
  from.fill_bytes(0);
  to.fill_bytes(0);
  const auto by_kernel = [&] {
    const status s = dispatch_wave_size<256>("copy", {}, [&](auto wave) {
      return launch(
          "copy",
          copy_rows<block_threads<256, wave>, wave>{to.view(rows, size), from.view(rows, size)},
          {rows}, {});
    });
    return s.ok() ? std::string() : s.message();
  };
  const auto by_runtime = [&] {
    platform_memory::copy(to.data(), from.data(), count * sizeof(float), {});
    return std::string();
  };
  const double best =
      std::min(seconds_per_launch(by_kernel, budget), seconds_per_launch(by_runtime, budget));
  return 2.0 * static_cast<double>(count) * sizeof(float) / best;
}

}  // namespace verify
