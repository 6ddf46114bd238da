// Weights of every format, for the ops that decode them.
#pragma once

#include <rocmforge/quant.hpp>
#include <string>

#include "reference/quant.hpp"
#include "tensors.hpp"

namespace verify {

namespace reference = rocmforge::testing::reference;

template <class Type>
inline const std::string weight_name = std::is_same_v<Type, rocmforge::q4_0>   ? "q4_0"
                                       : std::is_same_v<Type, rocmforge::q4_1> ? "q4_1"
                                       : std::is_same_v<Type, rocmforge::q8_0> ? "q8_0"
                                                                               : type_name<Type>;

/// Storage of `count` weights for timing: a few thousand random ones over and over.
template <class Type>
std::shared_ptr<rocmforge::device_buffer<Type>> timing_weights(std::size_t count) {
  const auto some = reference::random_weights<Type>(32 * 1009, 1);
  std::vector<Type> values(count / std::size_t(rocmforge::block_traits<Type>::elements));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = some[i % some.size()];
  return std::make_shared<rocmforge::device_buffer<Type>>(values);
}

}  // namespace verify
