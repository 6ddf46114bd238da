// GGUF reader: every rule of the format, broken. The comments name the rules (R) and the published
// findings (S) of docs/gguf.md that a test is for.
#include <rocmforge/gguf.hpp>

#include "support/gguf_fixture.hpp"
#include "support/gguf_writer.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocmforge {
namespace {

using gguf::tensor_type;
using testing::append_value;
using testing::byte_vector;
using testing::gguf_writer;
using testing::patch;
using testing::refusal;
using testing::small_model;
using testing::temporary_path;

constexpr std::uint64_t max_u64 = std::numeric_limits<std::uint64_t>::max();

std::uint64_t parse_refusal(const byte_vector& bytes, const std::string& expected) {
  return refusal([&] { gguf::parse(bytes, "model.gguf"); }, expected);
}

std::uint64_t parse_refusal(const gguf_writer& writer, const std::string& expected) {
  return parse_refusal(writer.bytes(), expected);
}

/// A small model with one number overwritten.
template <class T>
void expect_patch_refused(std::size_t offset, T value, const std::string& expected) {
  byte_vector bytes = small_model().bytes();
  patch(bytes, offset, value);
  parse_refusal(bytes, expected);
}

// R1; S8
TEST(gguf_refusal, Header) {
  byte_vector bytes = small_model().bytes();
  EXPECT_EQ(parse_refusal(byte_vector{}, "the file is empty, expected a GGUF file"), 0u);
  bytes.resize(23);
  parse_refusal(bytes, "truncated: the header has 24 bytes, the file ends after 23");
  bytes.resize(2);
  parse_refusal(bytes, "truncated: the header has 24 bytes, the file ends after 2");
  expect_patch_refused(0, std::uint32_t{0x46554746}, "not a GGUF file: starts with 'FGUF'");
  for (const std::uint32_t version : {0u, 1u, 4u, ~0u}) {
    expect_patch_refused(
        gguf_writer::version_offset, version,
        "offset 4: GGUF version " + std::to_string(version) + " is not supported, expected 2 or 3");
  }
  for (const std::uint32_t version : {0x02000000u, 0x03000000u}) {
    expect_patch_refused(gguf_writer::version_offset, version, "byte-swapped (big-endian)");
  }
}

// R2 R3; S3 S5 S22
TEST(gguf_refusal, Counts) {
  for (const std::uint64_t count :
       {max_u64, max_u64 / 2 + 1, max_u64 / 80 + 1, std::uint64_t{65537}}) {
    expect_patch_refused(gguf_writer::num_tensors_offset, count,
                         "offset 8: the file declares " + std::to_string(count) + " tensors");
    expect_patch_refused(
        gguf_writer::num_keys_offset, count,
        "offset 16: the file declares " + std::to_string(count) + " metadata keys");
  }
  expect_patch_refused(gguf_writer::num_tensors_offset, std::uint64_t{65536},
                       "truncated: 65536 ten");
  expect_patch_refused(gguf_writer::num_keys_offset, std::uint64_t{65536},
                       "3 tensors and 65536 met");
  byte_vector header = gguf_writer().bytes();
  patch(header, gguf_writer::num_keys_offset, std::uint64_t{1} << 32);
  parse_refusal(header, "declares 4294967296 metadata keys, expected at most 65536");
  patch(header, gguf_writer::num_keys_offset, std::uint64_t{1});
  parse_refusal(header, "truncated: 0 tensors and 1 metadata keys take at least 14 bytes");
}

// R5; S4 S15 S42
TEST(gguf_refusal, Keys) {
  parse_refusal(gguf_writer().add("", 1), "offset 24: the metadata key is empty");
  parse_refusal(gguf_writer().add(std::string_view("a\0b", 3), 1),
                "the metadata key 'a\\x00b' has");
  parse_refusal(gguf_writer().add("a b", 1), "expected printable ASCII");
  parse_refusal(gguf_writer().add("\x1b[31m", 1), "the metadata key '\\x1b[31m' has");
  parse_refusal(gguf_writer().add(std::string(65536, 'k'), 1),
                "the metadata key has 65536 bytes, expected at most 65535");
  gguf::parse(gguf_writer().add(std::string(65535, 'k'), 1).bytes(), "model.gguf");
  gguf_writer twice;
  twice.add("same", 1).add("other", true).add("same", "text");
  EXPECT_EQ(parse_refusal(twice, "the metadata key 'same' occurs twice"),
            twice.offsets_of_key("other").value + 1 + 8);
  const std::size_t key = small_model().offsets_of_key("llama.block_count").key;
  for (const std::uint64_t length : {max_u64, std::uint64_t{1} << 63, max_u64 - 7}) {
    expect_patch_refused(key, length, "the metadata key has " + std::to_string(length) + " bytes");
  }
  expect_patch_refused(key, std::uint64_t{60000}, "truncated: the metadata key has 60000 bytes");
}

// R6 R8 R9; S4 S8
TEST(gguf_refusal, Values) {
  const gguf_writer model = small_model();
  const auto count = model.offsets_of_key("llama.block_count");
  for (const std::uint32_t type : {13u, 0x80000000u, ~0u}) {
    expect_patch_refused(count.type, type,
                         "'llama.block_count': value type " + std::to_string(type));
  }
  const auto name = model.offsets_of_key("general.architecture");
  const std::uint64_t left = model.bytes().size() - name.value - 8;
  expect_patch_refused(name.value, left + 1,
                       "truncated: the string has " + std::to_string(left + 1));
  for (const std::uint64_t length :
       {max_u64, std::uint64_t{1} << 63, (std::uint64_t{16} << 20) + 1}) {
    expect_patch_refused(name.value, length,
                         "has " + std::to_string(length) + " bytes, expected at most");
  }
  for (int value = 2; value < 256; ++value) {
    const std::byte stored[] = {std::byte(value)};
    parse_refusal(gguf_writer().add_raw("flag", 7, stored),
                  "'flag': bool is " + std::to_string(value) + ", expected 0 or 1");
  }
  byte_vector flags;
  append_value(flags, std::uint32_t{7});
  append_value(flags, std::uint64_t{3});
  for (const std::uint8_t flag : {0, 1, 2}) append_value(flags, flag);
  EXPECT_EQ(parse_refusal(gguf_writer().add_raw("flags", 9, flags), "bool is 2"),
            24u + 13 + 4 + 12 + 2);
}

// R6 R7; S2 S21
TEST(gguf_refusal, Arrays) {
  const std::size_t array = small_model().offsets_of_key("tokenizer.ggml.tokens").value;
  expect_patch_refused(array, std::uint32_t{9},
                       "value is an array of arrays, which is not supported");
  expect_patch_refused(array, std::uint32_t{13}, "value type 13 is unknown");
  for (const std::uint32_t element : {0u, 6u, 7u, 8u, 10u}) {
    for (const std::uint64_t count :
         {max_u64, std::uint64_t{1} << 63, std::uint64_t{1} << 61, (std::uint64_t{1} << 26) + 1}) {
      byte_vector bytes = small_model().bytes();
      patch(bytes, array, element);
      patch(bytes, array + 4, count);
      EXPECT_EQ(parse_refusal(bytes, "value is array of " + std::to_string(count)), array + 4);
    }
    byte_vector bytes = small_model().bytes();
    patch(bytes, array, element);
    patch(bytes, array + 4, std::uint64_t{1} << 26);
    parse_refusal(bytes, "truncated: value is array of 67108864");
  }
  for (const int max_depth : {1, 2, 100000}) {
    byte_vector nested;
    for (int depth = 0; depth < max_depth; ++depth) {
      append_value(nested, std::uint32_t{9});
      append_value(nested, std::uint64_t{1});
    }
    append_value(nested, std::uint32_t{0});
    append_value(nested, std::uint64_t{0});
    parse_refusal(gguf_writer().add_raw("nested", 9, nested),
                  "'nested': value is an array of arrays");
  }
}

/// Lets a sparse file stand for one whose size would be a burden.
std::uint64_t sparse_refusal(const gguf_writer& writer, std::uint64_t size,
                             const std::string& expected) {
  const temporary_path path("sparse");
  writer.write(path.string());
  std::filesystem::resize_file(path.string(), size);
  return refusal([&] { gguf::file{path.string()}; }, expected);
}

gguf_writer array_head(std::uint32_t element, std::uint64_t count) {
  byte_vector head;
  append_value(head, element);
  append_value(head, count);
  return gguf_writer().add_raw("array", 9, head);
}

// R7 R8; S2 S37
TEST(gguf_refusal, LimitsOfMetadata) {
  const std::uint64_t mib = 1 << 20;
  sparse_refusal(array_head(0, (1 << 26) + 1), 65 * mib,
                 "value is array of 67108865 u8, expected at most 67108864 elements");
  const std::string too_long = "'array': the metadata is longer than 268435456 bytes";
  // Refused where the array starts: before any string is looked at.
  EXPECT_EQ(sparse_refusal(array_head(8, 1 << 26), 513 * mib, too_long), 24u + 13 + 4 + 12);
  sparse_refusal(array_head(10, 1 << 25), 257 * mib, too_long);

  gguf_writer string;
  byte_vector length;
  append_value(length, 16 * mib + 1);
  sparse_refusal(string.add_raw("string", 8, length), 17 * mib,
                 "'string': the string has 16777217 bytes, expected at most 16777216");

  // Each string is allowed, all of them together are not.
  const temporary_path path("sparse");
  array_head(8, 17).write(path.string());
  length.clear();
  append_value(length, 16 * mib);
  for (std::uint64_t i = 0; i < 17; ++i) {
    std::fstream out(path.string(), std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(24 + 13 + 4 + 12 + i * (16 * mib + 8)));
    out.write(reinterpret_cast<const char*>(length.data()), 8);
  }
  std::filesystem::resize_file(path.string(), 273 * mib);
  refusal([&] { gguf::file{path.string()}; }, too_long);
}

// R10; S14
TEST(gguf_refusal, Alignment) {
  for (const std::uint32_t value : {0u, 1u, 2u, 3u, 4u, 13u, 48u, 1u << 17, 1u << 31, ~0u}) {
    parse_refusal(
        gguf_writer().add("general.alignment", value),
        "'general.alignment': value is " + std::to_string(value) + ", expected u32, a power");
  }
  const std::string key = "general.alignment";
  parse_refusal(gguf_writer().add(key, std::uint8_t{32}), "value is u8, expected u32");
  parse_refusal(gguf_writer().add(key, std::int8_t{32}), "value is i8, expected u32");
  parse_refusal(gguf_writer().add(key, std::uint16_t{32}), "value is u16, expected u32");
  parse_refusal(gguf_writer().add(key, std::int16_t{32}), "value is i16, expected u32");
  parse_refusal(gguf_writer().add(key, std::int32_t{32}), "value is i32, expected u32");
  parse_refusal(gguf_writer().add(key, 32.0f), "value is f32, expected u32");
  parse_refusal(gguf_writer().add(key, true), "value is bool, expected u32");
  parse_refusal(gguf_writer().add(key, "32"), "value is string, expected u32");
  parse_refusal(gguf_writer().add(key, std::uint64_t{32}), "value is u64, expected u32");
  parse_refusal(gguf_writer().add(key, std::int64_t{32}), "value is i64, expected u32");
  parse_refusal(gguf_writer().add(key, 32.0), "value is f64, expected u32");
  parse_refusal(gguf_writer().add_array(key, std::vector{32u}),
                "value is array of 1 u32, expected u32");
}

gguf_writer raw_tensor(const std::vector<std::uint64_t>& extent, std::uint32_t type = 0,
                       std::uint64_t offset = 0) {
  return gguf_writer().add_raw_tensor("t", extent, type, offset);
}

// R11; S16 S17 S42
TEST(gguf_refusal, TensorNames) {
  const byte_vector one(1);
  const auto with_name = [&](std::string_view name) {
    return gguf_writer().add_tensor(name, tensor_type::i8, {1}, one);
  };
  parse_refusal(with_name(""), "the tensor name is empty");
  parse_refusal(with_name(std::string(64, 'n')),
                "the tensor name has 64 bytes, expected at most 63");
  parse_refusal(with_name(std::string(65, 'n')),
                "the tensor name has 65 bytes, expected at most 63");
  parse_refusal(with_name(std::string_view("a\0b", 3)), "the tensor name 'a\\x00b' has characters");
  parse_refusal(with_name("\x1b]0;x\x07"), "the tensor name '\\x1b]0;x\\x07' has characters");
  gguf::parse(with_name(std::string(63, 'n')).bytes(), "model.gguf");
  parse_refusal(with_name("same").add_tensor("same", tensor_type::i8, {1}, one),
                "the tensor name 'same' occurs twice");
}

// R12 R15; S1 S11 S12 S13
TEST(gguf_refusal, TensorShapes) {
  parse_refusal(raw_tensor({}), "tensor 't': rank is 0, expected 1 to 4");
  parse_refusal(raw_tensor({1, 1, 1, 1, 1}), "tensor 't': rank is 5, expected 1 to 4");
  expect_patch_refused(small_model().offsets_of_tensor("first").rank, ~0u, "rank is 4294967295");
  {  // the same at the end of the file, so that there are no extents to read
    const std::string name(21, 'n');  // with which the header finds enough bytes for one tensor
    const gguf_writer model = gguf_writer().add_raw_tensor(name, {1}, 0, 0);
    byte_vector bytes = model.bytes();
    patch(bytes, model.offsets_of_tensor(name).rank, ~0u);
    bytes.resize(model.offsets_of_tensor(name).extents);
    parse_refusal(bytes, "rank is 4294967295");
    patch(bytes, model.offsets_of_tensor(name).rank, 1u);
    parse_refusal(bytes, "truncated: the extent has 8 bytes, the file ends after 0");
  }
  for (std::size_t axis = 0; axis < 4; ++axis) {
    std::vector<std::uint64_t> extent = {4, 4, 4, 4};
    extent[axis] = 0;
    parse_refusal(raw_tensor(extent), "extent " + std::to_string(axis) + " is 0, expected 1 to");
    extent[axis] = (std::uint64_t{1} << 40) + 1;
    parse_refusal(raw_tensor(extent), "is 1099511627777, expected 1 to 1099511627776");
  }
  // Products that wrap: to 0, to 0, to a negative, to a small positive number.
  const std::uint64_t two_32 = std::uint64_t{1} << 32;
  parse_refusal(raw_tensor({two_32, two_32}), "its size in bytes does not fit in 64 bits");
  parse_refusal(raw_tensor({std::uint64_t{1} << 62, 4}),
                "extent 0 is 4611686018427387904, expected");
  parse_refusal(raw_tensor({max_u64 / 2, 2}), "extent 0 is 9223372036854775807, expected 1 to");
  const std::uint64_t two_40 = std::uint64_t{1} << 40;
  parse_refusal(raw_tensor({two_40, 1 << 22}), "its size in bytes does not fit in 64 bits");
  parse_refusal(raw_tensor({two_40, two_40, two_40, two_40}), "does not fit in 64 bits");
  parse_refusal(raw_tensor({16, 641, 6700417, 65536 * 4096}), "does not fit in 64 bits");
  parse_refusal(raw_tensor({64, (std::uint64_t{1} << 42) + 1}), "extent 1 is 4398046511105");
  // Fits in 64 bits, not in the file.
  parse_refusal(raw_tensor({two_40, 1 << 21}), "truncated: its 9223372036854775808 bytes start at");
}

// R13 R14; S18
TEST(gguf_refusal, TensorTypes) {
  const std::pair<std::uint32_t, std::string> refused[] = {
      {4, "type 4 (q4_2) was removed from the format: convert the model again"},
      {5, "type 5 (q4_3) was removed from the format: convert the model again"},
      {9, "type 9 (q8_1) holds activations at run time and is never stored in a file"},
      {15, "type 15 (q8_k) holds activations at run time and is never stored in a file"},
      {31, "type 31 (q4_0_4_4) was removed from the format: requantize to q4_0"},
      {32, "type 32 (q4_0_4_8) was removed from the format: requantize to q4_0"},
      {33, "type 33 (q4_0_8_8) was removed from the format: requantize to q4_0"},
      {36, "type 36 (iq4_nl_4_4) was removed from the format: requantize to iq4_nl"},
      {37, "type 37 (iq4_nl_4_8) was removed from the format: requantize to iq4_nl"},
      {38, "type 38 (iq4_nl_8_8) was removed from the format: requantize to iq4_nl"},
      {43, "type 43 is unknown, expected a tensor type from 0 to 42"},
      {0x80000000u, "type 2147483648 is unknown"},
      {~0u, "type 4294967295 is unknown"}};
  for (const auto& [type, message] : refused) parse_refusal(raw_tensor({256}, type), message);
  for (std::uint32_t id = 0; id < 43; ++id) {
    const gguf::type_traits* traits = gguf::find_type(id);
    if (!traits || traits->block_elements == 1) continue;
    const auto extent = static_cast<std::uint64_t>(traits->block_elements) * 3 / 2;
    parse_refusal(raw_tensor({extent}, id), "expected a multiple of " +
                                                std::to_string(traits->block_elements) +
                                                " for type " + std::string(traits->name));
  }
}

// R15 R16; S9 S10 S19 S20
TEST(gguf_refusal, TensorPlaces) {
  const gguf_writer model = small_model();
  const std::size_t offset = model.offsets_of_tensor("second").data_offset;
  expect_patch_refused(offset, std::uint64_t{1}, "'second': data offset is 1, expected a multiple");
  expect_patch_refused(offset, std::uint64_t{0},
                       "data offset is 0, expected 128: it would overlap");
  expect_patch_refused(offset, std::uint64_t{160}, "expected 128: it would leave a gap after");
  expect_patch_refused(offset, std::uint64_t{model.bytes().size() - 1}, "expected a multiple");
  expect_patch_refused(offset, std::uint64_t{model.bytes().size() / 32 * 32}, "leave a gap after");
  expect_patch_refused(offset, max_u64 - 31, "it would leave a gap after the data before it");
  expect_patch_refused(model.offsets_of_tensor("first").data_offset, std::uint64_t{32},
                       "expected 0: ");
  byte_vector bytes = model.bytes();
  const std::size_t end = gguf::parse(bytes, "m").tensor("third").offset + 6;
  bytes.resize(end);
  gguf::parse(bytes, "model.gguf");  // the last padding may be missing
  bytes.resize(end - 1);
  parse_refusal(bytes, "tensor 'third': truncated: its 6 bytes start at");
  // Sizes whose padded sum wraps, in two tensors and in many.
  parse_refusal(raw_tensor({0x7fffffffffffffc0}, 24), "extent 0 is 9223372036854775744, expected");
  for (const int num_tensors : {2, 100}) {
    gguf_writer huge;
    for (int i = 0; i < num_tensors; ++i) {
      const std::vector<std::uint64_t> extent = {0x7fffffffe0, 0x1000000, 1, 1};
      huge.add_raw_tensor("t" + std::to_string(i), extent, 24, i == 0 ? 0 : 0x7fffffffe0000000);
    }
    parse_refusal(huge, "tensor 't0': truncated: its");
  }
}

// R17
TEST(gguf_refusal, BytesAfterTheModelAreCountedAndNotRefused) {
  byte_vector bytes = small_model().bytes();
  const std::size_t end = gguf::parse(bytes, "m").tensor("third").offset + 6;
  const std::size_t padded = (end + 31) / 32 * 32;
  const auto trailing = [&](std::size_t size) {
    bytes.resize(size);
    const gguf::index model = gguf::parse(bytes, "model.gguf");
    EXPECT_EQ(model.tensors().size(), 3u);
    return model.trailing_bytes();
  };
  EXPECT_EQ(trailing(end), 0u);
  EXPECT_EQ(trailing(padded), 0u);
  EXPECT_EQ(trailing(padded + 1), 1u);
  EXPECT_EQ(trailing(padded + (1 << 20)), 1u << 20);
  byte_vector empty = gguf_writer().bytes();
  empty.resize(24 + 33);
  EXPECT_EQ(gguf::parse(empty, "m").trailing_bytes(), 25u);  // 24 to 32 is padding
}

// R19; S23
TEST(gguf_refusal, ArraysOfAnotherType) {
  const byte_vector bytes = gguf_writer()
                                .add_array("scores", std::vector<std::int8_t>{1, 2, 3})
                                .add_array("token_type", std::vector<std::uint8_t>{1, 255})
                                .add_array("flags", std::vector<bool>{true})
                                .bytes();
  const gguf::index model = gguf::parse(bytes, "model.gguf");
  refusal([&] { model.get_array<float>("scores"); }, "value is array of 3 i8, expected array of f");
  refusal([&] { model.get_array<int>("flags"); }, "value is array of 1 bool, expected array of i");
  // Narrower integers are converted one by one, never taken for wider ones.
  EXPECT_EQ(model.get_array<int>("token_type"), (std::vector<int>{1, 255}));
}

// R5 R11; S38
TEST(gguf_refusal, ManyNamesTakeNoTime) {
  gguf_writer writer;
  for (int i = 0; i < 65536; ++i) {
    writer.add("key" + std::to_string(i), i);
    writer.add_raw_tensor("tensor" + std::to_string(i), {1}, 24,
                          static_cast<std::uint64_t>(i) * 32);
  }
  byte_vector bytes = writer.bytes();
  bytes.resize((bytes.size() + 31) / 32 * 32 + 65536 * 32);
  const std::clock_t start = std::clock();  // processor time: the machine may be busy
  const gguf::index model = gguf::parse(bytes, "model.gguf");
  EXPECT_LT(std::clock() - start,
            5 * CLOCKS_PER_SEC);  // takes 0.1 s; comparing all pairs takes far longer
  EXPECT_EQ(model.get<int>("key65535"), 65535);
  EXPECT_EQ(&model.tensor("tensor4711"), &model.tensors()[4711]);
}

}  // namespace
}  // namespace rocmforge
