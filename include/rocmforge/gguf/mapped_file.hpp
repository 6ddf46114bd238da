// A memory-mapped file (mmap), unmapped by its destructor.
#pragma once

#include <rocmforge/error.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace rocmforge::gguf {

/// A regular, non-empty file, mapped read-only. The size is read once. If another program shortens
/// the file while it is mapped, reading the lost bytes ends this program with SIGBUS: replace a
/// model by renaming, never in place.
class mapped_file {
 public:
  /// Throws `error` if the file does not exist, cannot be opened or mapped, is empty, or is not a
  /// regular file.
  explicit mapped_file(const std::string& path) {
    // O_NONBLOCK: opening a pipe must not wait for its writer.
    const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.number < 0) {
      fail(path, errno == ENOENT ? "no such file, expected a GGUF file"
                                 : "cannot be opened: " + last_error());
    }
    struct stat properties {};
    if (::fstat(file.number, &properties) != 0) fail(path, "cannot be examined: " + last_error());
    if (S_ISDIR(properties.st_mode)) fail(path, "is a directory, expected a GGUF file");
    if (!S_ISREG(properties.st_mode)) fail(path, "is not a regular file, expected a GGUF file");
    if (properties.st_size == 0) fail(path, "is empty, expected a GGUF file");
    const auto num_bytes = static_cast<std::size_t>(properties.st_size);
    void* const start = ::mmap(nullptr, num_bytes, PROT_READ, MAP_PRIVATE, file.number, 0);
    if (start == MAP_FAILED) {
      fail(path, "cannot be mapped into memory (" + std::to_string(num_bytes) +
                     " bytes): " + last_error());
    }
    bytes_ = {static_cast<const std::byte*>(start), num_bytes};
  }

  mapped_file(mapped_file&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  mapped_file& operator=(mapped_file&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~mapped_file() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  struct descriptor {
    int number;
    ~descriptor() {
      if (number >= 0) ::close(number);
    }
  };

  static std::string last_error() { return std::generic_category().message(errno); }

  [[noreturn]] static void fail(const std::string& path, const std::string& message) {
    throw error(path, error::no_offset, message);
  }

  std::span<const std::byte> bytes_;
};

}  // namespace rocmforge::gguf
