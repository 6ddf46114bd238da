// Hashes that ggml itself gave: of the values of 16 blocks of every format that a file may hold,
// and of the grids of the IQ formats.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <rocmforge/memory.hpp>
#include <rocmforge/quant.hpp>
#include <set>
#include <string>
#include <vector>

#include "reference/quant.hpp"

namespace rocmforge::testing {
namespace {

std::string sha256(const void* data, std::size_t size) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EXPECT_EQ(EVP_Digest(data, size, digest, &length, EVP_sha256(), nullptr), 1);
  std::string text;
  for (unsigned int i = 0; i < length; ++i) {
    char two[3];
    std::snprintf(two, sizeof(two), "%02x", digest[i]);
    text += two;
  }
  return text;
}

/// 16 blocks of bytes from a linear congruential generator that starts at 12345 + the type's number
/// in GGUF, with the scales 2^-6 and 2^-8.
template <class Type>
std::vector<Type> published_blocks() {
  std::uint32_t x = 12345 + reference::format<Type>::id;
  std::vector<Type> blocks(16);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    unsigned char memory[sizeof(Type)];
    for (unsigned char& byte : memory) {
      x = x * 1664525 + 1013904223;
      byte = static_cast<unsigned char>(x >> 24);
    }
    if constexpr (std::is_same_v<Type, mxfp4>) memory[0] = static_cast<unsigned char>(120 + i % 8);
    if constexpr (std::is_same_v<Type, nvfp4>) {
      for (int k = 0; k < 4; ++k) memory[k] &= 0x7f;
    }
    std::memcpy(static_cast<void*>(&blocks[i]), memory, sizeof(Type));
    reference::set_scales(blocks[i], half::from_bits(0x2400), half::from_bits(0x1c00));
  }
  return blocks;
}

struct hashes {
  const char *blocks, *values;  // the first 16 and 32 digits
};
// All scales are powers of two, so that every product is exact.
const std::map<std::string, hashes> published = {
    {"q4_0", {"b9773ccfee386468", "0bfe02efe87ad8a02423341ab84a25bf"}},
    {"q4_1", {"68bcc65a600008dd", "c6d8d7e2cc0adc175fd4e0bd57db1fba"}},
    {"q5_0", {"5d58ad8911d83d93", "e59a9db70e888224bd90b4328b5e91e6"}},
    {"q5_1", {"fbd3d0804af19c87", "3383ca1ab3321c8784df76cddbb290f4"}},
    {"q8_0", {"0a7bd1ca9d2b4dd5", "c6088f0b8f29eb9bc194cdeb3718fa82"}},
    {"q2_k", {"755bfb4aa3c82931", "7b72810593bc990d8cbbebff3ec73f48"}},
    {"q3_k", {"f15379b4acf5dff5", "7529b753c387569ed79b8e84409308b0"}},
    {"q4_k", {"22feeaa391d95f90", "7e9662c14f984c5bf6928970d145366e"}},
    {"q5_k", {"37768c9a5afef966", "914fdab07054b3970c7edbf5d7b3273b"}},
    {"q6_k", {"d489a0aa0f1578e4", "d2decb826cbc8a14a762b0baadeedd68"}},
    {"iq2_xxs", {"f46676225845615d", "646d107066259cc39a931919ca044b31"}},
    {"iq2_xs", {"545a490a0b6d2132", "880e8c1ea99ebefff7ea2f3633b72faa"}},
    {"iq3_xxs", {"0027a328cd6b1b39", "aeee4b4299e3d3b69b83a8a9494962c5"}},
    {"iq1_s", {"aa9e893dbb44c3ca", "59915e6a2f838e64229c60c7e8450266"}},
    {"iq4_nl", {"42f4d49a13250399", "c3ff0c93bdcf93bfd7cebec52f762ddb"}},
    {"iq3_s", {"34e33fee0f9e69a3", "ee4e3118491c3049b1ccf3b02100fb4d"}},
    {"iq2_s", {"171247a432ceca3d", "2932c493825ad55007bf185ba317e30a"}},
    {"iq4_xs", {"bab07591b82cbd1f", "a091a0615ccf1a7fee3b9ce5c2b847e0"}},
    {"iq1_m", {"8c3412f70f325666", "465fa4dea90bf8b685b8491a81178085"}},
    {"tq1_0", {"73b871a4a75da984", "f13f808ec3242ebeb5451fe6a21e07b8"}},
    {"tq2_0", {"082c0352865dec56", "fbc85ad83a6f48ad312141a484ddd66e"}},
    {"mxfp4", {"e5a1e22e6f8d0856", "39dea231b73591c0a05a009572fdbed3"}},
    {"nvfp4", {"40839b2b554f9641", "d627d39a121e3ddd17dcac9c7a520a77"}},
    {"q1_0", {"e356844a534c26dd", "11f4f9a83959c2a664c2ccc1cec0f7c3"}},
    {"q2_0", {"0dbb3b4e8352cdaf", "307697948b9d43b97764108455504f2a"}},
};

TEST(quant_golden, every_format_of_files_decodes_to_the_published_values) {
  std::set<std::string> seen;
  for_each_block_format([&]<class Type>(Type) {
    const std::string name = reference::format<Type>::name;
    SCOPED_TRACE(name);
    const auto found = published.find(name);
    if (found == published.end()) return;
    seen.insert(name);
    const auto blocks = published_blocks<Type>();
    EXPECT_EQ(sha256(blocks.data(), blocks.size() * sizeof(Type)).substr(0, 16),
              found->second.blocks);
    const int size = int(blocks.size()) * block_traits<Type>::elements;
    device_buffer<Type> x(blocks);
    device_buffer<float> y(static_cast<std::size_t>(size));
    ASSERT_TRUE(dequantize<Type>(y.view(1, size), x.view(1, int(blocks.size()))).ok());
    auto values = y.to_host();
    for (float& value : values) value += 0.0f;  // the hash is of values without negative zeros
    EXPECT_EQ(sha256(values.data(), values.size() * sizeof(float)).substr(0, 32),
              found->second.values);
  });
  EXPECT_EQ(seen.size(), published.size());
}

template <class Grid>
std::string hash_of_grid(int num_entries, Grid grid) {
  std::vector<decltype(grid(0))> entries;
  for (int i = 0; i < num_entries; ++i) entries.push_back(grid(i));
  return sha256(entries.data(), entries.size() * sizeof(entries[0]));
}

TEST(quant_golden, the_grids_are_those_of_ggml) {
  EXPECT_EQ(hash_of_grid(256, [](int i) { return grids::iq2_xxs(i); }),
            "05826b5d3e472a3a78f196be62ac78acf81df0f909626e12ab9fa2a5d490dd54");
  EXPECT_EQ(hash_of_grid(512, [](int i) { return grids::iq2_xs(i); }),
            "06e47aaca60b4dc1d9b5a3f34540437058a6b142b4d7a59d5ded769b4d1bf1de");
  EXPECT_EQ(hash_of_grid(1024, [](int i) { return grids::iq2_s(i); }),
            "e1aa1473412b0552c2174c30ef22ab4073f6a181b85a17056e8249bd2932fd88");
  EXPECT_EQ(hash_of_grid(256, [](int i) { return grids::iq3_xxs(i); }),
            "46e35f5a997efdee6c99ce57854c8a0d4f0ff8ca57e5e8a60c0793ea580acf5d");
  EXPECT_EQ(hash_of_grid(512, [](int i) { return grids::iq3_s(i); }),
            "bd1af4945a1717c65610b0284e4628b9a1ba3b306fae3a06f6e5f597356e349f");
  EXPECT_EQ(hash_of_grid(2048, [](int i) { return grids::iq1_s(i); }),
            "07540ffc1aeaf6ad4d97e96b0fcc765aae39671d4ae4a27bbd0e796fde167c6a");
}

}  // namespace
}  // namespace rocmforge::testing
