// A tile of attention that a lane has no registers for, with BLOCK_Q of 64 and blocks of one wave
// of 32: it must not compile, but say why.
#include <rocmforge/attention.hpp>

namespace rocmforge {

constexpr attention_config tile{.head_dim = 128, .block_q = BLOCK_Q, .block_kv = 16};
using tiled = kernels::attention<attention_problem::contiguous<half, half>, tile, 32, 32>;

status start(const tiled& attention) {
  return launch("attention", attention, {}, {});
}

}  // namespace rocmforge
