// Dense products of any layout, with and without an epilogue.
#include <rocmforge/gemm.hpp>

#include "reference/gemm.hpp"
#include "tensors.hpp"

namespace verify {
namespace {

namespace reference = rocmforge::testing::reference;
namespace epilogue = rocmforge::epilogue;

struct problem {
  int m, n, k;
  bool a_transposed = false, b_transposed = false;
  int batch = 1, gap = 0;
};

/// [batch, rows, columns] with either of the last two axes contiguous.
template <class T>
tensor<T, 3> make_matrices(int batch, int rows, int columns, bool transposed,
                           const std::vector<T>& values, int gap) {
  const int line = (transposed ? rows : columns) + gap;
  const std::int64_t lines = transposed ? columns : rows;
  const int extents[] = {batch, rows, columns};
  const std::int64_t strides[] = {line * lines, transposed ? 1 : line, transposed ? line : 1};
  const auto result = std::make_shared<guarded_tensor<T, 3>>(extents, strides, layout{gap, 0});
  result->fill(values);
  return result;
}

/// The case `multiply(c, a, b)`, where `expected(sum, row, column)` is what becomes of a product.
template <class T, class Multiply, class Expected>
void add_product(case_list& list, const std::string& op, const problem& p, const Multiply& multiply,
                 const Expected& expected) {
  const auto prepare = [=](const placement& at) {
    const auto a_count = std::size_t(p.batch * p.m * p.k),
               b_count = std::size_t(p.batch * p.k * p.n);
    const int all = at.copies * p.batch;
    const auto a = make_matrices(all, p.m, p.k, p.a_transposed, placed_values<T>(at, a_count, 1),
                                 p.gap),
               b = make_matrices(all, p.k, p.n, p.b_transposed, placed_values<T>(at, b_count, 2),
                                 2 * p.gap);
    // Sums of up to some hundred products, and one rounding to T.
    const auto c =
        expecting(make_tensor<T>({all, p.m, p.n}, for_output({p.gap, p.gap})), "C",
                  at.slot * p.batch, (at.slot + 1) * p.batch, {rounding<T> + 6e-6, 1.0}, [=] {
                    auto sums = reference::gemm(to_double(random_values<T>(a_count, 1)),
                                                to_double(random_values<T>(b_count, 2)), p.batch,
                                                p.m, p.n, p.k);
                    for (int i = 0; i < int(sums.size()); ++i)
                      sums[std::size_t(i)] = expected(sums[std::size_t(i)], i / p.n % p.m, i % p.n);
                    return sums;
                  });
    return trial{[=] { return refusal(multiply(c->view(), a->view(), b->view())); }, {c}};
  };
  list.tests.push_back(
      {op, type_name<T>,
       shape_text({{"batch", p.batch}, {"m", p.m}, {"n", p.n}, {"k", p.k}, {"gap", p.gap}}) +
           (p.a_transposed ? ", A by columns" : "") + (p.b_transposed ? ", B by columns" : ""),
       true, prepare});
}

/// Every layout at sizes about the edges of packets and tiles.
template <class T, class Multiply>
void add_products(const settings& s, case_list& list, const std::string& op,
                  const Multiply& multiply) {
  const std::vector<int> sizes =
      s.quick ? std::vector<int>{1, 17, 33, 130}
              : std::vector<int>{1, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 200};
  const std::vector<int> depths =
      s.quick ? std::vector<int>{7, 40, 65} : std::vector<int>{1, 7, 16, 17, 32, 33, 65, 100, 257};
  for (int i = 0; i < 2 * int(sizes.size()); ++i) {
    const auto at = [i](const std::vector<int>& of, int shift) {
      return of[std::size_t(i + shift) % of.size()];
    };
    add_product<T>(list, op,
                   {.m = at(sizes, 0),
                    .n = at(sizes, 1 + i / int(sizes.size())),
                    .k = at(depths, 0),
                    .a_transposed = i % 2 == 1,
                    .b_transposed = i / 2 % 2 == 1,
                    .batch = 1 + i % 2,
                    .gap = i % 3},
                   multiply, [](double sum, int, int) { return sum; });
  }
}

template <class T>
void add_epilogue(case_list& list, const problem& p) {
  const auto offsets =
      std::make_shared<rocmforge::device_buffer<float>>(random_values<float>(std::size_t(p.n), 3));
  // The same for every matrix of the batch.
  const auto rest =
      std::make_shared<rocmforge::device_buffer<T>>(random_values<T>(std::size_t(p.m * p.n), 4));
  add_product<T>(
      list, "gemm bias silu residual", p,
      [=](const auto& c, const auto& a, const auto& b) {
        const tensor_view<const T, 3> residual =
            rocmforge::broadcast_batch(tensor_view<const T, 2>(rest->view(p.m, p.n)), c.extent[0]);
        return rocmforge::gemm(c, a, b,
                               epilogue::chain(epilogue::bias(offsets->view(p.n)),
                                               epilogue::activation(rocmforge::activations::silu{}),
                                               epilogue::residual(residual)),
                               {.alpha = 0.5f});
      },
      [=, bias = random_values<float>(std::size_t(p.n), 3),
       residual = random_values<T>(std::size_t(p.m * p.n), 4)](double sum, int row, int column) {
        const double x = 0.5 * sum + double(bias[std::size_t(column)]);
        return x / (1 + std::exp(-x)) + as_double(residual[std::size_t(row * p.n + column)]);
      });
}

template <class T>
void add_speed(const settings& s, case_list& list) {
  const int size = s.architecture == "host" ? 1024 : 4096;
  const auto count = std::size_t(size) * std::size_t(size);
  list.speeds.push_back({"gemm", type_name<T>, shape_text({{"m", size}, {"n", size}, {"k", size}}),
                         0, 2.0 * size * size * size, [=] {
                           const auto a = timing_data<T>(count), b = timing_data<T>(count),
                                      c = timing_data<T>(count);
                           return [=] {
                             return refusal(rocmforge::gemm(
                                 c->view(size, size), a->view(size, size), b->view(size, size)));
                           };
                         }});
}

const registration products("gemm", [](const settings& s, case_list& list) {
  for_each_dtype([&]<class T>(T) {
    add_products<T>(s, list, "gemm", [](const auto& c, const auto& a, const auto& b) {
      return rocmforge::gemm(c, a, b);
    });
    add_speed<T>(s, list);
  });
  // More of k than a host's block takes at a time.
  add_product<float>(
      list, "gemm", {.m = 9, .n = 50, .k = 800, .b_transposed = true},
      [](const auto& c, const auto& a, const auto& b) { return rocmforge::gemm(c, a, b); },
      [](double sum, int, int) { return sum; });
  add_epilogue<float>(list, {.m = 20, .n = 70, .k = 33, .batch = 2, .gap = 1});
  add_epilogue<float>(list, {.m = 130, .n = 35, .k = 9});
  add_epilogue<half>(list, {.m = 130, .n = 131, .k = 40});
#if defined(ROCMFORGE_EMULATION)
  // The kernel for matrix instructions on an emulated wave, whose instruction is plain arithmetic.
  if (s.wave_size == 1) return;
  static_cast<void>(rocmforge::dispatch(
      rocmforge::int_list<32, 64>{}, s.wave_size, "gemm", "", "", [&](auto wave) {
        using instruction = rocmforge::mma::host_tile<half, float, 16, 16, 16, wave>;
        constexpr auto tile = rocmforge::gemm_mma_tile_for(256, wave);
        using kernel =
            rocmforge::kernels::gemm_mma<instruction, half, epilogue::none, tile, 256, wave>;
        add_products<half>(s, list, "gemm by tiles",
                           [](const auto& c, const auto& a, const auto& b) {
                             return rocmforge::kernels::launch_gemm<kernel, half>(
                                 "gemm", c, a, b, 1.0f, epilogue::none{}, {});
                           });
        return rocmforge::status{};
      }));
#endif
});

}  // namespace
}  // namespace verify
