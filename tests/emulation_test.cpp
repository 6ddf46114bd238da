// The emulated device finds what real ones forgive: missing barriers, lanes that go different ways,
// memory nobody wrote.
#include <rocmforge/block/reduce.hpp>
#include <rocmforge/norm.hpp>
#include <rocmforge/platform/platform.hpp>
#include <rocmforge/rope.hpp>
#include <rocmforge/sampling.hpp>
#include <rocmforge/softmax.hpp>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

/// Runs on the two emulated devices, and puts the seed back.
class emulation_test : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    for (int i = 0; i < static_cast<int>(devices().size()); ++i) {
      if (devices()[std::size_t(i)].architecture == "emulated" &&
          devices()[std::size_t(i)].wave_size == GetParam())
        set_device(i);
    }
    ASSERT_EQ(devices()[std::size_t(current_device())].wave_size, GetParam());
  }
  void TearDown() override {
    emulation::seed() = 1;
    set_device(0);
  }
};
INSTANTIATE_TEST_SUITE_P(waves, emulation_test, ::testing::Values(32, 64),
                         ::testing::PrintToStringParamName());

constexpr int num_lanes = 256;

/// y[i] = x[(i + 100) % num_lanes], handed over in shared memory, `rounds` times.
template <bool BarrierBeforeRead, bool BarrierAfterRead, int BlockSize, int WaveSize>
struct rotate_lanes {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {
    float values[BlockSize];
  };
  tensor_view<float, 2> y;  // [rounds, BlockSize]
  tensor_view<const float, 2> x;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    for (int round = 0; round < y.extent[0]; ++round) {
      shared.values[block.thread] = x(round, block.thread);
      if (BarrierBeforeRead) block.barrier();
      y(round, block.thread) = shared.values[(block.thread + 100) % BlockSize];
      if (BarrierAfterRead) block.barrier();
    }
  }
};

/// Whether the kernel is right under a seed.
template <bool BarrierBeforeRead, bool BarrierAfterRead>
bool rotates(int seed) {
  emulation::seed() = static_cast<std::uint64_t>(seed);
  const int rounds = 4;
  const auto x = random_values<float>(std::size_t(rounds * num_lanes), 1);
  device_buffer<float> device_x(x), y(x.size());
  EXPECT_SUCCESS(dispatch_wave_size<num_lanes>("rotate", {}, [&](auto wave) {
    using kernel =
        rotate_lanes<BarrierBeforeRead, BarrierAfterRead, block_threads<num_lanes, wave>, wave>;
    return launch("rotate", kernel{y.view(rounds, num_lanes), device_x.view(rounds, num_lanes)}, {},
                  {});
  }));
  const auto result = y.to_host();
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < num_lanes; ++i) {
      if (result[std::size_t(round * num_lanes + i)] !=
          x[std::size_t(round * num_lanes + (i + 100) % num_lanes)])
        return false;
    }
  }
  return true;
}

TEST_P(emulation_test, a_missing_barrier_shows) {
  int without_first = 0, without_second = 0;
  for (int seed = 1; seed <= 5; ++seed) {
    EXPECT_TRUE((rotates<true, true>(seed))) << seed;
    without_first += !rotates<false, true>(seed);
    without_second += !rotates<true, false>(seed);
  }
  EXPECT_GT(without_first, 0);
  EXPECT_GT(without_second, 0);
}

/// A block sum whose waves are combined without waiting for them.
template <bool Barrier, int BlockSize, int WaveSize>
struct sum_of_waves {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {
    float of_wave[BlockSize / WaveSize];
  };
  tensor_view<float, 1> y;
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const float sum = reduce_lanes<WaveSize>(1.0f, device::add_op{}, block);
    if (block.lane() == 0) shared.of_wave[block.wave()] = sum;
    if (Barrier) block.barrier();
    float total = 0;
    for (int wave = 0; wave < BlockSize / WaveSize; ++wave) total += shared.of_wave[wave];
    y(block.thread) = total;
  }
};

template <bool Barrier>
bool sums(int seed) {
  emulation::seed() = static_cast<std::uint64_t>(seed);
  device_buffer<float> y(num_lanes);
  EXPECT_SUCCESS(dispatch_wave_size<num_lanes>("sum", {}, [&](auto wave) {
    return launch("sum",
                  sum_of_waves<Barrier, block_threads<num_lanes, wave>, wave>{y.view(num_lanes)},
                  {}, {});
  }));
  return y.to_host() == std::vector<float>(num_lanes, static_cast<float>(num_lanes));
}

TEST_P(emulation_test, a_barrier_missing_between_waves_shows) {
  int wrong = 0;
  for (int seed = 1; seed <= 5; ++seed) {
    EXPECT_TRUE(sums<true>(seed)) << seed;
    wrong += !sums<false>(seed);
  }
  EXPECT_GT(wrong, 0);
}

/// Overwrites what other waves may not have read yet, but only so many shuffles later that waves
/// which keep pace never meet.
template <bool Barrier, int BlockSize, int WaveSize>
struct overwrite_later {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {
    float values[BlockSize];
  };
  tensor_view<float, 2> y;  // [blocks, BlockSize]
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    shared.values[block.thread] = 1;
    block.barrier();
    float sum = shared.values[(block.thread + 100) % BlockSize];
    for (int i = 0; i < 32; ++i) sum += block.shuffle(0.0f, i);
    if (Barrier) block.barrier();
    shared.values[block.thread] = 2;
    y(block.index.x, block.thread) = sum;
  }
};

template <bool Barrier>
bool reads_before_it_overwrites(int seed) {
  emulation::seed() = static_cast<std::uint64_t>(seed);
  const int blocks = 4;
  device_buffer<float> y(blocks * num_lanes);
  EXPECT_SUCCESS(dispatch_wave_size<num_lanes>("overwrite", {}, [&](auto wave) {
    using kernel = overwrite_later<Barrier, block_threads<num_lanes, wave>, wave>;
    return launch("overwrite", kernel{y.view(blocks, num_lanes)}, {blocks}, {});
  }));
  return y.to_host() == std::vector<float>(blocks * num_lanes, 1.0f);
}

TEST_P(emulation_test, a_wave_that_runs_far_ahead_shows_a_missing_barrier) {
  int wrong = 0;
  for (int seed = 1; seed <= 5; ++seed) {
    EXPECT_TRUE(reads_before_it_overwrites<true>(seed)) << seed;
    wrong += !reads_before_it_overwrites<false>(seed);
  }
  EXPECT_GT(wrong, 0);
}

// Each of these would hang or be undefined on a card.
struct one_lane_leaves {
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    if (block.thread == 70) return;
    block.barrier();
  }
};
struct one_wave_skips_the_barrier {
  tensor_view<float, 1> y;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    if (block.wave() != 0) block.barrier();
    y(block.thread) = block.shuffle(1.0f, 0);
    if (block.wave() != 0) block.barrier();
  }
};
struct one_lane_skips_the_shuffle {
  tensor_view<float, 1> y;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    y(block.thread) = 0;
    if (block.lane() != 5) y(block.thread) = block.shuffle(1.0f, 0);
    block.barrier();
  }
};

TEST_P(emulation_test, lanes_that_wait_at_different_places_are_a_device_error) {
  device_buffer<float> y(num_lanes);
  for (int seed = 1; seed <= 3; ++seed) {
    emulation::seed() = static_cast<std::uint64_t>(seed);
    EXPECT_REFUSED(run_on_device<num_lanes>(one_lane_leaves{}), status_code::device_error, "");
    EXPECT_REFUSED(run_on_device<num_lanes>(one_wave_skips_the_barrier{y.view(num_lanes)}),
                   status_code::device_error, "");
    EXPECT_REFUSED(run_on_device<num_lanes>(one_lane_skips_the_shuffle{y.view(num_lanes)}),
                   status_code::device_error, "");
  }
  EXPECT_TRUE((rotates<true, true>(1))) << "the device is usable after an error";
}

TEST_P(emulation_test, an_error_in_a_graph_is_thrown_at_its_launch) {
  const stream queue;
  const graph recorded = graph::capture(
      queue, [&] { EXPECT_SUCCESS(run_on_device<num_lanes>(one_lane_leaves{}, {}, queue)); });
  EXPECT_THROW(recorded.launch(queue), error);
}

/// Notes the order in which lanes and blocks run.
struct note_order {
  std::vector<int>* order;
  template <class Block>
  void operator()(Block block) const {
    order->push_back(block.index.x * Block::block_size + block.thread);
    block.barrier();
    order->push_back(block.index.x * Block::block_size + block.thread);
  }
};

std::vector<int> order_under(int seed) {
  emulation::seed() = static_cast<std::uint64_t>(seed);
  std::vector<int> order;
  EXPECT_SUCCESS(run_on_device<num_lanes>(note_order{&order}, {3}));
  return order;
}

TEST_P(emulation_test, the_order_comes_from_the_seed) {
  const auto first = order_under(1);
  EXPECT_EQ(first.size(), 6u * num_lanes);
  EXPECT_EQ(order_under(1), first);
  EXPECT_NE(order_under(2), first);
  EXPECT_FALSE(std::is_sorted(first.begin(), first.begin() + num_lanes));
}

/// Hands out shared memory as it was found.
template <int BlockSize, int WaveSize>
struct read_unwritten {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {
    float values[BlockSize];
  };
  tensor_view<float, 2> y;
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    y(block.index.x, block.thread) = shared.values[block.thread];
    shared.values[block.thread] = 1;  // the next block must not see it
  }
};

TEST_P(emulation_test, what_nobody_wrote_is_nan) {
  device_buffer<float> y(2 * num_lanes);
  for (const float value : y.to_host()) EXPECT_TRUE(std::isnan(value));
  EXPECT_SUCCESS(dispatch_wave_size<num_lanes>("read", {}, [&](auto wave) {
    return launch("read",
                  read_unwritten<block_threads<num_lanes, wave>, wave>{y.view(2, num_lanes)}, {2},
                  {});
  }));
  for (const float value : y.to_host()) EXPECT_TRUE(std::isnan(value));
}

struct exchange_lanes {
  tensor_view<int, 2> y;  // [3, lanes]
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    if constexpr (Block::wave_size > 1) {
      y(0, block.thread) = block.template shuffle_xor<1>(block.thread);
      y(1, block.thread) = block.template shuffle_xor<Block::wave_size / 2>(block.thread);
    }
    y(2, block.thread) =
        block.shuffle(block.thread, 7 * block.lane());  // wraps around within the wave
  }
};

TEST_P(emulation_test, shuffles_stay_in_their_wave) {
  device_buffer<int> y(3 * num_lanes);
  const int wave_size = GetParam();
  for (int seed = 1; seed <= 3; ++seed) {
    emulation::seed() = static_cast<std::uint64_t>(seed);
    EXPECT_SUCCESS(run_on_device<num_lanes>(exchange_lanes{y.view(3, num_lanes)}));
    const auto result = y.to_host();
    for (int i = 0; i < num_lanes; ++i) {
      EXPECT_EQ(result[std::size_t(i)], i ^ 1);
      EXPECT_EQ(result[std::size_t(num_lanes + i)], i ^ (wave_size / 2));
      EXPECT_EQ(result[std::size_t(2 * num_lanes + i)],
                i / wave_size * wave_size + 7 * (i % wave_size) % wave_size);
    }
  }
}

// The library's kernels whose lanes wait for each other.
TEST_P(emulation_test, kernels_give_the_same_bits_under_every_seed) {
  const int rows = 3, size = 1000, heads = 5, head_dim = 40;
  const auto x = random_values<float>(std::size_t(rows * size), 1, -5, 5);
  device_buffer<float> device_x(x), normal(x.size()), soft(x.size()),
      rotated(std::size_t(rows * heads * head_dim));
  device_buffer<int> positions(std::vector<int>{3, 14, 159}), tokens(rows);
  std::vector<std::vector<float>> first;
  for (int seed = 1; seed <= 6; ++seed) {
    emulation::seed() = static_cast<std::uint64_t>(seed);
    EXPECT_SUCCESS(
        rms_norm(normal.view(rows, size), device_x.view(rows, size), device_x.view(size)));
    EXPECT_SUCCESS(softmax(soft.view(rows, size), device_x.view(rows, size)));
    EXPECT_SUCCESS(rope(rotated.view(rows, heads, head_dim), device_x.view(rows, heads, head_dim),
                        positions.view(rows), {.layout = rope_layout::interleaved}));
    EXPECT_SUCCESS((argmax<float, 256>(tokens.view(rows), device_x.view(rows, size))));
    std::vector<float> chosen;
    for (const int token : tokens.to_host()) chosen.push_back(static_cast<float>(token));
    const std::vector<std::vector<float>> now = {normal.to_host(), soft.to_host(),
                                                 rotated.to_host(), chosen};
    if (first.empty()) first = now;
    EXPECT_EQ(now, first) << seed;
  }
}

}  // namespace
}  // namespace rocmforge::testing
