// The arithmetic that the device reaches when nothing but arithmetic is to be done.
#include <algorithm>
#include <rocmforge/block/packets.hpp>
#include <rocmforge/memory.hpp>

#include "device.hpp"
#include "instructions.hpp"

namespace verify {
namespace {

using namespace rocmforge;

constexpr int waves_per_block = 4;
constexpr int num_rounds = 2000;

/// Products that wait for nothing but their own sums; `chains` of them hide each other's latency.
template <class I>
struct repeat_products {
  static constexpr int block_size = I::lanes * waves_per_block;
  static constexpr int wave_size = I::lanes;
  static constexpr int chains = 4;
  static constexpr double flops_per_round = 2.0 * I::m * I::n * I::k * chains * waves_per_block;
  struct shared_storage {};
  tensor_view<float, 2> out;  // [blocks, block_size]
  int rounds;

  ROCMFORGE_DEVICE void operator()(block_context<block_size, wave_size> block,
                                   shared_storage&) const {
    // Values that no compiler knows.
    const auto value = static_cast<float>((rounds + block.thread) % 2);
    typename I::a_registers a;
    typename I::b_registers b;
    typename I::c_registers sums[chains];
    ROCMFORGE_UNROLL
    for (int i = 0; i < I::a_elements; ++i) a[i] = static_cast<typename I::a_element>(value);
    ROCMFORGE_UNROLL
    for (int i = 0; i < I::b_elements; ++i) b[i] = static_cast<typename I::b_element>(value);
    ROCMFORGE_UNROLL
    for (int chain = 0; chain < chains; ++chain) {
      ROCMFORGE_UNROLL
      for (int i = 0; i < I::c_elements; ++i) sums[chain][i] = 0;
    }
    for (int round = 0; round < rounds; ++round) {
      ROCMFORGE_UNROLL
      for (int chain = 0; chain < chains; ++chain) I::multiply(sums[chain], a, b);
    }
    float total = 0;
    ROCMFORGE_UNROLL
    for (int chain = 0; chain < chains; ++chain) {
      ROCMFORGE_UNROLL
      for (int i = 0; i < I::c_elements; ++i) total += static_cast<float>(sums[chain][i]);
    }
    out(block.index.x, block.thread) = total;
  }
};

/// The same with multiply-adds of packets.
template <int BlockSize, int WaveSize>
struct repeat_multiply_adds {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int size = packet_size<float, WaveSize>;
  static constexpr int chains = 10;
  static constexpr double flops_per_round = 2.0 * size * chains * BlockSize;
  struct shared_storage {};
  tensor_view<float, 2> out;
  int rounds;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    const packet<float, size> factor(static_cast<float>((rounds + block.thread) % 2));
    packet<float, size> sums[chains];
    ROCMFORGE_UNROLL
    for (int chain = 0; chain < chains; ++chain)
      sums[chain] = packet<float, size>(static_cast<float>(chain));
    for (int round = 0; round < rounds; ++round) {
      ROCMFORGE_UNROLL
      for (int chain = 0; chain < chains; ++chain) sums[chain] = fma(sums[chain], factor, factor);
    }
    packet<float, size> total = sums[0];
    ROCMFORGE_UNROLL
    for (int chain = 1; chain < chains; ++chain) total += sums[chain];
    out(block.index.x, block.thread) = horizontal_sum(total);
  }
};

template <class Kernel>
double rate(double budget) {
  const device_properties& device = devices()[static_cast<std::size_t>(current_device())];
  const int blocks = device.num_compute_units * 16;
  const int rounds = num_rounds * (Kernel::wave_size == 1 ? 2 : 1);
  device_buffer<float> out(static_cast<std::size_t>(blocks) * Kernel::block_size);
  const double seconds = seconds_per_launch(
      [&] {
        const status s =
            launch("peak", Kernel{out.view(blocks, Kernel::block_size), rounds}, {blocks}, {});
        return s.ok() ? std::string() : s.message();
      },
      budget);
  return Kernel::flops_per_round * rounds * blocks / seconds;
}

}  // namespace

peak_rate measure_peak(const std::string& architecture, double budget) {
  peak_rate best;
  const auto consider = [&](const std::string& instruction, double flops) {
    if (flops > best.flops) best = {instruction, flops};
  };
  static_cast<void>(dispatch_wave_size<256>("peak", {}, [&](auto wave) {
    consider("multiply-add f32",
             rate<repeat_multiply_adds<block_threads<256, wave>, wave>>(budget));
    return status{};
  }));
  for_each_instruction(instructions{}, architecture, [&](auto instruction) {
    using I = decltype(instruction);
    if constexpr (!std::is_integral_v<typename I::a_element>)
      consider(I::name, rate<repeat_products<I>>(budget / 4));
  });
  return best;
}

}  // namespace verify
