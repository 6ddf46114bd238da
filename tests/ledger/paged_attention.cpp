// Attention over keys and values in pages.
#include <rocmforge/attention.hpp>

#include "every_type.hpp"

namespace rocmforge::ledger {

void compile_paged_attention() {
  for_each_cache_type([]<class TCache>(TCache) {
    const tensor_view<TCache, 4> pages{};
    compile(paged_attention(tensor_view<T, 3>{}, {}, pages, pages, {}));
  });
}

}  // namespace rocmforge::ledger
