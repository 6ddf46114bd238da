// Weights of every format, for the ops that decode them.
#pragma once

#include <rocmforge/quant.hpp>
#include <string>

#include "reference/quant.hpp"
#include "tensors.hpp"

namespace verify {

namespace reference = rocmforge::testing::reference;

template <class Type>
inline const std::string weight_name = [] {
  if constexpr (reference::is_quantized<Type>) {
    return std::string(reference::format<Type>::name);
  } else {
    return type_name<Type>;
  }
}();

/// Storage of `count` weights for timing: a few thousand random ones over and over.
template <class Type>
std::shared_ptr<rocmforge::device_buffer<Type>> timing_weights(std::size_t count) {
  const auto some = reference::random_weights<Type>(256 * 127, 1);
  std::vector<Type> values(count / std::size_t(rocmforge::block_traits<Type>::elements));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = some[i % some.size()];
  return std::make_shared<rocmforge::device_buffer<Type>>(values);
}

}  // namespace verify
