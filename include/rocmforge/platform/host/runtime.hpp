// The host as a device: its threads, streams, graphs and memory. Work runs at the call.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rocmforge/error.hpp"
#include "rocmforge/platform/host/state.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"
#include "rocmforge/status.hpp"

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

/// See gpu/nvidia.hpp. Emulated devices stand for AMD's.
inline constexpr int split_block_waves = 1;

/// No limit on the host: arrays larger than the register file live in the first-level cache.
constexpr int max_lane_registers(int /*block_size*/, int /*wave_size*/) {
  return std::numeric_limits<int>::max();
}

// ---- devices ----

/// Threads that a launch uses: all of the machine's, or what was set.
inline int num_threads() {
#if defined(_OPENMP)
  return host_state::num_threads > 0 ? host_state::num_threads : omp_get_max_threads();
#else
  return host_state::num_threads > 0 ? host_state::num_threads : 1;
#endif
}
inline void set_num_threads(int threads) {
  host_state::num_threads = threads < 1 ? 1 : threads;
}

/// The serial host first; with ROCMFORGE_EMULATION then the emulated devices of wave size 32
/// and 64.
inline std::span<const device_properties> devices() {
  static const device_properties list[] = {
    {"host processor", "host", 1, num_threads(), std::size_t{1} << 30, 0},
#if defined(ROCMFORGE_EMULATION)
    {"emulated, 32 lanes a wave", "emulated", 32, 1, 65536, 0},
    {"emulated, 64 lanes a wave", "emulated", 64, 1, 65536, 0},
#endif
  };
  return list;
}

/// What the runtime said where `devices()` is empty, which the host is never without.
inline const char* no_device_reason() {
  return "";
}

/// What runs the kernels, for logs.
inline std::string runtime_version() {
#if defined(_OPENMP)
  return "OpenMP " + std::to_string(_OPENMP) + ", " + std::to_string(num_threads()) + " threads";
#else
  return "one thread";
#endif
}

namespace host_runtime {

/// What a stream refers to: a device, and a list of steps while a graph is being captured.
using step = std::function<status()>;
struct stream_state {
  int device = 0;
  std::vector<step>* recording = nullptr;
};

inline stream_state& default_stream() {
  thread_local stream_state state;
  state.device = host_state::current_device;
  return state;
}

}  // namespace host_runtime

/// The calling thread's device: an index into `devices()`.
inline int current_device() {
  return host_state::current_device;
}

#if defined(__cpp_exceptions)
/// Throws error if there is no such device.
inline void set_device(int device) {
  if (device < 0 || device >= static_cast<int>(devices().size())) {
    throw error("set_device: there is no device " + std::to_string(device) + "; there are " +
                std::to_string(devices().size()));
  }
  host_state::current_device = device;
}
#endif

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
  /// @return what the step returned
  template <class Step>
  status submit(Step&& step) const {
    if (auto* recording = resolved().recording) {
      recording->push_back(host_runtime::step(std::forward<Step>(step)));
      return {};
    }
    return step();
  }
};

#if defined(__cpp_exceptions)
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
    static_cast<void>(stream.submit([time = time_] {
      *time = std::chrono::steady_clock::now();
      return status{};
    }));
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
  /// Throws error if one of the launches fails.
  void launch(stream_ref stream = {}) const {
    for (const auto& step : steps_) {
      const status done = stream.submit(step);
      if (!done.ok()) throw error(done.message());
    }
  }
  graph(graph&&) = default;
  graph& operator=(graph&&) = default;

 private:
  graph() = default;
  std::vector<host_runtime::step> steps_;
};
#endif

// ---- memory ----

namespace platform_memory {

inline std::size_t& limit() {
  return host_state::memory_limit;
}

/// Cache-line aligned, on huge pages where it is large.
inline allocation allocate(std::size_t bytes) {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const std::size_t alignment = bytes >= 2 * huge_page ? huge_page : 64;
  if (bytes > SIZE_MAX - alignment) return {};
  void* pointer = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (pointer == nullptr) return {};
#if defined(__linux__)
  if (alignment == huge_page) madvise(pointer, bytes, MADV_HUGEPAGE);
#endif
  if constexpr (arch::has_emulation)
    std::memset(pointer, 0xff, bytes);  // NaN: what nobody wrote must not look like data
  host_state::bytes_in_use += bytes;
  ++host_state::num_allocations;
  return {pointer};
}

inline void deallocate(void* pointer, std::size_t bytes) {
  std::free(pointer);
  host_state::bytes_in_use -= bytes;
}

inline allocation allocate_pinned(std::size_t bytes) {
  return {std::malloc(bytes)};
}
inline void deallocate_pinned(void* pointer) {
  std::free(pointer);
}

inline void copy(void* to, const void* from, std::size_t bytes, stream_ref stream) {
  if (bytes == 0) return;
  static_cast<void>(stream.submit([=] {
    std::memcpy(to, from, bytes);
    return status{};
  }));
}
inline void upload(void* to_device, const void* from_host, std::size_t bytes, stream_ref stream) {
  copy(to_device, from_host, bytes, stream);
  ++host_state::num_uploads;
}
inline void download(void* to_host, const void* from_device, std::size_t bytes, stream_ref stream) {
  copy(to_host, from_device, bytes, stream);
  ++host_state::num_downloads;
}
inline void fill(void* pointer, int byte, std::size_t bytes, stream_ref stream) {
  if (bytes == 0) return;
  static_cast<void>(stream.submit([=] {
    std::memset(pointer, byte, bytes);
    return status{};
  }));
}

}  // namespace platform_memory

inline memory_statistics current_memory_statistics() {
  return {host_state::bytes_in_use, host_state::num_allocations, host_state::num_uploads,
          host_state::num_downloads};
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
