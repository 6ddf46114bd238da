// Operands and sums to and from anything that has elements: a view, shared memory, a function of
// (row, col).
#pragma once

#include "rocmforge/platform/mma/description.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace mma {

/// The A of `lane`. `a(row, col)` is an element of the m x k tile, convertible to `a_element` by
/// name.
template <instruction Instruction, class Accessor>
ROCMFORGE_HOST_DEVICE typename Instruction::a_registers load_a(int lane, const Accessor& a) {
  typename Instruction::a_registers held;
  ROCMFORGE_UNROLL
  for (int i = 0; i < Instruction::a_elements; ++i) {
    const coord at = Instruction::a_coord(lane, i);
    held[i] = static_cast<typename Instruction::a_element>(a(at.row, at.col));
  }
  return held;
}

/// The B of `lane`. `b(row, col)` is an element of the k x n tile.
template <instruction Instruction, class Accessor>
ROCMFORGE_HOST_DEVICE typename Instruction::b_registers load_b(int lane, const Accessor& b) {
  typename Instruction::b_registers held;
  ROCMFORGE_UNROLL
  for (int i = 0; i < Instruction::b_elements; ++i) {
    const coord at = Instruction::b_coord(lane, i);
    held[i] = static_cast<typename Instruction::b_element>(b(at.row, at.col));
  }
  return held;
}

/// The C of `lane`. `c(row, col)` is an element of the m x n tile.
template <instruction Instruction, class Accessor>
ROCMFORGE_HOST_DEVICE typename Instruction::c_registers load_c(int lane, const Accessor& c) {
  typename Instruction::c_registers held;
  ROCMFORGE_UNROLL
  for (int i = 0; i < Instruction::c_elements; ++i) {
    const coord at = Instruction::c_coord(lane, i);
    held[i] = static_cast<typename Instruction::c_element>(c(at.row, at.col));
  }
  return held;
}

/// Hands each element of `held` to `store(row, col, value)`. Together the lanes store every element
/// once.
template <instruction Instruction, class Store>
ROCMFORGE_HOST_DEVICE void store_c(int lane, const typename Instruction::c_registers& held,
                                   const Store& store) {
  ROCMFORGE_UNROLL
  for (int i = 0; i < Instruction::c_elements; ++i) {
    const coord at = Instruction::c_coord(lane, i);
    store(at.row, at.col, held[i]);
  }
}

}  // namespace mma
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
