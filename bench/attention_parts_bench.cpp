// Attention in parts over a prompt of 512 with the heads of real models: the two products, and the
// softmax and the masks between them.
#include <rocmforge/attention/parts.hpp>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

constexpr int length = 512;

struct tensors {
  std::vector<float> q, k;
  device_buffer<float> device_q, device_k, scores, out;
  explicit tensors(const model_shape& m)
      : q(random_values<float>(std::size_t(m.num_heads * length * m.head_dim), 1)),
        k(random_values<float>(std::size_t(m.num_kv_heads * length * m.head_dim), 2)),
        device_q(q),
        device_k(k),
        scores(random_values<float>(std::size_t(m.num_heads) * length * length, 3, 0, 1)),
        out(q.size()) {}
};

void set_flops(benchmark::State& state, const model_shape& m, std::size_t bytes) {
  const double flops = 2.0 * m.num_heads * length * length * m.head_dim;
  state.counters["GFLOP/s"] = state.counters["GB/s"] * flops / double(bytes);
}

void run_scores(benchmark::State& state, const model_shape& m) {
  tensors t(m);
  const std::size_t bytes = (t.q.size() + t.k.size() + t.scores.size()) * sizeof(float);
  check_and_time(
      state, bytes,
      [&](stream_ref queue) {
        return attention_scores(t.scores.view(1, m.num_heads, length, length),
                                t.device_q.view(1, m.num_heads, length, m.head_dim),
                                t.device_k.view(1, m.num_kv_heads, length, m.head_dim), 1.0f,
                                queue);
      },
      [&] {
        return agrees(t.scores, 1e-4, [&](std::size_t i) {
          const std::size_t key = i % length, row = i / length, dim = std::size_t(m.head_dim);
          const std::size_t kv_head =
              row / length * std::size_t(m.num_kv_heads) / std::size_t(m.num_heads);
          double sum = 0;
          for (std::size_t d = 0; d < dim; ++d)
            sum += double(t.q[row * dim + d]) * double(t.k[(kv_head * length + key) * dim + d]);
          return sum;
        });
      });
  set_flops(state, m, bytes);
}

void run_weighted_sum(benchmark::State& state, const model_shape& m) {
  tensors t(m);
  const auto weights = t.scores.to_host();
  const std::size_t bytes = (t.q.size() + t.k.size() + t.scores.size()) * sizeof(float);
  check_and_time(
      state, bytes,
      [&](stream_ref queue) {
        return attention_weighted_sum(t.out.view(1, m.num_heads, length, m.head_dim),
                                      t.scores.view(1, m.num_heads, length, length),
                                      t.device_k.view(1, m.num_kv_heads, length, m.head_dim),
                                      queue);
      },
      [&] {
        return agrees(t.out, 1e-4, [&](std::size_t i) {
          const std::size_t dim = std::size_t(m.head_dim), row = i / dim;
          const std::size_t kv_head =
              row / length * std::size_t(m.num_kv_heads) / std::size_t(m.num_heads);
          double sum = 0;
          for (std::size_t key = 0; key < length; ++key) {
            sum += double(weights[row * length + key]) *
                   double(t.k[(kv_head * length + key) * dim + i % dim]);
          }
          return sum;
        });
      });
  set_flops(state, m, bytes);
}

/// What reads and writes every score.
template <class Launch, class Expected>
void run_map(benchmark::State& state, const model_shape& m, Launch&& start, Expected&& expected) {
  tensors t(m);
  const auto before = t.scores.to_host();
  device_buffer<float> y(before.size());
  check_and_time(
      state, 2 * before.size() * sizeof(float),
      [&](stream_ref queue) {
        return start(y.view(1, m.num_heads, length, length),
                     t.scores.view(1, m.num_heads, length, length), queue);
      },
      [&] { return agrees(y, 1e-5, [&](std::size_t i) { return expected(before, i); }); });
}

double weight(const std::vector<float>& scores, std::size_t i) {
  const std::size_t first = i / length * length;
  double sum = 0;
  for (std::size_t key = 0; key < length; ++key) sum += std::exp(double(scores[first + key]));
  return std::exp(double(scores[i])) / sum;
}

const bool registered = [] {
  for (const model_shape& m : models) {
    const auto add = [&](const char* op, auto body) {
      benchmark::RegisterBenchmark((std::string(op) + "/" + m.name + "/f32/512x512").c_str(),
                                   [=](benchmark::State& state) {
                                     if (devices().empty())
                                       return state.SkipWithError("there is no device");
                                     body(state, m);
                                   })
          ->UseManualTime();
    };
    add("attention_scores", run_scores);
    add("attention_weighted_sum", run_weighted_sum);
    add("attention_softmax", [](benchmark::State& state, const model_shape& shape) {
      run_map(
          state, shape,
          [](auto y, auto x, stream_ref queue) {
            return attention_softmax(y, x, {.causal = false}, {}, queue);
          },
          weight);
    });
    add("scale_scores", [](benchmark::State& state, const model_shape& shape) {
      run_map(
          state, shape,
          [](auto y, auto x, stream_ref queue) { return scale_scores(y, x, 0.5f, queue); },
          [](const auto& x, std::size_t i) { return 0.5 * double(x[i]); });
    });
    add("mask_scores", [](benchmark::State& state, const model_shape& shape) {
      run_map(
          state, shape,
          [](auto y, auto x, stream_ref queue) {
            return mask_scores(y, x, {.causal = false, .sliding_window = length}, queue);
          },
          [](const auto& x, std::size_t i) { return double(x[i]); });  // it hides nothing
    });
  }
  return true;
}();

}  // namespace
}  // namespace rocmforge::bench
