// mma.sync of NVIDIA processors from compute capability 8.0 on, on warps of 32 lanes.
// NVIDIA, "Parallel Thread Execution ISA", section "Matrix fragments for mma.m16n8k16 /
// mma.m16n8k32".
#pragma once

#include <cstdint>

#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/mma/description.hpp"

#if defined(__CUDA_ARCH__)
#if __CUDA_ARCH__ >= 800
#define ROCMFORGE_HAS_MMA_SYNC
#endif
#endif

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace mma {

/// What the mma.sync instructions share. Operands are held in words of 32 bits, each of
/// neighboring k. A quad of lanes holds one row of A (column of B) and the same row eight further
/// down; its lanes follow k.
template <class T, class Accumulator, int K>
struct mma_sync : tile_shape<T, Accumulator, 16, 8, K, 32> {
  static constexpr int word_elements = 4 / int{sizeof(T)};
#if defined(ROCMFORGE_HAS_MMA_SYNC)
  static constexpr bool available = true;
#else
  static constexpr bool available = false;
#endif
  static constexpr bool runs_on(std::string_view architecture) {
    // sm_80 and later; three digits are later still.
    return architecture.substr(0, 3) == "sm_" &&
           (architecture.size() > 5 || (architecture.size() == 5 && architecture[3] >= '8'));
  }

  ROCMFORGE_HOST_DEVICE static constexpr coord a_coord(int lane, int i) {
    const int word = i / word_elements;
    return {lane / 4 + 8 * (word % 2), k_of(lane, i % word_elements, word / 2)};
  }
  ROCMFORGE_HOST_DEVICE static constexpr coord b_coord(int lane, int i) {
    return {k_of(lane, i % word_elements, i / word_elements), lane / 4};
  }
  ROCMFORGE_HOST_DEVICE static constexpr coord c_coord(int lane, int i) {
    return {lane / 4 + 8 * (i / 2), 2 * (lane % 4) + i % 2};
  }

 private:
  ROCMFORGE_HOST_DEVICE static constexpr int k_of(int lane, int place_in_word, int half_of_k) {
    return word_elements * (lane % 4) + place_in_word + K / 2 * half_of_k;
  }
};

namespace detail {

/// An operand or a sum as the words that PTX names.
template <class Word, int Size>
struct ptx_words {
  Word word[Size];
};

}  // namespace detail

struct mma_f32_16x8x16_f16 : mma_sync<half, float, 16> {
  static constexpr const char* name = "mma_f32_16x8x16_f16";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MMA_SYNC)
    const auto [a0, a1, a2, a3] = detail::as<detail::ptx_words<unsigned, 4>>(a).word;
    const auto [b0, b1] = detail::as<detail::ptx_words<unsigned, 2>>(b).word;
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else
    detail::not_available(d, a, b);
#endif
  }
};

struct mma_f32_16x8x16_bf16 : mma_sync<bfloat16, float, 16> {
  static constexpr const char* name = "mma_f32_16x8x16_bf16";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MMA_SYNC)
    const auto [a0, a1, a2, a3] = detail::as<detail::ptx_words<unsigned, 4>>(a).word;
    const auto [b0, b1] = detail::as<detail::ptx_words<unsigned, 2>>(b).word;
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else
    detail::not_available(d, a, b);
#endif
  }
};

/// Signed bytes. A sum that leaves 32 bits wraps around.
struct mma_i32_16x8x32_i8 : mma_sync<std::int8_t, std::int32_t, 32> {
  static constexpr const char* name = "mma_i32_16x8x32_i8";

  ROCMFORGE_DEVICE static void multiply(c_registers& d, const a_registers& a,
                                        const b_registers& b) {
#if defined(ROCMFORGE_HAS_MMA_SYNC)
    const auto [a0, a1, a2, a3] = detail::as<detail::ptx_words<unsigned, 4>>(a).word;
    const auto [b0, b1] = detail::as<detail::ptx_words<unsigned, 2>>(b).word;
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else
    detail::not_available(d, a, b);
#endif
  }
};

}  // namespace mma
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge

#undef ROCMFORGE_HAS_MMA_SYNC
