// What the benchmarks share: shapes of real models by name, data, a check of the result, and timing
// beside a plain copy.
#pragma once

#include <benchmark/benchmark.h>

#include <cmath>
#include <random>
#include <rocmforge/dtype.hpp>
#include <rocmforge/memory.hpp>
#include <rocmforge/status.hpp>
#include <string>
#include <vector>

namespace rocmforge::bench {

struct model_shape {
  const char* name;
  int hidden_dim, ffn_dim, num_heads, num_kv_heads, head_dim, vocab_size;
};

inline constexpr model_shape models[] = {
    {"smollm2_135m", 576, 1536, 9, 3, 64, 49152},
    {"qwen2_0.5b", 896, 4864, 14, 2, 64, 151936},
    {"llama3_8b", 4096, 14336, 32, 8, 128, 128256},
};

/// One decoding step, and a prompt.
inline constexpr int token_counts[] = {1, 512};

template <class T>
std::vector<T> random_values(std::size_t count, unsigned seed, float low = -1, float high = 1) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<T> values(count);
  for (T& value : values) value = T(uniform(engine));
  return values;
}

/// Registers `body(state, model, num_tokens, T{})` for every model, number of tokens and T in float
/// and half.
template <class Body>
bool register_for_models(const std::string& op, Body body) {
  for (const model_shape& model : models) {
    for (const int num_tokens : token_counts) {
      const auto add = [&]<class T>(T zero) {
        const std::string name = op + "/" + model.name + "/" + name_of(dtype_of<T>) +
                                 "/tokens:" + std::to_string(num_tokens);
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
          if (devices().empty()) return state.SkipWithError("there is no device");
          body(state, model, num_tokens, zero);
        })->UseManualTime();
      };
      add(float{});
      add(half{});
    }
  }
  return true;
}

/// Milliseconds of one of 16 calls of `work(queue)`.
template <class Work>
double time_batch(const stream& queue, Work&& work) {
  constexpr int batch = 16;
  event begin, end;
  begin.record(queue);
  for (int i = 0; i < batch; ++i) work();
  end.record(queue);
  end.synchronize();
  return static_cast<double>(end.milliseconds_since(begin)) / batch;
}

/// Bytes per second of a copy on the device that reads and writes `bytes` in all: the ceiling for
/// an op that does so.
inline double copy_rate(const stream& queue, std::size_t bytes) {
  device_buffer<char> from(bytes / 2 + 1), to(bytes / 2 + 1);
  double best = 1e30;
  for (int i = 0; i < 10; ++i) {
    best = std::min(best, time_batch(queue, [&] {
                      platform_memory::copy(to.data(), from.data(), bytes / 2, queue);
                    }));
  }
  return static_cast<double>(bytes) / best * 1e3;
}

/// Launches once, checks with `correct()`, then times. `bytes` are what the op must read and write.
///
/// `of_copy` is the rate over that of a plain copy of as many bytes; on the host the copy has one
/// thread, so that it may be above 1.
template <class Launch, class Correct>
void check_and_time(benchmark::State& state, std::size_t bytes, Launch&& launch,
                    Correct&& correct) {
  const stream queue;
  if (const status s = launch(queue); !s) return state.SkipWithError(s.message().c_str());
  queue.synchronize();
  if (!correct()) return state.SkipWithError("the result is wrong");
  double milliseconds = 0;
  for (auto _ : state) {
    const double time = time_batch(queue, [&] { static_cast<void>(launch(queue)); });
    state.SetIterationTime(time / 1e3);
    milliseconds += time;
  }
  const double rate =
      static_cast<double>(bytes) * static_cast<double>(state.iterations()) / milliseconds * 1e3;
  state.counters["GB/s"] = rate / 1e9;
  state.counters["of_copy"] = rate / copy_rate(queue, bytes);
}

/// Whether element i of `actual` is `expected(i)` within `tolerance`, for the first and the last
/// thousand elements.
template <class T, class Expected>
bool agrees(const device_buffer<T>& actual, double tolerance, Expected&& expected) {
  const std::vector<T> values = actual.to_host();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i >= 1000 && i + 1000 < values.size()) continue;
    const double wanted = expected(i);
    if (!(std::fabs(static_cast<double>(static_cast<float>(values[i])) - wanted) <=
          tolerance * (1 + std::fabs(wanted)))) {
      return false;
    }
  }
  return true;
}

template <class T>
inline constexpr double tolerance = sizeof(T) == 2 ? 2e-3 : 1e-5;

}  // namespace rocmforge::bench
