// Choosing from a row of logits a sequence. The bytes that count are those of the logits, once.
#include <rocmforge/sampling.hpp>

#include <algorithm>
#include <numeric>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

/// Logits of a decoding step: one sequence, or 16.
template <class T>
struct step {
  step(const model_shape& model, int tokens)
      : rows(tokens == 1 ? 1 : 16),
        size(model.vocab_size),
        logits(random_values<T>(std::size_t(rows) * std::size_t(size), 1, -10, 10)),
        device_logits(logits) {}
  [[nodiscard]] auto view() const { return device_logits.view(rows, size); }
  [[nodiscard]] std::size_t bytes() const { return logits.size() * sizeof(T); }
  [[nodiscard]] float at(int row, int id) const {
    return float(logits[std::size_t(row) * std::size_t(size) + std::size_t(id)]);
  }
  /// The ids of a row's k largest logits, the lowest id first of equal ones.
  [[nodiscard]] std::vector<int> likeliest(int row, int k) const {
    std::vector<int> ids(static_cast<std::size_t>(size));
    std::iota(ids.begin(), ids.end(), 0);
    std::partial_sort(ids.begin(), ids.begin() + k, ids.end(), [&](int a, int b) {
      return at(row, a) != at(row, b) ? at(row, a) > at(row, b) : a < b;
    });
    ids.resize(std::size_t(k));
    return ids;
  }

  int rows, size;
  std::vector<T> logits;
  device_buffer<T> device_logits;
};

const bool of_argmax = register_for_models(
    "argmax", []<class T>(benchmark::State& state, const model_shape& model, int tokens, T) {
      const step<T> s(model, tokens);
      device_buffer<int> chosen{std::size_t(s.rows)};
      check_and_time(
          state, s.bytes(),
          [&](stream_ref queue) { return argmax(chosen.view(s.rows), s.view(), {}, queue); },
          [&] {
            const auto result = chosen.to_host();
            for (int row = 0; row < s.rows; ++row) {
              if (result[std::size_t(row)] != s.likeliest(row, 1)[0]) return false;
            }
            return true;
          });
    });

const bool of_top_k = register_for_models(
    "top_k_40", []<class T>(benchmark::State& state, const model_shape& model, int tokens, T) {
      constexpr int k = 40;
      const step<T> s(model, tokens);
      device_buffer<int> ids{std::size_t(s.rows * k)};
      device_buffer<float> values{std::size_t(s.rows * k)};
      check_and_time(
          state, s.bytes(),
          [&](stream_ref queue) {
            return top_k(values.view(s.rows, k), ids.view(s.rows, k), s.view(), queue);
          },
          [&] {
            const auto result = ids.to_host();
            for (int row = 0; row < s.rows; ++row) {
              const auto expected = s.likeliest(row, k);
              if (!std::equal(expected.begin(), expected.end(), result.begin() + row * k))
                return false;
            }
            return true;
          });
    });

/// Checks that what is drawn is among the `num_likeliest`, of which the options leave some.
bool register_sample(const std::string& op, const sampling_options& options, int num_likeliest) {
  return register_for_models(
      op, [=]<class T>(benchmark::State& state, const model_shape& model, int tokens, T) {
        const step<T> s(model, tokens);
        device_buffer<int> chosen{std::size_t(s.rows)};
        const device_buffer<draw_counter> counters(
            std::vector<draw_counter>(std::size_t(s.rows), {.seed = 1}));
        check_and_time(
            state, s.bytes(),
            [&](stream_ref queue) {
              return sample(chosen.view(s.rows), s.view(), counters.view(s.rows), options, queue);
            },
            [&] {
              const auto result = chosen.to_host();
              for (int row = 0; row < s.rows; ++row) {
                const auto allowed = s.likeliest(row, std::min(num_likeliest, s.size));
                if (std::find(allowed.begin(), allowed.end(), result[std::size_t(row)]) ==
                    allowed.end())
                  return false;
              }
              return true;
            });
      });
}

const bool of_sample = register_sample("sample", {}, 40);
const bool of_top_p =
    register_sample("sample_top_p", {.top_k = 0, .top_p = 0.9f, .min_p = 0, .temperature = 1},
                    std::numeric_limits<int>::max());
const bool of_unfiltered =
    register_sample("sample_unfiltered", {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1},
                    std::numeric_limits<int>::max());

}  // namespace
}  // namespace rocmforge::bench
