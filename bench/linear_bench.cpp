// Linear layers of real models, with weights in every format. Enough copies of the weights are
// multiplied in turn for none to be in a cache, as it is while a model generates.
#include <algorithm>
#include <rocmforge/linear.hpp>
#include <rocmforge/model/weight_kernels.hpp>

#include "../tests/reference/quant.hpp"
#include "support.hpp"

namespace rocmforge::bench {
namespace {

using testing::reference::decode;
using testing::reference::random_weights;

/// Whether y = x W^T for some elements, the first and the last among them.
template <class T, class Type>
bool product_agrees(const device_buffer<T>& y, const std::vector<T>& x,
                    const std::vector<Type>& weights, std::size_t out_dim, std::size_t in_dim) {
  const std::vector<T> actual = y.to_host();
  const std::size_t row_blocks = in_dim / block_traits<Type>::elements;
  for (std::size_t i = 0; i < actual.size();
       i += std::max<std::size_t>(1, (actual.size() - 1) / 50)) {
    const std::size_t token = i / out_dim, out = i % out_dim;
    const auto first = weights.begin() + std::ptrdiff_t(out * row_blocks);
    const std::vector<double> row =
        decode(std::vector<Type>(first, first + std::ptrdiff_t(row_blocks)));
    double sum = 0, magnitude = 0;
    for (std::size_t k = 0; k < in_dim; ++k) {
      const double product = double(float(x[token * in_dim + k])) * row[k];
      sum += product;
      magnitude += std::fabs(product);
    }
    if (!(std::fabs(double(float(actual[i])) - sum) <= tolerance<T> * magnitude)) return false;
  }
  return true;
}

template <class T, class Type>
void run(benchmark::State& state, int num_tokens, int out_dim, int in_dim) {
  const int row_blocks = in_dim / block_traits<Type>::elements;
  const std::size_t blocks = std::size_t(out_dim) * std::size_t(row_blocks),
                    bytes = blocks * sizeof(Type);
  const int copies = cold_copies(bytes);
  const auto weights = random_weights<Type>(std::size_t(out_dim) * std::size_t(in_dim), 1);
  const auto x = random_values<T>(std::size_t(num_tokens) * std::size_t(in_dim), 2);
  std::vector<device_buffer<Type>> device_weights;
  for (int i = 0; i < copies; ++i) device_weights.emplace_back(weights);
  const device_buffer<T> device_x(x);
  device_buffer<T> y(std::size_t(num_tokens) * std::size_t(out_dim));
  std::size_t next = 0;
  const std::size_t moved = bytes + (x.size() + y.size()) * sizeof(T);
  check_and_time(
      state, moved,
      [&](stream_ref queue) {
        const tensor_view<const Type, 2> weight =
            device_weights[next++ % std::size_t(copies)].view(out_dim, row_blocks);
        return linear(y.view(num_tokens, out_dim), device_x.view(num_tokens, in_dim), weight, {},
                      queue);
      },
      [&] { return product_agrees(y, x, weights, std::size_t(out_dim), std::size_t(in_dim)); },
      copies);
  state.counters["GFLOP/s"] =
      state.counters["GB/s"] * 2.0 * out_dim * in_dim * num_tokens / double(moved);
}

template <class T, class Type>
void add(const char* types) {
  for (const model_shape& model : models) {
    const struct {
      const char* name;
      int out_dim, in_dim;
    } matrices[] = {
        {"qkv", (model.num_heads + 2 * model.num_kv_heads) * model.head_dim, model.hidden_dim},
        {"gate_up", 2 * model.ffn_dim, model.hidden_dim},
        {"down", model.hidden_dim, model.ffn_dim}};
    for (const auto& matrix : matrices) {
      for (const int num_tokens : {1, 4, 8, 512}) {
        const std::string name = std::string("linear/") + model.name + "/" + matrix.name + "/" +
                                 types + "/tokens:" + std::to_string(num_tokens);
        benchmark::RegisterBenchmark(name.c_str(), [=, out_dim = matrix.out_dim,
                                                    in_dim =
                                                        matrix.in_dim](benchmark::State& state) {
          if (devices().empty()) return state.SkipWithError("there is no device");
          run<T, Type>(state, num_tokens, out_dim, in_dim);
        })->UseManualTime();
      }
    }
  }
}

const bool registered = [] {
  add<float, float>("f32,f32");
  add<float, half>("f32,f16");
  add<half, half>("f16,f16");
  add<float, q4_0>("f32,q4_0");
  add<float, q4_1>("f32,q4_1");
  add<float, q5_0>("f32,q5_0");
  add<float, q5_1>("f32,q5_1");
  add<float, q8_0>("f32,q8_0");
  add<float, q2_k>("f32,q2_k");
  add<float, q3_k>("f32,q3_k");
  add<float, q4_k>("f32,q4_k");
  add<float, q5_k>("f32,q5_k");
  add<float, q6_k>("f32,q6_k");
  add<float, iq2_xxs>("f32,iq2_xxs");
  add<float, iq2_xs>("f32,iq2_xs");
  add<float, iq2_s>("f32,iq2_s");
  add<float, iq3_xxs>("f32,iq3_xxs");
  add<float, iq3_s>("f32,iq3_s");
  add<float, iq4_nl>("f32,iq4_nl");
  add<float, iq4_xs>("f32,iq4_xs");
  add<float, mxfp4>("f32,mxfp4");
  return true;
}();

}  // namespace
}  // namespace rocmforge::bench
