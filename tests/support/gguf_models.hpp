// Small valid files that sweeps and fuzz targets damage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/gguf_fixture.hpp"
#include "support/gguf_writer.hpp"

namespace rocmforge::testing {

/// Every value type, arrays, and tensors of several types.
inline byte_vector rich_model() {
  gguf_writer writer(2, 8);
  writer.add("u8", std::uint8_t{1}).add("i8", std::int8_t{-1}).add("u16", std::uint16_t{2});
  writer.add("i16", std::int16_t{-2}).add("u32", std::uint32_t{3}).add("i32", std::int32_t{-3});
  writer.add("u64", std::uint64_t{4})
      .add("i64", std::int64_t{-4})
      .add("f32", 0.5f)
      .add("f64", 0.25);
  writer.add("bool", true).add("string", "text");
  writer.add_array("strings", std::vector<std::string>{"", "b", "long text"});
  writer.add_array("bools", std::vector<bool>{true, false});
  writer.add_array("numbers", std::vector<std::int16_t>{1, -1, 300});
  writer.add_tensor("q6_k", gguf::tensor_type::q6_k, {256}, counted(210));
  writer.add_tensor("bf16", gguf::tensor_type::bf16, {3, 3}, counted(18));
  writer.add_tensor("mxfp4", gguf::tensor_type::mxfp4, {32, 1, 2}, counted(34));
  return writer.bytes();
}

/// The two files of a split model.
inline std::vector<byte_vector> split_model() {
  std::vector<byte_vector> files;
  for (std::uint16_t i = 0; i < 2; ++i) {
    gguf_writer writer;
    writer.add("split.no", i).add("split.count", std::uint16_t{2});
    writer.add("split.tensors.count", std::int32_t{3});
    if (i == 0) writer.add("general.architecture", "llama");
    for (int tensor = 0; tensor <= i; ++tensor) {
      const std::string name = std::to_string(i) + "." + std::to_string(tensor);
      writer.add_tensor(name, gguf::tensor_type::i8, {5}, counted(5));
    }
    files.push_back(writer.bytes());
  }
  return files;
}

}  // namespace rocmforge::testing
