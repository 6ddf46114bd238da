// Decoding of every block format, and encoding.
#include <rocmforge/quant.hpp>

#include "reference/quant.hpp"
#include "tensors.hpp"
#include "weights.hpp"

namespace verify {
namespace {

template <class Type, class T>
void add_dequantize(case_list& list, int rows, int row_blocks, int gap) {
  const int row_size = row_blocks * rocmforge::block_traits<Type>::elements;
  const auto prepare = [=](const placement& at) {
    const auto stored = [=](unsigned seed) {
      return reference::random_weights<Type>(std::size_t(rows * row_size), seed);
    };
    const int all = at.copies * rows;
    const auto x = make_tensor<Type>({all, row_blocks}, placed(at, 1, stored), {0, gap});
    // Floats are exact, and the others are rounded once.
    const tolerance allowed{sizeof(T) == 4 ? 0 : rounding<T> * 1.001, sizeof(T) == 4 ? 0 : 1e-3};
    const auto y =
        expecting(make_tensor<T>({all, row_size}, for_output({gap, gap})), "y", at.slot * rows,
                  (at.slot + 1) * rows, allowed, [=] { return reference::decode(stored(1)); });
    return trial{[=] { return refusal(rocmforge::dequantize<Type>(y->view(), x->view())); }, {y}};
  };
  list.tests.push_back({"dequantize", weight_name<Type> + ">" + type_name<T>,
                        shape_text({{"rows", rows}, {"row_size", row_size}, {"gap", gap}}), true,
                        prepare});
}

template <class Type, class T>
void add_dequantizes(const settings& s, case_list& list) {
  constexpr int elements = rocmforge::block_traits<Type>::elements;
  int i = 0;
  for (const int row_blocks : {1, 2, 7, elements == 256 ? 17 : 130}) {
    add_dequantize<Type, T>(list, i % 2 == 0 ? 3 : 1, row_blocks, i % 3);
    ++i;
  }
  const int row_size = 4096, rows = timing_rows<T>(s, row_size);
  const auto count = std::size_t(rows) * std::size_t(row_size);
  list.speeds.push_back({"dequantize", weight_name<Type> + ">" + type_name<T>,
                         shape_text({{"rows", rows}, {"row_size", row_size}}),
                         double(count) * (sizeof(T) + double(sizeof(Type)) / elements), 0, [=] {
                           const auto x = timing_weights<Type>(count);
                           const auto y = timing_data<T>(count);
                           return [=] {
                             return refusal(rocmforge::dequantize<Type>(
                                 y->view(rows, row_size), x->view(rows, row_size / elements)));
                           };
                         }});
}

/// How far a weight may be from a number of [-1, 1): half a step of the format and what its scales
/// are rounded by; a whole step where one end has a number less, or where least squares give up an
/// extreme number for the sake of the others.
template <class Type>
double encoding_error() {
  using rocmforge::q2_k, rocmforge::q3_k, rocmforge::q4_k, rocmforge::q5_k, rocmforge::q6_k;
  using rocmforge::q4_0, rocmforge::q4_1, rocmforge::q5_0, rocmforge::q5_1;
  if (std::is_same_v<Type, q2_k>) return 0.5;
  if (std::is_same_v<Type, q3_k>) return 0.25;
  if (std::is_same_v<Type, q4_0> || std::is_same_v<Type, q4_k>) return 0.13;
  if (std::is_same_v<Type, q4_1>) return 0.07;
  if (std::is_same_v<Type, q5_0> || std::is_same_v<Type, q5_k>) return 0.065;
  if (std::is_same_v<Type, q5_1>) return 0.034;
  if (std::is_same_v<Type, q6_k>) return 0.04;
  return 0.005;
}

/// Encoded and decoded again.
template <class Type, class T>
void add_quantize(case_list& list, int rows, int row_blocks, int gap) {
  const int row_size = row_blocks * rocmforge::block_traits<Type>::elements;
  const auto prepare = [=](const placement& at) {
    const auto numbers = [=](unsigned seed) {
      return random_values<T>(std::size_t(rows * row_size), seed, -1, 1);
    };
    const int all = at.copies * rows;
    const auto x = make_tensor<T>({all, row_size}, placed(at, 1, numbers), {gap, gap});
    const auto blocks = make_tensor<Type>(
        {all, row_blocks}, std::vector<Type>(std::size_t(all * row_blocks)), {0, gap});
    const auto y = expecting(make_tensor<float>({all, row_size}, for_output({})), "y",
                             at.slot * rows, (at.slot + 1) * rows, {encoding_error<Type>(), 1},
                             [=] { return to_double(numbers(1)); });
    return trial{[=] {
                   const auto encoded =
                       refusal(rocmforge::quantize<Type>(blocks->view(), x->view()));
                   if (!encoded.empty()) return encoded;
                   return refusal(rocmforge::dequantize<Type>(y->view(), blocks->view()));
                 },
                 {y}};
  };
  list.tests.push_back({"quantize", std::string(type_name<T>) + ">" + weight_name<Type>,
                        shape_text({{"rows", rows}, {"row_size", row_size}, {"gap", gap}}), true,
                        prepare});
}

template <class Type, class T>
void add_quantizes(const settings& s, case_list& list) {
  constexpr int elements = rocmforge::block_traits<Type>::elements;
  add_quantize<Type, T>(list, 3, 1, 1);
  add_quantize<Type, T>(list, 1, elements == 256 ? 17 : 130, 0);
  const int row_size = 4096, rows = timing_rows<T>(s, row_size);
  const auto count = std::size_t(rows) * std::size_t(row_size);
  list.speeds.push_back({"quantize", std::string(type_name<T>) + ">" + weight_name<Type>,
                         shape_text({{"rows", rows}, {"row_size", row_size}}),
                         double(count) * (sizeof(T) + double(sizeof(Type)) / elements), 0, [=] {
                           const auto x = timing_data<T>(count);
                           const auto y = timing_weights<Type>(count);
                           return [=] {
                             return refusal(rocmforge::quantize<Type>(
                                 y->view(rows, row_size / elements), x->view(rows, row_size)));
                           };
                         }});
}

const registration quant("quant", [](const settings& s, case_list& list) {
  rocmforge::for_each_block_format(
      [&]<class Type>(Type) { add_dequantizes<Type, float>(s, list); });
  add_dequantizes<rocmforge::q4_0, half>(s, list);
  add_dequantizes<rocmforge::q6_k, bfloat16>(s, list);
  rocmforge::for_each_encoded_format(
      [&]<class Type>(Type) { add_quantizes<Type, float>(s, list); });
  add_quantizes<rocmforge::q8_0, half>(s, list);
});

}  // namespace
}  // namespace verify
