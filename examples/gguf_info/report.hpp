// What the program prints.
#pragma once

#include <rocmforge/gguf.hpp>
#include <string>
#include <vector>

namespace gguf_info {

/// @param sums  of the tensors' values, in file order; empty: none were asked for
std::string text_report(const rocmforge::gguf::index& model, const std::vector<std::string>& sums);

/// The same as one JSON object on one line; arrays of the metadata are complete.
std::string json_report(const rocmforge::gguf::index& model, const std::vector<std::string>& sums);

}  // namespace gguf_info
