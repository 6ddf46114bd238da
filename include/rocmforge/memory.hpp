// Device memory, pinned host memory, streams, events and graphs, each owned by one object. (stream,
// event, graph and stream_ref themselves are the platform's: platform/*/runtime.hpp.)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rocmforge/dtype.hpp"
#include "rocmforge/error.hpp"
#include "rocmforge/platform/exceptions.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Device memory that all device buffers together may hold, in bytes; no limit until one is set.
/// Allocations beyond it fail as they do when the device is full.
inline std::size_t& device_memory_limit() {
  return platform_memory::limit();
}

/// Why an allocation failed: there is no device, there is not enough memory, or what the runtime
/// says.
///
/// @param kind  "device" or "pinned"
/// @param more  what else there is to say if there is not enough
inline error memory_error(const std::string& kind, std::size_t size, std::size_t element_bytes,
                          const allocation& made, const std::string& more) {
  const std::string wanted = std::to_string(size) + " elements of " +
                             std::to_string(element_bytes) + " bytes were asked for";
  if (devices().empty()) {
    const std::string reason = no_device_reason();
    return error("there is no device" + (reason.empty() ? "" : ": " + reason) + "; " + wanted);
  }
  if (made.code == 0) return error("out of " + kind + " memory: " + wanted + more);
  return error("no " + kind + " memory: " + wanted + "; error " + std::to_string(made.code) +
               " of the runtime: " + made.reason);
}

/// `size()` elements of device memory. Move-only. The contents are indeterminate until they are
/// written.
template <class T>
class device_buffer {
 public:
  device_buffer() = default;

  /// @throws error if the device has not enough memory; nothing is leaked
  explicit device_buffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    const std::size_t in_use = current_memory_statistics().bytes_in_use;
    const bool fits = size <= (std::numeric_limits<std::size_t>::max() - in_use) / sizeof(T) &&
                      in_use + size * sizeof(T) <= device_memory_limit();
    const allocation made = fits ? platform_memory::allocate(size * sizeof(T)) : allocation{};
    data_ = static_cast<T*>(made.pointer);
    if (data_ == nullptr) {
      size_ = 0;
      throw memory_error("device", size, sizeof(T), made,
                         ", " + std::to_string(in_use) + " bytes are in use");
    }
  }

  /// A buffer with a copy of `values`.
  explicit device_buffer(std::span<const T> values, stream_ref stream = {})
      : device_buffer(values.size()) {
    copy_from_host(values, stream);
    stream.synchronize();
  }
  explicit device_buffer(const std::vector<T>& values, stream_ref stream = {})
      : device_buffer(std::span<const T>(values), stream) {}

  device_buffer(device_buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  device_buffer& operator=(device_buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~device_buffer() {
    if (data_ != nullptr) platform_memory::deallocate(data_, size_ * sizeof(T));
  }

  /// A const buffer gives pointers and views to read through.
  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t size_bytes() const { return size_ * sizeof(T); }

  /// A contiguous view of the first elements. @throws error if the extents ask for more than there
  /// are, or one of them is negative or larger than an int
  template <class... Extent>
  [[nodiscard]] tensor_view<T, sizeof...(Extent)> view(Extent... extent) {
    require_view({static_cast<std::int64_t>(extent)...});
    return make_view(data_, extent...);
  }
  template <class... Extent>
  [[nodiscard]] tensor_view<const T, sizeof...(Extent)> view(Extent... extent) const {
    require_view({static_cast<std::int64_t>(extent)...});
    return make_view(data(), extent...);
  }

  /// Copies `values` to elements `first`, `first` + 1, ... @throws error if they do not fit
  void copy_from_host(std::span<const T> values, stream_ref stream = {}, std::size_t first = 0) {
    require_range(first, values.size(), "copy_from_host");
    if (!values.empty())
      platform_memory::upload(data_ + first, values.data(), values.size_bytes(), stream);
  }
  /// Copies elements `first`, `first` + 1, ... to `values`. @throws error if there are not as many
  void copy_to_host(std::span<T> values, stream_ref stream = {}, std::size_t first = 0) const {
    require_range(first, values.size(), "copy_to_host");
    if (!values.empty())
      platform_memory::download(values.data(), data_ + first, values.size_bytes(), stream);
  }
  /// All elements, on the host, now.
  [[nodiscard]] std::vector<T> to_host(stream_ref stream = {}) const {
    std::vector<T> values(size_);
    copy_to_host(values, stream);
    stream.synchronize();
    return values;
  }
  /// Sets every byte.
  void fill_bytes(int byte, stream_ref stream = {}) {
    if (size_ != 0) platform_memory::fill(data_, byte, size_bytes(), stream);
  }

 private:
  void require_view(std::initializer_list<std::int64_t> extents) const {
    std::size_t count = std::find(extents.begin(), extents.end(), 0) == extents.end() ? 1 : 0;
    for (const std::int64_t extent : extents) {
      if (extent < 0 || extent > std::numeric_limits<int>::max())
        throw error("device_buffer: view with an extent of " + std::to_string(extent) +
                    ", expected 0 to 2^31 - 1");
      if (count != 0 && static_cast<std::size_t>(extent) > size_ / count)
        throw error("device_buffer: view of more elements than the " + std::to_string(size_) +
                    " that the buffer has");
      count *= static_cast<std::size_t>(extent);
    }
  }
  void require_range(std::size_t first, std::size_t count, const char* what) const {
    if (first <= size_ && count <= size_ - first) return;
    throw error(std::string("device_buffer: ") + what + " of " + std::to_string(count) +
                " elements at " + std::to_string(first) + ", but the buffer has " +
                std::to_string(size_));
  }

  T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// `size()` elements of host memory that a device copies from and to without staging. Move-only.
template <class T>
class pinned_buffer {
 public:
  pinned_buffer() = default;
  /// @throws error if there is not enough memory
  explicit pinned_buffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    const bool fits = size <= std::numeric_limits<std::size_t>::max() / sizeof(T);
    const allocation made =
        fits ? platform_memory::allocate_pinned(size * sizeof(T)) : allocation{};
    data_ = static_cast<T*>(made.pointer);
    if (data_ == nullptr) {
      size_ = 0;
      throw memory_error("pinned", size, sizeof(T), made, "");
    }
  }
  pinned_buffer(pinned_buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  pinned_buffer& operator=(pinned_buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~pinned_buffer() {
    if (data_ != nullptr) platform_memory::deallocate_pinned(data_);
  }

  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] T& operator[](std::size_t i) { return data_[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const { return data_[i]; }
  operator std::span<T>() { return {data_, size_}; }
  operator std::span<const T>() const { return {data_, size_}; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
