// From run-time values to template parameters, and what a launch refuses.
#include <rocmforge/dispatch.hpp>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

TEST(dispatch, calls_with_the_value_of_the_list) {
  for (const int value : {64, 96, 128}) {
    int called_with = 0, calls = 0;
    EXPECT_SUCCESS(dispatch(int_list<64, 96, 128>{}, value, "op", "head_dim", "", [&](auto v) {
      static_assert(decltype(v)::value > 0);
      called_with = v;
      ++calls;
      return status{};
    }));
    EXPECT_EQ(called_with, value);
    EXPECT_EQ(calls, 1);
  }
}

TEST(dispatch, returns_what_the_call_returned) {
  const status inner{status_code::device_error, "inner", "x", "it broke", {}};
  EXPECT_REFUSED(dispatch(int_list<1, 2>{}, 2, "op", "n", "", [&](auto) { return inner; }),
                 status_code::device_error, "x");
}

TEST(dispatch, refuses_a_value_outside_the_list_and_says_which_there_are) {
  const auto never = [](auto) -> status {
    ADD_FAILURE() << "called for a value outside the list";
    return {};
  };
  const status s = dispatch(int_list<64, 128>{}, 80, "op", "head_dim",
                            "is {0}; there are kernels for 64 and 128", never);
  EXPECT_EQ(s.message(), "op: head_dim: is 80; there are kernels for 64 and 128 (unsupported)");
  EXPECT_REFUSED(dispatch(int_list<>{}, 1, "op", "n", "", never), status_code::unsupported, "n");
}

TEST(dispatch, of_a_dtype) {
  for (const dtype type : {dtype::f32, dtype::f16, dtype::bf16}) {
    EXPECT_EQ(dispatch_dtype(type, []<class T>(T) { return dtype_of<T>; }), type);
  }
}

static_assert(block_threads<256, 1> == 1 && block_threads<256, 32> == 256 &&
              block_threads<64, 64> == 64);

ROCMFORGE_KERNEL_TEST_SUITE(launch_on_device);

TEST_P(launch_on_device, gets_the_wave_size_of_the_device) {
  int called_with = 0;
  EXPECT_SUCCESS(dispatch_wave_size<64>("op", {}, [&](auto wave) {
    called_with = wave;
    return status{};
  }));
  EXPECT_EQ(called_with, device().wave_size);
}

TEST_P(launch_on_device, follows_the_device_of_the_stream) {
  const stream of_this_device;
  set_device(0);
  int called_with = 0;
  EXPECT_SUCCESS(dispatch_wave_size<64>("op", of_this_device, [&](auto wave) {
    called_with = wave;
    return status{};
  }));
  if (devices().size() > 1 &&
      devices()[0].architecture == "host") {  // a GPU's stream is used on its own device only
    EXPECT_EQ(called_with, devices()[static_cast<std::size_t>(GetParam())].wave_size);
  }
}

/// Every lane of every block leaves its number where nobody else does.
struct store_place {
  tensor_view<int, 4> places;  // [z, y, x, thread]
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    places(block.index.z, block.index.y, block.index.x, block.thread) =
        ((block.index.z * 100 + block.index.y) * 100 + block.index.x) * 1000 +
        block.wave() * Block::wave_size + block.lane();
  }
};

TEST_P(launch_on_device, runs_each_lane_of_each_block_once) {
  const int num_lanes = device().wave_size == 1 ? 1 : 128;
  device_buffer<int> places(static_cast<std::size_t>(2 * 3 * 5 * num_lanes));
  places.fill_bytes(0xff);
  EXPECT_SUCCESS(run_on_device<128>(store_place{places.view(2, 3, 5, num_lanes)}, {5, 3, 2}));
  const auto result = places.to_host();
  std::size_t i = 0;
  for (int z = 0; z < 2; ++z) {
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < 5; ++x) {
        for (int thread = 0; thread < num_lanes; ++thread)
          EXPECT_EQ(result[i++], ((z * 100 + y) * 100 + x) * 1000 + thread);
      }
    }
  }
}

#if defined(ROCMFORGE_RUNTIME)  // the runtime of a GPU keeps errors, the host has none
TEST_P(launch_on_device, leaves_an_earlier_error_of_the_program_alone) {
  device_buffer<int> places(64);
  ASSERT_NE(ROCMFORGE_RUNTIME(SetDevice)(-1), ROCMFORGE_RUNTIME(Success));
  EXPECT_SUCCESS(run_on_device<64>(store_place{places.view(1, 1, 1, 64)}, {1, 1, 1}));
  // Before ROCm 7 HIP's last error is that of the last call, whether it failed or not.
  const auto kept = ROCMFORGE_RUNTIME(GetLastError)();
#if defined(ROCMFORGE_PLATFORM_NVIDIA)
  EXPECT_EQ(kept, cudaErrorInvalidDevice);
#else
  static_cast<void>(kept);
#endif
  EXPECT_EQ(places.to_host()[63], 63);
}
#endif

TEST_P(launch_on_device, of_no_blocks_does_nothing) {
  for (const grid_size grid : {grid_size{0, 1, 1}, {1, 0, 1}, {1, 1, 0}}) {
    EXPECT_SUCCESS(run_on_device<64>(store_place{{nullptr, {}, {}}}, grid));
  }
}

TEST_P(launch_on_device, refuses_grids_that_are_too_large) {
  for (const grid_size grid :
       {grid_size{-1, 1, 1}, {1, -1, 1}, {1, 1, -1}, {1, 65536, 1}, {1, 1, 65536}}) {
    EXPECT_REFUSED(run_on_device<64>(store_place{{nullptr, {}, {}}}, grid),
                   status_code::invalid_shape, "");
  }
}

template <int BlockSize, int WaveSize>
struct hungry_kernel {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {
    char bytes[1 << 20];
  };
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize>,
                                   shared_storage& shared) const {
    shared.bytes[0] = 1;
  }
};

TEST_P(launch_on_device, refuses_more_shared_memory_than_there_is) {
  const status s = dispatch_wave_size<64>("op", {}, [&](auto wave) {
    return launch("op", hungry_kernel<block_threads<64, wave>, wave>{}, {}, {});
  });
  if (device().wave_size == 1) {
    EXPECT_SUCCESS(s);  // the serial host's is its memory
    return;
  }
  EXPECT_EQ(name_of(s.code), name_of(status_code::unsupported));
  EXPECT_EQ(s.numbers[0], 1 << 20);
  EXPECT_LE(s.numbers[1], static_cast<std::int64_t>(device().shared_bytes));
  EXPECT_GE(s.numbers[1], 32768);
}

/// Writes one value, wherever it runs.
template <int BlockSize, int WaveSize>
struct leave_a_trace {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {};
  int* trace;
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize>, shared_storage&) const {
    *trace = WaveSize;
  }
};

TEST_P(launch_on_device, runs_a_kernel_of_its_wave_size_and_refuses_all_others) {
  device_buffer<int> trace(1);
  const auto check = [&]<int WaveSize>(std::integral_constant<int, WaveSize>) {
    trace.fill_bytes(0);
    const status s = launch("op", leave_a_trace<WaveSize, WaveSize>{trace.data()}, {}, {});
    if (WaveSize == device().wave_size) {
      EXPECT_SUCCESS(s);
      EXPECT_EQ(trace.to_host()[0], WaveSize);
      return;
    }
    EXPECT_EQ(s.message(), "op: the kernel is for waves of " + std::to_string(WaveSize) +
                               " lanes, the device has waves of " +
                               std::to_string(device().wave_size) + " (unsupported)");
    EXPECT_EQ(trace.to_host()[0], 0);
  };
  check(std::integral_constant<int, 1>{});
  check(std::integral_constant<int, 32>{});
  check(std::integral_constant<int, 64>{});
}

TEST_P(launch_on_device, refuses_blocks_of_more_lanes_than_the_device_has) {
  if (device().wave_size != 1) return;  // the serial host, whose blocks have one lane
  int trace = 0;
  EXPECT_EQ(launch("op", leave_a_trace<64, 1>{&trace}, {}, {}).message(),
            "op: the kernel is for blocks of 64 lanes, the device has blocks of at most 1 "
            "(unsupported)");
  EXPECT_EQ(trace, 0);
}

TEST(check_launch, refuses_what_a_runtime_cannot_count) {
  const kernel_requirements kernel{256, 32, 0};
  const launch_limits hip{1024, 32, 65536, (std::int64_t{1} << 32) - 1};
  EXPECT_SUCCESS(check_launch("op", kernel, {(1 << 24) - 1, 1, 1}, hip));
  EXPECT_EQ(check_launch("op", kernel, {1 << 24, 1, 1}, hip).message(),
            "op: a grid of 16777216 blocks of 256 lanes along x, the device takes 4294967295 lanes "
            "(invalid_shape)");
  const launch_limits no_limit{1024, 32, 65536, std::numeric_limits<std::int64_t>::max()};
  EXPECT_SUCCESS(check_launch("op", {1024, 32, 0}, {2147483647, 1, 1}, no_limit));
}

TEST_P(launch_on_device, device_numbers_out_of_range_are_refused) {
  EXPECT_THROW(set_device(-1), error);
  EXPECT_THROW(set_device(static_cast<int>(devices().size())), error);
  EXPECT_EQ(current_device(), GetParam());
}

}  // namespace
}  // namespace rocmforge::testing
