// Plain types that every platform shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace rocmforge {

/// A named list of integers, each of which may become a template parameter (dispatch.hpp).
template <int... Values>
struct int_list {};

/// Blocks of a launch along up to three axes.
struct grid_size {
  int x = 1, y = 1, z = 1;
};

/// What the library needs to know of a device.
struct device_properties {
  std::string name;              // for logs
  std::string architecture;      // "gfx1100", "sm_90", "host", "emulated"
  int wave_size = 1;             // lanes that execute together
  int num_compute_units = 1;     // compute units, multiprocessors or host threads
  std::size_t shared_bytes = 0;  // shared memory (LDS) that one block can have
  std::size_t memory_bytes = 0;  // device memory, 0 if unknown
};

/// Memory, or why there is none.
struct allocation {
  void* pointer = nullptr;
  int code = 0;             // the runtime's error, 0 if there is just not enough
  const char* reason = "";  // the runtime's text for it
};

/// Counters of this process, for tests and for watching memory use. Kept by each platform.
struct memory_statistics {
  std::size_t bytes_in_use = 0;     // device memory held by device buffers
  std::size_t num_allocations = 0;  // ever made
  std::size_t num_uploads = 0;      // copies from host to device
  std::size_t num_downloads = 0;    // copies from device to host
};

}  // namespace rocmforge
