// Attention over contiguous keys and values.
#include <rocmforge/attention.hpp>

#include "every_type.hpp"

namespace rocmforge::ledger {

void compile_attention() {
  for_each_cache_type([]<class TCache>(TCache) {
    const tensor_view<TCache, 4> cache{};
    compile(attention(tensor_view<T, 4>{}, {}, cache, cache));
  });
  compile(merge_states(tensor_view<T, 4>{}, tensor_view<const float, 5>{}, {}));
}

}  // namespace rocmforge::ledger
