// Devices, streams, graphs and memory of a GPU: HIP and CUDA have the same runtime under two names,
// which ROCMFORGE_RUNTIME spells.
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rocmforge/error.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"

#if defined(ROCMFORGE_PLATFORM_AMD)
#include "rocmforge/platform/gpu/amd.hpp"
#else
#include "rocmforge/platform/gpu/nvidia.hpp"
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace gpu {

using result = ROCMFORGE_RUNTIME(Error_t);

#if defined(__cpp_exceptions)
inline void check(result code, const char* what) {
  if (code == ROCMFORGE_RUNTIME(Success)) return;
  static_cast<void>(ROCMFORGE_RUNTIME(GetLastError)());  // clears it
  throw error(std::string(what) + ": " + ROCMFORGE_RUNTIME(GetErrorString)(code));
}
#endif

struct statistics {
  std::atomic<std::size_t> bytes_in_use{0}, num_allocations{0}, num_uploads{0}, num_downloads{0};
};
inline statistics& counters() {
  static statistics instance;
  return instance;
}

}  // namespace gpu

// ---- devices ----

namespace gpu {

/// The devices, and what the runtime said when it was asked for them.
struct found_devices {
  std::vector<device_properties> list;
  result code = ROCMFORGE_RUNTIME(Success);
};
inline const found_devices& find_devices() {
  static const found_devices found = [] {
    found_devices devices;
    int count = 0;
    devices.code = ROCMFORGE_RUNTIME(GetDeviceCount)(&count);
    if (devices.code != ROCMFORGE_RUNTIME(Success)) count = 0;
    for (int device = 0; device < count; ++device) {
      devices.code = query_device(device, devices.list.emplace_back());
      if (devices.code != ROCMFORGE_RUNTIME(Success)) {
        devices.list.pop_back();
        break;
      }
    }
    return devices;
  }();
  return found;
}

}  // namespace gpu

/// Properties of every device of this platform, read once; empty where there is no card or no
/// driver.
inline std::span<const device_properties> devices() {
  return gpu::find_devices().list;
}

/// What the runtime said where `devices()` is empty; "" if it found none without an error.
inline const char* no_device_reason() {
  const gpu::result code = gpu::find_devices().code;
  return code == ROCMFORGE_RUNTIME(Success) ? "" : ROCMFORGE_RUNTIME(GetErrorString)(code);
}

/// Versions of the vendor's runtime and driver, for logs.
inline std::string runtime_version() {
  int runtime = 0, driver = 0;
  if (ROCMFORGE_RUNTIME(RuntimeGetVersion)(&runtime) != ROCMFORGE_RUNTIME(Success)) runtime = 0;
  if (ROCMFORGE_RUNTIME(DriverGetVersion)(&driver) != ROCMFORGE_RUNTIME(Success)) driver = 0;
  return gpu::version_text("runtime ", runtime) + ", " + gpu::version_text("driver ", driver);
}

/// The calling thread's device: an index into `devices()`.
inline int current_device() {
  int device = 0;
  return ROCMFORGE_RUNTIME(GetDevice)(&device) == ROCMFORGE_RUNTIME(Success) ? device : 0;
}

#if defined(__cpp_exceptions)
/// Throws error if there is no such device.
inline void set_device(int device) {
  gpu::check(ROCMFORGE_RUNTIME(SetDevice)(device), "set_device");
}
#endif

// ---- streams, events, graphs ----

/// A stream that somebody else owns: the runtime's own handle, or nothing for the default stream.
struct stream_ref {
  ROCMFORGE_RUNTIME(Stream_t) native = nullptr;
  int known_device = -1;  // an index into `devices()`; -1: the runtime has to be asked
  stream_ref() = default;
  stream_ref(ROCMFORGE_RUNTIME(Stream_t) stream) : native(stream) {}
  stream_ref(ROCMFORGE_RUNTIME(Stream_t) stream, int device)
      : native(stream), known_device(device) {}

  /// The stream's device, an index into `devices()`; the calling thread's for the default stream.
  [[nodiscard]] int device() const {
    if (native == nullptr) return current_device();
    return known_device >= 0 ? known_device : gpu::device_of(native);
  }
#if defined(__cpp_exceptions)
  void synchronize() const {
    gpu::check(ROCMFORGE_RUNTIME(StreamSynchronize)(native), "stream synchronize");
  }
#endif
};

#if defined(__cpp_exceptions)
/// An ordered queue of work, owned.
class stream {
 public:
  stream() : device_(current_device()) {
    gpu::check(ROCMFORGE_RUNTIME(StreamCreate)(&native_), "stream");
  }
  stream(stream&& other) noexcept
      : native_(std::exchange(other.native_, nullptr)), device_(other.device_) {}
  stream& operator=(stream&& other) noexcept {
    std::swap(native_, other.native_);
    std::swap(device_, other.device_);
    return *this;
  }
  ~stream() {
    if (native_ != nullptr) static_cast<void>(ROCMFORGE_RUNTIME(StreamDestroy)(native_));
  }
  operator stream_ref() const { return {native_, device_}; }
  void synchronize() const { stream_ref(native_).synchronize(); }

 private:
  ROCMFORGE_RUNTIME(Stream_t) native_ = nullptr;
  int device_;
};

/// A point in a stream, owned.
class event {
 public:
  event() { gpu::check(ROCMFORGE_RUNTIME(EventCreate)(&native_), "event"); }
  event(event&& other) noexcept : native_(std::exchange(other.native_, nullptr)) {}
  event& operator=(event&& other) noexcept {
    std::swap(native_, other.native_);
    return *this;
  }
  ~event() {
    if (native_ != nullptr) static_cast<void>(ROCMFORGE_RUNTIME(EventDestroy)(native_));
  }
  void record(stream_ref stream = {}) {
    gpu::check(ROCMFORGE_RUNTIME(EventRecord)(native_, stream.native), "event record");
  }
  void synchronize() const {
    gpu::check(ROCMFORGE_RUNTIME(EventSynchronize)(native_), "event synchronize");
  }
  /// Milliseconds from `earlier` to this event; both must have been reached.
  [[nodiscard]] float milliseconds_since(const event& earlier) const {
    float milliseconds = 0;
    gpu::check(ROCMFORGE_RUNTIME(EventElapsedTime)(&milliseconds, earlier.native_, native_),
               "event elapsed time");
    return milliseconds;
  }

 private:
  ROCMFORGE_RUNTIME(Event_t) native_ = nullptr;
};

/// Launches recorded once and replayed as one.
class graph {
 public:
  /// Records what `work()` launches on `stream`; nothing is executed. Throws error if the runtime
  /// refuses.
  template <class Work>
  static graph capture(stream_ref stream, Work&& work) {
    graph result;
    ROCMFORGE_RUNTIME(Graph_t) recorded = nullptr;
    gpu::check(ROCMFORGE_RUNTIME(StreamBeginCapture)(
                   stream.native, ROCMFORGE_RUNTIME(StreamCaptureModeThreadLocal)),
               "graph capture");
    try {
      work();
    } catch (...) {
      if (ROCMFORGE_RUNTIME(StreamEndCapture)(stream.native, &recorded) ==
              ROCMFORGE_RUNTIME(Success) &&
          recorded) {
        static_cast<void>(ROCMFORGE_RUNTIME(GraphDestroy)(recorded));
      }
      throw;
    }
    gpu::check(ROCMFORGE_RUNTIME(StreamEndCapture)(stream.native, &recorded), "graph capture");
    const gpu::result made =
        ROCMFORGE_RUNTIME(GraphInstantiateWithFlags)(&result.native_, recorded, 0);
    static_cast<void>(ROCMFORGE_RUNTIME(GraphDestroy)(recorded));
    gpu::check(made, "graph instantiate");
    return result;
  }
  graph(graph&& other) noexcept : native_(std::exchange(other.native_, nullptr)) {}
  graph& operator=(graph&& other) noexcept {
    std::swap(native_, other.native_);
    return *this;
  }
  ~graph() {
    if (native_ != nullptr) static_cast<void>(ROCMFORGE_RUNTIME(GraphExecDestroy)(native_));
  }
  void launch(stream_ref stream = {}) const {
    gpu::check(ROCMFORGE_RUNTIME(GraphLaunch)(native_, stream.native), "graph launch");
  }

 private:
  graph() = default;
  ROCMFORGE_RUNTIME(GraphExec_t) native_ = nullptr;
};
#endif

// ---- memory ----

namespace platform_memory {

inline std::size_t& limit() {
  static std::size_t bytes = std::numeric_limits<std::size_t>::max();
  return bytes;
}

/// What came of a call that allocates. The runtime keeps no error of it.
inline allocation result_of(gpu::result code, void* pointer) {
  if (code == ROCMFORGE_RUNTIME(Success)) return {pointer};
  static_cast<void>(ROCMFORGE_RUNTIME(GetLastError)());
  if (code == ROCMFORGE_RUNTIME(ErrorMemoryAllocation)) return {};
  return {nullptr, static_cast<int>(code), ROCMFORGE_RUNTIME(GetErrorString)(code)};
}

inline allocation allocate(std::size_t bytes) {
  void* pointer = nullptr;
  const gpu::result code = ROCMFORGE_RUNTIME(Malloc)(&pointer, bytes);
  const allocation made = result_of(code, pointer);
  if (made.pointer != nullptr) {
    gpu::counters().bytes_in_use += bytes;
    ++gpu::counters().num_allocations;
  }
  return made;
}

inline void deallocate(void* pointer, std::size_t bytes) {
  static_cast<void>(ROCMFORGE_RUNTIME(Free)(pointer));
  gpu::counters().bytes_in_use -= bytes;
}

inline allocation allocate_pinned(std::size_t bytes) {
  void* pointer = nullptr;
  const gpu::result code = gpu::allocate_host(&pointer, bytes);
  return result_of(code, pointer);
}

inline void deallocate_pinned(void* pointer) {
  static_cast<void>(gpu::free_host(pointer));
}

#if defined(__cpp_exceptions)
inline void upload(void* to_device, const void* from_host, std::size_t bytes, stream_ref stream) {
  gpu::check(ROCMFORGE_RUNTIME(MemcpyAsync)(to_device, from_host, bytes,
                                            ROCMFORGE_RUNTIME(MemcpyHostToDevice), stream.native),
             "copy to device");
  ++gpu::counters().num_uploads;
}

inline void download(void* to_host, const void* from_device, std::size_t bytes, stream_ref stream) {
  gpu::check(ROCMFORGE_RUNTIME(MemcpyAsync)(to_host, from_device, bytes,
                                            ROCMFORGE_RUNTIME(MemcpyDeviceToHost), stream.native),
             "copy to host");
  ++gpu::counters().num_downloads;
}

inline void copy(void* to, const void* from, std::size_t bytes, stream_ref stream) {
  gpu::check(ROCMFORGE_RUNTIME(MemcpyAsync)(to, from, bytes,
                                            ROCMFORGE_RUNTIME(MemcpyDeviceToDevice), stream.native),
             "copy on device");
}

inline void fill(void* pointer, int byte, std::size_t bytes, stream_ref stream) {
  gpu::check(ROCMFORGE_RUNTIME(MemsetAsync)(pointer, byte, bytes, stream.native), "fill");
}
#endif

}  // namespace platform_memory

inline memory_statistics current_memory_statistics() {
  const gpu::statistics& counters = gpu::counters();
  return {counters.bytes_in_use, counters.num_allocations, counters.num_uploads,
          counters.num_downloads};
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
