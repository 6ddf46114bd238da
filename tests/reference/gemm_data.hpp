// Batches of matrices in every layout that `gemm` takes, with NaN wherever no kernel may look, and
// the comparison with double.
#pragma once

#include <cmath>
#include <cstring>
#include <rocmforge/gemm.hpp>
#include <string>
#include <vector>

#include "reference/gemm.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {

/// Which of the last two axes is contiguous, how many elements lie between its lines, and how far
/// the first one is from an aligned address.
struct matrix_layout {
  bool transposed = false;
  int gap = 0;
  int offset = 0;
};

/// [batch, rows, columns] in device memory. Elements are named in the order of the axes, whatever
/// the layout.
template <class T>
class matrix_batch {
 public:
  matrix_batch(int batch, int rows, int columns, const matrix_layout& how = {}) {
    const int line = (how.transposed ? rows : columns) + how.gap;
    const int lines = (how.transposed ? columns : rows) + (how.gap > 0 ? 1 : 0);
    view_ = {nullptr,
             {batch, rows, columns},
             {std::int64_t{line} * lines, how.transposed ? 1 : line, how.transposed ? line : 1}};
    memory_.resize(std::size_t(how.offset + batch * line * lines + 1));
    std::memset(static_cast<void*>(memory_.data()), 0xff, memory_.size() * sizeof(T));
    device_ = device_buffer<T>(memory_);
    view_.data = device_.data() + how.offset;
  }
  matrix_batch(const std::vector<T>& values, int batch, int rows, int columns,
               const matrix_layout& how = {})
      : matrix_batch(batch, rows, columns, how) {
    for_each([&](std::size_t place, std::size_t i) { memory_[place] = values[i]; });
    device_.copy_from_host(memory_);
    stream_ref{}.synchronize();
  }
  const tensor_view<T, 3>& view() const { return view_; }

  /// What the device holds now; what lies in the gaps must be as it was.
  std::vector<T> download() const {
    auto now = device_.to_host();
    std::vector<T> result(std::size_t(view_.size()));
    for_each([&](std::size_t place, std::size_t i) {
      result[i] = now[place];
      now[place] = memory_[place];
    });
    EXPECT_EQ(std::memcmp(now.data(), memory_.data(), now.size() * sizeof(T)), 0)
        << "memory that is not C's was written";
    return result;
  }

 private:
  template <class F>
  void for_each(const F& f) const {
    std::size_t i = 0;
    for (int batch = 0; batch < view_.extent[0]; ++batch) {
      for (int row = 0; row < view_.extent[1]; ++row) {
        for (int column = 0; column < view_.extent[2]; ++column)
          f(std::size_t(&view_(batch, row, column) - device_.data()), i++);
      }
    }
  }

  std::vector<T> memory_;
  device_buffer<T> device_;
  tensor_view<T, 3> view_;
};

struct gemm_problem {
  int m, n, k;
  int batch = 1;
  matrix_layout a = {}, b = {}, c = {};
};

template <class T>
struct gemm_inputs {
  std::vector<T> a, b;
  explicit gemm_inputs(const gemm_problem& p)
      : a(random_values<T>(std::size_t(p.batch * p.m * p.k), 1)),
        b(random_values<T>(std::size_t(p.batch * p.k * p.n), 2)) {}
  std::vector<double> product(const gemm_problem& p) const {
    return reference::gemm(to_double(a), to_double(b), p.batch, p.m, p.n, p.k);
  }
};

/// C of `multiply(c, a, b)`, which returns a status.
template <class TC, class T, class Multiply>
std::vector<TC> run_gemm(const gemm_problem& p, const gemm_inputs<T>& in,
                         const Multiply& multiply) {
  const matrix_batch<T> a(in.a, p.batch, p.m, p.k, p.a), b(in.b, p.batch, p.k, p.n, p.b);
  const matrix_batch<TC> c(p.batch, p.m, p.n, p.c);
  EXPECT_SUCCESS(multiply(c.view(), a.view(), b.view()));
  return c.download();
}

inline constexpr auto plain_gemm = [](const auto& c, const auto& a, const auto& b) {
  return gemm(c, a, b);
};

inline std::string to_text(const gemm_problem& p) {
  const auto layout = [](const matrix_layout& how) {
    return std::string(how.transposed ? "^T" : "") + " gap " + std::to_string(how.gap) +
           " offset " + std::to_string(how.offset);
  };
  return std::to_string(p.batch) + " x " + std::to_string(p.m) + " x " + std::to_string(p.n) +
         " x " + std::to_string(p.k) + ", A" + layout(p.a) + ", B" + layout(p.b) + ", C" +
         layout(p.c);
}

/// Compares with double: sums of up to some hundred products, and one rounding to TC.
template <class TC, class T, class Multiply>
void check_gemm(const gemm_problem& p, const Multiply& multiply) {
  SCOPED_TRACE(to_text(p));
  const gemm_inputs<T> in(p);
  expect_close(run_gemm<TC>(p, in, multiply), in.product(p), rounding<TC> + 3e-6, 1.0);
}

/// Every transposition at sizes about the edges of packets, lanes' tiles and blocks' tiles.
template <class T, class Multiply>
void check_gemm_shapes(const Multiply& multiply) {
  const int edges[] = {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129};
  const int depths[] = {1, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100};
  int i = 0;
  for (const bool a_transposed : {false, true}) {
    for (const bool b_transposed : {false, true}) {
      const auto check = [&](int m, int n, int k) {
        ++i;
        const int gap = i % 3;
        check_gemm<T, T>({.m = m,
                          .n = n,
                          .k = k,
                          .batch = i % 5 == 0 ? 2 : 1,
                          .a = {a_transposed, gap, i % 2},
                          .b = {b_transposed, 2 * gap, i % 4},
                          .c = {false, gap, i / 2 % 2}},
                         multiply);
      };
      for (int e = 0; e < 13; ++e) check(edges[e], edges[(e + 5) % 13], depths[e % 11]);
      for (const int k : depths) check(20, 36, k);
      check(5, 130, 300);
      check(16, 16, 0);
    }
  }
}

}  // namespace rocmforge::testing
