// What the tests of the GGUF reader share: a small valid model, and the check of a refusal.
#pragma once

#include <rocmforge/error.hpp>

#include "gguf_writer.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace rocmforge::testing {

/// Bytes that differ from their neighbors.
inline byte_vector counted(std::size_t num_bytes) {
  byte_vector result(num_bytes);
  for (std::size_t i = 0; i < num_bytes; ++i) result[i] = std::byte(i * 7 + 1);
  return result;
}

/// Three tensors whose sizes are no multiples of the alignment.
inline gguf_writer small_model(std::uint32_t version = 3, std::uint32_t alignment = 32) {
  gguf_writer writer(version, alignment);
  writer.add("general.architecture", "llama").add("llama.block_count", std::uint32_t{2});
  writer.add_array("tokenizer.ggml.tokens", std::vector<std::string>{"a", "", "\xffz"});
  writer.add_tensor("first", gguf::tensor_type::q4_0, {64, 3}, counted(108));
  writer.add_tensor("second", std::vector<std::int64_t>{5}, std::vector<float>{1, 2, 3, 4, 5});
  writer.add_tensor("third", gguf::tensor_type::i8, {3, 1, 2, 1}, counted(6));
  return writer;
}

/// Runs `action`, which must throw an error with one line that contains `expected`. Returns its
/// offset.
template <class Action>
std::uint64_t refusal(const Action& action, const std::string& expected) {
  try {
    action();
  } catch (const error& caught) {
    const std::string message = caught.what();
    EXPECT_NE(message.find(expected), std::string::npos)
        << "message:  " << message << "\nexpected: " << expected;
    EXPECT_EQ(message.find_first_of("\n\r\x1b"), std::string::npos) << message;
    return caught.offset();
  }
  ADD_FAILURE() << "accepted, expected: " << expected;
  return error::no_offset;
}

/// A path below the test folder that is removed at the end.
class temporary_path {
 public:
  explicit temporary_path(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("rocmforge_" + std::to_string(::getpid()) + "_" + name)) {}
  temporary_path(const temporary_path&) = delete;
  temporary_path& operator=(const temporary_path&) = delete;
  ~temporary_path() { std::filesystem::remove(path_); }
  std::string string() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace rocmforge::testing
