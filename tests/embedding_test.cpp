// Embedding lookup against a decoding of every format that shares no code with the library.
#include <rocmforge/embedding.hpp>
#include <rocmforge/model/weight_kernels.hpp>

#include <cstring>

#include "reference/quant.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(embedding_lookup);

constexpr int vocab_size = 13;

/// Blocks as the file format has them, byte by byte: the scale d, for q4_1 the offset m, then the
/// quants.
template <class Type>
constexpr std::size_t quants_at = std::is_same_v<Type, q4_1> ? 4 : 2;

template <class Type>
std::vector<Type> random_table(int hidden_dim) {
  if constexpr (floating_dtype<Type>) {
    return random_values<Type>(std::size_t(vocab_size * hidden_dim), 1);
  } else {
    std::mt19937 engine(1);
    std::vector<Type> table(std::size_t(vocab_size * hidden_dim / 32));
    for (Type& block : table) {
      unsigned char bytes[sizeof(Type)];
      for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(engine());
      for (std::size_t i = 0; i < quants_at<Type>; i += 2) {
        const half scale(static_cast<float>(engine() % 1000) / 4000 - 0.125f);
        std::memcpy(bytes + i, &scale, 2);
      }
      std::memcpy(&block, bytes, sizeof(Type));
    }
    return table;
  }
}

template <class Type>
double element(const std::vector<Type>& table, int hidden_dim, int token, int i) {
  const std::size_t at = std::size_t(token * hidden_dim + i);
  if constexpr (floating_dtype<Type>) {
    return float(table[at]);
  } else {
    unsigned char bytes[sizeof(Type)];
    std::memcpy(bytes, &table[at / 32], sizeof(Type));
    half d, m;
    std::memcpy(&d, bytes, 2);
    std::memcpy(&m, bytes + 2, 2);
    const std::size_t place = at % 32;
    const unsigned char* quants = bytes + quants_at<Type>;
    if constexpr (std::is_same_v<Type, q8_0>)
      return double(float(d)) * static_cast<signed char>(quants[place]);
    const int q = place < 16 ? quants[place] & 15 : quants[place - 16] >> 4;
    if constexpr (std::is_same_v<Type, q4_1>) return double(float(d)) * q + double(float(m));
    return double(float(d)) * (q - 8);
  }
}

template <class Type, class T>
void check(int hidden_dim, const std::vector<int>& tokens) {
  SCOPED_TRACE(hidden_dim);
  const int rows = int(tokens.size());
  const auto table = random_table<Type>(hidden_dim);
  const device_buffer<Type> device_table(table);
  const device_buffer<int> device_tokens(tokens);
  device_buffer<T> y(std::size_t(rows * hidden_dim));
  EXPECT_SUCCESS(
      embedding<Type>(y.view(rows, hidden_dim),
                      device_table.view(vocab_size, hidden_dim / block_traits<Type>::elements),
                      device_tokens.view(rows)));
  std::vector<double> expected;
  for (const int token : tokens) {
    for (int i = 0; i < hidden_dim; ++i) expected.push_back(element(table, hidden_dim, token, i));
  }
  // A weight of zero on the grid of m + q d comes out of float arithmetic as a few units of m's
  // last place.
  expect_close(y.to_host(), expected, rounding<T> * 1.001 + 2e-7, 1.0);
}

const std::vector<int> some_tokens = {0, vocab_size - 1, 5, 5, 1};

TEST_P(embedding_lookup, of_dense_tables) {
  for (const int hidden_dim : {1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 100, 576}) {
    check<float, float>(hidden_dim, some_tokens);
    check<half, float>(hidden_dim, some_tokens);
    check<bfloat16, bfloat16>(hidden_dim, some_tokens);
  }
}

TEST_P(embedding_lookup, of_quantized_tables) {
  for (const int hidden_dim : {32, 64, 96, 576, 2048, 8192}) {
    check<q4_0, float>(hidden_dim, some_tokens);
    check<q4_1, float>(hidden_dim, some_tokens);
    check<q4_1, half>(hidden_dim, some_tokens);
    check<q8_0, bfloat16>(hidden_dim, some_tokens);
    check<q8_0, float>(hidden_dim, some_tokens);
  }
}

TEST_P(embedding_lookup, of_tables_in_every_format) {
  for_each_block_format([]<class Type>(Type) {
    SCOPED_TRACE(reference::format<Type>::name);
    if constexpr (!std::is_same_v<Type, q8_1> && !std::is_same_v<Type, q8_k>) {
      constexpr int row_blocks = 3, hidden_dim = row_blocks * block_traits<Type>::elements;
      const auto table = reference::random_weights<Type>(std::size_t(vocab_size * hidden_dim), 2);
      const auto weights = reference::decode(table);
      const device_buffer<Type> device_table(table);
      device_buffer<int> tokens(some_tokens);
      const int rows = int(some_tokens.size());
      device_buffer<float> y(std::size_t(rows * hidden_dim));
      EXPECT_SUCCESS(embedding<Type>(y.view(rows, hidden_dim),
                                     device_table.view(vocab_size, row_blocks), tokens.view(rows)));
      const auto actual = y.to_host();
      for (int i = 0; i < rows * hidden_dim; ++i) {
        const int token = some_tokens[std::size_t(i / hidden_dim)];
        ASSERT_EQ(actual[std::size_t(i)],
                  float(weights[std::size_t(token * hidden_dim + i % hidden_dim)]))
            << i;
      }
    }
  });
}

TEST_P(embedding_lookup, of_many_tokens) {
  std::vector<int> tokens(100);
  for (int i = 0; i < 100; ++i) tokens[std::size_t(i)] = i * 7 % vocab_size;
  check<q4_1, float>(576, tokens);
}

TEST_P(embedding_lookup, of_an_unknown_token_is_nan) {
  const int hidden_dim = 70;
  const auto table = random_table<float>(hidden_dim);
  device_buffer<float> device_table(table), y(std::size_t(4 * hidden_dim));
  device_buffer<int> tokens(std::vector<int>{2, vocab_size, -1, std::numeric_limits<int>::max()});
  EXPECT_SUCCESS(embedding<float>(y.view(4, hidden_dim), device_table.view(vocab_size, hidden_dim),
                                  tokens.view(4)));
  const auto result = y.to_host();
  for (int i = 0; i < hidden_dim; ++i)
    EXPECT_EQ(result[std::size_t(i)], element(table, hidden_dim, 2, i));
  for (std::size_t i = std::size_t(hidden_dim); i < result.size(); ++i)
    EXPECT_TRUE(std::isnan(result[i])) << i;
}

TEST_P(embedding_lookup, takes_strided_rows) {
  const int hidden_dim = 64;
  const auto table = random_table<q8_0>(hidden_dim);
  const device_buffer<q8_0> device_table(table);
  device_buffer<int> tokens(std::vector<int>{1, 2});
  device_buffer<float> y(200);
  y.fill_bytes(0);
  const tensor_view<float, 2> rows{y.data() + 3, {2, hidden_dim}, {100, 1}};
  const tensor_view<const q8_0, 2> every_second{device_table.data(), {vocab_size / 2, 2}, {4, 1}};
  EXPECT_SUCCESS(embedding<q8_0>(rows, every_second, tokens.view(2)));
  const auto result = y.to_host();
  for (int i = 0; i < 200; ++i) {
    const int row = i / 100, column = i % 100 - 3;
    const bool inside = column >= 0 && column < hidden_dim;
    EXPECT_NEAR(result[std::size_t(i)],
                inside ? element(table, hidden_dim, 2 * (row + 1), column) : 0, 1e-5)
        << i;
  }
}

TEST_P(embedding_lookup, refuses_what_does_not_fit) {
  device_buffer<float> y(256);
  device_buffer<q4_0> table(16);
  device_buffer<int> tokens(8);
  EXPECT_REFUSED(embedding<q4_0>(y.view(2, 48), table.view(4, 2), tokens.view(2)),
                 status_code::invalid_shape, "y");
  EXPECT_REFUSED(embedding<q4_0>(y.view(2, 64), table.view(4, 3), tokens.view(2)),
                 status_code::invalid_shape, "table");
  EXPECT_REFUSED(embedding<q4_0>(y.view(2, 64), table.view(4, 2), tokens.view(3)),
                 status_code::invalid_shape, "tokens");
  EXPECT_REFUSED(embedding<q4_0>(permuted<1, 0>(y.view(64, 2)), table.view(4, 2), tokens.view(2)),
                 status_code::invalid_layout, "y");
  EXPECT_REFUSED(embedding<q4_0>(y.view(2, 64), permuted<1, 0>(table.view(2, 4)), tokens.view(2)),
                 status_code::invalid_layout, "table");
  EXPECT_REFUSED(embedding<q4_0>(y.view(2, 64), table.view(4, 2),
                                 tensor_view<int, 1>{tokens.data(), {2}, {2}}),
                 status_code::invalid_layout, "tokens");
  EXPECT_REFUSED(
      embedding<q4_0>(y.view(2, 64), tensor_view<q4_0, 2>{nullptr, {4, 2}, {2, 1}}, tokens.view(2)),
      status_code::invalid_argument, "table");
  EXPECT_REFUSED(
      embedding<q4_0>(y.view(2, 64), table.view(4, 2), tensor_view<int, 1>{nullptr, {2}, {1}}),
      status_code::invalid_argument, "tokens");
  EXPECT_SUCCESS(embedding<q4_0>(y.view(0, 64), table.view(4, 2), tokens.view(0)));
}

}  // namespace
}  // namespace rocmforge::testing
