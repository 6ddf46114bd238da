// GGUF reader: models that are split over several files (R18).
#include <rocmforge/gguf.hpp>

#include "support/gguf_fixture.hpp"
#include "support/gguf_writer.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace rocmforge {
namespace {

using gguf::tensor_type;
using testing::byte_vector;
using testing::counted;
using testing::gguf_writer;
using testing::refusal;

/// What one file says about its place; each member is left out of the metadata if it is negative.
struct place {
  int number = -1;
  int count = -1;
  int num_tensors = -1;
};

gguf_writer file_at(const place& at, std::uint32_t alignment = 32) {
  gguf_writer writer(3, alignment);
  if (at.number >= 0) writer.add("split.no", static_cast<std::uint16_t>(at.number));
  if (at.count >= 0) writer.add("split.count", static_cast<std::uint16_t>(at.count));
  if (at.num_tensors >= 0) writer.add("split.tensors.count", std::int32_t{at.num_tensors});
  return writer;
}

gguf_writer& add_bytes(gguf_writer& writer, std::string_view name, std::int64_t size) {
  return writer.add_tensor(name, tensor_type::i8, {size}, counted(static_cast<std::size_t>(size)));
}

class gguf_split : public ::testing::Test {
 protected:
  gguf_split() { std::filesystem::create_directory(folder_); }
  ~gguf_split() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string first() const { return path("model-00001-of-00003.gguf"); }
  std::string second() const { return path("model-00002-of-00003.gguf"); }
  std::string third() const { return path("model-00003-of-00003.gguf"); }

  /// The three files of a model with four tensors: none in the first, whose metadata counts.
  void write_model() {
    write_first({0, 3, 4});
    write_second({1, 3, 4});
    write_third({2, 3, 4});
  }
  void write_first(const place& at) const {
    file_at(at, 64).add("general.architecture", "llama").write(first());
  }
  void write_second(const place& at) const {
    gguf_writer writer = file_at(at);
    writer.add("general.architecture", "ignored");
    add_bytes(add_bytes(writer, "a", 40), "b", 3).write(second());
  }
  void write_third(const place& at, std::string_view name = "d") const {
    gguf_writer writer = file_at(at, 8);
    add_bytes(add_bytes(writer, "c", 8), name, 1).write(third());
  }

  std::uint64_t expect_refused(const std::string& expected) const {
    return refusal([&] { gguf::file{first()}; }, expected);
  }

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("rocmforge_split_" + std::to_string(::getpid()));
};

TEST_F(gguf_split, IsSeenAsOneModel) {
  write_model();
  gguf::file opened(first());
  const gguf::file model = std::move(opened);
  EXPECT_EQ(model.path(), first());
  EXPECT_EQ(std::vector(model.paths().begin(), model.paths().end()),
            (std::vector{first(), second(), third()}));
  EXPECT_EQ(model.alignment(), 64u);
  EXPECT_EQ(model.get<std::string_view>("general.architecture"), "llama");
  ASSERT_EQ(model.tensors().size(), 4u);
  const struct {
    const char* name;
    std::size_t size;
    std::uint32_t file;
  } expected[] = {{"a", 40, 1}, {"b", 3, 1}, {"c", 8, 2}, {"d", 1, 2}};
  for (std::size_t i = 0; i < 4; ++i) {
    const gguf::tensor_info& info = model.tensors()[i];
    EXPECT_EQ(info.name, expected[i].name);
    EXPECT_EQ(info.file, expected[i].file);
    EXPECT_EQ(byte_vector(info.data, info.data + info.num_bytes), counted(expected[i].size));
    EXPECT_EQ(&model.tensor(expected[i].name), &info);
  }
  EXPECT_EQ(model.tensor("d").offset, model.tensor("c").offset + 8);  // in a file of its own
}

/// Numbers of any integer type are read, as everywhere.
TEST_F(gguf_split, TensorsMayBeInTheFirstFileAndNumbersOfAnyWidth) {
  gguf_writer one;
  one.add("split.no", 0).add("split.count", std::uint64_t{2}).add("split.tensors.count", 2u);
  add_bytes(one, "a", 5).write(path("x-00001-of-00002.gguf"));
  gguf_writer two = file_at({1, 2, 2});
  add_bytes(two, "b", 6).write(path("x-00002-of-00002.gguf"));
  const gguf::file model(path("x-00001-of-00002.gguf"));
  EXPECT_EQ(model.tensor("a").file, 0u);
  EXPECT_EQ(model.tensor("b").file, 1u);
}

TEST_F(gguf_split, OneFileMaySayThatItIsAll) {
  const auto opens = [&](const place& at) {
    gguf_writer writer = file_at(at);
    const byte_vector bytes = add_bytes(writer, "a", 5).bytes();
    return gguf::parse(bytes, "model.gguf").tensors().size();
  };
  EXPECT_EQ(opens({0, 0, 1}), 1u);  // as merging leaves it
  EXPECT_EQ(opens({0, 1, 1}), 1u);
  EXPECT_EQ(opens({-1, 1, -1}), 1u);
  refusal([&] { opens({1, 1, 1}); }, "metadata key 'split.no': value is 1, expected 0");
  refusal([&] { opens({0, 1, 2}); }, "metadata key 'split.tensors.count': value is 2, expected 1");
}

TEST_F(gguf_split, BytesOfOneFileAreNoModel) {
  const byte_vector bytes = file_at({0, 3, 4}).bytes();
  EXPECT_EQ(
      refusal([&] { gguf::parse(bytes, "model.gguf"); },
              "metadata key 'split.count': the model is split over 3 files, which open together "
              "by the path of the first"),
      24u + (8 + 8 + 4 + 2) + (8 + 11 + 4));  // header, split.no, split.count up to its value
}

TEST_F(gguf_split, OpensByTheFirstFileAlone) {
  write_model();
  refusal([&] { gguf::file{second()}; },
          second() +
              ": offset 44: metadata key 'split.no': this is file 2 of 3 of a split model, "
              "expected the first, whose name ends in '-00001-of-00003.gguf'");
}

// S39: siblings are found by the path that was given, whatever the metadata says.
TEST_F(gguf_split, NamesFollowTheFirst) {
  write_model();
  for (const char* name : {"model.gguf", "model-00001-of-00004.gguf", "model-00002-of-00003.gguf",
                           "model-0001-of-0003.gguf", "model-00001-of-00003.GGUF"}) {
    std::filesystem::copy_file(first(), path(name),
                               std::filesystem::copy_options::overwrite_existing);
    refusal([&] { gguf::file{path(name)}; },
            path(name) +
                ": the model is split over 3 files, expected a name that ends in "
                "'-00001-of-00003.gguf'");
  }
}

TEST_F(gguf_split, MissingOrDamagedFiles) {
  write_model();
  std::filesystem::remove(third());
  expect_refused(third() + ": no such file, expected a GGUF file");
  std::filesystem::create_directory(third());
  expect_refused(third() + ": is a directory, expected a GGUF file");
  std::filesystem::remove(third());
  write_third({2, 3, 4});
  std::filesystem::resize_file(third(), std::filesystem::file_size(third()) - 8);
  expect_refused(third() + ": offset ");
}

TEST_F(gguf_split, EveryFileSaysItsPlace) {
  write_model();
  const std::string no = "metadata key 'split.no': ";
  write_second({0, 3, 4});
  expect_refused(second() + ": offset 44: " + no + "value is 0, expected 1");
  write_second({2, 3, 4});
  expect_refused(second() + ": offset 44: " + no + "value is 2, expected 1");
  write_second({-1, 3, 4});
  expect_refused(second() + ": " + no + "is missing, expected an integer, because the model is");
  write_second({1, 2, 4});
  expect_refused("metadata key 'split.count': value is 2, expected 3");
  write_second({1, -1, 4});
  expect_refused("metadata key 'split.count': is missing");
  write_second({1, 3, 4});

  write_first({1, 3, 4});
  expect_refused(no + "this is file 2 of 3 of a split model, expected the first");
  write_first({-1, 3, 4});
  expect_refused(first() + ": " + no + "is missing");
}

// S39: the same file twice, once by a link.
TEST_F(gguf_split, NoFileIsThereTwice) {
  write_model();
  std::filesystem::remove(third());
  std::filesystem::create_symlink(second(), third());
  expect_refused(third() + ": offset 44: metadata key 'split.no': value is 1, expected 2");
  std::filesystem::remove(third());
  std::filesystem::create_hard_link(second(), third());
  expect_refused(third() + ": offset 44: metadata key 'split.no': value is 1, expected 2");
}

// S39
TEST_F(gguf_split, WrongTypesOfItsKeys) {
  write_model();
  for (const std::string key : {"split.no", "split.count", "split.tensors.count"}) {
    const auto with = [&](auto value) {
      gguf_writer writer = file_at({key == "split.no" ? -1 : 1, key == "split.count" ? -1 : 3,
                                    key == "split.tensors.count" ? -1 : 4});
      writer.add(key, value);
      add_bytes(add_bytes(writer, "a", 40), "b", 3).write(second());
    };
    with("1");
    expect_refused("metadata key '" + key + "': value is string, expected integer");
    with(1.0f);
    expect_refused("metadata key '" + key + "': value is f32, expected integer");
    with(true);
    expect_refused("metadata key '" + key + "': value is bool, expected integer");
    with(std::int16_t{-1});
    expect_refused("metadata key '" + key + "': value is -1, expected integer from 0");
  }
  gguf_writer array;
  array.add_array("split.count", std::vector<std::uint16_t>{3}).write(first());
  expect_refused("metadata key 'split.count': value is array of 1 u16, expected integer");
}

TEST_F(gguf_split, TensorsAreCounted) {
  for (const int wrong : {3, 5}) {
    write_model();
    write_first({0, 3, wrong});
    expect_refused(first() + ": offset ");
    expect_refused("metadata key 'split.tensors.count': value is " + std::to_string(wrong) +
                   ", expected 4");
    write_first({0, 3, 4});
    write_third({2, 3, wrong});
    expect_refused("metadata key 'split.tensors.count': value is " + std::to_string(wrong));
  }
  write_third({2, 3, -1});
  expect_refused(third() + ": metadata key 'split.tensors.count': is missing");
}

// S16
TEST_F(gguf_split, TensorNamesAreUniqueInAllFiles) {
  write_model();
  write_third({2, 3, 4}, "a");
  expect_refused(third() + ": tensor 'a' is also in " + second());
}

TEST_F(gguf_split, NumberOfFilesIsLimited) {
  write_first({0, 1025, 4});
  expect_refused("metadata key 'split.count': the model is split over 1025 files, expected at");
  gguf_writer().add("split.count", ~std::uint64_t{0}).write(first());
  expect_refused("split over 18446744073709551615 files, expected at most 1024");
  // As many as are allowed, most of which are not there.
  const std::string name = path("model-00001-of-01024.gguf");
  file_at({0, 1024, 1}).write(name);
  refusal([&] { gguf::file{name}; }, path("model-00002-of-01024.gguf") + ": no such file");
}

TEST_F(gguf_split, OfManyFilesOpens) {
  constexpr int num_files = 1024;
  const auto name = [&](int number) {
    std::string digits = std::to_string(number + 1);
    digits.insert(0, 5 - digits.size(), '0');
    return path("m-" + digits + "-of-01024.gguf");
  };
  for (int i = 0; i < num_files; ++i) {
    gguf_writer writer = file_at({i, num_files, num_files});
    add_bytes(writer, std::to_string(i), 1).write(name(i));
  }
  const gguf::file model(name(0));
  EXPECT_EQ(model.tensors().size(), std::size_t{num_files});
  EXPECT_EQ(model.tensor("1023").file, 1023u);
}

}  // namespace
}  // namespace rocmforge
