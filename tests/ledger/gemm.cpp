// Products with a weight matrix.
#include <rocmforge/gemm.hpp>

#include "every_type.hpp"

namespace rocmforge::ledger {

void compile_gemm() {
  for_each_weight_type([]<class Type>(Type) {
    compile(matmul(tensor_view<T, 2>{}, {}, tensor_view<const Type, 2>{}));
  });
}

}  // namespace rocmforge::ledger
