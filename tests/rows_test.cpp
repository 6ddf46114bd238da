// How the lanes of a block share rows.
#include <rocmforge/block/packets.hpp>
#include <rocmforge/block/rows.hpp>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

using namespace device;

ROCMFORGE_KERNEL_TEST_SUITE(packets_of_rows);

/// Counts how often each element is visited, and adds up what a mask leaves.
template <int N>
struct visit {
  tensor_view<int, 2> visits;  // [rows, size]
  bool short_rows;
  int block_rows;  // rows that a block takes, unless they are short
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    const auto count = [&](int row, auto at) {
      const auto ones = masked(packet<float, N>(1.0f), at, 0.0f);
      for (int i = 0; i < N && at.index + i < visits.extent[1]; ++i)
        visits(row, at.index + i) += static_cast<int>(ones[i]);
    };
    if (short_rows) {
      for_each_packet_of_rows<N>(block, visits.extent[0], visits.extent[1], count);
    } else {
      for_each_row(block, block_rows, visits.extent[0], [&](int row) {
        for_each_packet<N>(block, visits.extent[1], [&](auto at) { count(row, at); });
      });
    }
  }
};

TEST_P(packets_of_rows, are_each_visited_once) {
  for (const int size : {1, 4, 5, 63, 64, 65, 255, 257, 1023, 1024, 1025, 4097}) {
    for (const int rows : {1, 7, 30}) {
      for (const bool short_rows : {false, true}) {
        SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(size));
        // A block takes several rows on the serial host alone.
        const int block_rows = device().wave_size == 1 ? 3 : 1;
        device_buffer<int> visits(std::size_t(rows * size));
        visits.fill_bytes(0);
        EXPECT_SUCCESS(run_on_device<192>(visit<4>{visits.view(rows, size), short_rows, block_rows},
                                          {short_rows ? 1 : divide_up(rows, block_rows)}));
        EXPECT_EQ(visits.to_host(), std::vector<int>(std::size_t(rows * size), 1));
      }
    }
  }
}

}  // namespace
}  // namespace rocmforge::testing
