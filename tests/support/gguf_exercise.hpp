// The promise of the GGUF parser: any byte sequence gives an index whose every part can be read, or
// an error.
#pragma once

#include <rocmforge/gguf.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace rocmforge::testing {

inline void require(bool condition, const char* what) {
  if (!condition) throw std::logic_error(what);
}

/// Runs `action`; an error is fine if it is one line about a place in the file. Returns whether
/// there was none.
template <class Action>
bool succeeds(std::size_t num_bytes, const Action& action) {
  try {
    action();
    return true;
  } catch (const error& caught) {
    const std::string_view message = caught.what();
    for (const char c : message) require(c >= ' ' && c <= '~', "an error is one printable line");
    require(message.size() < 1000, "an error is short");
    require(caught.offset() <= num_bytes, "an error's offset lies in the file");
    return false;
  }
}

template <class T>
void read_as(const gguf::index& model, std::string_view key, std::size_t num_bytes) {
  succeeds(num_bytes, [&] { model.get<T>(key); });
  succeeds(num_bytes, [&] { model.get_array<T>(key); });
}

/// Parses, and if that succeeds reads all that there is. Returns whether it did.
inline bool exercise(std::span<const std::byte> input) {
  // A block of just this size, so that an address sanitizer sees a read past its end.
  const std::vector<std::byte> bytes(input.begin(), input.end());
  return succeeds(bytes.size(), [&] {
    const gguf::index model = gguf::parse(bytes, "fuzz.gguf");
    for (const gguf::metadata_entry& entry : model.metadata()) {
      require(model.contains(entry.key), "every key is found");
      read_as<bool>(model, entry.key, bytes.size());
      read_as<int>(model, entry.key, bytes.size());
      read_as<float>(model, entry.key, bytes.size());
      read_as<std::string_view>(model, entry.key, bytes.size());
    }
    std::uint64_t end = 0;
    for (const gguf::tensor_info& info : model.tensors()) {
      require(model.find_tensor(info.name) == &info, "every tensor is found");
      require(info.offset >= end && info.num_bytes > 0, "tensors do not overlap");
      end = info.offset + info.num_bytes;
      require(end <= bytes.size() && info.data == bytes.data() + info.offset,
              "data is in the file");
    }
  });
}

}  // namespace rocmforge::testing
