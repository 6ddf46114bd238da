// A kernel that keeps NUM_VALUES floats in a lane across a barrier, and SHARED_BYTES of shared
// memory: few of them are a good kernel, 300 more than a lane has registers, 70000 more than a
// block has shared memory.
#include <rocmforge/platform/platform.hpp>

namespace rocmforge {
namespace kernels {

template <int NumValues, int BlockSize, int WaveSize>
struct spilling {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {
    unsigned char bytes[SHARED_BYTES];
  };

  float* data;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    float values[NumValues];
    ROCMFORGE_UNROLL
    for (int i = 0; i < NumValues; ++i) values[i] = data[i * BlockSize + block.thread];
    shared.bytes[block.thread] = static_cast<unsigned char>(values[0]);
    block.barrier();
    const int other = shared.bytes[BlockSize - 1 - block.thread];
    ROCMFORGE_UNROLL
    for (int i = 0; i < NumValues; ++i) data[i * BlockSize + other] = values[i];
  }
};

}  // namespace kernels

status start(float* data) {
  return launch("spilling", kernels::spilling<NUM_VALUES, 256, 32>{data}, {}, {});
}

}  // namespace rocmforge
