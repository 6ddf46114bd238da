// Your own block size, in two ways: as a template argument of the launch function, and with the
// kernel itself. Prints how long each takes; the results must be those of the default. (The host
// runs any block as one lane.)
#include <cmath>
#include <cstdio>
#include <rocmforge/memory.hpp>
#include <rocmforge/norm.hpp>
#include <vector>

namespace {

using namespace rocmforge;

constexpr int num_rows = 512, hidden_dim = 4096;
using matrix = tensor_view<float, 2>;
using row = tensor_view<const float, 1>;

/// The first way: the launch function checks its arguments and picks the device's wave size.
template <int BlockSize>
status with_launch_function(matrix y, matrix x, row weight, stream_ref stream) {
  return rms_norm<float, BlockSize>(y, x, weight, 1e-5f, stream);
}

/// The second way: the kernel is a functor, and its members are its parameters. Nobody checks them
/// here.
template <int BlockSize>
status with_kernel(matrix y, matrix x, row weight, stream_ref stream) {
  return dispatch_wave_size<BlockSize>("with_kernel", stream, [&](auto wave) {
    using kernel = kernels::rms_norm<float, block_threads<BlockSize, wave>, wave>;
    return launch("with_kernel", kernel{y, x, weight, {1e-5f}, 0, {}, {}}, {num_rows}, stream);
  });
}

}  // namespace

int main() try {
  if (devices().empty()) return std::puts("there is no device"), 1;
  std::vector<float> values(num_rows * hidden_dim);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.1f * float(i));
  device_buffer<float> x(values), weight(std::vector<float>(hidden_dim, 1.0f));
  device_buffer<float> y(values.size());
  const auto from = x.view(num_rows, hidden_dim), to = y.view(num_rows, hidden_dim);
  const stream queue;

  std::vector<float> expected;
  const auto report = [&](const char* name, auto normalize) {
    y.fill_bytes(0xff, queue);  // NaN
    event begin, end;
    for (int repeat = 0; repeat < 2; ++repeat) {  // the first one warms up
      begin.record(queue);
      if (const status s = normalize(to, from, weight.view(hidden_dim), queue); !s)
        throw error(s.message());
      end.record(queue);
    }
    end.synchronize();
    const std::vector<float> result = y.to_host(queue);
    if (expected.empty()) expected = result;
    double largest = 0;
    for (std::size_t i = 0; i < result.size(); ++i) {
      largest =
          std::fmax(largest, std::isnan(result[i]) ? 1.0 : std::fabs(result[i] - expected[i]));
    }
    std::printf("%-24s %8.1f us   %s\n", name, 1000 * end.milliseconds_since(begin),
                largest < 1e-5 ? "same" : "DIFFERENT");
    return largest < 1e-5;
  };
  bool same = report("default", with_launch_function<default_block_size>);
  same &= report("64 lanes", with_launch_function<64>);
  same &= report("512 lanes", with_launch_function<512>);
  same &= report("1024 lanes, kernel", with_kernel<1024>);
  return same ? 0 : 1;
} catch (const rocmforge::error& caught) {
  std::fprintf(stderr, "%s\n", caught.what());
  return 1;
}
