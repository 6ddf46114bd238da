// Tensors of GGUF files as views of weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <rocmforge/gguf/weight_view.hpp>
#include <string>
#include <vector>

#include "support/gguf_fixture.hpp"

namespace rocmforge {
namespace {

gguf::tensor_info tensor_of(gguf::tensor_type type, std::vector<std::int64_t> extent) {
  gguf::tensor_info tensor;
  tensor.name = "t";
  tensor.type = type;
  tensor.rank = static_cast<int>(extent.size());
  std::copy(extent.begin(), extent.end(), tensor.extent.begin());
  return tensor;
}

TEST(weight_view, BlocksHaveTheSizesOfTheFormat) {
  int num_types = 0;
  for (std::uint32_t id = 0; id < 64; ++id) {
    const gguf::type_traits* traits = gguf::find_type(id);
    if (traits == nullptr) continue;
    const status s =
        dispatch_weight_type(static_cast<gguf::tensor_type>(id), "test", [&]<class Type>(Type) {
          ++num_types;
          EXPECT_EQ(static_cast<int>(sizeof(Type)), traits->block_bytes) << traits->name;
          EXPECT_EQ(block_traits<Type>::elements, traits->block_elements) << traits->name;
          return status{};
        });
    const std::string name(traits->name);
    const bool integer_or_f64 =
        name == "i8" || name == "i16" || name == "i32" || name == "i64" || name == "f64";
    EXPECT_EQ(s.code, integer_or_f64 ? status_code::unsupported : status_code::success) << name;
  }
  EXPECT_EQ(num_types, 28);
}

TEST(weight_view, RowsAreTheSlowAxis) {
  const std::vector<q4_k> blocks(6);
  const auto* data = reinterpret_cast<const std::byte*>(blocks.data());
  const auto view = weight_view<q4_k>(data, tensor_of(gguf::tensor_type::q4_k, {512, 3}));
  EXPECT_EQ(view.extent[0], 3);
  EXPECT_EQ(view.extent[1], 2);
  EXPECT_EQ(&view(2, 1), &blocks[5]);
  const auto row = weight_view<float>(data, tensor_of(gguf::tensor_type::f32, {7}));
  EXPECT_EQ(row.extent[0], 1);
  EXPECT_EQ(row.extent[1], 7);
}

TEST(weight_view, Refusals) {
  using gguf::tensor_type;
  const auto refusal = [](const gguf::tensor_info& tensor, const char* expected) {
    testing::refusal([&] { return weight_view<q4_0>(nullptr, tensor); }, expected);
  };
  refusal(tensor_of(tensor_type::q4_1, {32, 3}), "has type q4_1, which is not that of the view");
  refusal(tensor_of(tensor_type::i32, {32, 3}), "has type i32, which is not that of the view");
  refusal(tensor_of(tensor_type::q4_0, {32, 3, 2}),
          "has shape 32 x 3 x 2, expected one or two axes");
  refusal(tensor_of(tensor_type::q4_0, {32, std::int64_t{1} << 31}), "has an extent of 2147483648");
}

}  // namespace
}  // namespace rocmforge
