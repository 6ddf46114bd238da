// Ownership of memory, streams, events and graphs.
#include <rocmforge/memory.hpp>

#include "support/kernel_test.hpp"
#include "support/small_kernel.hpp"

namespace rocmforge::testing {
namespace {

// What is constant is read through, also by the views and pointers that it gives.
using float_buffer = device_buffer<float>;
static_assert(
    std::is_same_v<decltype(std::declval<float_buffer&>().view(1)), tensor_view<float, 1>>);
static_assert(std::is_same_v<decltype(std::declval<const float_buffer&>().view(1)),
                             tensor_view<const float, 1>>);
static_assert(std::is_same_v<decltype(std::declval<float_buffer&>().data()), float*>);
static_assert(std::is_same_v<decltype(std::declval<const float_buffer&>().data()), const float*>);
using pinned = pinned_buffer<float>;
static_assert(std::is_same_v<decltype(std::declval<const pinned&>().data()), const float*>);
static_assert(std::is_same_v<decltype(std::declval<const pinned&>()[0]), const float&>);
static_assert(std::is_convertible_v<pinned&, std::span<float>>);
static_assert(!std::is_convertible_v<const pinned&, std::span<float>>);
static_assert(std::is_convertible_v<const pinned&, std::span<const float>>);

static_assert(!std::is_copy_constructible_v<device_buffer<float>> &&
              !std::is_copy_assignable_v<device_buffer<float>>);
static_assert(std::is_nothrow_move_constructible_v<device_buffer<float>> &&
              std::is_nothrow_move_assignable_v<device_buffer<float>>);
static_assert(!std::is_copy_constructible_v<pinned_buffer<float>> &&
              !std::is_copy_constructible_v<stream>);
static_assert(std::is_move_constructible_v<pinned_buffer<float>> &&
              std::is_move_constructible_v<stream>);
static_assert(std::is_move_constructible_v<event> && std::is_move_constructible_v<graph>);

class memory : public memory_test {};
INSTANTIATE_TEST_SUITE_P(devices, memory, ::testing::ValuesIn(device_numbers()), device_name);

TEST_P(memory, is_freed_with_its_buffer) {
  {
    device_buffer<float> a(100);
    EXPECT_EQ(a.size(), 100u);
    EXPECT_EQ(a.size_bytes(), 400u);
    EXPECT_EQ(bytes_in_use(), before_ + 400);
    device_buffer<half> b(7);
    EXPECT_EQ(bytes_in_use(), before_ + 414);
  }
  EXPECT_EQ(bytes_in_use(), before_);
}

TEST_P(memory, of_an_empty_buffer_is_none) {
  device_buffer<float> none, nothing(0);
  EXPECT_EQ(none.data(), nullptr);
  EXPECT_EQ(nothing.size(), 0u);
  EXPECT_EQ(bytes_in_use(), before_);
  EXPECT_TRUE(nothing.to_host().empty());
}

TEST_P(memory, moves_with_its_buffer) {
  device_buffer<int> a(std::vector<int>{1, 2, 3});
  int* const data = a.data();
  device_buffer<int> b(std::move(a));
  EXPECT_EQ(b.data(), data);
  device_buffer<int> c(std::vector<int>{4});
  c = std::move(b);
  EXPECT_EQ(c.to_host(), (std::vector<int>{1, 2, 3}));
  c = device_buffer<int>(5);  // and what c held is freed
  EXPECT_EQ(c.size(), 5u);
  std::vector<device_buffer<int>> several;
  for (int i = 0; i < 10; ++i)
    several.emplace_back(std::vector<int>{i});  // moved as the vector grows
  for (int i = 0; i < 10; ++i) EXPECT_EQ(several[std::size_t(i)].to_host()[0], i);
}

TEST_P(memory, is_copied_both_ways) {
  const auto values = random_values<float>(1000, 1);
  device_buffer<float> buffer(values);
  EXPECT_EQ(buffer.to_host(), values);
  buffer.copy_from_host(std::vector<float>{7, 8}, {}, 998);
  std::vector<float> tail(3);
  buffer.copy_to_host(tail, {}, 997);
  stream_ref{}.synchronize();
  EXPECT_EQ(tail, (std::vector<float>{values[997], 7, 8}));
  buffer.fill_bytes(0);
  EXPECT_EQ(buffer.to_host(), std::vector<float>(1000, 0.0f));
}

TEST_P(memory, copies_beyond_the_buffer_are_refused) {
  device_buffer<float> buffer(4);
  buffer.fill_bytes(0);
  std::vector<float> five(5, 1.0f), two(2, 1.0f);
  EXPECT_THROW(buffer.copy_from_host(five), error);
  EXPECT_THROW(buffer.copy_to_host(five), error);
  EXPECT_THROW(buffer.copy_from_host(two, {}, 3), error);
  EXPECT_THROW(buffer.copy_to_host(two, {}, 3), error);
  EXPECT_THROW(buffer.copy_to_host(two, {}, std::numeric_limits<std::size_t>::max()), error);
  EXPECT_THROW(static_cast<void>(buffer.view(5)), error);
  EXPECT_THROW(static_cast<void>(buffer.view(2, 3)), error);
  EXPECT_THROW(static_cast<void>(buffer.view(-1)), error);
  EXPECT_EQ(buffer.to_host(), std::vector<float>(4, 0.0f));
  try {
    buffer.copy_from_host(two, {}, 3);
  } catch (const error& e) {
    EXPECT_STREQ(e.what(),
                 "device_buffer: copy_from_host of 2 elements at 3, but the buffer has 4");
  }
}

TEST_P(memory, that_is_not_there_is_refused_and_nothing_is_lost) {
  device_buffer<int> kept(std::vector<int>{1, 2});
  const std::size_t used = bytes_in_use();
  EXPECT_THROW(kept = device_buffer<int>(std::size_t{1} << 58), error);
  EXPECT_THROW(kept = device_buffer<int>(std::numeric_limits<std::size_t>::max()),
               error);  // bytes overflow
  EXPECT_THROW(kept = device_buffer<int>(std::numeric_limits<std::size_t>::max() / 4 + 2),
               error);  // to 4 bytes
  EXPECT_EQ(bytes_in_use(), used);
  EXPECT_EQ(kept.to_host(), (std::vector<int>{1, 2}));
  EXPECT_THROW(pinned_buffer<int>{std::numeric_limits<std::size_t>::max()}, error);
}

TEST_P(memory, has_a_limit) {
  device_memory_limit() = before_ + 1000;
  device_buffer<char> most(900);
  EXPECT_THROW(device_buffer<char>{101}, error);
  device_buffer<char> rest(100);
  EXPECT_THROW(device_buffer<char>{1}, error);
  try {
    device_buffer<float> too_much(10);
  } catch (const error& e) {
    EXPECT_EQ(std::string(e.what()),
              "out of device memory: 10 elements of 4 bytes were asked for, " +
                  std::to_string(before_ + 1000) + " bytes are in use");
  }
}

TEST_P(memory, of_several_buffers_is_given_back_when_a_later_one_fails) {
  struct several {
    device_buffer<float> a{100}, b{100}, c{100};
  };
  for (std::size_t fitting = 0; fitting < 3; ++fitting) {
    device_memory_limit() = before_ + fitting * 400 + 399;
    EXPECT_THROW(const several buffers, error);
    EXPECT_EQ(bytes_in_use(), before_);
  }
  device_memory_limit() = before_ + 1200;
  EXPECT_NO_THROW(const several buffers);
}

TEST_P(memory, statistics_count_allocations_and_copies) {
  const memory_statistics start = current_memory_statistics();
  device_buffer<int> buffer(std::vector<int>{1, 2, 3});
  static_cast<void>(buffer.to_host());
  static_cast<void>(buffer.to_host());
  const memory_statistics end = current_memory_statistics();
  EXPECT_EQ(end.num_allocations - start.num_allocations, 1u);
  EXPECT_EQ(end.num_uploads - start.num_uploads, 1u);
  EXPECT_EQ(end.num_downloads - start.num_downloads, 2u);
}

TEST_P(memory, of_a_large_buffer_is_used_to_its_ends) {
  const auto values =
      random_values<float>(std::size_t{5} << 20, 2);  // 20 MiB: huge pages on the host
  device_buffer<float> buffer(values);
  EXPECT_EQ(buffer.to_host(), values);
}

TEST_P(memory, that_is_pinned_is_moved_and_written) {
  pinned_buffer<int> a(3);
  for (std::size_t i = 0; i < 3; ++i) a[i] = static_cast<int>(i) + 5;
  pinned_buffer<int> b(std::move(a)), c;
  c = std::move(b);
  ASSERT_EQ(c.size(), 3u);
  device_buffer<int> buffer(3);
  const stream queue;
  buffer.copy_from_host(std::span<int>(c), queue);
  EXPECT_EQ(buffer.to_host(queue), (std::vector<int>{5, 6, 7}));
}

struct add_one {
  tensor_view<int, 1> values;
  template <class Block>
  ROCMFORGE_DEVICE void operator()(Block block) const {
    for (int i = block.thread; i < values.extent[0]; i += Block::block_size) values(i) += 1;
  }
};

TEST_P(memory, streams_keep_the_order_of_their_work) {
  stream first;
  stream queue(std::move(first));
  device_buffer<int> buffer(std::vector<int>(100, 0), queue);
  for (int i = 0; i < 5; ++i)
    EXPECT_SUCCESS(run_on_device<64>(add_one{buffer.view(100)}, {}, queue));
  std::vector<int> result(100);
  buffer.copy_to_host(result, queue);
  queue.synchronize();
  EXPECT_EQ(result, std::vector<int>(100, 5));
}

TEST_P(memory, events_measure_time) {
  const stream queue;
  event begin, end;
  device_buffer<int> buffer(std::vector<int>(1000, 0));
  begin.record(queue);
  for (int i = 0; i < 20; ++i)
    EXPECT_SUCCESS(run_on_device<64>(add_one{buffer.view(1000)}, {}, queue));
  end.record(queue);
  end.synchronize();
  EXPECT_GT(end.milliseconds_since(begin), 0.0f);
  EXPECT_LT(end.milliseconds_since(begin), 60000.0f);
  event moved(std::move(end));
  EXPECT_GT(moved.milliseconds_since(begin), 0.0f);
}

TEST_P(memory, graphs_replay_what_was_recorded) {
  const stream queue;
  device_buffer<int> buffer(std::vector<int>(100, 0), queue);
  graph recorded = graph::capture(queue, [&] {
    EXPECT_SUCCESS(run_on_device<64>(add_one{buffer.view(100)}, {}, queue));
    EXPECT_SUCCESS(run_on_device<64>(add_one{buffer.view(50)}, {}, queue));
  });
  EXPECT_EQ(buffer.to_host(queue), std::vector<int>(100, 0)) << "a capture executes nothing";
  const graph moved(std::move(recorded));
  for (int i = 0; i < 3; ++i) moved.launch(queue);
  std::vector<int> expected(100, 3);
  std::fill_n(expected.begin(), 50, 6);
  EXPECT_EQ(buffer.to_host(queue), expected);
}

TEST_P(memory, a_capture_that_throws_leaves_the_stream_usable) {
  const stream queue;
  device_buffer<int> buffer(std::vector<int>(10, 0), queue);
  EXPECT_THROW(graph::capture(queue, [] { throw error("no"); }), error);
  EXPECT_SUCCESS(run_on_device<64>(add_one{buffer.view(10)}, {}, queue));
  EXPECT_EQ(buffer.to_host(queue), std::vector<int>(10, 1));
}

TEST_P(memory, a_capture_within_a_capture_is_refused) {
  const stream queue;
  EXPECT_THROW(graph::capture(queue, [&] { static_cast<void>(graph::capture(queue, [] {})); }),
               error);
}

/// A kernel that is never run.
template <int WaveSize>
struct nothing {
  static constexpr int block_size = WaveSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {};
  ROCMFORGE_DEVICE void operator()(block_context<WaveSize, WaveSize>, shared_storage&) const {}
};

TEST(no_device, is_what_an_allocation_and_a_launch_say) {
  if (!devices().empty()) GTEST_SKIP() << "there is a device";
  const std::string expected = std::string("there is no device: ") + no_device_reason();
  EXPECT_GT(std::string(no_device_reason()).size(), 5u);
  try {
    const device_buffer<float> buffer(10);
    ADD_FAILURE() << "allocated";
  } catch (const error& e) {
    EXPECT_EQ(e.what(), expected + "; 10 elements of 4 bytes were asked for");
  }
  EXPECT_EQ(launch("op", nothing<32>{}, {}, {}).message(), "op: " + expected + " (no_device)");
}

}  // namespace
}  // namespace rocmforge::testing
