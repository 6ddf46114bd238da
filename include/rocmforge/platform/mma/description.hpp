// A matrix instruction as data: the shape of its tile, the registers of a lane, and which lane
// holds which element.
#pragma once

#include <concepts>
#include <string_view>

#include "rocmforge/platform/macros.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace mma {

/// The place of an element in its matrix: A is m x k, B is k x n, C and D are m x n.
struct coord {
  int row;
  int col;
  friend constexpr bool operator==(const coord&, const coord&) = default;
};

/// The largest power of two that divides `bytes`, at most 16: what one memory instruction of a lane
/// can move.
constexpr int register_alignment(int bytes) {
  const int power_of_two = bytes & -bytes;
  return power_of_two < 16 ? power_of_two : 16;
}

/// What one lane holds of a tile. Index it with constants (unrolled loops) so that it stays in
/// registers.
template <class T, int Size>
struct alignas(register_alignment(Size* int{sizeof(T)})) registers {
  static constexpr int size = Size;
  T element[Size];

  ROCMFORGE_HOST_DEVICE constexpr T& operator[](int i) { return element[i]; }
  ROCMFORGE_HOST_DEVICE constexpr const T& operator[](int i) const { return element[i]; }
};

/// The part of a description that follows from only the shape. Lanes hold A (B) `ARepeat`
/// (`BRepeat`) times over, because some instructions want the same element in several lanes; C is
/// held once.
template <class T, class Accumulator, int M, int N, int K, int Lanes, int ARepeat = 1,
          int BRepeat = 1>
struct tile_shape {
  static constexpr int m = M;
  static constexpr int n = N;
  static constexpr int k = K;
  static constexpr int lanes = Lanes;  // the wave size that the instruction works on
  static constexpr int a_repeat = ARepeat;
  static constexpr int b_repeat = BRepeat;
  static constexpr int a_elements = M * K * ARepeat / Lanes;  // of one lane
  static constexpr int b_elements = K * N * BRepeat / Lanes;
  static constexpr int c_elements = M * N / Lanes;

  using a_element = T;
  using b_element = T;
  using c_element = Accumulator;
  using a_registers = registers<a_element, a_elements>;
  using b_registers = registers<b_element, b_elements>;
  using c_registers = registers<c_element, c_elements>;
};

/// A matrix instruction. Besides what is checked here it has
///
/// - `static constexpr bool available`: this compiler pass targets a processor that has it. It
/// differs between the passes
///   of one program, so it may choose code but never a type or a layout;
/// - `static constexpr bool runs_on(std::string_view architecture)`: the same question on the host,
/// for a device whose
///   `device_properties::architecture` is given;
/// - `multiply(d, a, b)`: d += a * b, executed by all lanes of the wave together. It traps where it
/// is not available.
template <class T>
concept instruction = requires(int i, std::string_view architecture) {
  requires T::m >
  0 && T::n > 0 && T::k > 0 && T::lanes > 0;
  requires T::a_elements* T::lanes == T::m* T::k* T::a_repeat;
  requires T::b_elements* T::lanes == T::k* T::n* T::b_repeat;
  requires T::c_elements* T::lanes == T::m* T::n;
  requires T::a_registers::size == T::a_elements;
  requires T::b_registers::size == T::b_elements;
  requires T::c_registers::size == T::c_elements;
  { T::a_coord(i, i) } -> std::same_as<coord>;
  { T::b_coord(i, i) } -> std::same_as<coord>;
  { T::c_coord(i, i) } -> std::same_as<coord>;
  { T::runs_on(architecture) } -> std::same_as<bool>;
  { T::available } -> std::convertible_to<bool>;
  { T::name } -> std::convertible_to<const char*>;
};

namespace detail {

/// The body of a multiplication that this pass lacks. It takes the operands so that they count as
/// used.
template <class... Operands>
ROCMFORGE_DEVICE void not_available(const Operands&...) {
#if defined(ROCMFORGE_PLATFORM_NVIDIA)
  __trap();
#else
  __builtin_trap();
#endif
}

template <class To, class From>
ROCMFORGE_DEVICE To as(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, from);
}

}  // namespace detail
}  // namespace mma
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
