// What AMD and NVIDIA have in common: HIP and CUDA name the same runtime twice (ROCMFORGE_RUNTIME
// spells it).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "rocmforge/error.hpp"
#include "rocmforge/platform/launch_check.hpp"
#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"
#include "rocmforge/status.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace gpu {

using result = ROCMFORGE_RUNTIME(Error_t);

inline void check(result code, const char* what) {
  if (code == ROCMFORGE_RUNTIME(Success)) return;
  static_cast<void>(ROCMFORGE_RUNTIME(GetLastError)());  // clears it
  throw error(std::string(what) + ": " + ROCMFORGE_RUNTIME(GetErrorString)(code));
}

struct statistics {
  std::atomic<std::size_t> bytes_in_use{0}, num_allocations{0}, num_uploads{0}, num_downloads{0};
};
inline statistics& counters() {
  static statistics instance;
  return instance;
}

}  // namespace gpu

// ---- devices ----

/// Properties of every device of this platform, read once; empty where there is no card or no
/// driver.
inline const std::vector<device_properties>& devices() {
  static const std::vector<device_properties> found = [] {
    std::vector<device_properties> list;
    int count = 0;
    if (ROCMFORGE_RUNTIME(GetDeviceCount)(&count) != ROCMFORGE_RUNTIME(Success)) count = 0;
    for (int device = 0; device < count; ++device) {
      if (!gpu::query_device(device, list.emplace_back())) {
        list.pop_back();
        break;
      }
    }
    return list;
  }();
  return found;
}

/// Versions of the vendor's runtime and driver, for people.
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

/// Throws error if there is no such device.
inline void set_device(int device) {
  gpu::check(ROCMFORGE_RUNTIME(SetDevice)(device), "set_device");
}

// ---- streams, events, graphs ----

/// A stream that somebody else owns: the runtime's own handle, or nothing for the default stream.
struct stream_ref {
  ROCMFORGE_RUNTIME(Stream_t) native = nullptr;
  stream_ref() = default;
  stream_ref(ROCMFORGE_RUNTIME(Stream_t) stream) : native(stream) {}

  /// Wave size of the stream's device.
  [[nodiscard]] int device() const { return current_device(); }
  void synchronize() const {
    gpu::check(ROCMFORGE_RUNTIME(StreamSynchronize)(native), "stream synchronize");
  }
};

/// An ordered queue of work, owned.
class stream {
 public:
  stream() { gpu::check(ROCMFORGE_RUNTIME(StreamCreate)(&native_), "stream"); }
  stream(stream&& other) noexcept : native_(std::exchange(other.native_, nullptr)) {}
  stream& operator=(stream&& other) noexcept {
    std::swap(native_, other.native_);
    return *this;
  }
  ~stream() {
    if (native_ != nullptr) static_cast<void>(ROCMFORGE_RUNTIME(StreamDestroy)(native_));
  }
  operator stream_ref() const { return stream_ref(native_); }
  void synchronize() const { stream_ref(native_).synchronize(); }

 private:
  ROCMFORGE_RUNTIME(Stream_t) native_ = nullptr;
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

// ---- memory ----

namespace platform_memory {

/// nullptr if there is not enough.
inline void* allocate(std::size_t bytes) {
  void* pointer = nullptr;
  if (ROCMFORGE_RUNTIME(Malloc)(&pointer, bytes) != ROCMFORGE_RUNTIME(Success)) {
    static_cast<void>(ROCMFORGE_RUNTIME(GetLastError)());
    return nullptr;
  }
  gpu::counters().bytes_in_use += bytes;
  ++gpu::counters().num_allocations;
  return pointer;
}

inline void deallocate(void* pointer, std::size_t bytes) {
  static_cast<void>(ROCMFORGE_RUNTIME(Free)(pointer));
  gpu::counters().bytes_in_use -= bytes;
}

inline void* allocate_pinned(std::size_t bytes) {
  void* pointer = nullptr;
  if (gpu::allocate_host(&pointer, bytes) != ROCMFORGE_RUNTIME(Success)) {
    static_cast<void>(ROCMFORGE_RUNTIME(GetLastError)());
    return nullptr;
  }
  return pointer;
}

inline void deallocate_pinned(void* pointer) {
  static_cast<void>(gpu::free_host(pointer));
}

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

}  // namespace platform_memory

inline memory_statistics current_memory_statistics() {
  const gpu::statistics& counters = gpu::counters();
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
  int thread;       // 0 to BlockSize - 1

  ROCMFORGE_DEVICE int lane() const { return thread % WaveSize; }
  ROCMFORGE_DEVICE int wave() const { return thread / WaveSize; }

  /// Waits for all lanes of the block; what they wrote to shared memory before is visible after.
  ROCMFORGE_DEVICE void barrier() const {
#if defined(__HIP_DEVICE_COMPILE__) || defined(__CUDA_ARCH__)
    __syncthreads();
#endif
  }
  /// The value of the lane whose number within the wave is this lane's XOR Mask.
  template <int Mask, class T>
  ROCMFORGE_DEVICE T shuffle_xor(T value) const {
    static_assert(sizeof(T) == 4 && Mask > 0 && Mask < WaveSize);
    return __builtin_bit_cast(T, gpu::exchange_xor<Mask, WaveSize>(__builtin_bit_cast(int, value)));
  }
  /// The value of lane `source` of the wave.
  template <class T>
  ROCMFORGE_DEVICE T shuffle(T value, int source) const {
    static_assert(sizeof(T) == 4);
    return __builtin_bit_cast(T, gpu::exchange<WaveSize>(__builtin_bit_cast(int, value), source));
  }
  /// Adds to an unsigned number in shared memory while other lanes may add to it too: whole
  /// numbers, so that the sum does not depend on who comes first.
  /// @return what it was before
  template <class T>
  ROCMFORGE_DEVICE T atomic_add(T& shared, T value) const {
    static_assert(std::is_unsigned_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    return gpu::atomic_add(shared, value);
  }
};

namespace gpu {

/// The bytes of a small struct, to be moved with the widest instructions that the alignment allows.
template <class Elements>
struct alignas(sizeof(Elements) < arch::word_alignment ? sizeof(Elements)
                                                       : arch::word_alignment) words {
  unsigned char byte[sizeof(Elements)];
};

/// Reads a struct of neighbouring elements from an address that is aligned for its elements only:
/// at once where the address allows it, else element by element.
template <class Elements, class T>
ROCMFORGE_DEVICE Elements load_words(const T* p) {
  Elements result;
  if (alignof(words<Elements>) <= alignof(T) ||
      reinterpret_cast<std::uintptr_t>(p) % alignof(words<Elements>) == 0) {
    const words<Elements> raw = *reinterpret_cast<const words<Elements>*>(p);
    __builtin_memcpy(&result, &raw, sizeof(Elements));
  } else {
    ROCMFORGE_UNROLL
    for (int i = 0; i < static_cast<int>(sizeof(Elements) / sizeof(T)); ++i) result.t[i] = p[i];
  }
  return result;
}

template <class T, class Elements>
ROCMFORGE_DEVICE void store_words(T* p, const Elements& value) {
  if (alignof(words<Elements>) <= alignof(T) ||
      reinterpret_cast<std::uintptr_t>(p) % alignof(words<Elements>) == 0) {
    store_at_once(reinterpret_cast<words<Elements>*>(p), value);
  } else {
    ROCMFORGE_UNROLL
    for (int i = 0; i < static_cast<int>(sizeof(Elements) / sizeof(T)); ++i) {
      p[i] = value.t[i];
      keep_stores_apart();
    }
  }
}

/// Waves of a kernel that a SIMD must have registers for at least: those of one block, or what the
/// kernel says, `Kernel::min_waves`.
template <class Kernel>
inline constexpr int min_waves = (Kernel::block_size / Kernel::wave_size + 3) / 4;
template <class Kernel>
requires requires {
  Kernel::min_waves;
}
inline constexpr int min_waves<Kernel> = Kernel::min_waves;

/// The one entry point of every kernel. A pass whose waves are of another size gets a trap, and is
/// never launched.
template <class Kernel>
__global__ void __launch_bounds__(Kernel::block_size) ROCMFORGE_WAVES_PER_SIMD(min_waves<Kernel>)
    entry([[maybe_unused]] const Kernel kernel) {
#if defined(__HIP_DEVICE_COMPILE__) || defined(__CUDA_ARCH__)
  if constexpr (Kernel::wave_size == arch::wave_size &&
                sizeof(typename Kernel::shared_storage) <= arch::max_shared_bytes) {
    const block_context<Kernel::block_size, Kernel::wave_size> block{
        {static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z)},
        static_cast<int>(threadIdx.x)};
    kernel(block, shared_memory<Kernel>());
  } else {
    trap();
  }
#endif
}

}  // namespace gpu

/// The same kernel, whose members are read from memory again. All members of a kernel are loaded
/// into scalar registers at its begin, and GPUs of the gfx9 family have too few of them to hold
/// several views through a loop: what is needed only after the loop is better read after it.
///
/// @param kernel  the functor that was launched, not a member of another
template <class Kernel>
ROCMFORGE_DEVICE const Kernel& reloaded(const Kernel& kernel) {
  return gpu::arguments_again(kernel);
}

namespace platform_launch {

/// The entry of a kernel that wants more than max_shared_bytes is a trap, whatever the device has.
inline launch_limits limits_of(const device_properties& device) {
  const auto shared_bytes = static_cast<std::int64_t>(device.shared_bytes);
  return {1024, device.wave_size,
          shared_bytes < arch::max_shared_bytes ? shared_bytes : arch::max_shared_bytes,
          gpu::max_grid_lanes_x};
}

template <class Kernel>
status start(const char* op, const Kernel& kernel, grid_size grid, stream_ref stream) {
  using storage = typename Kernel::shared_storage;
  constexpr std::size_t dynamic_bytes =
      arch::shared_memory_is_dynamic && !std::is_empty_v<storage> ? sizeof(storage) : 0;
  const auto* const entry = reinterpret_cast<const void*>(&gpu::entry<Kernel>);
  gpu::result code = ROCMFORGE_RUNTIME(Success);
  if constexpr (dynamic_bytes > 49152) {
    code = ROCMFORGE_RUNTIME(FuncSetAttribute)(
        entry, ROCMFORGE_RUNTIME(FuncAttributeMaxDynamicSharedMemorySize),
        static_cast<int>(dynamic_bytes));
  }
  if (code == ROCMFORGE_RUNTIME(Success)) {
    // The call returns its own error. An earlier one of the caller's, which the runtime keeps, is
    // neither reported nor cleared.
    void* arguments[] = {const_cast<Kernel*>(&kernel)};
    code = ROCMFORGE_RUNTIME(LaunchKernel)(
        entry,
        dim3(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
             static_cast<unsigned>(grid.z)),
        dim3(Kernel::block_size), arguments, dynamic_bytes, stream.native);
  }
  if (code == ROCMFORGE_RUNTIME(Success)) return {};
  return {status_code::device_error,
          op,
          "",
          "the runtime refused the launch with error {0}",
          {static_cast<int>(code)},
          ROCMFORGE_RUNTIME(GetErrorString)(code)};
}

}  // namespace platform_launch

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
