// Appending keys and values to pages of 16 tokens, in the cache's own type, from float and as q8_0
// blocks, and with the rotation of queries and keys.
#include <rocmforge/kv_cache.hpp>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

template <class TCache, class T>
void run(benchmark::State& state, const model_shape& model, int tokens) {
  const int heads = model.num_kv_heads, dim = model.head_dim, page_size = 16,
            pages = (tokens + 15) / 16;
  const std::size_t count = std::size_t(tokens) * std::size_t(heads * dim);
  const std::size_t cache_size = std::size_t(pages) * std::size_t(page_size * heads * dim);
  const auto k = random_values<T>(count, 1), v = random_values<T>(count, 2);
  std::vector<int> slots;
  for (int token = 0; token < tokens; ++token) slots.push_back(token);
  device_buffer<T> device_k(k), device_v(v);
  device_buffer<TCache> k_pages(cache_size), v_pages(cache_size);
  k_pages.fill_bytes(0);
  v_pages.fill_bytes(0);
  const device_buffer<int> device_slots(slots);
  // Where element i of the pages comes from.
  const auto value = [&](const std::vector<T>& from, std::size_t i) {
    const std::size_t d = i % std::size_t(dim), row = i / std::size_t(dim) % std::size_t(page_size);
    const std::size_t head = i / std::size_t(dim * page_size) % std::size_t(heads);
    const std::size_t token =
        i / std::size_t(dim * page_size * heads) * std::size_t(page_size) + row;
    return token < std::size_t(tokens)
               ? double(float(from[(token * std::size_t(heads) + head) * std::size_t(dim) + d]))
               : 0.0;
  };
  check_and_time(
      state, 2 * count * (sizeof(T) + sizeof(TCache)),
      [&](stream_ref queue) {
        return kv_append(k_pages.view(pages, heads, page_size, dim),
                         v_pages.view(pages, heads, page_size, dim),
                         device_k.view(tokens, heads, dim), device_v.view(tokens, heads, dim),
                         device_slots.view(tokens), queue);
      },
      [&] {
        return agrees(k_pages, tolerance<TCache>, [&](std::size_t i) { return value(k, i); }) &&
               agrees(v_pages, tolerance<TCache>, [&](std::size_t i) { return value(v, i); });
      });
}

const bool same_type = register_for_models(
    "kv_append", []<class T>(benchmark::State& state, const model_shape& model, int tokens, T) {
      run<T, T>(state, model, tokens);
    });
const bool from_float = register_for_models(
    "kv_append_from_f32", []<class T>(benchmark::State& state, const model_shape& model, int tokens,
                                      T) { run<T, float>(state, model, tokens); });

const bool quantized = register_for_models(
    "kv_append_q8_0",
    []<class T>(benchmark::State& state, const model_shape& model, int tokens, T) {
      const int heads = model.num_kv_heads, dim = model.head_dim, page_size = 16,
                pages = (tokens + 15) / 16;
      const std::size_t count = std::size_t(tokens) * std::size_t(heads * dim);
      const auto k = random_values<T>(count, 1);
      std::vector<int> slots;
      for (int token = 0; token < tokens; ++token) slots.push_back(token);
      device_buffer<T> device_k(k);
      device_buffer<q8_0> k_pages(std::size_t(pages * page_size * heads * dim / 32)),
          v_pages(k_pages.size());
      k_pages.fill_bytes(0);
      v_pages.fill_bytes(0);
      const device_buffer<int> device_slots(slots);
      const auto view = device_k.view(tokens, heads, dim);
      const std::size_t bytes = 2 * count * sizeof(T) + 2 * count / 32 * sizeof(q8_0);
      check_and_time(
          state, bytes,
          [&](stream_ref queue) {
            return kv_append(k_pages.view(pages, heads, page_size, dim / 32),
                             v_pages.view(pages, heads, page_size, dim / 32), view, view,
                             device_slots.view(tokens), queue);
          },
          [&] {
            const auto blocks = v_pages.to_host();
            for (int head = 0; head < heads; ++head) {  // of the first token
              for (int i = 0; i < dim; ++i) {
                const q8_0& block = blocks[std::size_t((head * page_size * dim + i) / 32)];
                const double value = double(float(block.d)) * block.qs[i % 32];
                if (!(std::fabs(value - float(k[std::size_t(head * dim + i)])) < 0.01))
                  return false;
              }
            }
            return true;
          });
    });

const bool rotated = register_for_models("rope_kv_append", []<class T>(benchmark::State& state,
                                                                       const model_shape& model,
                                                                       int tokens, T) {
  const int heads = model.num_heads, kv_heads = model.num_kv_heads, dim = model.head_dim,
            page_size = 16, pages = (tokens + 15) / 16;
  const std::size_t q_count = std::size_t(tokens) * std::size_t(heads * dim),
                    k_count = std::size_t(tokens) * std::size_t(kv_heads * dim);
  const auto q = random_values<T>(q_count, 1), k = random_values<T>(k_count, 2);
  std::vector<int> slots;
  for (int token = 0; token < tokens; ++token) slots.push_back(token);
  device_buffer<T> device_q(q), device_k(k), q_out(q_count);
  device_buffer<T> k_pages(std::size_t(pages * page_size * kv_heads * dim)),
      v_pages(k_pages.size());
  // At position 0 nothing turns.
  const device_buffer<int> device_slots(slots), positions(std::vector<int>(std::size_t(tokens), 0));
  const auto k_view = device_k.view(tokens, kv_heads, dim);
  check_and_time(
      state, (2 * q_count + 4 * k_count) * sizeof(T),
      [&](stream_ref queue) {
        return rope_kv_append(
            q_out.view(tokens, heads, dim), k_pages.view(pages, kv_heads, page_size, dim),
            v_pages.view(pages, kv_heads, page_size, dim), device_q.view(tokens, heads, dim),
            k_view, k_view, positions.view(tokens), device_slots.view(tokens),
            {.layout = rope_layout::interleaved}, queue);
      },
      [&] {
        return agrees(q_out, tolerance<T>, [&](std::size_t i) { return double(float(q[i])); });
      });
});

}  // namespace
}  // namespace rocmforge::bench
