// The host as a device. Serial: a block is one lane that runs on a thread of OpenMP's team, and
// packets are as wide as the vector registers. With ROCMFORGE_EMULATION defined (tests) there are
// two more devices, on which a block is BlockSize fibres in waves of 32 or 64; see emulation.hpp.
#pragma once

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "rocmforge/error.hpp"
#include "rocmforge/platform/launch_check.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"
#include "rocmforge/status.hpp"

#if defined(ROCMFORGE_EMULATION)
#include "rocmforge/platform/emulation.hpp"
#endif
#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

inline constexpr char platform_name[] = "host";

/// Capabilities of the processor that the compiler was told about.
namespace arch {
#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif
#if defined(ROCMFORGE_EMULATION)
inline constexpr bool has_emulation = true;
#else
inline constexpr bool has_emulation = false;
#endif
}  // namespace arch

/// Wave sizes that kernels are compiled for.
#if defined(ROCMFORGE_EMULATION)
using platform_wave_sizes = int_list<1, 32, 64>;
#else
using platform_wave_sizes = int_list<1>;
#endif

/// A lane's arrays may be of any size: what is too much for registers lies in the first-level
/// cache.
constexpr int max_lane_registers(int /*block_size*/, int /*wave_size*/) {
  return std::numeric_limits<int>::max();
}

// ---- devices ----

/// Threads that a launch uses: all of the machine's, or what was set.
inline int& num_threads() {
#if defined(_OPENMP)
  static int threads = omp_get_max_threads();
#else
  static int threads = 1;
#endif
  return threads;
}
inline void set_num_threads(int threads) {
  num_threads() = threads < 1 ? 1 : threads;
}

/// The serial host first; with ROCMFORGE_EMULATION then the emulated devices of wave size 32
/// and 64.
inline const std::vector<device_properties>& devices() {
  static const std::vector<device_properties> list = [] {
    std::vector<device_properties> found(1);
    found[0] = {"host processor", "host", 1, num_threads(), std::size_t{1} << 30, 0};
    if constexpr (arch::has_emulation) {
      found.push_back({"emulated, 32 lanes a wave", "emulated", 32, 1, 65536, 0});
      found.push_back({"emulated, 64 lanes a wave", "emulated", 64, 1, 65536, 0});
    }
    return found;
  }();
  return list;
}

/// What runs the kernels, for people.
inline std::string runtime_version() {
#if defined(_OPENMP)
  return "OpenMP " + std::to_string(_OPENMP) + ", " + std::to_string(num_threads()) + " threads";
#else
  return "one thread";
#endif
}

namespace host_runtime {

inline int& current_device() {
  thread_local int device = 0;
  return device;
}

/// What a stream refers to: a device, and a list of steps while a graph is being captured.
struct stream_state {
  int device = 0;
  std::vector<std::function<void()>>* recording = nullptr;
};

inline stream_state& default_stream() {
  thread_local stream_state state;
  state.device = current_device();
  return state;
}

struct statistics {
  std::atomic<std::size_t> bytes_in_use{0}, num_allocations{0}, num_uploads{0}, num_downloads{0};
};
inline statistics& counters() {
  static statistics instance;
  return instance;
}

}  // namespace host_runtime

/// The calling thread's device: an index into `devices()`.
inline int current_device() {
  return host_runtime::current_device();
}

/// Throws error if there is no such device.
inline void set_device(int device) {
  if (device < 0 || device >= static_cast<int>(devices().size())) {
    throw error("set_device: there is no device " + std::to_string(device) + "; there are " +
                std::to_string(devices().size()));
  }
  host_runtime::current_device() = device;
}

// ---- streams, events, graphs ----

/// A stream that somebody else owns, or nothing for the default stream of the calling thread's
/// device.
struct stream_ref {
  host_runtime::stream_state* state = nullptr;

  [[nodiscard]] host_runtime::stream_state& resolved() const {
    return state != nullptr ? *state : host_runtime::default_stream();
  }
  [[nodiscard]] int device() const { return resolved().device; }
  void synchronize() const {}
  /// Runs `step` now, or records it while a graph is being captured.
  template <class Step>
  void submit(Step&& step) const {
    if (auto* recording = resolved().recording) {
      recording->emplace_back(std::forward<Step>(step));
    } else {
      step();
    }
  }
};

/// An ordered queue of work, owned. Work runs at the call.
class stream {
 public:
  stream() : state_(std::make_unique<host_runtime::stream_state>()) {
    state_->device = current_device();
  }
  operator stream_ref() const { return {state_.get()}; }
  void synchronize() const {}

 private:
  std::unique_ptr<host_runtime::stream_state> state_;
};

/// A point in a stream, owned.
class event {
 public:
  event() = default;
  event(event&&) = default;
  event& operator=(event&&) = default;
  void record(stream_ref stream = {}) {
    stream.submit([time = time_] { *time = std::chrono::steady_clock::now(); });
  }
  void synchronize() const {}
  /// Milliseconds from `earlier` to this event; both must have been reached.
  [[nodiscard]] float milliseconds_since(const event& earlier) const {
    return std::chrono::duration<float, std::milli>(*time_ - *earlier.time_).count();
  }

 private:
  std::shared_ptr<std::chrono::steady_clock::time_point> time_ =
      std::make_shared<std::chrono::steady_clock::time_point>();
};

/// Launches recorded once and replayed as one.
class graph {
 public:
  /// Records what `work()` launches on `stream`; nothing is executed.
  template <class Work>
  static graph capture(stream_ref stream, Work&& work) {
    host_runtime::stream_state& state = stream.resolved();
    if (state.recording != nullptr)
      throw error("graph capture: the stream is being captured already");
    graph result;
    state.recording = &result.steps_;
    try {
      work();
    } catch (...) {
      state.recording = nullptr;
      throw;
    }
    state.recording = nullptr;
    return result;
  }
  void launch(stream_ref stream = {}) const {
    for (const auto& step : steps_) stream.submit(step);
  }
  graph(graph&&) = default;
  graph& operator=(graph&&) = default;

 private:
  graph() = default;
  std::vector<std::function<void()>> steps_;
};

// ---- memory ----

namespace platform_memory {

/// Cache-line aligned, on huge pages where it is large; nullptr if there is not enough.
inline void* allocate(std::size_t bytes) {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const std::size_t alignment = bytes >= 2 * huge_page ? huge_page : 64;
  if (bytes > SIZE_MAX - alignment) return nullptr;
  void* pointer = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (pointer == nullptr) return nullptr;
#if defined(__linux__)
  if (alignment == huge_page) madvise(pointer, bytes, MADV_HUGEPAGE);
#endif
  if constexpr (arch::has_emulation)
    std::memset(pointer, 0xff, bytes);  // NaN: what nobody wrote must not look like data
  host_runtime::counters().bytes_in_use += bytes;
  ++host_runtime::counters().num_allocations;
  return pointer;
}

inline void deallocate(void* pointer, std::size_t bytes) {
  std::free(pointer);
  host_runtime::counters().bytes_in_use -= bytes;
}

inline void* allocate_pinned(std::size_t bytes) {
  return std::malloc(bytes);
}
inline void deallocate_pinned(void* pointer) {
  std::free(pointer);
}

inline void copy(void* to, const void* from, std::size_t bytes, stream_ref stream) {
  if (bytes != 0) stream.submit([=] { std::memcpy(to, from, bytes); });
}
inline void upload(void* to_device, const void* from_host, std::size_t bytes, stream_ref stream) {
  copy(to_device, from_host, bytes, stream);
  ++host_runtime::counters().num_uploads;
}
inline void download(void* to_host, const void* from_device, std::size_t bytes, stream_ref stream) {
  copy(to_host, from_device, bytes, stream);
  ++host_runtime::counters().num_downloads;
}
inline void fill(void* pointer, int byte, std::size_t bytes, stream_ref stream) {
  if (bytes != 0) stream.submit([=] { std::memset(pointer, byte, bytes); });
}

}  // namespace platform_memory

inline memory_statistics current_memory_statistics() {
  const host_runtime::statistics& counters = host_runtime::counters();
  return {counters.bytes_in_use, counters.num_allocations, counters.num_uploads,
          counters.num_downloads};
}

// ---- blocks and launches ----

/// What one lane knows of its block, and how it talks to the others. Every lane of a block must
/// reach each barrier, and every lane of a wave each shuffle.
template <int BlockSize, int WaveSize>
struct block_context {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int num_waves = BlockSize / WaveSize;

  grid_size index;  // of the block in the grid
  int thread = 0;   // 0 to BlockSize - 1
#if defined(ROCMFORGE_EMULATION)
  emulation::block* fibres = nullptr;
#endif

  ROCMFORGE_DEVICE int lane() const {
    return thread % WaveSize;
  }
  ROCMFORGE_DEVICE int wave() const {
    return thread / WaveSize;
  }

  /// Waits for all lanes of the block; what they wrote to shared memory before is visible after.
  ROCMFORGE_DEVICE void barrier() const {
#if defined(ROCMFORGE_EMULATION)
    if constexpr (BlockSize > 1) fibres->barrier(thread);
#endif
  }
  /// The value of the lane whose number within the wave is this lane's XOR Mask.
  template <int Mask, class T>
  ROCMFORGE_DEVICE T shuffle_xor(T value) const {
    static_assert(sizeof(T) == 4 && Mask > 0 && Mask < WaveSize);
    return shuffle(value, lane() ^ Mask);
  }
  /// The value of lane `source` of the wave.
  template <class T>
  ROCMFORGE_DEVICE T shuffle(T value, [[maybe_unused]] int source) const {
    static_assert(sizeof(T) == 4);
#if defined(ROCMFORGE_EMULATION)
    if constexpr (BlockSize > 1) {
      const int other = wave() * WaveSize + source % WaveSize;
      return __builtin_bit_cast(
          T, fibres->exchange(thread, __builtin_bit_cast(std::uint32_t, value), other));
    }
#endif
    return value;
  }
  /// Adds to an unsigned number in shared memory while other lanes may add to it too: whole
  /// numbers, so that the sum does not depend on who comes first.
  /// @return what it was before
  template <class T>
  ROCMFORGE_DEVICE T atomic_add(T& shared, T value) const {
    static_assert(std::is_unsigned_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    const T before = shared;  // lanes are fibres of one thread
    shared += value;
    return before;
  }
};

namespace host_runtime {

/// Memory of one thread for the shared storage of the block it runs, kept between launches.
inline void* thread_storage(std::size_t bytes) {
  struct buffer {
    void* data = nullptr;
    std::size_t capacity = 0;
    ~buffer() { std::free(data); }
  };
  thread_local buffer storage;
  if (storage.capacity < bytes) {
    std::free(storage.data);
    storage.capacity = (bytes + 4095) / 4096 * 4096;
    storage.data = std::aligned_alloc(64, storage.capacity);
    if (storage.data == nullptr) storage.capacity = 0;
  }
  return storage.data;
}

/// Runs the blocks on the team of threads, in any order.
template <class Kernel>
void run_serial(const Kernel& kernel, grid_size grid) {
  using storage = typename Kernel::shared_storage;
  const std::int64_t num_blocks = std::int64_t{grid.x} * grid.y * grid.z;
  const auto run = [&](std::int64_t i, void* shared) {
    block_context<1, 1> block{};
    block.index = {static_cast<int>(i % grid.x), static_cast<int>(i / grid.x % grid.y),
                   static_cast<int>(i / grid.x / grid.y)};
    kernel(block, *static_cast<storage*>(shared));
  };
#if defined(_OPENMP)
  const int threads = num_threads();
  if (threads > 1 && num_blocks > 1) {
    const int chunk = static_cast<int>(std::max<std::int64_t>(1, num_blocks / (8 * threads)));
#pragma omp parallel num_threads(threads)
    {
      void* shared = thread_storage(sizeof(storage));
#pragma omp for schedule(dynamic, chunk) nowait
      for (std::int64_t i = 0; i < num_blocks; ++i) run(i, shared);
    }
    return;
  }
#endif
  void* shared = thread_storage(sizeof(storage));
  for (std::int64_t i = 0; i < num_blocks; ++i) run(i, shared);
}

}  // namespace host_runtime

namespace emulation {

#if defined(ROCMFORGE_EMULATION)
/// Runs the blocks on fibres, or records them while a graph is being captured.
template <class Kernel>
status start(const char* op, const Kernel& kernel, grid_size grid, stream_ref stream) {
  using storage = typename Kernel::shared_storage;
  const auto run_blocks = [=] {
    return run<Kernel::block_size, Kernel::wave_size, storage>(
        grid, [&](block& fibres, grid_size index, int thread, void* shared) {
          kernel(block_context<Kernel::block_size, Kernel::wave_size>{index, thread, &fibres},
                 *static_cast<storage*>(shared));
        });
  };
  constexpr char stuck[] = "lanes of an emulated block wait at different places";
  if (stream.resolved().recording != nullptr) {
    stream.submit([=] {
      if (!run_blocks()) throw error(std::string(op) + ": " + stuck);
    });
  } else if (!run_blocks()) {
    return {status_code::device_error,
            op,
            "",
            "lanes of an emulated block wait at different places",
            {}};
  }
  return {};
}
#else
template <class Kernel>
status start(const char* op, const Kernel&, grid_size, stream_ref) {
  return {status_code::unsupported, op, "", "there are no emulated devices", {}};
}
#endif

}  // namespace emulation

/// The same kernel: only GPUs have reason to read its members again.
template <class Kernel>
ROCMFORGE_DEVICE const Kernel& reloaded(const Kernel& kernel) {
  return kernel;
}

namespace platform_launch {

/// The serial host runs blocks of one lane.
inline launch_limits limits_of(const device_properties& device) {
  return {device.wave_size == 1 ? 1 : 1024, device.wave_size,
          static_cast<std::int64_t>(device.shared_bytes), std::numeric_limits<std::int64_t>::max()};
}

/// @return device_error if an emulated block cannot go on because lanes wait at different places
template <class Kernel>
status start([[maybe_unused]] const char* op, const Kernel& kernel, grid_size grid,
             stream_ref stream) {
  if constexpr (Kernel::wave_size == 1) {
    if constexpr (Kernel::block_size == 1)
      stream.submit([=] { host_runtime::run_serial(kernel, grid); });
    return {};
  } else {
    return emulation::start(op, kernel, grid, stream);
  }
}

}  // namespace platform_launch

/// 2^x.
ROCMFORGE_DEVICE float exp2_of(float x) {
  return std::exp2(x);
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
