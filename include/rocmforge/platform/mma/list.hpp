// Which matrix instructions a platform's devices may have, for launchers to choose from.
#pragma once

#include <string_view>
#include <type_traits>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/mma/mfma.hpp"
#include "rocmforge/platform/mma/mma_sync.hpp"
#include "rocmforge/platform/mma/wmma_gfx11.hpp"
#include "rocmforge/platform/mma/wmma_gfx12.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace mma {

template <instruction... I>
struct instruction_list {};

/// f(instruction) with the instruction of the list that waves of this size have on a device of this
/// architecture; false if there is none.
template <int WaveSize, instruction... I, class F>
bool with_instruction(instruction_list<I...>, [[maybe_unused]] std::string_view architecture,
                      [[maybe_unused]] F&& f) {
  [[maybe_unused]] const auto one = [&]<class Instruction>(Instruction instruction) {
    if constexpr (Instruction::lanes == WaveSize) {
      if (Instruction::runs_on(architecture)) return f(instruction);
    }
    return false;
  };
  return (one(I{}) || ...);
}

/// Lanes of a block with one, two or four of the waves that `block_size` has.
constexpr int lanes_of_few_waves(int block_size, int wave_size) {
  const int waves = block_size / wave_size;
  return wave_size * (waves >= 4 ? 4 : waves >= 2 ? 2 : 1);
}

/// Those that multiply elements of T and add up in float. A device has at most one of them.
#if defined(ROCMFORGE_PLATFORM_AMD)
template <class T>
using product_instructions = std::conditional_t<
    std::is_same_v<T, half>,
    instruction_list<wmma_f32_16x16x16_f16, wmma_f32_16x16x16_f16_gfx12, mfma_f32_16x16x16_f16>,
    std::conditional_t<std::is_same_v<T, bfloat16>,
                       instruction_list<wmma_f32_16x16x16_bf16, wmma_f32_16x16x16_bf16_gfx12,
                                        mfma_f32_16x16x16_bf16>,
                       instruction_list<>>>;
#elif defined(ROCMFORGE_PLATFORM_NVIDIA)
template <class T>
using product_instructions = std::conditional_t<
    std::is_same_v<T, half>, instruction_list<mma_f32_16x8x16_f16>,
    std::conditional_t<std::is_same_v<T, bfloat16>, instruction_list<mma_f32_16x8x16_bf16>,
                       instruction_list<>>>;
#else
template <class T>
using product_instructions = instruction_list<>;
#endif

}  // namespace mma
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
