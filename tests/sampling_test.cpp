// argmax against a plain loop.
#include <rocmforge/sampling.hpp>

#include "reference/sampling.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(sampling);

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

template <class T>
int expected_token(const std::vector<T>& logits) {
  return reference::argmax(to_double(logits));
}

template <class T>
std::vector<int> argmax_of(const std::vector<T>& logits, int rows) {
  const device_buffer<T> device_logits(logits);
  const device_buffer<int> tokens{std::size_t(rows)};
  EXPECT_SUCCESS(argmax(tokens.view(rows), device_logits.view(rows, int(logits.size()) / rows)));
  return tokens.to_host();
}

// Packets, waves, a block of 1024 lanes and their neighbours.
constexpr int vocab_sizes[] = {1,   2,    31,   32,   33,   63,   64,   65,
                               127, 1023, 1024, 1025, 4095, 4096, 4097, 8193};

TEST_P(sampling, argmax_agrees_with_a_loop) {
  for_each_dtype([]<class T>(T) {
    for (const int size : vocab_sizes) {
      SCOPED_TRACE(size);
      const int rows = 2;
      const auto logits =
          random_values<T>(std::size_t(rows * size), unsigned(size), -20, -1);  // 0 would win
      const auto tokens = argmax_of(logits, rows);
      for (int row = 0; row < rows; ++row) {
        EXPECT_EQ(tokens[std::size_t(row)],
                  expected_token(std::vector<T>(logits.begin() + row * size,
                                                logits.begin() + (row + 1) * size)));
      }
    }
  });
}

TEST_P(sampling, argmax_finds_each_place) {
  const int size = 300;  // one row for each place
  std::vector<float> logits(std::size_t(size * size), -3.0f);
  for (int i = 0; i < size; ++i) logits[std::size_t(i * size + i)] = -2.0f;
  const device_buffer<float> device_logits(logits);
  const device_buffer<int> device_tokens{std::size_t(size)};
  EXPECT_SUCCESS((argmax<float, 64>(device_tokens.view(size), device_logits.view(size, size))));
  const auto tokens = device_tokens.to_host();
  for (int i = 0; i < size; ++i) EXPECT_EQ(tokens[std::size_t(i)], i);
}

TEST_P(sampling, of_equal_logits_the_lowest_wins) {
  for (const int size : {5, 100, 5000}) {
    SCOPED_TRACE(size);
    std::vector<float> logits(std::size_t(size), 1.0f);
    EXPECT_EQ(argmax_of(logits, 1)[0], 0);
    logits[std::size_t(size - 1)] = logits[std::size_t(size / 2)] =
        logits[std::size_t(size / 2 + 1)] = 2;
    EXPECT_EQ(argmax_of(logits, 1)[0], size / 2);
  }
}

TEST_P(sampling, nan_never_wins) {
  for (const int size : {1, 40, 5000}) {
    SCOPED_TRACE(size);
    std::vector<float> logits(std::size_t(size), nan);
    EXPECT_EQ(argmax_of(logits, 1)[0], 0);
    for (const float only : {5.0f, -1e30f, infinity, -infinity}) {
      for (const int place : {0, size / 3, size - 1}) {
        logits.assign(std::size_t(size), nan);
        logits[std::size_t(place)] = only;
        EXPECT_EQ(argmax_of(logits, 1)[0], place) << only;
      }
    }
    logits.assign(std::size_t(size), -infinity);
    EXPECT_EQ(argmax_of(logits, 1)[0], 0);
    logits[0] = nan;
    EXPECT_EQ(argmax_of(logits, 1)[0], size > 1 ? 1 : 0);
  }
}

TEST_P(sampling, vocabularies_of_real_models_large) {
  for (const int size : {49152, 151936}) {
    SCOPED_TRACE(size);
    auto logits = random_values<float>(std::size_t(size), 3, -20, 20);
    EXPECT_EQ(argmax_of(logits, 1)[0], expected_token(logits));
    logits[std::size_t(size - 1)] = 21;
    EXPECT_EQ(argmax_of(logits, 1)[0], size - 1);
    logits[std::size_t(size - 1000)] = 21;
    EXPECT_EQ(argmax_of(logits, 1)[0], size - 1000);
  }
}

TEST_P(sampling, takes_strided_rows) {
  const int rows = 3, size = 50, stride = 64;
  const auto logits = random_values<half>(std::size_t(rows * stride), 4, -1, 0);
  auto raised = logits;
  for (int row = 0; row < rows; ++row)
    raised[std::size_t(row * stride + size)] = half(1.0f);  // just outside the view
  const device_buffer<half> buffer(raised);
  const device_buffer<int> tokens(3);
  EXPECT_SUCCESS(argmax(tokens.view(rows), sub_view<1>(buffer.view(rows, stride), 0, size)));
  for (int row = 0; row < rows; ++row) {
    const auto begin = logits.begin() + row * stride;
    EXPECT_EQ(tokens.to_host()[std::size_t(row)],
              expected_token(std::vector<half>(begin, begin + size)));
  }
}

TEST_P(sampling, refuses_what_does_not_fit) {
  const device_buffer<float> buffer(64);
  const device_buffer<int> tokens(8);
  const auto logits = buffer.view(2, 8);
  EXPECT_REFUSED(argmax(tokens.view(3), logits), status_code::invalid_shape, "tokens");
  EXPECT_REFUSED(argmax(tokens.view(2), buffer.view(2, 0)), status_code::invalid_shape, "logits");
  EXPECT_REFUSED(argmax(tokens.view(2), permuted<1, 0>(buffer.view(8, 2))),
                 status_code::invalid_layout, "logits");
  EXPECT_REFUSED(argmax(tensor_view<int, 1>{tokens.data(), {2}, {4}}, logits),
                 status_code::invalid_layout, "tokens");
  EXPECT_REFUSED(argmax(tensor_view<int, 1>{nullptr, {2}, {1}}, logits),
                 status_code::invalid_argument, "tokens");
  EXPECT_REFUSED(argmax(tokens.view(2), tensor_view<float, 2>{nullptr, {2, 8}, {8, 1}}),
                 status_code::invalid_argument, "logits");
  EXPECT_SUCCESS(argmax(tokens.view(0), buffer.view(0, 8)));
}

}  // namespace
}  // namespace rocmforge::testing
