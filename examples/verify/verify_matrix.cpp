// Matrix instructions: products of a few tiles, whose numbers are exact in every order of addition.
#include "instructions.hpp"
#include "reference/linear.hpp"
#include "tensors.hpp"

namespace verify {
namespace {

namespace reference = rocmforge::testing::reference;
using rocmforge::slice;

/// C += A B along `steps` tiles of k, by one wave.
template <class I>
struct multiply_tiles {
  static constexpr int block_size = I::lanes;
  static constexpr int wave_size = I::lanes;
  struct shared_storage {};
  tensor_view<typename I::c_element, 2> c;        // [m, n]
  tensor_view<const typename I::a_element, 2> a;  // [m, steps * k]
  tensor_view<const typename I::b_element, 2> b;  // [steps * k, n]

  template <class T>
  struct tile_at {
    tensor_view<T, 2> all;
    int first_row, first_col;
    ROCMFORGE_HOST_DEVICE T operator()(int row, int col) const {
      return all(first_row + row, first_col + col);
    }
    ROCMFORGE_HOST_DEVICE void operator()(int row, int col, T value) const {
      all(first_row + row, first_col + col) = value;
    }
  };

  ROCMFORGE_DEVICE void operator()(rocmforge::block_context<block_size, wave_size> block,
                                   shared_storage&) const {
    const int lane = block.thread;
    const tile_at<typename I::c_element> sums{c, 0, 0};
    auto held = mma::load_c<I>(lane, sums);
    for (int k = 0; k < a.extent[1]; k += I::k) {
      I::multiply(held, mma::load_a<I>(lane, tile_at<const typename I::a_element>{a, 0, k}),
                  mma::load_b<I>(lane, tile_at<const typename I::b_element>{b, k, 0}));
    }
    mma::store_c<I>(lane, held, sums);
  }
};

/// Quarters up to 8 (bfloat16 has 8 bits), or bytes.
template <class T>
std::vector<T> exact_values(int count, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<T> values;
  for (int i = 0; i < count; ++i) {
    if constexpr (std::is_integral_v<T>) {
      values.push_back(static_cast<T>(static_cast<int>(engine() % 256) - 128));
    } else {
      values.push_back(static_cast<T>(0.25f * static_cast<float>(engine() % 65) - 8.0f));
    }
  }
  return values;
}

template <class I>
void add_product(case_list& list, const std::string& name, int steps) {
  using T = typename I::a_element;
  using C = typename I::c_element;
  const auto prepare = [=](const placement&) {
    const int depth = steps * I::k;
    const auto a_values = exact_values<T>(I::m * depth, 1),
               b_values = exact_values<T>(depth * I::n, 2);
    const auto c_values = exact_values<C>(I::m * I::n, 3);
    const auto a = make_tensor<T>({I::m, depth}, a_values),
               b = make_tensor<T>({depth, I::n}, b_values);
    const auto c = expecting(make_tensor<C>({I::m, I::n}, c_values), "C", 0, I::m, {}, [=] {
      std::vector<double> b_columns;  // [n, depth]
      for (int col = 0; col < I::n; ++col) {
        for (int k = 0; k < depth; ++k)
          b_columns.push_back(as_double(b_values[std::size_t(k * I::n + col)]));
      }
      auto sums = reference::linear(to_double(a_values), b_columns, {}, I::m, I::n, depth);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += as_double(c_values[i]);
      return sums;
    });
    return trial{[=] {
                   return refusal(rocmforge::launch(
                       "matrix", multiply_tiles<I>{c->view(), a->view(), b->view()}, {}, {}));
                 },
                 {c}};
  };
  list.tests.push_back({name, std::is_integral_v<T> ? "i8" : type_name<T>,
                        shape_text({{"m", I::m}, {"n", I::n}, {"k", I::k}, {"steps", steps}}),
                        false, prepare});
}

const registration products("matrix", [](const settings& s, case_list& list) {
  bool any = false;
  for_each_instruction(instructions{}, s.architecture, [&](auto instruction) {
    using I = decltype(instruction);
    any = true;
    for (const int steps : {1, 3}) add_product<I>(list, I::name, steps);
  });
  if (!any) list.skipped.push_back("matrix instructions, which " + s.architecture + " has none of");
  // Plain multiply-adds that any device has.
  static_cast<void>(rocmforge::dispatch_wave_size<256>("matrix", {}, [&](auto wave) {
    for (const int steps : {1, 3}) {
      add_product<mma::host_tile<float, float, 32, 32, 4, wave>>(list, "host_tile", steps);
      add_product<mma::host_tile<half, float, 16, 16, 16, wave>>(list, "host_tile", steps);
      add_product<mma::host_tile<bfloat16, float, 16, 16, 16, wave>>(list, "host_tile", steps);
    }
    return rocmforge::status{};
  }));
});

}  // namespace
}  // namespace verify
