// GGUF reader: files, tensors and typed access to metadata.
#include <rocmforge/gguf.hpp>

#include "support/gguf_fixture.hpp"
#include "support/gguf_writer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocmforge {
namespace {

using gguf::tensor_type;
using testing::byte_vector;
using testing::counted;
using testing::gguf_writer;
using testing::refusal;
using testing::small_model;
using testing::temporary_path;

// R13
TEST(gguf_types, SizesAndIds) {
  struct published {
    std::uint32_t id;
    const char* name;
    int elements, bytes;
  };
  const published types[] = {
      {0, "f32", 1, 4},         {1, "f16", 1, 2},         {2, "q4_0", 32, 18},
      {3, "q4_1", 32, 20},      {6, "q5_0", 32, 22},      {7, "q5_1", 32, 24},
      {8, "q8_0", 32, 34},      {10, "q2_k", 256, 84},    {11, "q3_k", 256, 110},
      {12, "q4_k", 256, 144},   {13, "q5_k", 256, 176},   {14, "q6_k", 256, 210},
      {16, "iq2_xxs", 256, 66}, {17, "iq2_xs", 256, 74},  {18, "iq3_xxs", 256, 98},
      {19, "iq1_s", 256, 50},   {20, "iq4_nl", 32, 18},   {21, "iq3_s", 256, 110},
      {22, "iq2_s", 256, 82},   {23, "iq4_xs", 256, 136}, {24, "i8", 1, 1},
      {25, "i16", 1, 2},        {26, "i32", 1, 4},        {27, "i64", 1, 8},
      {28, "f64", 1, 8},        {29, "iq1_m", 256, 56},   {30, "bf16", 1, 2},
      {34, "tq1_0", 256, 54},   {35, "tq2_0", 256, 66},   {39, "mxfp4", 32, 17},
      {40, "nvfp4", 64, 36},    {41, "q1_0", 128, 18},    {42, "q2_0", 64, 18}};
  std::uint32_t next = 0;
  for (const published& type : types) {
    for (; next < type.id; ++next) EXPECT_EQ(gguf::find_type(next), nullptr) << next;
    ++next;
    const gguf::type_traits* traits = gguf::find_type(type.id);
    ASSERT_NE(traits, nullptr) << type.name;
    EXPECT_EQ(traits->name, type.name);
    EXPECT_EQ(traits->block_elements, type.elements) << type.name;
    EXPECT_EQ(traits->block_bytes, type.bytes) << type.name;
    EXPECT_EQ(traits, &gguf::traits_of(tensor_type(type.id)));
  }
  for (; next < 1000; ++next) EXPECT_EQ(gguf::find_type(next), nullptr) << next;
  EXPECT_EQ(gguf::find_type(~0u), nullptr);
}

TEST(gguf_file, ReadsTensorsOfBothVersionsAndAnyAlignment) {
  for (const std::uint32_t version : {2u, 3u}) {
    for (const std::uint32_t alignment : {8u, 32u, 64u, 65536u}) {
      const temporary_path path("both_versions");
      small_model(version, alignment).write(path.string());
      gguf::file opened(path.string());
      const gguf::file model = std::move(opened);  // views must survive the move
      EXPECT_EQ(model.path(), path.string());
      EXPECT_EQ(model.version(), version);
      EXPECT_EQ(model.alignment(), alignment);
      ASSERT_EQ(model.tensors().size(), 3u);
      EXPECT_EQ(model.tensors()[1].name, "second");

      const gguf::tensor_info& first = model.tensor("first");
      EXPECT_EQ(first.type, tensor_type::q4_0);
      EXPECT_EQ(first.rank, 2);
      EXPECT_EQ(first.extent, (std::array<std::int64_t, 4>{64, 3, 1, 1}));
      EXPECT_EQ(first.num_bytes, 108u);
      EXPECT_EQ(byte_vector(first.data, first.data + first.num_bytes), counted(108));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.data) % std::min(alignment, 4096u), 0u);

      const gguf::tensor_info& second = model.tensor("second");
      float values[5];
      ASSERT_EQ(second.num_bytes, sizeof values);
      std::memcpy(values, second.data, sizeof values);
      EXPECT_EQ(values[4], 5.0f);
      EXPECT_EQ(second.offset, first.offset + (108 + alignment - 1) / alignment * alignment);

      EXPECT_EQ(model.tensor("third").rank, 4);
      EXPECT_EQ(model.find_tensor("fourth"), nullptr);
      refusal([&] { model.tensor("fo\nurth"); }, path.string() + ": has no tensor 'fo\\x0aurth'");
    }
  }
}

TEST(gguf_file, EveryTypeOpens) {
  gguf_writer writer;
  for (std::uint32_t id = 0; id < 64; ++id) {
    const gguf::type_traits* traits = gguf::find_type(id);
    if (!traits) continue;
    writer.add_tensor(traits->name, tensor_type(id), {traits->block_elements * 2, 3},
                      counted(static_cast<std::size_t>(traits->block_bytes) * 6));
  }
  const byte_vector bytes = writer.bytes();
  const gguf::index model = gguf::parse(bytes, "model.gguf");
  ASSERT_EQ(model.tensors().size(), 33u);
  for (const auto& info : model.tensors()) {
    EXPECT_EQ(info.name, gguf::traits_of(info.type).name);
    EXPECT_EQ(std::memcmp(info.data, counted(info.num_bytes).data(), info.num_bytes), 0);
  }
}

TEST(gguf_file, MetadataWithoutTensors) {
  const byte_vector bytes = gguf_writer().add("general.architecture", "llama").bytes();
  const gguf::index vocabulary = gguf::parse(bytes, "vocabulary.gguf");
  EXPECT_TRUE(vocabulary.tensors().empty());
  EXPECT_EQ(vocabulary.get<std::string_view>("general.architecture"), "llama");
  EXPECT_EQ(gguf::parse(gguf_writer().bytes(), "empty.gguf").metadata().size(), 0u);
}

// S43. A mapping keeps what it was made of: a model may be replaced by renaming while it is open.
TEST(gguf_file, OneThatIsReplacedStaysWhatItWas) {
  const temporary_path path("replaced");
  const temporary_path other("replacement");
  small_model().write(path.string());
  const gguf::file model(path.string());
  gguf_writer().add("general.architecture", "other").write(other.string());
  std::filesystem::rename(other.string(), path.string());
  EXPECT_EQ(gguf::file(path.string()).get<std::string_view>("general.architecture"), "other");
  EXPECT_EQ(model.get<std::string_view>("general.architecture"), "llama");
  const gguf::tensor_info& third = model.tensor("third");
  EXPECT_EQ(byte_vector(third.data, third.data + third.num_bytes), counted(6));
}

TEST(gguf_file, PathsThatAreNoModel) {
  const std::string folder = std::filesystem::temp_directory_path().string();
  refusal([&] { gguf::file(folder + "/rocmforge/no/such.gguf"); }, "no such file, expected a GGUF");
  refusal([&] { gguf::file{folder}; }, "is a directory, expected a GGUF file");
  refusal([&] { gguf::file("/dev/null"); }, "is not a regular file, expected a GGUF file");
  const temporary_path path("text");
  std::ofstream(path.string()).close();
  refusal([&] { gguf::file{path.string()}; }, path.string() + ": is empty, expected a GGUF file");
  std::ofstream(path.string()) << "plain \x1b text";
  refusal([&] { gguf::file{path.string()}; },
          "not a GGUF file: starts with 'plai', expected 'GGUF'");
}

template <class T>
void expect_round_trip(const std::vector<T>& values) {
  gguf_writer writer;
  writer.add_array("array", values).add_array("none", std::vector<T>{});
  for (std::size_t i = 0; i < values.size(); ++i) {
    writer.add("scalar" + std::to_string(i), T(values[i]));
  }
  const byte_vector bytes = writer.bytes();
  const gguf::index model = gguf::parse(bytes, "model.gguf");
  EXPECT_EQ(model.get_array<T>("array"), values);
  EXPECT_TRUE(model.get_array<T>("none").empty());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string key = "scalar" + std::to_string(i);
    EXPECT_EQ(model.get<T>(key), values[i]);
    EXPECT_EQ(model.find<T>(key), values[i]);
  }
}

template <class T>
std::vector<T> limits_of() {
  using limits = std::numeric_limits<T>;
  return {limits::lowest(), limits::max(), T(0), T(1), limits::min()};
}

TEST(gguf_metadata, RoundTripOfEveryType) {
  expect_round_trip(limits_of<std::uint8_t>());
  expect_round_trip(limits_of<std::int8_t>());
  expect_round_trip(limits_of<std::uint16_t>());
  expect_round_trip(limits_of<std::int16_t>());
  expect_round_trip(limits_of<std::uint32_t>());
  expect_round_trip(limits_of<std::int32_t>());
  expect_round_trip(limits_of<std::uint64_t>());
  expect_round_trip(limits_of<std::int64_t>());
  expect_round_trip(limits_of<float>());
  expect_round_trip(limits_of<double>());
  expect_round_trip(std::vector<bool>{true, false, true});
  using namespace std::string_view_literals;
  expect_round_trip(std::vector{""sv, "text"sv, "\0\xff\n"sv});
}

// R19
TEST(gguf_metadata, IntegersOfAnyWidthConvertInRange) {
  const byte_vector bytes = gguf_writer()
                                .add("small", std::int8_t{-1})
                                .add("large", std::numeric_limits<std::uint64_t>::max())
                                .add("half", 0.5)
                                .add_array("ids", std::vector<std::uint16_t>{1, 300})
                                .bytes();
  const gguf::index model = gguf::parse(bytes, "model.gguf");
  EXPECT_EQ(model.get<std::int64_t>("small"), -1);
  EXPECT_EQ(model.get<std::uint64_t>("large"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(model.get<float>("half"), 0.5f);
  EXPECT_EQ(model.get_array<int>("ids"), (std::vector<int>{1, 300}));
  EXPECT_EQ(refusal([&] { model.get<unsigned>("small"); },
                    "metadata key 'small': value is -1, expected integer from 0 to 4294967295"),
            41u);  // header 24, key 8 + 5, type 4
  refusal([&] { model.get<std::int64_t>("large"); }, "value is 18446744073709551615, expected int");
  refusal([&] { model.get_array<std::uint8_t>("ids"); },
          "metadata key 'ids': value is 300, expected integer from 0 to 255");
}

// R19
TEST(gguf_metadata, WrongTypesAreErrors) {
  const double infinity = std::numeric_limits<double>::infinity();
  const byte_vector bytes = gguf_writer()
                                .add("integer", 7)
                                .add("float", 1.5f)
                                .add("bool", true)
                                .add("string", "text")
                                .add("wide", 1e300)
                                .add("nan", std::nanf(""))
                                .add("infinity", -infinity)
                                .add_array("none", std::vector<std::string>{})
                                .add_array("numbers", std::vector<float>{0, -float(infinity)})
                                .bytes();
  const gguf::index model = gguf::parse(bytes, "model.gguf");
  EXPECT_FALSE(model.contains("absent"));
  EXPECT_TRUE(model.contains("integer"));
  EXPECT_EQ(model.find<int>("absent"), std::nullopt);
  EXPECT_EQ(refusal([&] { model.get<bool>("absent"); },
                    "model.gguf: metadata key 'absent' is missing, expected bool"),
            error::no_offset);
  refusal([&] { model.get_array<int>("absent"); },
          "'absent' is missing, expected array of integer");
  refusal([&] { model.find<float>("integer"); }, "value is i32, expected finite number");
  refusal([&] { model.find<int>("float"); }, "value is f32, expected integer from");
  refusal([&] { model.find<int>("bool"); }, "value is bool, expected integer");
  refusal([&] { model.find<bool>("integer"); }, "value is i32, expected bool");
  refusal([&] { model.find<std::string_view>("integer"); }, "value is i32, expected string");
  refusal([&] { model.find<int>("string"); }, "value is string, expected integer");
  refusal([&] { model.find<float>("wide"); },
          "value is 1e+300, expected finite number in the range");
  EXPECT_EQ(model.get<double>("wide"), 1e300);
  refusal([&] { model.find<float>("nan"); }, "value is nan, expected finite");
  refusal([&] { model.find<double>("infinity"); }, "value is -inf, expected finite");
  refusal([&] { model.get_array<float>("numbers"); }, "value is -inf, expected finite");
  refusal([&] { model.get_array<int>("integer"); }, "value is i32, expected array of integer");
  refusal([&] { model.get<float>("numbers"); }, "value is array of 2 f32, expected finite");
  refusal([&] { model.get_array<int>("none"); },
          "value is array of 0 string, expected array of int");
}

}  // namespace
}  // namespace rocmforge
