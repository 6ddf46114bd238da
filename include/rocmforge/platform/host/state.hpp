// What a process has once, however many instruction sets its sources are compiled for: plain data,
// outside of the platform's namespace, with no code to initialize it.
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>

namespace rocmforge::host_state {

inline constinit thread_local int current_device = 0;
inline constinit int num_threads = 0;  // 0: as many as the machine has
inline constinit std::size_t memory_limit = std::numeric_limits<std::size_t>::max();  // bytes

// See memory_statistics.
inline constinit std::atomic<std::size_t> bytes_in_use{0};
inline constinit std::atomic<std::size_t> num_allocations{0};
inline constinit std::atomic<std::size_t> num_uploads{0};
inline constinit std::atomic<std::size_t> num_downloads{0};

}  // namespace rocmforge::host_state
