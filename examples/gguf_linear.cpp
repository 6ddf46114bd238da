// From a GGUF file to a product: multiplies a weight matrix of a file by a vector of ones, and
// prints the first results, which are sums over the matrix's rows.
//
//   gguf_linear model.gguf blk.0.attn_q.weight
#include <algorithm>
#include <cstdio>
#include <rocmforge/gguf.hpp>
#include <rocmforge/gguf/weight_view.hpp>
#include <rocmforge/linear.hpp>
#include <rocmforge/memory.hpp>
#include <rocmforge/model/weight_kernels.hpp>  // kernels of all formats, compiled in weight_kernels/
#include <span>
#include <vector>

using namespace rocmforge;

int main(int argc, char** argv) try {
  if (argc != 3) return std::fputs("usage: gguf_linear MODEL.gguf TENSOR\n", stderr), 2;
  const gguf::file file(argv[1]);
  const gguf::tensor_info& tensor = file.tensor(argv[2]);
  const int in_dim = int(tensor.extent[0]),
            out_dim = int(tensor.extent[1]);  // the first is the fast one

  const device_buffer<std::byte> weights(std::span(tensor.data, tensor.num_bytes));
  const device_buffer<float> x(std::vector<float>(in_dim, 1.0f));
  device_buffer<float> y(out_dim);
  const status result = dispatch_weight_type(tensor.type, "linear", [&]<class Type>(Type) {
    return linear(y.view(1, out_dim), x.view(1, in_dim), weight_view<Type>(weights.data(), tensor));
  });
  if (!result) throw error(result.message());

  const std::vector<float> sums = y.to_host();
  for (int row = 0; row < std::min(out_dim, 8); ++row) std::printf("%g\n", sums[row]);
} catch (const rocmforge::error& caught) {
  return std::fprintf(stderr, "%s\n", caught.what()), 1;
}
