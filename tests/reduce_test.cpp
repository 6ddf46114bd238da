// Reductions over the lanes of a wave and of a block.
#include <rocmforge/block/reduce.hpp>

#include <cstring>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

using namespace device;

ROCMFORGE_KERNEL_TEST_SUITE(reduce);

/// Sum and maximum of every row of x, one value a lane, each lane's result kept. The storage is the
/// same for all.
template <class T, int BlockSize, int WaveSize>
struct reduce_rows {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  using block_op = block_reduce<BlockSize, WaveSize, T>;
  using shared_storage = typename block_op::storage;
  struct add {
    ROCMFORGE_DEVICE T operator()(T a, T b) const { return a + b; }
  };
  struct larger {
    ROCMFORGE_DEVICE T operator()(T a, T b) const { return a > b ? a : b; }
  };

  tensor_view<T, 3> y;        // [rows, 2, BlockSize]: sum, maximum
  tensor_view<const T, 2> x;  // [rows, BlockSize]

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    for (int row = 0; row < x.extent[0]; ++row) {
      y(row, 0, block.thread) = block_op::reduce(x(row, block.thread), add{}, block, shared);
      y(row, 1, block.thread) = block_op::reduce(x(row, block.thread), larger{}, block, shared);
    }
  }
};

template <int BlockSize, class T>
std::vector<T> reduced(const std::vector<T>& x, int rows, int num_lanes) {
  device_buffer<T> device_x(x), y(2 * x.size());
  EXPECT_SUCCESS(dispatch_wave_size<BlockSize>("reduce", {}, [&](auto wave) {
    using kernel = reduce_rows<T, block_threads<BlockSize, wave>, wave>;
    return launch("reduce", kernel{y.view(rows, 2, num_lanes), device_x.view(rows, num_lanes)}, {},
                  {});
  }));
  return y.to_host();
}

/// Whole numbers, whose sums are exact in any order.
template <class T, int BlockSize>
void check(int wave_size) {
  SCOPED_TRACE(BlockSize);
  const int rows = 5, num_lanes = wave_size == 1 ? 1 : BlockSize;
  std::mt19937 engine(BlockSize);
  std::vector<T> x(std::size_t(rows * num_lanes));
  for (T& value : x) value = static_cast<T>(static_cast<int>(engine() % 2001) - 1500);
  const auto result = reduced<BlockSize>(x, rows, num_lanes);
  for (int row = 0; row < rows; ++row) {
    T sum = 0, largest = x[std::size_t(row * num_lanes)];
    for (int i = 0; i < num_lanes; ++i) {
      sum += x[std::size_t(row * num_lanes + i)];
      largest = std::max(largest, x[std::size_t(row * num_lanes + i)]);
    }
    for (int i = 0; i < num_lanes; ++i) {
      ASSERT_EQ(result[std::size_t(2 * row * num_lanes + i)], sum)
          << "row " << row << ", lane " << i;
      ASSERT_EQ(result[std::size_t((2 * row + 1) * num_lanes + i)], largest)
          << "row " << row << ", lane " << i;
    }
  }
}

TEST_P(reduce, of_a_block_counts_every_lane_once) {
  check<float, 64>(device().wave_size);
  check<float, 192>(device().wave_size);
  check<float, 256>(device().wave_size);
  check<float, 1024>(device().wave_size);
  check<int, 256>(device().wave_size);
}

TEST_P(reduce,
       each_lane_alone_is_counted) {  // a tree that leaves lanes out is wrong for some of them
  const int num_lanes = device().wave_size == 1 ? 1 : 256;
  std::vector<float> x(std::size_t(num_lanes * num_lanes), 0.0f);
  for (int i = 0; i < num_lanes; ++i) x[std::size_t(i * num_lanes + i)] = 1;
  for (const float value : reduced<256>(x, num_lanes, num_lanes)) ASSERT_EQ(value, 1.0f);
}

TEST_P(reduce, gives_every_lane_the_same_bits_and_each_run_too) {
  const int rows = 20, num_lanes = device().wave_size == 1 ? 1 : 256;
  const auto x = random_values<float>(std::size_t(rows * num_lanes), 7, -1e6, 1e6);
  const auto first = reduced<256>(x, rows, num_lanes);
  for (int row = 0; row < 2 * rows; ++row) {
    for (int i = 1; i < num_lanes; ++i)
      ASSERT_EQ(first[std::size_t(row * num_lanes + i)], first[std::size_t(row * num_lanes)]);
  }
  EXPECT_EQ(reduced<256>(x, rows, num_lanes), first);
}

/// 3a + b is not commutative: lanes that combined in different orders would disagree.
struct lopsided {
  ROCMFORGE_DEVICE float operator()(float a, float b) const { return 0.3f * a + b; }
};

template <int Width>
struct reduce_neighbors {
  tensor_view<float, 1> y;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    y(block.thread) = reduce_lanes<Width>(static_cast<float>(block.thread + 1), lopsided{}, block);
  }
};

template <int Width>
void check_width(int wave_size) {
  if (wave_size < Width) return;
  const int num_lanes = 128;
  device_buffer<float> y(num_lanes);
  EXPECT_SUCCESS(dispatch_wave_size<num_lanes>("reduce", {}, [&](auto wave) -> status {
    if constexpr (wave >= Width) {
      return launch("reduce",
                    small_kernel<reduce_neighbors<Width>, num_lanes, wave>{{y.view(num_lanes)}}, {},
                    {});
    } else {
      return {status_code::unsupported, "reduce", "", "", {}};
    }
  }));
  const auto result = y.to_host();
  for (int begin = 0; begin < num_lanes; begin += Width) {
    std::vector<float> values;
    for (int i = 0; i < Width; ++i) values.push_back(static_cast<float>(begin + i + 1));
    for (int mask = Width / 2; mask > 0; mask /= 2) {
      for (int i = 0; i < mask; ++i)
        values[std::size_t(i)] = 0.3f * values[std::size_t(i)] + values[std::size_t(i + mask)];
    }
    for (int i = 0; i < Width; ++i)
      ASSERT_NEAR(result[std::size_t(begin + i)], values[0], 1e-4f * values[0]) << Width;
    for (int i = 1; i < Width; ++i)
      ASSERT_EQ(result[std::size_t(begin + i)], result[std::size_t(begin)]) << Width;
  }
}

TEST_P(reduce, of_neighboring_lanes_stays_among_them) {
  check_width<2>(device().wave_size);
  check_width<4>(device().wave_size);
  check_width<8>(device().wave_size);
  check_width<16>(device().wave_size);
  check_width<32>(device().wave_size);
  check_width<64>(device().wave_size);
}

}  // namespace
}  // namespace rocmforge::testing
