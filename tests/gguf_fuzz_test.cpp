// GGUF reader: sweeps over damaged files and seeded mutations, and what memory they cost.
#include <rocmforge/gguf.hpp>

#include "support/gguf_exercise.hpp"
#include "support/gguf_fixture.hpp"
#include "support/gguf_models.hpp"
#include "support/gguf_writer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <new>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace {
std::size_t allocated_bytes = 0;
}

// Not inlined: g++ would take malloc and free here for a mismatched pair.
[[gnu::noinline]] void* operator new(std::size_t num_bytes) {
  allocated_bytes += num_bytes;
  if (void* memory = std::malloc(num_bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace rocmforge {
namespace {

using testing::byte_vector;
using testing::exercise;
using testing::gguf_writer;
using testing::patch;
using testing::rich_model;
using testing::small_model;
using testing::succeeds;

/// All that parse() allocates, freed or not.
std::size_t parse_allocation(const byte_vector& bytes) {
  const std::string name = "fuzz.gguf";
  const std::size_t before = allocated_bytes;
  succeeds(bytes.size(), [&] { gguf::parse(bytes, name); });
  return allocated_bytes - before;
}

TEST(gguf_fuzz, EveryTruncationIsRefused) {
  for (const byte_vector& bytes : {small_model().bytes(), rich_model()}) {
    const gguf::index model = gguf::parse(bytes, "model.gguf");
    const gguf::tensor_info& last = model.tensors().back();
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
      const bool complete = length >= last.offset + last.num_bytes;
      EXPECT_EQ(exercise(std::span(bytes).first(length)), complete) << length;
    }
  }
}

/// Every bit flipped, and every byte made 0, 255 and one more.
TEST(gguf_fuzz, EverySingleByteChange) {
  for (const byte_vector& original : {small_model().bytes(), rich_model()}) {
    byte_vector bytes = original;
    int num_accepted = 0;
    int num_refused = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const auto value = static_cast<unsigned char>(original[i]);
      std::vector<int> changes = {0, 255, value + 1};
      for (int bit = 0; bit < 8; ++bit) changes.push_back(value ^ 1 << bit);
      for (const int change : changes) {
        bytes[i] = std::byte(change);
        ++(exercise(bytes) ? num_accepted : num_refused);
      }
      bytes[i] = original[i];
    }
    EXPECT_GT(num_accepted, 1000);
    EXPECT_GT(num_refused, 1000);
  }
}

/// One random change of those that find faults in parsers.
void mutate(byte_vector& bytes, std::mt19937_64& random) {
  static constexpr std::uint64_t numbers[] = {
      0,          1,          4,          9,          31,         32,
      33,         0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 40,
      1ull << 61, 1ull << 62, 1ull << 63, ~0ull - 31, ~0ull - 7,  ~0ull};
  const std::size_t at = random() % bytes.size();
  const std::size_t length = std::min<std::size_t>(random() % 40, bytes.size() - at);
  const auto start = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  const auto end = start + static_cast<std::ptrdiff_t>(length);
  const std::uint64_t number = numbers[random() % std::size(numbers)];
  switch (random() % 7) {
    case 0:
      *start ^= std::byte(1 << random() % 8);
      break;
    case 1:
      *start = std::byte(random());
      break;
    case 2:
      if (bytes.size() - at >= 4) patch(bytes, at, static_cast<std::uint32_t>(number));
      break;
    case 3:
      if (bytes.size() - at >= 8) patch(bytes, at, number);
      break;
    case 4:
      bytes.erase(start, end);
      break;
    case 5: {
      const byte_vector copy(start, end);
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(random() % bytes.size()),
                   copy.begin(), copy.end());
      break;
    }
    default:  // one of the header's counts, off by a little
      if (bytes.size() >= 24) patch(bytes, 8 + random() % 2 * 8, random() % 20);
  }
  if (bytes.empty()) bytes.resize(1);
}

TEST(gguf_fuzz, SeededMutations) {
  std::mt19937_64 random(20240131);
  const byte_vector seeds[] = {small_model().bytes(), rich_model()};
  int num_accepted = 0;
  for (int run = 0; run < 50000; ++run) {
    byte_vector bytes = seeds[run % 2];
    for (std::uint64_t i = 0; i <= random() % 4; ++i) mutate(bytes, random);
    num_accepted += exercise(bytes);
    EXPECT_LE(parse_allocation(bytes), 6 * bytes.size() + 4096);
  }
  EXPECT_GT(num_accepted, 1000);
  EXPECT_LT(num_accepted, 49000);
}

// R2 R3 R7; S22 S37
TEST(gguf_fuzz, MemoryIsAFewTimesTheFile) {
  gguf_writer keys;
  for (char a = '!'; a <= '~'; ++a) {
    for (char b = '!'; b <= '~'; ++b) keys.add(std::string{a, b}, std::uint8_t{0});
  }
  gguf_writer tensors;
  for (int i = 0; i < 10000; ++i) tensors.add_raw_tensor(std::to_string(i), {1}, 24, 0);
  gguf_writer strings;
  strings.add_array("strings", std::vector<std::string>(100000));
  for (const gguf_writer* writer : {&keys, &tensors, &strings}) {
    byte_vector bytes = writer->bytes();
    EXPECT_LE(parse_allocation(bytes), 6 * bytes.size() + 4096);
    // Counts that the rest of the file cannot fill.
    patch(bytes, gguf_writer::num_keys_offset, std::uint64_t{65536});
    EXPECT_LE(parse_allocation(bytes), 6 * bytes.size() + 4096);
    patch(bytes, gguf_writer::num_tensors_offset, std::uint64_t{1} << 60);
    EXPECT_LE(parse_allocation(bytes), 4096u);
  }
}

}  // namespace
}  // namespace rocmforge
