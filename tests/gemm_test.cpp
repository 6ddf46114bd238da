// Products with dense and block-quantised weights against double loops over independently decoded weights.
#include <rocmforge/gemm.hpp>

#include "reference/matmul.hpp"
#include "reference/quant.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(gemm);

/// [rows, columns] in device memory, `gap` elements after each row, full of what must never be seen: NaN, or bytes 0xff.
template <class T>
class matrix {
 public:
  matrix(const std::vector<T>& values, int rows, int columns, int gap) : values_(values), stride_(columns + gap) {
    std::vector<T> memory(std::size_t(rows * stride_));
    std::memset(static_cast<void*>(memory.data()), 0xff, memory.size() * sizeof(T));
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns && !values.empty(); ++column) {
        memory[std::size_t(row * stride_ + column)] = values[std::size_t(row * columns + column)];
      }
    }
    device_ = device_buffer<T>(memory);
    view_ = {device_.data(), {rows, columns}, {stride_, 1}};
  }
  const tensor_view<T, 2>& view() const { return view_; }
  tensor_view<const T, 2> read() const { return view_; }
  const std::vector<T>& values() const { return values_; }

  /// What the device holds now; what lies in the gaps must be as it was.
  std::vector<T> download() const {
    const auto memory = device_.to_host();
    std::vector<T> result;
    for (std::size_t i = 0; i < memory.size(); ++i) {
      if (int(i) % stride_ < view_.extent[1]) {
        result.push_back(memory[i]);
      } else {
        EXPECT_TRUE(std::isnan(float(memory[i]))) << "element " << i << " of the gaps was written";
      }
    }
    return result;
  }

 private:
  std::vector<T> values_;
  int stride_;
  device_buffer<T> device_;
  tensor_view<T, 2> view_;
};

struct problem {
  int num_tokens, out_dim, in_dim;
  bool bias = false;
  int gap = 0;  // of the rows of x, y and the weights
};

template <class T, class Type>
std::vector<T> product(const problem& p, const std::vector<T>& x_values, const std::vector<Type>& weights,
                       const std::vector<float>& bias_values) {
  const matrix<T> x(x_values, p.num_tokens, p.in_dim, p.gap), y({}, p.num_tokens, p.out_dim, p.gap);
  const matrix<Type> weight(weights, p.out_dim, p.in_dim / block_traits<Type>::elements, p.gap);
  const device_buffer<float> bias(bias_values);
  EXPECT_SUCCESS(matmul(y.view(), x.read(), weight.read(), p.bias ? bias.view(p.out_dim) : tensor_view<float, 1>{}));
  return y.download();
}

template <class T, class Type>
void check(const problem& p) {
  SCOPED_TRACE(std::to_string(p.num_tokens) + " tokens, " + std::to_string(p.out_dim) + " x " + std::to_string(p.in_dim) +
               (p.bias ? ", bias" : "") + ", gap " + std::to_string(p.gap));
  const auto x = random_values<T>(std::size_t(p.num_tokens * p.in_dim), 1);
  const auto weights = reference::random_weights<Type>(std::size_t(p.out_dim * p.in_dim), 2);
  const auto bias = random_values<float>(p.bias ? std::size_t(p.out_dim) : 0, 3);
  const auto expected = reference::matmul(to_double(x), reference::decode(weights), to_double(bias), p.num_tokens, p.out_dim, p.in_dim);
  expect_close(product(p, x, weights, bias), expected, rounding<T> + 3e-6, 1.0);
}

/// Calls `f(T{}, Type{})` for the element types that are tested: activations, weights.
template <class F>
void for_each_pair(F f) {
  const auto traced = [&]<class T, class Type>(const char* name, T, Type) {
    SCOPED_TRACE(name);
    f(T{}, Type{});
  };
  traced("float, float", float{}, float{});
  traced("float, half", float{}, half{});
  traced("float, bfloat16", float{}, bfloat16{});
  traced("float, q4_0", float{}, q4_0{});
  traced("float, q4_1", float{}, q4_1{});
  traced("float, q8_0", float{}, q8_0{});
  traced("half, half", half{}, half{});
  traced("half, q4_0", half{}, q4_0{});
  traced("bfloat16, bfloat16", bfloat16{}, bfloat16{});
}

TEST_P(gemm, agrees_with_double_for_every_in_dim) {
  for_each_pair([]<class T, class Type>(T, Type) {
    for (const int in_dim : {1, 7, 33, 100, 32, 64, 96, 288, 576, 1536, 2080}) {
      if (in_dim % block_traits<Type>::elements != 0) continue;
      for (const int num_tokens : {1, 3, 6, 9}) check<T, Type>({.num_tokens = num_tokens, .out_dim = 25, .in_dim = in_dim});
    }
  });
}

}  // namespace
}  // namespace rocmforge::testing
