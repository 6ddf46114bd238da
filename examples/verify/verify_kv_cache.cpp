// Appending to a paged cache of keys and values.
#include <rocmforge/kv_cache.hpp>

#include "reference/kv_cache.hpp"
#include "tensors.hpp"
#include "ulp.hpp"

namespace verify {
namespace {

namespace reference = rocmforge::testing::reference;

/// Keys of `dim`, values of `dim + extra` elements a head; the pages hold older values, which must
/// stay.
template <class TCache, class T>
void add_append(case_list& list, int heads, int page_size, int dim, int extra, int gap) {
  const auto prepare = [=](const placement&) {
    // One token is not wanted, one lies beyond the last page.
    const std::vector<int> slots = {
        0, 1, 3 * page_size + 2, -1, 6 * page_size, page_size, 7 * page_size - 1, 7 * page_size};
    const int tokens = int(slots.size()), num_pages = 7;
    std::vector<std::shared_ptr<output>> outputs;
    const auto make = [&](const char* name, int size, unsigned seed) {
      const auto old =
          random_values<TCache>(std::size_t(num_pages * heads * page_size * size), seed);
      auto added = random_values<T>(std::size_t(tokens * heads * size), seed + 1);
      // Half way between two numbers of the cache, the even one wins.
      for (std::size_t i = 0; i + 1 < added.size(); i += 5) {
        const double value = nearest(format_of<TCache>, as_double(added[i]));
        added[i] = T(static_cast<float>(
            value + unit_in_last_place(format_of<TCache>, std::fabs(value)) / 2));
      }
      const auto from = make_tensor<T>({tokens, heads, size}, added, {gap, gap});
      const auto pages = expecting(
          make_tensor<TCache>({num_pages, heads, page_size, size}, old, {0, 2 * gap}), name, 0,
          num_pages, {}, [=] {
            auto rounded = to_double(added);
            for (double& value : rounded) value = nearest(format_of<TCache>, value);
            auto kept = slots;
            kept.back() = -1;
            return reference::kv_append(to_double(old), rounded, kept, heads, page_size, size);
          });
      outputs.push_back(pages);
      return std::pair{pages, from};
    };
    const auto k = make("k_pages", dim, 1), v = make("v_pages", dim + extra, 3);
    const auto where = make_tensor<int>({tokens}, slots);
    return trial{
        [=] {
          return refusal(rocmforge::kv_append(k.first->view(), v.first->view(), k.second->view(),
                                              v.second->view(), where->view()));
        },
        outputs};
  };
  list.tests.push_back({"kv_append", type_name<T> + ">" + type_name<TCache>,
                        shape_text({{"heads", heads},
                                    {"page_size", page_size},
                                    {"k_head_dim", dim},
                                    {"v_head_dim", dim + extra},
                                    {"gap", gap}}),
                        false, prepare});
}

template <class TCache, class T>
void add_appends(const settings& s, case_list& list) {
  const std::vector<int> dims = s.quick
                                    ? std::vector<int>{1, 17, 64}
                                    : std::vector<int>{1, 3, 8, 15, 16, 17, 33, 64, 65, 128, 200};
  int i = 0;
  for (const int dim : dims) {
    add_append<TCache, T>(list, 1 + i % 3, 3 + i % 3, dim, i % 2 * 3, i % 3);
    ++i;
  }
  const int heads = 8, dim = 128, page_size = 32, tokens = timing_rows<T>(s, 2 * heads * dim);
  const int pages = tokens / page_size;
  const auto count = std::size_t(tokens) * std::size_t(heads * dim);
  list.speeds.push_back(
      {"kv_append", type_name<T> + ">" + type_name<TCache>,
       shape_text({{"tokens", tokens}, {"heads", heads}, {"head_dim", dim}}),
       2.0 * double(count) * (sizeof(T) + sizeof(TCache)), 0, [=] {
         const auto k = timing_data<T>(count), v = timing_data<T>(count);
         const auto k_pages = timing_data<TCache>(count), v_pages = timing_data<TCache>(count);
         std::vector<int> slots;
         for (int token = 0; token < pages * page_size; ++token) slots.push_back(token);
         const auto where = std::make_shared<rocmforge::device_buffer<int>>(slots);
         return [=] {
           const int n = pages * page_size;
           return refusal(rocmforge::kv_append(k_pages->view(pages, heads, page_size, dim),
                                               v_pages->view(pages, heads, page_size, dim),
                                               k->view(n, heads, dim), v->view(n, heads, dim),
                                               where->view(n)));
         };
       }});
}

const registration kv_cache("kv_cache", [](const settings& s, case_list& list) {
  add_appends<float, float>(s, list);
  add_appends<half, float>(s, list);
  add_appends<bfloat16, float>(s, list);
  add_appends<half, half>(s, list);
  add_appends<bfloat16, bfloat16>(s, list);
  add_appends<float, half>(s, list);
});

}  // namespace
}  // namespace verify
