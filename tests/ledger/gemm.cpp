// Linear layers and dense products.
#include <rocmforge/gemm.hpp>
#include <rocmforge/linear.hpp>

#include "every_type.hpp"

namespace rocmforge::ledger {

void compile_gemm() {
  for_each_weight_type([]<class Type>(Type) {
    compile(linear(tensor_view<T, 2>{}, {}, tensor_view<const Type, 2>{}));
  });
  // x of another type than y, with one kind of dense weights and one of blocks.
  if constexpr (!std::is_same_v<T, float>) {
    compile(linear(tensor_view<float, 2>{}, tensor_view<T, 2>{}, tensor_view<const T, 2>{}));
    compile(linear(tensor_view<T, 2>{}, tensor_view<float, 2>{}, tensor_view<const q8_0, 2>{}));
  }
  const tensor_view<T, 3> matrices{};
  compile(gemm(matrices, matrices, matrices));
  compile(gemm(
      matrices, matrices, matrices,
      epilogue::chain(epilogue::bias(tensor_view<T, 1>{}),
                      epilogue::activation(activations::silu{}), epilogue::residual(matrices))));
}

}  // namespace rocmforge::ledger
