// Dense products: the projections and scores of real models, in every layout of A and B.
#include <algorithm>
#include <rocmforge/gemm.hpp>

#include "support.hpp"

namespace rocmforge::bench {
namespace {

struct product_shape {
  const char* name;
  int batch, m, n, k;
  bool a_transposed, b_transposed;
};

// A prompt of 512 tokens through the layers, attention's scores and sums, and squares of each
// layout.
constexpr product_shape shapes[] = {
    {"smollm2_135m/gate_up", 1, 512, 3072, 576, false, true},
    {"smollm2_135m/scores", 9, 512, 512, 64, false, true},
    {"smollm2_135m/weighted_values", 9, 512, 64, 512, false, false},
    {"llama3_8b/qkv", 1, 512, 6144, 4096, false, true},
    {"square_nn", 1, 1024, 1024, 1024, false, false},
    {"square_nt", 1, 1024, 1024, 1024, false, true},
    {"square_tn", 1, 1024, 1024, 1024, true, false},
    {"square_tt", 1, 1024, 1024, 1024, true, true},
};

/// [batch, rows, columns], by columns if `transposed`.
template <class T>
tensor_view<const T, 3> matrices(const device_buffer<T>& buffer, int batch, int rows, int columns,
                                 bool transposed) {
  if (transposed) return permuted<0, 2, 1>(buffer.view(batch, columns, rows));
  return buffer.view(batch, rows, columns);
}

/// Whether C is A B for some elements, the first and the last among them. The inputs lie on the
/// host as on the device, so that the same views name their elements.
template <class T>
bool product_agrees(const device_buffer<T>& c, const std::vector<T>& a, const std::vector<T>& b,
                    const product_shape& p) {
  const std::vector<T> actual = c.to_host();
  const auto element = [](const std::vector<T>& values, int matrix, int row, int column, int rows,
                          int columns, bool transposed) {
    const std::size_t in_matrix =
        transposed ? std::size_t(column) * std::size_t(rows) + std::size_t(row)
                   : std::size_t(row) * std::size_t(columns) + std::size_t(column);
    return double(
        float(values[std::size_t(matrix) * std::size_t(rows) * std::size_t(columns) + in_matrix]));
  };
  for (std::size_t i = 0; i < actual.size();
       i += std::max<std::size_t>(1, (actual.size() - 1) / 50)) {
    const int column = int(i % std::size_t(p.n)),
              row = int(i / std::size_t(p.n) % std::size_t(p.m)),
              matrix = int(i / std::size_t(p.n) / std::size_t(p.m));
    double sum = 0, magnitude = 0;
    for (int k = 0; k < p.k; ++k) {
      const double product = element(a, matrix, row, k, p.m, p.k, p.a_transposed) *
                             element(b, matrix, k, column, p.k, p.n, p.b_transposed);
      sum += product;
      magnitude += std::fabs(product);
    }
    if (!(std::fabs(double(float(actual[i])) - sum) <= tolerance<T> * magnitude)) return false;
  }
  return true;
}

/// Multiply-adds that wait for nothing: 16 packets of sums a lane, which stay in registers.
template <int BlockSize, int WaveSize>
struct multiply_add_only {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = WaveSize == 1 ? packet_size<float, 1> : 4;
  static constexpr int num_sums = 12;
  struct shared_storage {};
  tensor_view<float, 1> out;  // [1]
  int turns;
  float factor;

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage&) const {
    packet<float, packet_elements> sums[num_sums];
    const packet<float, packet_elements> by(factor), plus(1e-3f);
    ROCMFORGE_UNROLL
    for (int i = 0; i < num_sums; ++i)
      sums[i] = packet<float, packet_elements>(static_cast<float>(i + block.thread));
    for (int turn = 0; turn < turns; ++turn) {
      ROCMFORGE_UNROLL
      for (int i = 0; i < num_sums; ++i) sums[i] = fma(sums[i], by, plus);
    }
    ROCMFORGE_UNROLL
    for (int i = 1; i < num_sums; ++i) sums[0] += sums[i];
    if (horizontal_sum(sums[0]) == 1234567.0f) out(0) = 1;  // never, but nobody knows
  }
};

/// Operations per second of multiply-adds alone: the ceiling where there are no matrix
/// instructions.
double multiply_add_rate(const stream& queue) {
  static const double rate = [&] {
    device_buffer<float> out(1);
    double best = 0;
    static_cast<void>(dispatch_wave_size<256>("multiply_add_only", queue, [&](auto wave) {
      using kernel = multiply_add_only<block_threads<256, wave>, wave>;
      constexpr int turns = 1 << 14, blocks = 1024;
      const auto work = [&] {
        static_cast<void>(
            launch("multiply_add_only", kernel{out.view(1), turns, 0.999f}, {blocks}, queue));
      };
      work();
      for (int i = 0; i < 3; ++i) {
        const double operations = 2.0 * kernel::num_sums * kernel::packet_elements *
                                  kernel::block_size * double(turns) * blocks;
        best = std::max(best, operations / timed_calls(queue, 1, work).milliseconds() * 1e3);
      }
      return status{};
    }));
    return best;
  }();
  return rate;
}

template <class T>
void run(benchmark::State& state, const product_shape& p) {
  const auto count = [&](int rows, int columns) {
    return std::size_t(p.batch) * std::size_t(rows) * std::size_t(columns);
  };
  const auto a = random_values<T>(count(p.m, p.k), 1), b = random_values<T>(count(p.k, p.n), 2);
  device_buffer<T> device_a(a), device_b(b), c(count(p.m, p.n));
  const std::size_t moved = (a.size() + b.size() + c.size()) * sizeof(T);
  check_and_time(
      state, moved,
      [&](stream_ref queue) {
        return gemm(
            c.view(p.batch, p.m, p.n), matrices(device_a, p.batch, p.m, p.k, p.a_transposed),
            matrices(device_b, p.batch, p.k, p.n, p.b_transposed), epilogue::none{}, {}, queue);
      },
      [&] { return product_agrees(c, a, b, p); });
  const double rate =
      state.counters["GB/s"] * 1e9 * 2.0 * p.batch * p.m * p.n * p.k / double(moved);
  state.counters["GFLOP/s"] = rate / 1e9;
  state.counters["of_multiply_add"] = rate / multiply_add_rate(stream{});
  if (const char* name = gemm_instruction<T>(devices()[std::size_t(current_device())]))
    state.SetLabel(name);
}

const bool registered = [] {
  for (const product_shape& p : shapes) {
    const auto add = [&]<class T>(T) {
      const std::string name = std::string("gemm/") + p.name + "/" + name_of(dtype_of<T>);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        if (devices().empty()) return state.SkipWithError("there is no device");
        run<T>(state, p);
      })->UseManualTime();
    };
    add(float{});
    add(half{});
    add(bfloat16{});
  }
  return true;
}();

}  // namespace
}  // namespace rocmforge::bench
