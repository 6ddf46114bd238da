// Appending to a paged cache of keys and values, alone and with the rotation of queries and keys.
#include <cstring>
#include <rocmforge/kv_cache.hpp>

#include "reference/kv_cache.hpp"
#include "reference/rope.hpp"
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

// One token is not wanted, one lies beyond the last of seven pages.
std::vector<int> slots_of(int page_size) {
  return {0, 1, 3 * page_size + 2, -1, 6 * page_size, page_size, 7 * page_size - 1, 7 * page_size};
}
std::vector<int> kept_slots_of(int page_size) {
  auto slots = slots_of(page_size);
  slots.back() = -1;
  return slots;
}

/// Blocks as whole numbers, of which two blocks are `words<Type>`: what is compared is every bit.
template <class Type>
inline constexpr int words = 2 * int(sizeof(Type)) / 4;

template <class Type>
std::vector<int> as_words(const std::vector<Type>& blocks) {
  std::vector<int> result(blocks.size() / 2 * words<Type>);
  std::memcpy(result.data(), blocks.data(), result.size() * 4);
  return result;
}

/// Seven pages of blocks, as what they are and as words.
template <class Type>
class block_pages {
 public:
  block_pages(const char* name, int heads, int page_size, int dim, unsigned seed,
              const std::vector<float>& added)
      : dim_(dim), page_size_(page_size), heads_(heads) {
    const auto old = random_values<float>(std::size_t(7 * heads * page_size * dim), seed);
    const auto before = as_words(reference::encode(old, Type{}));
    const int row = dim / 64 * words<Type>;
    words_ = expecting(make_tensor<int>({7, heads, page_size, row}, before, {0, words<Type>}), name,
                       0, 7, {}, [=] {
                         const auto after = reference::kv_append(
                             before, as_words(reference::encode(added, Type{})),
                             kept_slots_of(page_size), heads, page_size, row);
                         return to_double(after);
                       });
  }
  [[nodiscard]] tensor_view<Type, 4> view() const {
    const auto w = words_->view();
    tensor_view<Type, 4> blocks{
        reinterpret_cast<Type*>(w.data), {7, heads_, page_size_, dim_ / 32}, {}};
    for (int axis = 0; axis < 3; ++axis) blocks.stride[axis] = w.stride[axis] / words<Type> * 2;
    blocks.stride[3] = 1;
    return blocks;
  }
  [[nodiscard]] std::shared_ptr<output> out() const { return words_; }

 private:
  int dim_, page_size_, heads_;
  tensor<int, 4> words_;
};

/// A quantized cache. Of the fused op all positions are 0 and the attention factor is 2, so that
/// the rotated keys are known to the last bit.
template <class Type>
void add_quantized(case_list& list, bool fused, int heads, int dim, int v_dim) {
  const int page_size = 5, tokens = int(slots_of(page_size).size());
  const auto prepare = [=](const placement&) {
    const auto k = random_values<float>(std::size_t(tokens * heads * dim), 1),
               v = random_values<float>(std::size_t(tokens * heads * v_dim), 2);
    auto keys = k;
    for (float& key : keys) key *= fused ? 2 : 1;
    const auto k_pages =
                   std::make_shared<block_pages<Type>>("k_pages", heads, page_size, dim, 3, keys),
               v_pages =
                   std::make_shared<block_pages<Type>>("v_pages", heads, page_size, v_dim, 4, v);
    const auto from_k = make_tensor<float>({tokens, heads, dim}, k, {1, 3}),
               from_v = make_tensor<float>({tokens, heads, v_dim}, v, {1, 3});
    const auto where = make_tensor<int>({tokens}, slots_of(page_size)),
               positions = make_tensor<int>({tokens}, std::vector<int>(std::size_t(tokens), 0));
    const auto q_out = make_tensor<float>({tokens, 1, dim}),
               q = make_tensor<float>({tokens, 1, dim},
                                      std::vector<float>(std::size_t(tokens * dim), 1.0f));
    return trial{
        [=] {
          if (!fused) {
            return refusal(rocmforge::kv_append(k_pages->view(), v_pages->view(), from_k->view(),
                                                from_v->view(), where->view()));
          }
          rocmforge::rope_options options{.layout = rocmforge::rope_layout::interleaved};
          options.attention_factor = 2;
          return refusal(rocmforge::rope_kv_append(q_out->view(), k_pages->view(), v_pages->view(),
                                                   q->view(), from_k->view(), from_v->view(),
                                                   positions->view(), where->view(), options));
        },
        {k_pages->out(), v_pages->out()}};
  };
  const std::string type = std::is_same_v<Type, rocmforge::q8_0> ? "f32>q8_0" : "f32>q4_0";
  list.tests.push_back({fused ? "rope_kv_append" : "kv_append", type,
                        shape_text({{"heads", heads}, {"k_head_dim", dim}, {"v_head_dim", v_dim}}),
                        false, prepare});
}

template <class TCache, class T>
void add_fused(case_list& list, int heads, int kv_heads, int dim, int rotary_dim,
               bool interleaved) {
  const int page_size = 5, tokens = int(slots_of(page_size).size());
  const auto prepare = [=](const placement&) {
    const std::vector<int> positions = {0, 1, 17, 4, 30, 5, 34, 2};
    const auto q = random_values<T>(std::size_t(tokens * heads * dim), 1),
               k = random_values<T>(std::size_t(tokens * kv_heads * dim), 2),
               v = random_values<T>(k.size(), 3);
    const auto old_k = random_values<TCache>(std::size_t(7 * kv_heads * page_size * dim), 4),
               old_v = random_values<TCache>(old_k.size(), 5);
    const auto rotated = [=](const std::vector<T>& x, int count) {
      return reference::rope(to_double(x), positions, {count, dim, rotary_dim, interleaved});
    };
    const auto appended = [=](const std::vector<TCache>& old, const std::vector<double>& values) {
      return reference::kv_append(to_double(old), values, kept_slots_of(page_size), kv_heads,
                                  page_size, dim);
    };
    const auto q_out =
        expecting(make_tensor<T>({tokens, heads, dim}, layout{1, 5}), "q_out", 0, tokens,
                  {rounding<T> + 3e-7, 1.0}, [=] { return rotated(q, heads); });
    const auto k_pages = expecting(
        make_tensor<TCache>({7, kv_heads, page_size, dim}, old_k, {0, 2}), "k_pages", 0, 7,
        {rounding<TCache> + 3e-7, 1.0}, [=] { return appended(old_k, rotated(k, kv_heads)); });
    const auto v_pages =
        expecting(make_tensor<TCache>({7, kv_heads, page_size, dim}, old_v, {0, 4}), "v_pages", 0,
                  7, {}, [=] {
                    auto values = to_double(v);
                    for (double& value : values) value = nearest(format_of<TCache>, value);
                    return appended(old_v, values);
                  });
    const auto from_q = make_tensor<T>({tokens, heads, dim}, q, {1, 3}),
               from_k = make_tensor<T>({tokens, kv_heads, dim}, k, {1, 3}),
               from_v = make_tensor<T>({tokens, kv_heads, dim}, v, {1, 3});
    const auto where = make_tensor<int>({tokens}, slots_of(page_size)),
               at = make_tensor<int>({tokens}, positions);
    return trial{[=] {
                   rocmforge::rope_options options{
                       .layout = interleaved ? rocmforge::rope_layout::interleaved
                                             : rocmforge::rope_layout::half_split};

                   options.rotary_dim = rotary_dim;
                   return refusal(rocmforge::rope_kv_append(
                       q_out->view(), k_pages->view(), v_pages->view(), from_q->view(),
                       from_k->view(), from_v->view(), at->view(), where->view(), options));
                 },
                 {q_out, k_pages, v_pages}};
  };
  list.tests.push_back({"rope_kv_append", type_name<T> + ">" + type_name<TCache>,
                        shape_text({{"heads", heads},
                                    {"kv_heads", kv_heads},
                                    {"head_dim", dim},
                                    {"rotary_dim", rotary_dim}}) +
                            (interleaved ? ", interleaved" : ", half_split"),
                        false, prepare});
}

const registration kv_cache("kv_cache", [](const settings& s, case_list& list) {
  add_appends<float, float>(s, list);
  add_appends<half, float>(s, list);
  add_appends<bfloat16, float>(s, list);
  add_appends<half, half>(s, list);
  add_appends<bfloat16, bfloat16>(s, list);
  add_appends<float, half>(s, list);
  for (const bool interleaved : {true, false}) {
    add_fused<float, float>(list, 3, 2, 64, 64, interleaved);
    add_fused<half, float>(list, 2, 1, 34, 30, interleaved);
    add_fused<bfloat16, bfloat16>(list, 4, 3, 128, 96, interleaved);
  }
  add_quantized<rocmforge::q8_0>(list, false, 3, 64, 128);
  add_quantized<rocmforge::q4_0>(list, false, 2, 128, 64);
  // More heads than are rotated at once.
  add_quantized<rocmforge::q8_0>(list, true, 19, 128, 64);
  add_quantized<rocmforge::q4_0>(list, true, 3, 64, 64);
});

}  // namespace
}  // namespace verify
