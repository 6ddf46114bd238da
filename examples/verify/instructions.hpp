// The matrix instructions of the library, each asked for where the device has it.
#pragma once

#include <rocmforge/dispatch.hpp>
#include <rocmforge/platform/mma.hpp>
#include <string>

namespace verify {

namespace mma = rocmforge::mma;

template <class... I>
struct instruction_list {};

using instructions = instruction_list<
    mma::wmma_f32_16x16x16_f16, mma::wmma_f32_16x16x16_bf16, mma::wmma_i32_16x16x16_i8,
    mma::wmma_f32_16x16x16_f16_gfx12, mma::wmma_f32_16x16x16_bf16_gfx12,
    mma::wmma_i32_16x16x16_i8_gfx12, mma::mfma_f32_16x16x16_f16, mma::mfma_f32_32x32x8_f16,
    mma::mfma_f32_16x16x16_bf16, mma::mfma_f32_32x32x8_bf16, mma::mfma_i32_16x16x16_i8,
    mma::mfma_i32_32x32x8_i8, mma::mfma_i32_16x16x32_i8, mma::mfma_i32_32x32x16_i8,
    mma::mma_f32_16x8x16_f16, mma::mma_f32_16x8x16_bf16, mma::mma_i32_16x8x32_i8>;

template <int... WaveSizes>
constexpr bool has_wave_size(rocmforge::int_list<WaveSizes...>, int wave_size) {
  return ((WaveSizes == wave_size) || ...);
}

/// Calls `f(I{})` for the instructions that a device of this architecture has.
template <class F, class... I>
void for_each_instruction(instruction_list<I...>, const std::string& architecture, const F& f) {
  const auto one = [&](auto instruction) {
    using type = decltype(instruction);
    if constexpr (has_wave_size(rocmforge::platform_wave_sizes{}, type::lanes)) {
      if (type::runs_on(architecture)) f(instruction);
    }
  };
  (one(I{}), ...);
}

}  // namespace verify
