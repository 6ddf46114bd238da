// What the benchmarks share: shapes of real models by name, data, a check of the result, and timing
// beside a plain copy.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
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

/// How many copies of an input of `bytes` a benchmark has to read in turn for none of them to be in
/// a cache: together they are larger than the last-level cache of any GPU or processor that the
/// library is compiled for.
inline int cold_copies(std::size_t bytes) {
  constexpr std::size_t largest_cache = std::size_t{512} << 20;
  return static_cast<int>(std::min<std::size_t>(1 + largest_cache / bytes, 2048));
}

/// Calls of `work()` that are recorded into a graph once and replayed, so that what is timed is the
/// device and not the host that launches.
class timed_calls {
 public:
  template <class Work>
  timed_calls(const stream& queue, int count, Work&& work)
      : queue_(queue), count_(count), calls_(graph::capture(queue, [&] {
          for (int i = 0; i < count; ++i) work();
        })) {}

  /// Milliseconds of one call.
  double milliseconds() {
    event begin, end;
    begin.record(queue_);
    calls_.launch(queue_);
    end.record(queue_);
    end.synchronize();
    return static_cast<double>(end.milliseconds_since(begin)) / count_;
  }

 private:
  const stream& queue_;
  int count_;
  graph calls_;
};

/// Calls that are timed together at least.
inline constexpr int min_calls = 16;

/// Bytes per second of a copy on the device that reads and writes `bytes` in all, of `copies`
/// buffers in turn: the ceiling for an op that does so.
inline double copy_rate(const stream& queue, std::size_t bytes, int copies) {
  const std::size_t half = bytes / 2 + 1;
  device_buffer<char> from(half * std::size_t(copies)), to(half * std::size_t(copies));
  from.fill_bytes(0, queue);
  to.fill_bytes(0, queue);
  std::size_t next = 0;
  timed_calls calls(queue, std::max(copies, min_calls), [&] {
    const std::size_t first = next++ % std::size_t(copies) * half;
    platform_memory::copy(to.data() + first, from.data() + first, bytes / 2, queue);
  });
  double best = 1e30;
  for (int i = 0; i < 10; ++i) best = std::min(best, calls.milliseconds());
  return static_cast<double>(bytes) / best * 1e3;
}

/// Launches once, checks with `correct()`, then times. `bytes` are what the op must read and write.
///
/// `of_copy` is the rate over that of a plain copy of as many bytes; on the host the copy has one
/// thread, so that it may be above 1.
///
/// @param copies  of the op's inputs, which `launch` takes in turn (cold_copies); 1: always the
/// same
template <class Launch, class Correct>
void check_and_time(benchmark::State& state, std::size_t bytes, Launch&& launch, Correct&& correct,
                    int copies = 1) {
  const stream queue;
  if (const status s = launch(queue); !s) return state.SkipWithError(s.message().c_str());
  queue.synchronize();
  if (!correct()) return state.SkipWithError("the result is wrong");
  double milliseconds = 0;
  timed_calls calls(queue, std::max(copies, min_calls), [&] { static_cast<void>(launch(queue)); });
  calls.milliseconds();
  for (auto _ : state) {
    const double time = calls.milliseconds();
    state.SetIterationTime(time / 1e3);
    milliseconds += time;
  }
  const double rate =
      static_cast<double>(bytes) * static_cast<double>(state.iterations()) / milliseconds * 1e3;
  state.counters["GB/s"] = rate / 1e9;
  state.counters["of_copy"] = rate / copy_rate(queue, bytes, copies);
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
