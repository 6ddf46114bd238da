// A block as fibers on the host, for tests: each lane is a fiber, barriers and shuffles are real,
// and which lane runs next is drawn from a seed, so that a missing barrier shows. A lane runs alone
// from one barrier or shuffle to the next. In some blocks all lanes advance together, in others one
// wave or one lane runs as far ahead as it can while another starves.
#pragma once

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "rocmforge/platform/macros.hpp"
#include "rocmforge/platform/types.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define ROCMFORGE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROCMFORGE_ADDRESS_SANITIZER 1
#endif
#endif
#if defined(ROCMFORGE_ADDRESS_SANITIZER)
#include <sanitizer/common_interface_defs.h>
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace emulation {

/// Seed of the order in which lanes and blocks run.
inline std::uint64_t& seed() {
  static std::uint64_t value = 1;
  return value;
}

/// Stacks are mapped once and used again by the next block.
class stack_pool {
 public:
#if defined(ROCMFORGE_ADDRESS_SANITIZER)
  static constexpr std::size_t stack_bytes = std::size_t{1} << 20;
#else
  static constexpr std::size_t stack_bytes = std::size_t{256} << 10;
#endif
  class allocator {
   public:
    explicit allocator(stack_pool& pool) : pool_(&pool) {}
    boost::context::stack_context allocate() {
      if (pool_->free_.empty()) {
        pool_->last_ = boost::context::fixedsize_stack(stack_bytes).allocate();
      } else {
        pool_->last_ = pool_->free_.back();
        pool_->free_.pop_back();
      }
      return pool_->last_;
    }
    void deallocate(boost::context::stack_context& stack) { pool_->free_.push_back(stack); }

   private:
    stack_pool* pool_;
  };
  /// Lowest address of the stack that was given out last.
  [[nodiscard]] const void* last_stack() const {
    return static_cast<const char*>(last_.sp) - last_.size;
  }
  ~stack_pool() {
    for (auto& stack : free_) boost::context::fixedsize_stack(stack_bytes).deallocate(stack);
  }

 private:
  std::vector<boost::context::stack_context> free_;
  boost::context::stack_context last_;
};

class block;
/// A type-erased call of a kernel for one lane, so that fibers and the order in which they run are
/// compiled once and not for every kernel.
using lane_call = void (*)(const void* kernel, block& fibers, grid_size index, int thread,
                           void* shared);

/// The lanes of one block: where each one waits, and the values that a wave exchanges.
class block {
 public:
  block(int block_size, int wave_size, std::mt19937_64& random)
      : wave_size_(wave_size), lanes_(static_cast<std::size_t>(block_size)), random_(random) {
    // Lanes of one rank advance at random, those of a higher rank before all others. A rank for the
    // whole block keeps them close together, a rank for each wave or each lane drives them apart.
    const std::size_t sizes[] = {lanes_.size(), static_cast<std::size_t>(wave_size), 1};
    rank_lanes_ = sizes[random_() % 3];
    for (std::size_t i = 0; i < lanes_.size() / rank_lanes_; ++i) ranks_.push_back(random_() >> 32);
  }

  /// Calls the kernel for every lane until all have returned; false if some wait for what can never
  /// happen.
  bool run(stack_pool& stacks, lane_call call, const void* kernel, grid_size index, void* shared) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      lanes_[i].fiber =
          boost::context::fiber(std::allocator_arg, stack_pool::allocator(stacks),
                                [=, this](boost::context::fiber&& scheduler) {
                                  scheduler_ = std::move(scheduler);
                                  entered(i);
                                  call(kernel, *this, index, static_cast<int>(i), shared);
                                  lanes_[i].state = lane_state::done;
                                  leaving(i, true);
                                  return std::move(scheduler_);
                                });
#if defined(ROCMFORGE_ADDRESS_SANITIZER)
      lanes_[i].stack = stacks.last_stack();
#endif
      make_ready(i);
    }
    while (!ready_.empty()) {
      std::pop_heap(ready_.begin(), ready_.end());
      const std::size_t i = ready_.back().second;
      ready_.pop_back();
      resume(i);
      release(i);
    }
    for (const lane& l : lanes_) {
      if (l.state != lane_state::done) return false;
    }
    return true;
  }

  void barrier(int thread) {
    wait(static_cast<std::size_t>(thread), lane_state::at_barrier);
  }

  /// Gives `value` to the wave and takes what lane `source` (of the block) gave.
  std::uint32_t exchange(int thread, std::uint32_t value, int source) {
    lane& self = lanes_[static_cast<std::size_t>(thread)];
    const int slot =
        self.num_exchanges++ % 2;  // two slots: a lane is never more than one exchange ahead
    self.value[slot] = value;
    wait(static_cast<std::size_t>(thread), lane_state::at_exchange);
    return lanes_[static_cast<std::size_t>(source)].value[slot];
  }

 private:
  enum class lane_state { ready, at_barrier, at_exchange, done };
  struct lane {
    boost::context::fiber fiber;
    lane_state state = lane_state::ready;
    int num_exchanges = 0;
    std::uint32_t value[2] = {};
#if defined(ROCMFORGE_ADDRESS_SANITIZER)
    void* fake_stack = nullptr;
    const void* stack = nullptr;
#endif
  };

  void make_ready(std::size_t i) {
    ready_.emplace_back(ranks_[i / rank_lanes_] << 32 | random_() >> 32, i);
    std::push_heap(ready_.begin(), ready_.end());
  }

  void resume(std::size_t i) {
#if defined(ROCMFORGE_ADDRESS_SANITIZER)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, lanes_[i].stack, stack_pool::stack_bytes);
    lanes_[i].fiber = std::move(lanes_[i].fiber).resume();
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#else
    lanes_[i].fiber = std::move(lanes_[i].fiber).resume();
#endif
  }

  void wait(std::size_t i, lane_state state) {
    lanes_[i].state = state;
    leaving(i, false);
    scheduler_ = std::move(scheduler_).resume();
    entered(i);
  }

  void entered([[maybe_unused]] std::size_t i) {
#if defined(ROCMFORGE_ADDRESS_SANITIZER)
    __sanitizer_finish_switch_fiber(lanes_[i].fake_stack, &scheduler_stack_,
                                    &scheduler_stack_bytes_);
#endif
  }
  void leaving([[maybe_unused]] std::size_t i, [[maybe_unused]] bool for_good) {
#if defined(ROCMFORGE_ADDRESS_SANITIZER)
    __sanitizer_start_switch_fiber(for_good ? nullptr : &lanes_[i].fake_stack, scheduler_stack_,
                                   scheduler_stack_bytes_);
#endif
  }

  /// Lets the lanes go on that waited for lane `i`, if it was the last.
  void release(std::size_t i) {
    const lane_state state = lanes_[i].state;
    if (state == lane_state::done) return;
    const auto wave = static_cast<std::size_t>(wave_size_);
    const std::size_t begin = state == lane_state::at_exchange ? i / wave * wave : 0;
    const std::size_t end = state == lane_state::at_exchange ? begin + wave : lanes_.size();
    for (std::size_t other = begin; other < end; ++other) {
      if (lanes_[other].state != state) return;
    }
    for (std::size_t other = begin; other < end; ++other) {
      lanes_[other].state = lane_state::ready;
      make_ready(other);
    }
  }

  int wave_size_;
  std::vector<lane> lanes_;
  std::vector<std::pair<std::uint64_t, std::size_t>> ready_;  // a heap: what runs first, lane
  std::size_t rank_lanes_;                                    // neighbors that share a rank
  std::vector<std::uint64_t> ranks_;
  boost::context::fiber scheduler_;
  std::mt19937_64& random_;
#if defined(ROCMFORGE_ADDRESS_SANITIZER)
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_stack_bytes_ = 0;
#endif
};

/// Lanes of a block, and of each of its waves.
struct block_shape {
  int block_size, wave_size;
};

/// Runs every block of the grid, one after another in a drawn order, with fresh shared memory full
/// of NaN.
/// @return false if the lanes of a block wait at different places
inline bool run(lane_call call, const void* kernel, block_shape shape, std::size_t shared_bytes,
                grid_size grid) {
  thread_local stack_pool stacks;
  std::mt19937_64 random(seed());
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < std::int64_t{grid.x} * grid.y * grid.z; ++i) order.push_back(i);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  const std::unique_ptr<void, decltype(&std::free)> shared(
      std::aligned_alloc(64, (shared_bytes + 63) / 64 * 64), &std::free);
  for (const std::int64_t i : order) {
    std::memset(shared.get(), 0xff, shared_bytes);
    const grid_size index{static_cast<int>(i % grid.x), static_cast<int>(i / grid.x % grid.y),
                          static_cast<int>(i / grid.x / grid.y)};
    block fibers(shape.block_size, shape.wave_size, random);
    if (!fibers.run(stacks, call, kernel, index, shared.get())) return false;
  }
  return true;
}

}  // namespace emulation
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
