#include "values.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <rocmforge/error.hpp>
#include <rocmforge/quant.hpp>
#include <rocmforge/tensor_view.hpp>
#include <span>
#include <stdexcept>
#include <vector>

namespace gguf_info {
namespace {

using rocmforge::gguf::tensor_info;
using rocmforge::gguf::tensor_type;

static_assert(std::endian::native == std::endian::little,
              "values are hashed as they lie in memory");

class sha256 {
 public:
  sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    require(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void add(std::span<const std::byte> bytes) {
    require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }

  std::string hexadecimal() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    require(EVP_DigestFinal_ex(context_.get(), digest, &size) == 1);
    return fmt::format("{:02x}", fmt::join(digest, digest + size, ""));
  }

 private:
  static void require(bool success) {
    if (!success) throw std::runtime_error("SHA-256 failed");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

/// Rows are whole blocks and follow each other, so that a tensor is one row of blocks.
///
/// @tparam Type  what it is stored as: a number or a block
template <class Type>
void add_values(sha256& sum, const tensor_info& tensor) {
  constexpr std::size_t elements = rocmforge::block_traits<Type>::elements;
  constexpr std::size_t chunk = (std::size_t{1} << 18) / elements;
  const std::size_t num_blocks = tensor.num_bytes / sizeof(Type);
  // Copied, because a file may align its tensors to less than the type.
  std::vector<Type> blocks(std::min(chunk, num_blocks));
  std::vector<float> values(blocks.size() * elements);
  for (std::size_t first = 0; first < num_blocks; first += chunk) {
    const std::size_t count = std::min(chunk, num_blocks - first);
    std::memcpy(blocks.data(), tensor.data + first * sizeof(Type), count * sizeof(Type));
    const auto x = rocmforge::make_view(blocks.data(), 1, static_cast<int>(count));
    const auto y = rocmforge::make_view(values.data(), 1, static_cast<int>(count * elements));
    if (const rocmforge::status done = rocmforge::dequantize<Type>(y, x); !done) {
      throw rocmforge::error(done.message());
    }
    sum.add(std::as_bytes(std::span(values).first(count * elements)));
  }
}

template <>
void add_values<float>(sha256& sum, const tensor_info& tensor) {
  sum.add({tensor.data, tensor.num_bytes});
}

struct decoding {
  tensor_type type;
  void (*add_values)(sha256&, const tensor_info&);
};

constexpr decoding decodings[] = {
    {tensor_type::f32, add_values<float>},
    {tensor_type::f16, add_values<rocmforge::half>},
    {tensor_type::bf16, add_values<rocmforge::bfloat16>},
    {tensor_type::f64, add_values<double>},
    {tensor_type::i8, add_values<std::int8_t>},
    {tensor_type::i16, add_values<std::int16_t>},
    {tensor_type::i32, add_values<std::int32_t>},
    {tensor_type::i64, add_values<std::int64_t>},
    {tensor_type::q4_0, add_values<rocmforge::q4_0>},
    {tensor_type::q4_1, add_values<rocmforge::q4_1>},
    {tensor_type::q5_0, add_values<rocmforge::q5_0>},
    {tensor_type::q5_1, add_values<rocmforge::q5_1>},
    {tensor_type::q8_0, add_values<rocmforge::q8_0>},
    {tensor_type::q1_0, add_values<rocmforge::q1_0>},
    {tensor_type::q2_0, add_values<rocmforge::q2_0>},
    {tensor_type::q2_k, add_values<rocmforge::q2_k>},
    {tensor_type::q3_k, add_values<rocmforge::q3_k>},
    {tensor_type::q4_k, add_values<rocmforge::q4_k>},
    {tensor_type::q5_k, add_values<rocmforge::q5_k>},
    {tensor_type::q6_k, add_values<rocmforge::q6_k>},
    {tensor_type::iq4_nl, add_values<rocmforge::iq4_nl>},
    {tensor_type::iq4_xs, add_values<rocmforge::iq4_xs>},
    {tensor_type::mxfp4, add_values<rocmforge::mxfp4>},
    {tensor_type::nvfp4, add_values<rocmforge::nvfp4>},
    {tensor_type::tq1_0, add_values<rocmforge::tq1_0>},
    {tensor_type::tq2_0, add_values<rocmforge::tq2_0>},
    {tensor_type::iq1_s, add_values<rocmforge::iq1_s>},
    {tensor_type::iq1_m, add_values<rocmforge::iq1_m>},
    {tensor_type::iq2_xxs, add_values<rocmforge::iq2_xxs>},
    {tensor_type::iq2_xs, add_values<rocmforge::iq2_xs>},
    {tensor_type::iq2_s, add_values<rocmforge::iq2_s>},
    {tensor_type::iq3_xxs, add_values<rocmforge::iq3_xxs>},
    {tensor_type::iq3_s, add_values<rocmforge::iq3_s>},
};

}  // namespace

std::string sha256_of_values(const tensor_info& tensor) {
  const auto found = std::find_if(std::begin(decodings), std::end(decodings),
                                  [&](const decoding& d) { return d.type == tensor.type; });
  if (found == std::end(decodings)) {
    throw rocmforge::error("--check: there is no decoding for tensors of type " +
                           std::string(rocmforge::gguf::traits_of(tensor.type).name));
  }
  sha256 sum;
  found->add_values(sum, tensor);
  return sum.hexadecimal();
}

}  // namespace gguf_info
