// A kernel of your own, to copy, its launch function, and a program that calls it:
// y[row][i] = x[row][i] / max over j of |x[row][j]|
#include <cstdio>
#include <rocmforge/block/checks.hpp>
#include <rocmforge/block/packets.hpp>
#include <rocmforge/block/reduce.hpp>
#include <rocmforge/dispatch.hpp>
#include <rocmforge/memory.hpp>
#include <vector>

using namespace rocmforge;
using namespace rocmforge::device;

/// One block per row, which it reads twice: for the maximum, then to divide by it.
template <class T, int BlockSize, int WaveSize>
struct max_norm_kernel {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<T, WaveSize>;  // that a lane takes at a time
  using row_maximum = block_reduce<BlockSize, WaveSize>;
  using shared_storage = typename row_maximum::storage;

  tensor_view<T, 2> y;        // [num_rows, row_size]
  tensor_view<const T, 2> x;  // [num_rows, row_size]

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const T* const from = slice(x, block.index.x).data;
    T* const to = slice(y, block.index.x).data;
    float largest = 0;
    for_each_packet<packet_elements>(block, x.extent[1], [&](auto at) {
      const packet<float, packet_elements> value = load(from, at);  // 0 beyond the end of the row
      largest = maximum(largest, horizontal_maximum(maximum(value, value * -1.0f)));
    });
    largest = row_maximum::reduce(largest, max_op{}, block, shared);  // over all lanes of the block
    const float factor = largest > 0 ? 1 / largest : 0;               // a row of zeros stays zeros
    for_each_packet<packet_elements>(block, x.extent[1],
                                     [&](auto at) { store(to, at, load(from, at) * factor); });
  }
};

/// y and x: [num_rows, row_size]; y may be x. invalid_shape if they differ.
template <class T, int BlockSize = default_block_size>
status max_norm(tensor_view<T, 2> y, identity_t<tensor_view<const T, 2>> x,
                stream_ref stream = {}) {
  const char* const op = "max_norm";
  if (const status s = checks::all(checks::output(op, "y", y), checks::view(op, "x", x),
                                   checks::same_extents(op, "x", x, y));
      !s)
    return s;
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    using kernel = max_norm_kernel<T, block_threads<BlockSize, wave>, wave>;
    return launch(op, kernel{y, x}, {x.extent[0]}, stream);
  });
}

int main() try {
  device_buffer<float> x(std::vector<float>{1, -2, 4, 10, 5, 0});
  if (const status s = max_norm(x.view(2, 3), x.view(2, 3)); !s) throw error(s.message());
  const std::vector<float> result = x.to_host();  // 0.25 -0.5 1, 1 0.5 0
  for (int i = 0; i < 6; ++i) std::printf("%g %s", result[i], i % 3 == 2 ? "\n" : "");
} catch (const rocmforge::error& caught) {
  return std::fprintf(stderr, "%s\n", caught.what()), 1;
}
