// Attention over pages with the heads of real models: one new token of each of several sequences
// after 2,048 to 131,072 keys, split as the device's plan says and not split, and prompts. Enough
// copies of the cache are read in turn for none to be in a cache of the device.
#include <rocmforge/attention.hpp>

#include "../tests/reference/attention.hpp"
#include "support.hpp"

namespace rocmforge::bench {
namespace {

constexpr int page_size = 16;

struct attention_shape {
  int batch, q_len, kv_len;
  bool one_chunk = false;  // its keys are not split over blocks
};

// Generation at growing lengths, alone and in a batch; a prompt; a prompt's last part.
constexpr attention_shape shapes[] = {
    {1, 1, 2048}, {1, 1, 8192},  {1, 1, 32768}, {1, 1, 131072},  {1, 1, 8192, true}, {8, 1, 2048},
    {8, 1, 8192}, {64, 1, 2048}, {1, 512, 512}, {1, 2048, 2048}, {1, 512, 8192}};

template <class TCache>
void run(benchmark::State& state, const model_shape& model, const attention_shape& shape) {
  const int batch_size = shape.batch, q_len = shape.q_len, kv_len = shape.kv_len;
  const int num_heads = model.num_heads, num_kv_heads = model.num_kv_heads,
            head_dim = model.head_dim;
  const int num_tokens = batch_size * q_len, sequence_pages = kv_len / page_size,
            num_pages = batch_size * sequence_pages;
  const auto dim = std::size_t(head_dim);
  const auto q = random_values<float>(std::size_t(num_tokens * num_heads) * dim, 1);
  const auto k = random_values<TCache>(
                 std::size_t(num_pages) * std::size_t(page_size * num_kv_heads) * dim, 2),
             v = random_values<TCache>(k.size(), 3);
  std::vector<int> pages;  // the second half of them first, so that they are not in order
  for (int page = 0; page < num_pages; ++page) pages.push_back((page + num_pages / 2) % num_pages);
  std::vector<int> first_tokens;
  for (int sequence = 0; sequence <= batch_size; ++sequence)
    first_tokens.push_back(sequence * q_len);
  const int copies = cold_copies(2 * k.size() * sizeof(TCache));
  std::vector<device_buffer<TCache>> device_k, device_v;
  for (int i = 0; i < copies; ++i) {
    device_k.emplace_back(k);
    device_v.emplace_back(v);
  }
  const device_buffer<float> device_q(q);
  device_buffer<float> out(q.size());
  const device_buffer<int> page_table(pages), q_begin(first_tokens),
      lengths(std::vector<int>(std::size_t(batch_size), kv_len));
  const paged_batch batch{q_begin.view(batch_size + 1), lengths.view(batch_size),
                          page_table.view(batch_size, sequence_pages), q_len};
  attention_plan plan;
  if (!shape.one_chunk) {
    plan = plan_attention(devices()[std::size_t(current_device())],
                          {num_heads, num_kv_heads, head_dim, kv_len, batch_size, q_len});
  }
  if (q_len > max_decode_queries) plan = {};
  device_buffer<std::byte> workspace(
      attention_workspace_bytes(plan, batch_size, num_heads, q_len, head_dim));
  const attention_options options{.split = {plan, {workspace.data(), workspace.size()}}};
  const std::size_t bytes = 2 * k.size() * sizeof(TCache) + 2 * q.size() * sizeof(float);
  std::size_t next = 0;
  check_and_time(
      state, bytes,
      [&](stream_ref queue) {
        const std::size_t copy = next++ % std::size_t(copies);
        return paged_attention(out.view(num_tokens, num_heads, head_dim),
                               device_q.view(num_tokens, num_heads, head_dim),
                               device_k[copy].view(num_pages, num_kv_heads, page_size, head_dim),
                               device_v[copy].view(num_pages, num_kv_heads, page_size, head_dim),
                               batch, options, {}, queue);
      },
      [&] {  // the last head's last query of the last sequence
        const auto row = [&](const std::vector<TCache>& from) {
          std::vector<double> rows;
          for (int position = 0; position < kv_len; ++position) {
            const auto page =
                std::size_t(pages[std::size_t(num_pages - sequence_pages + position / page_size)]);
            const std::size_t index =
                ((page * std::size_t(num_kv_heads) + std::size_t(num_kv_heads - 1)) * page_size +
                 std::size_t(position % page_size)) *
                dim;
            for (std::size_t d = 0; d < dim; ++d) rows.push_back(double(float(from[index + d])));
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
      },
      copies);
  // Two products of head_dim for each pair of a query and a key that it sees.
  const double pairs = double(num_tokens) * (kv_len - (q_len - 1) / 2.0) * num_heads;
  state.counters["chunks"] = plan.num_chunks;
  state.counters["GFLOP/s"] = state.counters["GB/s"] * 4 * pairs * head_dim / double(bytes);
}

template <class TCache>
void add() {
  for (const model_shape& model : models) {
    for (const attention_shape& shape : shapes) {
      const std::string name =
          std::string("paged_attention/") + model.name + "/" + name_of(dtype_of<TCache>) +
          "/batch:" + std::to_string(shape.batch) + "/q:" + std::to_string(shape.q_len) +
          "/kv:" + std::to_string(shape.kv_len) + (shape.one_chunk ? "/one_chunk" : "");
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        if (devices().empty()) return state.SkipWithError("there is no device");
        run<TCache>(state, model, shape);
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
