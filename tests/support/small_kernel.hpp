// A kernel out of a function object, for tests of what kernels are made of.
#pragma once

#include <rocmforge/dispatch.hpp>

namespace rocmforge::testing {

/// Calls `body(block)` on every lane.
template <class Body, int BlockSize, int WaveSize>
struct small_kernel {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {};
  Body body;
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    body(block);
  }
};

template <int BlockSize, class Body>
status run_on_device(const Body& body, grid_size grid = {}, stream_ref stream = {}) {
  return dispatch_wave_size<BlockSize>("run_on_device", stream, [&](auto wave) {
    return launch("run_on_device", small_kernel<Body, block_threads<BlockSize, wave>, wave>{body},
                  grid, stream);
  });
}

}  // namespace rocmforge::testing
