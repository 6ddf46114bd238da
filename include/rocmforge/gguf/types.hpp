// The numbers that GGUF files use for tensor types and for types of metadata values.
// Source: ggml's docs/gguf.md and the block structs of ggml-common.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace rocmforge::gguf {

/// How the elements of a tensor are stored. The values are those in the file.
enum class tensor_type : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
  q1_0 = 41,
  q2_0 = 42,
};

/// A row of `n` elements takes `n / block_elements * block_bytes` bytes.
struct type_traits {
  std::string_view name;
  int block_elements;
  int block_bytes;
};

namespace detail {

/// Indexed by id. An empty name marks an id that a file must not use.
inline constexpr std::array<type_traits, 43> tensor_types = {{
    {"f32", 1, 4},
    {"f16", 1, 2},
    {"q4_0", 32, 18},
    {"q4_1", 32, 20},
    {},
    {},
    {"q5_0", 32, 22},
    {"q5_1", 32, 24},
    {"q8_0", 32, 34},
    {},
    {"q2_k", 256, 84},
    {"q3_k", 256, 110},
    {"q4_k", 256, 144},
    {"q5_k", 256, 176},
    {"q6_k", 256, 210},
    {},
    {"iq2_xxs", 256, 66},
    {"iq2_xs", 256, 74},
    {"iq3_xxs", 256, 98},
    {"iq1_s", 256, 50},
    {"iq4_nl", 32, 18},
    {"iq3_s", 256, 110},
    {"iq2_s", 256, 82},
    {"iq4_xs", 256, 136},
    {"i8", 1, 1},
    {"i16", 1, 2},
    {"i32", 1, 4},
    {"i64", 1, 8},
    {"f64", 1, 8},
    {"iq1_m", 256, 56},
    {"bf16", 1, 2},
    {},
    {},
    {},
    {"tq1_0", 256, 54},
    {"tq2_0", 256, 66},
    {},
    {},
    {},
    {"mxfp4", 32, 17},
    {"nvfp4", 64, 36},
    {"q1_0", 128, 18},
    {"q2_0", 64, 18},
}};

/// An id that a file must not use: removed from the format, or used by ggml only at run time.
struct refused_type {
  std::uint32_t id;
  std::string_view name;
  std::string_view reason;
};

inline constexpr std::string_view removed = "was removed from the format: convert the model again";
inline constexpr std::string_view to_q4_0 = "was removed from the format: requantize to q4_0";
inline constexpr std::string_view to_iq4_nl = "was removed from the format: requantize to iq4_nl";
inline constexpr std::string_view run_time_only =
    "holds activations at run time and is never stored in a file";

inline constexpr std::array<refused_type, 10> refused_types = {{
    {4, "q4_2", removed},
    {5, "q4_3", removed},
    {9, "q8_1", run_time_only},
    {15, "q8_k", run_time_only},
    {31, "q4_0_4_4", to_q4_0},
    {32, "q4_0_4_8", to_q4_0},
    {33, "q4_0_8_8", to_q4_0},
    {36, "iq4_nl_4_4", to_iq4_nl},
    {37, "iq4_nl_4_8", to_iq4_nl},
    {38, "iq4_nl_8_8", to_iq4_nl},
}};

/// Why `find_type(id)` is null, and what the user can do, for errors.
inline std::string refused_type_reason(std::uint32_t id) {
  const std::string type = "type " + std::to_string(id);
  for (const refused_type& refused : refused_types) {
    if (refused.id == id) {
      return type + " (" + std::string(refused.name) + ") " + std::string(refused.reason);
    }
  }
  return type + " is unknown, expected a tensor type from 0 to " +
         std::to_string(tensor_types.size() - 1);
}

}  // namespace detail

/// The traits of the tensor type `id`. Null if it is unknown, was removed from the format, or
/// exists only at run time.
inline const type_traits* find_type(std::uint32_t id) {
  if (id >= detail::tensor_types.size() || detail::tensor_types[id].name.empty()) return nullptr;
  return &detail::tensor_types[id];
}

/// The traits of a type from a parsed file; the parser has refused unknown ones.
inline const type_traits& traits_of(tensor_type type) {
  return detail::tensor_types.at(static_cast<std::uint32_t>(type));
}

/// How a metadata value is stored. The values are those in the file.
enum class value_type : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

namespace detail {

struct value_traits {
  std::string_view name;
  int min_bytes;  // smallest size of a value: a string's length prefix, an array's header, or the
                  // whole value
};

inline constexpr std::array<value_traits, 13> value_types = {{
    {"u8", 1},
    {"i8", 1},
    {"u16", 2},
    {"i16", 2},
    {"u32", 4},
    {"i32", 4},
    {"f32", 4},
    {"bool", 1},
    {"string", 8},
    {"array", 12},
    {"u64", 8},
    {"i64", 8},
    {"f64", 8},
}};

inline const value_traits& traits_of(value_type type) {
  return value_types.at(static_cast<std::uint32_t>(type));
}

}  // namespace detail

/// For errors: "u32", for example.
inline std::string_view name_of(value_type type) {
  return detail::traits_of(type).name;
}

}  // namespace rocmforge::gguf
