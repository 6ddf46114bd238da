// Attention over pages with the heads of real models: one new token after 2048, and a prompt of
// 512.
#include <rocmforge/attention.hpp>

#include "../tests/reference/attention.hpp"
#include "support.hpp"

namespace rocmforge::bench {
namespace {

constexpr int page_size = 16;

template <class TCache>
void run(benchmark::State& state, const model_shape& model, int q_len, int kv_len) {
  const int num_heads = model.num_heads, num_kv_heads = model.num_kv_heads,
            head_dim = model.head_dim;
  const int num_pages = kv_len / page_size;
  const auto dim = std::size_t(head_dim);
  const auto q = random_values<float>(std::size_t(q_len * num_heads) * dim, 1);
  const auto k = random_values<TCache>(std::size_t(kv_len * num_kv_heads) * dim, 2),
             v = random_values<TCache>(k.size(), 3);
  std::vector<int> pages;  // the second half of them first, so that they are not in order
  for (int page = 0; page < num_pages; ++page) pages.push_back((page + num_pages / 2) % num_pages);
  device_buffer<float> device_q(q), out(q.size());
  device_buffer<TCache> device_k(k), device_v(v);
  device_buffer<int> page_table(pages), q_begin(std::vector<int>{0, q_len}),
      lengths(std::vector<int>{kv_len});
  const paged_batch batch{q_begin.view(2), lengths.view(1), page_table.view(1, num_pages), q_len};
  const std::size_t bytes = 2 * k.size() * sizeof(TCache) + 2 * q.size() * sizeof(float);
  check_and_time(
      state, bytes,
      [&](stream_ref queue) {
        return paged_attention(
            out.view(q_len, num_heads, head_dim), device_q.view(q_len, num_heads, head_dim),
            device_k.view(num_pages, num_kv_heads, page_size, head_dim),
            device_v.view(num_pages, num_kv_heads, page_size, head_dim), batch, {}, {}, queue);
      },
      [&] {  // the last head's last query
        const auto row = [&](const std::vector<TCache>& from) {
          std::vector<double> rows;
          for (int position = 0; position < kv_len; ++position) {
            const int page = pages[std::size_t(position / page_size)];
            const int index =
                ((page * num_kv_heads + num_kv_heads - 1) * page_size + position % page_size) *
                head_dim;
            for (int d = 0; d < head_dim; ++d)
              rows.push_back(double(float(from[std::size_t(index + d)])));
          }
          return rows;
        };
        const std::vector<double> query(q.end() - head_dim, q.end());
        const auto expected = testing::reference::attention(query, row(k), row(v),
                                                            {1, 1, 1, kv_len, head_dim, true, 0})
                                  .out;
        const std::vector<float> actual = out.to_host();
        for (std::size_t d = 0; d < dim; ++d) {
          if (!(std::fabs(double(actual[actual.size() - dim + d]) - expected[d]) <= 1e-5))
            return false;
        }
        return true;
      });
  // Two products of head_dim for each pair of a query and a key that it sees.
  const double pairs = double(q_len) * (kv_len - (q_len - 1) / 2.0) * num_heads;
  state.counters["GFLOP/s"] = state.counters["GB/s"] * 4 * pairs * head_dim / double(bytes);
}

template <class TCache>
void add() {
  for (const model_shape& model : models) {
    for (const auto& lengths : {std::pair{1, 2048}, std::pair{512, 512}}) {
      const int q_len = lengths.first, kv_len = lengths.second;
      const std::string name = std::string("paged_attention/") + model.name + "/" +
                               name_of(dtype_of<TCache>) + "/q:" + std::to_string(q_len) +
                               "/kv:" + std::to_string(kv_len);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        if (devices().empty()) return state.SkipWithError("there is no device");
        run<TCache>(state, model, q_len, kv_len);
      })->UseManualTime();
    }
  }
}

const bool registered = [] {
  add<float>();
  add<half>();
  add<bfloat16>();
  return true;
}();

}  // namespace
}  // namespace rocmforge::bench
