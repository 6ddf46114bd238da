// The values of a tensor as numbers, and their sum.
#pragma once

#include <rocmforge/gguf.hpp>
#include <string>

namespace gguf_info {

/// SHA-256, in hexadecimal, of a tensor's values decoded to little-endian f32, in file order. f32
/// is taken as it is, NaNs and zeros of either sign included; integers and f64 are rounded to
/// nearest. Takes a few MiB of memory, however large the tensor is.
std::string sha256_of_values(const rocmforge::gguf::tensor_info& tensor);

}  // namespace gguf_info
