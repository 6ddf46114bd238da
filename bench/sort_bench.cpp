// Sorted rows, and both ways of top_k: where they cross decides platform_sort::min_top_k.
#include <rocmforge/sort.hpp>

#include <algorithm>
#include <numeric>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

constexpr int vocab_size = 128256;

template <class T>
struct logits_of {
  explicit logits_of(int num_rows)
      : rows(num_rows),
        host(random_values<T>(std::size_t(num_rows) * vocab_size, 1, -10, 10)),
        device(host),
        workspace(sort_rows_workspace_bytes(num_rows, vocab_size)) {}
  [[nodiscard]] auto view() { return device.view(rows, vocab_size); }
  [[nodiscard]] std::span<std::byte> memory() { return {workspace.data(), workspace.size()}; }
  [[nodiscard]] std::size_t bytes() const { return host.size() * sizeof(T); }
  /// Whether the first and the last row of `ids` are a row's indices in descending order.
  [[nodiscard]] bool ranked(const std::vector<int>& ids, int k) const {
    for (const int row : {0, rows - 1}) {
      const T* const values = host.data() + std::size_t(row) * vocab_size;
      std::vector<int> order(vocab_size);
      std::iota(order.begin(), order.end(), 0);
      std::sort(order.begin(), order.end(), [&](int a, int b) {
        const float left = float(values[a]), right = float(values[b]);
        return left != right ? left > right : a < b;
      });
      if (!std::equal(order.begin(), order.begin() + k, ids.begin() + std::ptrdiff_t(row) * k))
        return false;
    }
    return true;
  }

  int rows;
  std::vector<T> host;
  device_buffer<T> device;
  device_buffer<std::byte> workspace;
};

template <class T>
void time_top_k(benchmark::State& state, int rows, int k, bool by_sort) {
  logits_of<T> x(rows);
  device_buffer<float> values(std::size_t(rows) * std::size_t(k));
  device_buffer<int> tokens(values.size());
  check_and_time(
      state, x.bytes(),
      [&](stream_ref queue) -> status {
        if (!by_sort) return top_k(values.view(rows, k), tokens.view(rows, k), x.view(), queue);
        return dispatch_wave_size<default_block_size>("top_k", queue, [&](auto wave) {
          return sort_launch::top_k_by_sort<block_threads<default_block_size, wave>, wave, T>(
              "top_k", values.view(rows, k), tokens.view(rows, k), x.view(), x.memory(), queue);
        });
      },
      [&] { return x.ranked(tokens.to_host(), k); });
}

template <class T>
void time_sort_rows(benchmark::State& state, int rows) {
  logits_of<T> x(rows);
  device_buffer<T> values(x.host.size());
  device_buffer<int> indices(x.host.size());
  check_and_time(
      state, x.host.size() * (2 * sizeof(T) + sizeof(int)),
      [&](stream_ref queue) {
        return sort_rows(values.view(rows, vocab_size), indices.view(rows, vocab_size), x.view(),
                         x.memory(), {.descending = true}, queue);
      },
      [&] { return x.ranked(indices.to_host(), vocab_size); });
}

template <class Body>
void add(const std::string& name, Body body) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    if (devices().empty()) return state.SkipWithError("there is no device");
    body(state);
  })->UseManualTime();
}

template <class T>
bool register_type() {
  for (const int rows : {1, 8, 64}) {
    const std::string shape =
        std::string("/") + name_of(dtype_of<T>) + "/rows:" + std::to_string(rows);
    for (const int k : {64, 1000, 2048, 2049, 4096, 8192, 16384, vocab_size}) {
      const std::string of_k = shape + "/k:" + std::to_string(k);
      add("top_k_by_search" + of_k,
          [=](benchmark::State& state) { time_top_k<T>(state, rows, k, false); });
      add("top_k_by_sort" + of_k,
          [=](benchmark::State& state) { time_top_k<T>(state, rows, k, true); });
    }
    add("sort_rows" + shape, [=](benchmark::State& state) { time_sort_rows<T>(state, rows); });
  }
  return true;
}

const bool of_float = register_type<float>();
const bool of_half = register_type<half>();

}  // namespace
}  // namespace rocmforge::bench
