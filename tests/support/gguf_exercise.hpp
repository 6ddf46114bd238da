// The promise of the GGUF parser: any byte sequence gives an index whose every part can be read, or
// an error.
#pragma once

#include <rocmforge/gguf.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>
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
    require(caught.offset() <= num_bytes || caught.offset() == error::no_offset,
            "an error's offset lies in the file");
    return false;
  }
}

/// Reads a value as the type it is stored as, and compares the bytes. Only a number that is not
/// finite is refused.
inline void read_stored(const gguf::index& model, const gguf::metadata_entry& entry,
                        std::size_t num_bytes) {
  gguf::detail::visit_type(entry.element_type, [&]<class T>(std::type_identity<T>) {
    const bool read = succeeds(num_bytes, [&] {
      if (entry.type != gguf::value_type::array) {
        const T value = model.get<T>(entry.key);
        if constexpr (!std::is_same_v<T, std::string_view>) {
          require(std::memcmp(&value, entry.payload.data(), sizeof value) == 0, "a value is right");
        }
      } else {
        require(model.get_array<T>(entry.key).size() == entry.count, "an array is complete");
      }
    });
    require(read || std::is_floating_point_v<T>, "a value can be read as what it is");
  });
}

/// Reads a value as a type that it may not be, another one for each.
inline void read_otherwise(const gguf::index& model, const gguf::metadata_entry& entry,
                           std::size_t num_bytes) {
  const auto read_as = [&]<class T>(std::type_identity<T>) {
    succeeds(num_bytes, [&] { model.get<T>(entry.key); });
    succeeds(num_bytes, [&] { model.get_array<T>(entry.key); });
  };
  switch (entry.offset % 4) {
    case 0:
      return read_as(std::type_identity<bool>{});
    case 1:
      return read_as(std::type_identity<int>{});
    case 2:
      return read_as(std::type_identity<float>{});
    default:
      return read_as(std::type_identity<std::string_view>{});
  }
}

/// Reads all that a model says, and checks that it agrees with itself.
///
/// @param files  what the model was parsed from
inline void read_all(const gguf::index& model, std::span<const std::vector<std::byte>> files) {
  for (const gguf::metadata_entry& entry : model.metadata()) {
    require(model.contains(entry.key), "every key is found");
    read_stored(model, entry, files[0].size());
  }
  std::uint64_t end = 0;
  std::uint32_t file = 0;
  for (const gguf::tensor_info& info : model.tensors()) {
    require(model.find_tensor(info.name) == &info, "every tensor is found");
    require(info.rank >= 1 && info.rank <= 4, "a rank is 1 to 4");
    std::uint64_t num_blocks = 1;
    for (std::size_t axis = 0; axis < 4; ++axis) {
      require(info.extent[axis] >= 1, "an extent is at least 1");
      require(axis < static_cast<std::size_t>(info.rank) || info.extent[axis] == 1,
              "extents beyond the rank are 1");
      num_blocks *= static_cast<std::uint64_t>(info.extent[axis]);
    }
    const gguf::type_traits& traits = gguf::traits_of(info.type);
    num_blocks /= static_cast<std::uint64_t>(traits.block_elements);
    require(info.num_bytes == num_blocks * static_cast<std::uint64_t>(traits.block_bytes),
            "a size is that of the blocks");
    require(info.file >= file && info.file < files.size(), "tensors are in file order");
    if (info.file != file) end = 0;
    file = info.file;
    require(info.offset >= end && info.num_bytes > 0, "tensors do not overlap");
    end = info.offset + info.num_bytes;
    require(end <= files[file].size() && info.data == files[file].data() + info.offset,
            "data is in the file");
  }
}

/// Parses, and if that succeeds reads all that there is, also as what it is not. Returns whether it
/// did.
inline bool exercise(std::span<const std::byte> input) {
  // A block of just this size, so that an address sanitizer sees a read past its end.
  const std::vector<std::byte> bytes(input.begin(), input.end());
  return succeeds(bytes.size(), [&] {
    const gguf::index model = gguf::parse(bytes, "fuzz.gguf");
    read_all(model, std::span(&bytes, 1));
    for (const gguf::metadata_entry& entry : model.metadata()) {
      read_otherwise(model, entry, bytes.size());
    }
  });
}

/// The same for the two files of a split model, which follow each other in the input.
inline bool exercise_split(std::span<const std::byte> input, std::size_t first_size) {
  const std::vector<std::byte> files[] = {
      {input.begin(), input.begin() + static_cast<std::ptrdiff_t>(first_size)},
      {input.begin() + static_cast<std::ptrdiff_t>(first_size), input.end()}};
  return succeeds(input.size(), [&] {
    std::vector<gguf::detail::contents> parts;
    for (const auto& bytes : files) {
      parts.push_back(gguf::detail::parse_file(bytes, "fuzz-0000x-of-00002.gguf"));
    }
    read_all(gguf::index(gguf::detail::join(std::move(parts))), files);
  });
}

}  // namespace rocmforge::testing
