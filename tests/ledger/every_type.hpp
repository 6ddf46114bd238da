// What the ledger's sources have in common. Each calls the public launchers of its family once for
// every type that they take, so that the launchers themselves say which kernels there are; nothing
// of it is ever executed. A source is compiled once for each type of activations,
// ROCMFORGE_LEDGER_DTYPE.
#pragma once

#include <rocmforge/quant.hpp>
#include <rocmforge/status.hpp>
#include <type_traits>

namespace rocmforge::ledger {

using T = ROCMFORGE_LEDGER_DTYPE;

/// Calls `f` with a value of each element type.
template <class F>
void for_each_dtype(F&& f) {
  f(float{});
  f(half{});
  f(bfloat16{});
}

/// Calls `f` with a value of each type that a cache of keys and values may have: of all where
/// activations are floats, of their own and of blocks where they are not.
template <class F>
void for_each_cache_type(F&& f) {
  if constexpr (std::is_same_v<T, float>) {
    for_each_dtype(f);
  } else {
    f(T{});
  }
  f(q4_0{});
  f(q8_0{});
}

/// Calls `f` with a value of each type that weights are stored in: of all where activations are
/// floats, of the simplest where they are not.
template <class F>
void for_each_weight_type(F&& f) {
  for_each_dtype(f);
  if constexpr (std::is_same_v<T, float>) {
    for_each_block_format(f);
  } else {
    f(q4_0{});
    f(q4_1{});
    f(q8_0{});
  }
}

inline void compile(const status&) {}

}  // namespace rocmforge::ledger
