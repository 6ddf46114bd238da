// Products with a weight matrix, for one pair of element types.
#pragma once

#include <algorithm>
#include <rocmforge/linear.hpp>

#include "reference/linear.hpp"
#include "weights.hpp"

namespace verify {

/// kernels::matvec serves a few tokens, kernels::linear many.
inline const char* linear_name(int num_tokens, int wave_size) {
  return num_tokens <= rocmforge::max_matvec_tokens(wave_size) ? "linear few tokens" : "linear";
}

template <class T, class Type, class TX = T>
std::string linear_types() {
  return type_name<TX> + "*" + weight_name<Type> +
         (std::is_same_v<T, TX> ? "" : " to " + type_name<T>);
}

/// `product(y, x, weight, bias)` launches what is tried.
template <class T, class Type, class TX, class Product>
void add_linear_by(case_list& list, const char* name, bool has_slots, int num_tokens, int out_dim,
                   int in_dim, bool biased, int gap, const Product& product) {
  constexpr int elements = rocmforge::block_traits<Type>::elements;
  const auto prepare = [=](const placement& at) {
    const auto count = std::size_t(num_tokens * in_dim);
    const auto weights = reference::random_weights<Type>(std::size_t(out_dim * in_dim), 2);
    const auto biases = random_values<float>(biased ? std::size_t(out_dim) : 0, 3);
    const int all = at.copies * num_tokens;
    const auto x =
        make_tensor<TX>({all, in_dim}, placed_values<TX>(at, count, 1), layout{gap, gap});
    const auto weight = make_tensor<Type>({out_dim, in_dim / elements}, weights, layout{gap, gap});
    const auto bias = make_tensor<float>({int(biases.size())}, biases);
    // Sums of products in floats, whose error grows with their number, and one rounding to T.
    const double sum_error = 3e-6 * std::max(1.0, in_dim / 2080.0);
    const auto y =
        expecting(make_tensor<T>({all, out_dim}, for_output({gap, gap})), "y", at.slot * num_tokens,
                  (at.slot + 1) * num_tokens, {rounding<T> + sum_error, 1.0}, [=] {
                    return reference::linear(to_double(random_values<TX>(count, 1)),
                                             reference::decode(weights), to_double(biases),
                                             num_tokens, out_dim, in_dim);
                  });
    return trial{[=] {
                   const auto offsets = biased ? tensor_view<const float, 1>(bias->view())
                                               : tensor_view<const float, 1>{};
                   return refusal(product(y->view(), tensor_view<const TX, 2>(x->view()),
                                          tensor_view<const Type, 2>(weight->view()), offsets));
                 },
                 {y}};
  };
  list.tests.push_back(
      {name, linear_types<T, Type, TX>(),
       shape_text(
           {{"tokens", num_tokens}, {"out_dim", out_dim}, {"in_dim", in_dim}, {"gap", gap}}) +
           (biased ? ", bias" : ""),
       has_slots, prepare});
}

template <class T, class Type, class TX = T>
void add_linear(const settings& s, case_list& list, int num_tokens, int out_dim, int in_dim,
                bool biased, int gap) {
  // Between the two kernels bits may differ: only where one of them serves both batches.
  const bool has_slots = num_tokens > rocmforge::max_matvec_tokens(s.wave_size);
  add_linear_by<T, Type, TX>(
      list, linear_name(num_tokens, s.wave_size), has_slots, num_tokens, out_dim, in_dim, biased,
      gap, [](const auto& y, const auto& x, const auto& weight, const auto& bias) {
        return rocmforge::linear(y, x, weight, bias);
      });
}

#if defined(ROCMFORGE_EMULATION)
/// The kernel for matrix instructions on an emulated wave, whose instruction is plain arithmetic.
template <class T, class Type, int WaveSize>
void add_linears_by_tiles(case_list& list) {
  const auto by_tiles = [](const tensor_view<T, 2>& y, const tensor_view<const T, 2>& x,
                           const tensor_view<const Type, 2>& weight,
                           const tensor_view<const float, 1>& bias) {
    constexpr int lanes = 4 * WaveSize;
    constexpr auto tile = rocmforge::linear_mma_tile_for(lanes, WaveSize);
    using instruction = rocmforge::mma::host_tile<rocmforge::half, float, 16, 16, 16, WaveSize>;
    using kernel = rocmforge::kernels::linear_mma<T, Type, instruction, tile, lanes, WaveSize>;
    return rocmforge::launch("linear", kernel{y, x, weight, bias},
                             {rocmforge::linear_launch::tiles_of(tile, y)}, {});
  };
  constexpr int in_dim = 3 * std::max(32, rocmforge::block_traits<Type>::elements);
  add_linear_by<T, Type, T>(list, "linear by tiles", true, 37, 90, in_dim, true, 1, by_tiles);
  add_linear_by<T, Type, T>(list, "linear by tiles", true, 70, 65, in_dim, false, 0, by_tiles);
}
#endif

template <class T, class Type>
void add_linear_speed(const settings& s, case_list& list, int num_tokens, int out_dim, int in_dim) {
  constexpr int elements = rocmforge::block_traits<Type>::elements;
  const double weights = double(out_dim) * in_dim;
  // A few tokens cost what reading the weights costs.
  const bool reads = num_tokens <= rocmforge::max_matvec_tokens(s.wave_size);
  list.speeds.push_back(
      {linear_name(num_tokens, s.wave_size), linear_types<T, Type>(),
       shape_text({{"tokens", num_tokens}, {"out_dim", out_dim}, {"in_dim", in_dim}}),
       reads ? weights / elements * double(sizeof(Type)) : 0, reads ? 0 : 2 * weights * num_tokens,
       [=] {
         const auto x = timing_data<T>(std::size_t(num_tokens) * std::size_t(in_dim)),
                    y = timing_data<T>(std::size_t(num_tokens) * std::size_t(out_dim));
         const auto weight = timing_weights<Type>(std::size_t(out_dim) * std::size_t(in_dim));
         return [=] {
           return refusal(rocmforge::linear(
               y->view(num_tokens, out_dim), x->view(num_tokens, in_dim),
               tensor_view<const Type, 2>(weight->view(out_dim, in_dim / elements))));
         };
       }});
}

/// Every tail of a row, and numbers of tokens and of rows about the edges of tiles and kernels.
template <class T, class Type>
void add_linears(const settings& s, case_list& list) {
  constexpr int elements = rocmforge::block_traits<Type>::elements;
  int i = 0;
  const auto add = [&](int num_tokens, int out_dim, int in_dim) {
    if (elements == 256) in_dim *= 8;
    if (in_dim % elements != 0) return;
    ++i;
    add_linear<T, Type>(s, list, num_tokens, out_dim, in_dim, i % 2 == 0, i % 3);
  };
  using sizes = std::vector<int>;
  for (const int in_dim :
       s.quick ? sizes{7, 32, 33, 96} : sizes{1, 7, 31, 32, 33, 64, 65, 96, 100, 257, 288, 576}) {
    for (const int num_tokens : s.quick ? sizes{1, 3, 9} : sizes{1, 3, 6, 9})
      add(num_tokens, 25, in_dim);
  }
  for (const int num_tokens :
       s.quick ? sizes{5, 65} : sizes{1, 2, 4, 5, 8, 9, 31, 33, 63, 64, 65, 130, 257})
    add(num_tokens, 30, 96);
  for (const int out_dim : s.quick ? sizes{65} : sizes{1, 23, 24, 25, 63, 64, 65, 255, 576}) {
    for (const int num_tokens : s.quick ? sizes{1, 9} : sizes{1, 4, 9})
      add(num_tokens, out_dim, 64);
  }
  // Several steps of each wave of a block; more of x than a block can hold.
  add(1, 25, elements == 256 ? 1152 : 9216);
  add(4, 9, elements == 256 ? 1152 : 9216);
  if (!s.quick) {
    add(1, 896, 4864);
    add(17, 576, 1536);
    add(3, 100, 2080);
  }
  const int in_dim = 4096;
  const double row_bytes = double(sizeof(Type)) * in_dim / elements;
  const bool host = s.architecture == "host";
  add_linear_speed<T, Type>(s, list, 1, int((host ? 32 : 256) * double(1 << 20) / row_bytes),
                            in_dim);
  add_linear_speed<T, Type>(s, list, host ? 128 : 1024, host ? 1024 : 4096, host ? 1024 : 4096);
}

}  // namespace verify
