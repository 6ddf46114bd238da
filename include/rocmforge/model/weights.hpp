// A model's weights in device memory. Matrices keep the file's formats; matrices with the same
// input (queries, keys and values; gate and up) are stacked, so that one product computes them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rocmforge/embedding.hpp"
#include "rocmforge/error.hpp"
#include "rocmforge/gguf.hpp"
#include "rocmforge/gguf/weight_view.hpp"
#include "rocmforge/linear.hpp"
#include "rocmforge/memory.hpp"
#include "rocmforge/model/config.hpp"
#include "rocmforge/model/tensor_names.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/rope/scaling.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Throws error with the message of a status other than success.
inline void check(const status& result) {
  if (!result) throw error(result.message());
}

/// One matrix [out_dim, in_dim], or several with the same input stacked along out_dim. Parts that
/// follow each other in the same format are one product.
class weight_matrix {
 public:
  weight_matrix() = default;

  [[nodiscard]] int out_dim() const { return out_dim_; }
  [[nodiscard]] int in_dim() const { return in_dim_; }
  [[nodiscard]] std::size_t num_products() const { return segments_.size(); }

  /// y = x W^T + bias. @param y [num_tokens, out_dim] @param x [num_tokens, in_dim]
  [[nodiscard]] status multiply(tensor_view<float, 2> y, tensor_view<const float, 2> x,
                                stream_ref stream) const {
    status result;
    for (const segment& part : segments_) {
      result = dispatch_weight_type(part.type, "linear", [&]<class Type>(Type) {
        const auto bias = bias_.size() == 0 ? tensor_view<const float, 1>{}
                                            : tensor_view<const float, 1>(make_view(
                                                  bias_.data() + part.first_row, part.num_rows));
        return linear(sub_view<1>(y, part.first_row, part.first_row + part.num_rows), x,
                      view_as<Type>(part), bias, stream);
      });
      if (!result) break;
    }
    return result;
  }

  /// y[t] = row tokens[t]. @param y [num_tokens, in_dim] @param tokens [num_tokens]
  [[nodiscard]] status look_up(tensor_view<float, 2> y, tensor_view<const int, 1> tokens,
                               stream_ref stream) const {
    return dispatch_weight_type(segments_.front().type, "embedding", [&]<class Type>(Type) {
      return embedding<Type>(y, view_as<Type>(segments_.front()), tokens, stream);
    });
  }

 private:
  friend class weight_loader;
  struct segment {
    gguf::tensor_type type;
    int first_row, num_rows;
    std::size_t offset;  // in bytes from data_
  };

  template <class Type>
  [[nodiscard]] tensor_view<const Type, 2> view_as(const segment& part) const {
    return weight_view<Type>(data_ + part.offset, part.num_rows, in_dim_);
  }

  const std::byte* data_ = nullptr;  // in model_weights::matrices
  device_buffer<float> bias_;        // [out_dim] or empty
  std::vector<segment> segments_;
  int out_dim_ = 0, in_dim_ = 0;
};

/// The weights of one transformer layer.
struct layer_weights {
  device_buffer<float> attention_norm;       // [hidden_dim]
  weight_matrix qkv;                         // [q_dim + 2 kv_dim, hidden_dim]
  device_buffer<float> q_norm, k_norm;       // [head_dim], where the architecture has them
  weight_matrix attention_output;            // [hidden_dim, q_dim]
  device_buffer<float> post_attention_norm;  // [hidden_dim], where the architecture has it
  device_buffer<float> ffn_norm;             // [hidden_dim]
  weight_matrix gate_up;                     // [2 ffn_dim, hidden_dim]
  weight_matrix down;                        // [hidden_dim, ffn_dim]
  device_buffer<float> post_ffn_norm;        // [hidden_dim], where the architecture has it
};

/// All weights of a model.
struct model_weights {
  device_buffer<std::byte> matrices;  // in a single allocation, so that the host can use huge pages
  weight_matrix embedding;            // [vocab_size, hidden_dim]
  std::vector<layer_weights> layers;
  device_buffer<float> output_norm;  // [hidden_dim]
  weight_matrix output;              // [vocab_size, hidden_dim]; empty if tied to the embedding
  /// Divisors of the rotation's angles, [rotary_dim / 2] or empty; and LongRoPE's divisors for
  /// contexts longer than the original one.
  device_buffer<float> rope_factors, long_rope_factors;

  [[nodiscard]] const weight_matrix& output_or_embedding() const {
    return output.out_dim() != 0 ? output : embedding;
  }
};

/// Copies a file's weights to the device. Checks every shape and type, and that every tensor in the
/// file is used.
class weight_loader {
 public:
  /// @param on_progress  called with the fraction of the tensors that are loaded
  weight_loader(const gguf::index& file, const model_config& config, stream_ref stream,
                std::function<void(double)> on_progress = {})
      : file_(file), config_(config), stream_(stream), on_progress_(std::move(on_progress)) {}

  /// @throws error for a missing, unknown or wrongly shaped tensor, a type without kernels, or too
  /// little memory
  [[nodiscard]] model_weights load() {
    const model_config& c = config_;
    check_types();
    model_weights weights;
    std::size_t num_bytes = 0;
    for (const gguf::tensor_info& tensor : file_.tensors()) num_bytes += aligned(tensor.num_bytes);
    weights.matrices = device_buffer<std::byte>(num_bytes);
    arena_ = &weights.matrices;
    weights.embedding =
        matrix({{"token_embd.weight", c.vocab_size}}, c.hidden_dim, may_have_bias::no);
    const architecture_traits& a = c.architecture;
    for (int layer = 0; layer < c.num_layers; ++layer) {
      const std::string block = "blk." + std::to_string(layer) + ".";
      layer_weights& l = weights.layers.emplace_back();
      l.attention_norm = vector(block + "attn_norm.weight", c.hidden_dim);
      l.qkv = names_.find(block + "attn_qkv.weight") != nullptr
                  ? matrix({{block + "attn_qkv.weight", c.q_dim() + 2 * c.kv_dim()}}, c.hidden_dim)
                  : matrix({{block + "attn_q.weight", c.q_dim()},
                            {block + "attn_k.weight", c.kv_dim()},
                            {block + "attn_v.weight", c.kv_dim()}},
                           c.hidden_dim);
      if (a.qk_norm) {
        l.q_norm = vector(block + "attn_q_norm.weight", c.head_dim);
        l.k_norm = vector(block + "attn_k_norm.weight", c.head_dim);
      }
      l.attention_output = matrix({{block + "attn_output.weight", c.hidden_dim}}, c.q_dim());
      l.ffn_norm = vector(block + "ffn_norm.weight", c.hidden_dim);
      l.gate_up = a.joined_gate_up
                      ? matrix({{block + "ffn_up.weight", 2 * c.ffn_dim}}, c.hidden_dim)
                      : matrix({{block + "ffn_gate.weight", c.ffn_dim},
                                {block + "ffn_up.weight", c.ffn_dim}},
                               c.hidden_dim);
      l.down = matrix({{block + "ffn_down.weight", c.hidden_dim}}, c.ffn_dim);
      if (a.post_norms) {
        l.post_attention_norm = vector(block + "post_attention_norm.weight", c.hidden_dim);
        l.post_ffn_norm = vector(block + "post_ffw_norm.weight", c.hidden_dim);
      }
    }
    weights.output_norm = vector("output_norm.weight", c.hidden_dim);
    if (names_.find("output.weight") != nullptr)
      weights.output = matrix({{"output.weight", c.vocab_size}}, c.hidden_dim);
    for (const char* name :
         {"rope_freqs.weight", "blk.0.rope_freqs.weight", "rope_factors_short.weight"}) {
      if (weights.rope_factors.size() == 0) weights.rope_factors = divisors(name);
    }
    weights.long_rope_factors = divisors("rope_factors_long.weight");
    if (c.yarn_factor != 0) {
      if (weights.rope_factors.size() != 0) fail("has both YaRN and a tensor of rope factors");
      weights.rope_factors = device_buffer<float>(
          yarn_frequency_factors(c.rope_theta, c.rotary_dim,
                                 {c.yarn_factor, static_cast<double>(c.original_context),
                                  c.yarn_beta_fast, c.yarn_beta_slow}),
          stream_);
    }
    refuse_leftovers();
    stream_.synchronize();
    return weights;
  }

 private:
  struct part {
    std::string name;
    int num_rows;
  };
  enum class may_have_bias { no, yes };

  /// Matrices are aligned to cache lines.
  static std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

  void check_types() const {
    for (const gguf::tensor_info& tensor : file_.tensors()) {
      if (!dispatch_weight_type(tensor.type, "", [](auto) { return status{}; })) {
        fail("tensor '" + printable(tensor.name) + "' has type " +
             std::string(gguf::traits_of(tensor.type).name) +
             ", expected f32, f16, bf16 or a block-quantized type");
      }
    }
  }

  weight_matrix matrix(const std::vector<part>& parts, int in_dim,
                       may_have_bias has_bias = may_have_bias::yes) {
    weight_matrix result;
    result.in_dim_ = in_dim;
    const std::size_t first = arena_used_ = aligned(arena_used_);
    result.data_ = arena_->data() + first;
    std::size_t offset = 0;
    for (const part& p : parts) {
      const gguf::tensor_info& info = tensor(p.name, {in_dim, p.num_rows});
      if (result.segments_.empty() || result.segments_.back().type != info.type) {
        offset = aligned(offset);  // another format may end at any address
        result.segments_.push_back({info.type, result.out_dim_, 0, offset});
      }
      arena_->copy_from_host({info.data, info.num_bytes}, stream_, first + offset);
      result.segments_.back().num_rows += p.num_rows;
      result.out_dim_ += p.num_rows;
      offset += info.num_bytes;
      loaded(info);
    }
    arena_used_ = first + offset;
    if (has_bias == may_have_bias::yes) result.bias_ = bias(parts, result.out_dim_);
    return result;
  }

  /// The biases of stacked matrices: zero for a part without bias, empty if no part has one.
  device_buffer<float> bias(const std::vector<part>& parts, int out_dim) {
    std::vector<float> values;
    int first = 0;
    for (const part& p : parts) {
      const std::string name = p.name.substr(0, p.name.rfind('.')) + ".bias";
      if (names_.find(name) != nullptr) {
        values.resize(static_cast<std::size_t>(out_dim));
        const std::vector<float> one = floats(name, p.num_rows);
        std::copy(one.begin(), one.end(), values.begin() + first);
      }
      first += p.num_rows;
    }
    return values.empty() ? device_buffer<float>() : device_buffer<float>(values, stream_);
  }

  /// Divisors of the angles of each pair; empty if there is no such tensor.
  device_buffer<float> divisors(const std::string& name) {
    if (names_.find(name) == nullptr) return {};
    const std::vector<float> factors = floats(name, config_.rotary_dim / 2);
    const auto divides = [](float factor) { return factor > 0 && std::isfinite(factor); };
    if (!std::all_of(factors.begin(), factors.end(), divides))
      fail("tensor '" + name + "' has a factor that is not finite and above 0");
    return device_buffer<float>(factors, stream_);
  }

  device_buffer<float> vector(const std::string& name, int size) {
    return device_buffer<float>(floats(name, size), stream_);
  }

  std::vector<float> floats(const std::string& name, int size) {
    const gguf::tensor_info& info = tensor(name, {size});
    std::vector<float> values(static_cast<std::size_t>(size));
    const auto read = [&]<class T>(T) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        T element;
        std::memcpy(&element, info.data + i * sizeof(T), sizeof(T));
        values[i] = static_cast<float>(element);
      }
    };
    switch (info.type) {
      case gguf::tensor_type::f32:
        read(float{});
        break;
      case gguf::tensor_type::f16:
        read(half{});
        break;
      case gguf::tensor_type::bf16:
        read(bfloat16{});
        break;
      default:
        fail("tensor '" + printable(name) + "' has type " +
             std::string(gguf::traits_of(info.type).name) + ", expected f32, f16 or bf16");
    }
    loaded(info);
    return values;
  }

  /// The tensor with this name, after a check of its extents (the fastest axis first).
  const gguf::tensor_info& tensor(const std::string& name,
                                  const std::vector<std::int64_t>& extents) const {
    const gguf::tensor_info& info = file_.tensor(names_.in_file(name));
    if (!gguf::has_shape(info, extents)) {
      std::string expected;
      for (const std::int64_t extent : extents)
        expected += (expected.empty() ? "" : " x ") + std::to_string(extent);
      fail("tensor '" + printable(name) + "' has shape " + gguf::shape_text(info) + ", expected " +
           expected);
    }
    return info;
  }

  void loaded(const gguf::tensor_info& info) {
    used_.insert(info.name);
    if (on_progress_)
      on_progress_(static_cast<double>(used_.size()) / static_cast<double>(file_.tensors().size()));
  }

  /// Throws if some tensor was not read: a weight would be silently ignored.
  void refuse_leftovers() const {
    for (const gguf::tensor_info& tensor : file_.tensors()) {
      if (!used_.contains(tensor.name)) {
        fail("tensor '" + printable(tensor.name) + "' is not part of the architecture '" +
             std::string(config_.architecture.name) + "'");
      }
    }
  }

  [[noreturn]] void fail(const std::string& message) const {
    throw error(file_.path(), error::no_offset, message);
  }

  const gguf::index& file_;
  const model_config& config_;
  tensor_names names_{file_};
  stream_ref stream_;
  std::function<void(double)> on_progress_;
  std::set<std::string_view> used_;
  device_buffer<std::byte>* arena_ = nullptr;
  std::size_t arena_used_ = 0;
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
