// The ops that sort. One source for all element types: what takes long to compile is the platform's
// sort, which is the same for each.
#include <rocmforge/sort.hpp>

#include "every_type.hpp"

namespace rocmforge::ledger {

void compile_sorts() {
  for_each_dtype([]<class Element>(Element) {
    const tensor_view<Element, 2> rows{};
    compile(sort_rows(rows, {}, rows, {}));
    compile(top_k({}, {}, rows, std::span<std::byte>{}));
  });
}

}  // namespace rocmforge::ledger
