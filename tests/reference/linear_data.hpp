// Matrices of linear tests, with NaN or bytes 0xff wherever no kernel may look, and the comparison
// with double.
#pragma once

#include <cstring>
#include <rocmforge/linear.hpp>
#include <string>
#include <vector>

#include "reference/linear.hpp"
#include "reference/quant.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {

/// [rows, columns] in device memory, with `gap` elements after each row.
template <class T>
class padded_matrix {
 public:
  padded_matrix(int rows, int columns, int gap)
      : stride_(columns + gap), memory_(std::size_t(rows * stride_ + 1)) {
    std::memset(static_cast<void*>(memory_.data()), 0xff, memory_.size() * sizeof(T));
    device_ = device_buffer<T>(memory_);
    view_ = {device_.data(), {rows, columns}, {stride_, 1}};
  }
  padded_matrix(const std::vector<T>& values, int rows, int columns, int gap)
      : padded_matrix(rows, columns, gap) {
    for (int row = 0; row < rows; ++row)
      std::copy_n(values.begin() + row * columns, columns, memory_.begin() + row * stride_);
    device_.copy_from_host(memory_);
    stream_ref{}.synchronize();
  }
  const tensor_view<T, 2>& view() const { return view_; }
  tensor_view<const T, 2> read() const { return view_; }

  /// What the device holds now; what lies in the gaps must be NaN as it was.
  std::vector<T> download() const {
    const auto memory = device_.to_host();
    std::vector<T> result;
    for (int i = 0; i < int(memory.size()); ++i) {
      const T& element = memory[std::size_t(i)];
      if (i / stride_ < view_.extent[0] && i % stride_ < view_.extent[1]) {
        result.push_back(element);
      } else {
        EXPECT_TRUE(std::isnan(float(element)))
            << "element " << i << ", between the rows, was written";
      }
    }
    return result;
  }

 private:
  int stride_;
  std::vector<T> memory_;
  device_buffer<T> device_;
  tensor_view<T, 2> view_;
};

struct linear_problem {
  int num_tokens, out_dim, in_dim;
  bool bias = false;
  int gap = 0;  // between the rows of x, y and the weights
};

/// The inputs of a problem.
template <class TX, class Type>
struct linear_inputs {
  std::vector<TX> x;
  std::vector<Type> weight;
  std::vector<float> bias;
  explicit linear_inputs(const linear_problem& p)
      : x(random_values<TX>(std::size_t(p.num_tokens * p.in_dim), 1)),
        weight(reference::random_weights<Type>(std::size_t(p.out_dim * p.in_dim), 2)),
        bias(random_values<float>(p.bias ? std::size_t(p.out_dim) : 0, 3)) {}
};

template <class T, class TX, class Type>
std::vector<T> run_linear_to(const linear_problem& p, const linear_inputs<TX, Type>& in) {
  const padded_matrix<TX> x(in.x, p.num_tokens, p.in_dim, p.gap);
  const padded_matrix<T> y(p.num_tokens, p.out_dim, p.gap);
  const padded_matrix<Type> weight(in.weight, p.out_dim, p.in_dim / block_traits<Type>::elements,
                                   p.gap);
  const device_buffer<float> bias(in.bias);
  EXPECT_SUCCESS(linear(y.view(), x.read(), weight.read(),
                        p.bias ? bias.view(p.out_dim) : tensor_view<float, 1>{}));
  return y.download();
}

template <class T, class Type>
std::vector<T> run_linear(const linear_problem& p, const linear_inputs<T, Type>& in) {
  return run_linear_to<T>(p, in);
}

/// Compares with double: sums of up to 2080 products, and one rounding to T.
template <class T, class Type, class TX = T>
void check_linear(const linear_problem& p) {
  SCOPED_TRACE(std::to_string(p.num_tokens) + " tokens, " + std::to_string(p.out_dim) + " x " +
               std::to_string(p.in_dim) + (p.bias ? ", bias" : "") + ", gap " +
               std::to_string(p.gap));
  const linear_inputs<TX, Type> in(p);
  const auto expected = reference::linear(to_double(in.x), reference::decode(in.weight),
                                          to_double(in.bias), p.num_tokens, p.out_dim, p.in_dim);
  expect_close(run_linear_to<T>(p, in), expected, rounding<T> + 3e-6, 1.0);
}

/// Every tail of a row, every number of tokens and of rows about the edges of tiles and kernels,
/// with and without a bias and gaps, for one pair of element types (and another one of x).
template <class T, class Type, class TX = T>
void check_linear_shapes() {
  int i = 0;
  const auto check = [&i](int num_tokens, int out_dim, int in_dim) {
    ++i;
    check_linear<T, Type, TX>({.num_tokens = num_tokens,
                               .out_dim = out_dim,
                               .in_dim = in_dim,
                               .bias = i % 2 == 0,
                               .gap = i % 3});
  };
  for (const int in_dim : {1, 7, 32, 33, 64, 96, 100, 288, 576}) {
    if (in_dim % block_traits<Type>::elements != 0) continue;
    for (const int num_tokens : {1, 3, 6, 9}) check(num_tokens, 25, in_dim);
  }
  for (const int num_tokens : {1, 2, 4, 5, 8, 9, 31, 33, 64, 65, 130}) check(num_tokens, 30, 96);
  for (const int out_dim : {1, 23, 24, 25, 63, 64, 65, 576}) {
    for (const int num_tokens : {1, 4, 9}) check(num_tokens, out_dim, 64);
  }
}

}  // namespace rocmforge::testing
