// The linear layer, y = x W^T + bias, with W dense or block-quantized (quant.hpp). Weights are
// dequantized in registers. Activations are not quantized, so the only error is that of the float
// accumulation.
#pragma once

#include "rocmforge/block/checks.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/linear/matvec.hpp"
#include "rocmforge/linear/matvec_bytes.hpp"
#include "rocmforge/linear/matvec_host.hpp"
#include "rocmforge/linear/matvec_tile.hpp"
#include "rocmforge/linear/mma.hpp"
#include "rocmforge/linear/tiled.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Up to this many tokens kernels::matvec multiplies weights as it reads them; above that
/// kernels::linear_mma, or kernels::linear where there are no matrix instructions for the weights,
/// decodes them into a panel first.
constexpr int max_matvec_tokens(int wave_size) {
  return wave_size == 1 ? 4 : 8;
}

namespace linear_launch {

/// Threads of a block of kernels::matvec_tile: more waves would share no more of x, and each wants
/// room in shared memory.
constexpr int tile_lanes(int block_lanes, int wave_size, int most) {
  return block_lanes < most ? block_lanes : most < wave_size ? wave_size : most;
}

/// Whether kernels::matvec_tile may count the bytes of a tile's rows upwards in 32 bits.
template <class Type>
bool rows_are_near(const tensor_view<Type, 2>& weight) {
  constexpr std::int64_t most = std::int64_t{64} << 20;  // bytes from row to row
  return weight.stride[0] >= 0 && weight.stride[0] <= most / std::int64_t{sizeof(Type)};
}

/// kernels::matvec_tile with a policy for so many tokens. Blocks stay for several tiles, since each
/// brings x into shared memory first.
template <class Product, int BlockSize, int WaveSize, class T, class Type, class TX>
status run_tiles(const char* op, tensor_view<T, 2> y, tensor_view<const TX, 2> x,
                 tensor_view<const Type, 2> weight, tensor_view<const float, 1> bias,
                 stream_ref stream) {
  using kernel = kernels::matvec_tile<T, Type, Product, BlockSize, WaveSize, TX>;
  const device_properties& device = devices()[static_cast<std::size_t>(stream.device())];
  const auto shared_bytes = static_cast<std::int64_t>(device.shared_bytes);
  kernel functor{y, x, weight, bias, 0, 0};
  functor.held_spans = kernel::spans_that_fit(x.extent[0], x.extent[1], shared_bytes);
  // With dot products, blocks that find no room wait: shared memory counts for a compute unit, of
  // which some GPUs report two as one.
  const std::int64_t beside = Product::by_matrix ? shared_bytes / shared_bytes_of(functor) : 1024;
  const int most =
      device.num_compute_units *
      static_cast<int>(beside < Product::blocks_beside ? beside : Product::blocks_beside);
  const int tiles = device::divide_up(y.extent[1], kernel::tile_rows);
  functor.num_blocks = tiles < most ? tiles : most;
  return launch(op, functor,
                {functor.num_blocks, device::divide_up(y.extent[0], kernel::max_tokens)}, stream);
}

template <int BlockSize, int WaveSize, class T, class Type, class TX>
status few_tokens(const char* op, tensor_view<T, 2> y, tensor_view<const TX, 2> x,
                  tensor_view<const Type, 2> weight, tensor_view<const float, 1> bias,
                  stream_ref stream) {
  constexpr int columns_per_token = half_limbs::count<TX>;
  if constexpr (tile_product::multiplies_by_matrix) {
    // Up to 8 columns by one instruction, up to 16 by two.
    constexpr int columns = mma::mma_f32_16x8x16_f16::n;
    if (columns_per_token * y.extent[0] <= columns) {
      return run_tiles<tile_product::matrix<mma::mma_f32_16x8x16_f16, 1>,
                       tile_lanes(BlockSize, WaveSize, 256), WaveSize>(op, y, x, weight, bias,
                                                                       stream);
    }
    return run_tiles<tile_product::matrix<mma::mma_f32_16x8x16_f16, columns_per_token>,
                     tile_lanes(BlockSize, WaveSize, 256 / columns_per_token), WaveSize>(
        op, y, x, weight, bias, stream);
  } else if (y.extent[0] == 1) {
    return run_tiles<tile_product::dot<WaveSize, columns_per_token>,
                     tile_lanes(BlockSize, WaveSize, 2 * WaveSize), WaveSize>(op, y, x, weight,
                                                                              bias, stream);
  } else {
    return run_tiles<tile_product::dot<WaveSize, 4 * columns_per_token>,
                     tile_lanes(BlockSize, WaveSize, 64), WaveSize>(op, y, x, weight, bias, stream);
  }
}

/// Tiles of y, of which a block of kernels::linear_mma takes one.
template <class T>
int tiles_of(const gemm_tile& tile, const tensor_view<T, 2>& y) {
  return device::divide_up(y.extent[0], tile.block_m) *
         device::divide_up(y.extent[1], tile.block_n);
}

/// Starts kernels::linear_mma with the instruction that waves of this size have on the stream's
/// device; false if there is none.
template <int BlockSize, int WaveSize, class T, class Type, class TX>
bool many_tokens(status& launched, const char* op, const tensor_view<T, 2>& y,
                 const tensor_view<const TX, 2>& x, const tensor_view<const Type, 2>& weight,
                 const tensor_view<const float, 1>& bias, stream_ref stream) {
  const device_properties& device = devices()[static_cast<std::size_t>(stream.device())];
  return mma::with_instruction<WaveSize>(
      mma::product_instructions<half>{}, device.architecture, [&]<class Instruction>(Instruction) {
        // More waves would share x among more rows, and leave a card with few blocks.
        constexpr int lanes = mma::lanes_of_few_waves(BlockSize, WaveSize);
        constexpr gemm_tile tile = linear_mma_tile_for(lanes, WaveSize);
        using kernel = kernels::linear_mma<T, Type, Instruction, tile, lanes, WaveSize, TX>;
        launched = checks::countable(op, "y", "{0} x {1} tiles are more than 2^30",
                                     device::divide_up(y.extent[0], tile.block_m),
                                     device::divide_up(y.extent[1], tile.block_n));
        if (launched)
          launched = launch(op, kernel{y, x, weight, bias}, {tiles_of(tile, y)}, stream);
        return true;
      });
}

/// kernels::matvec_bytes with blocks of many rows, of which threads that are held up take fewer; or
/// with one for each thread.
template <class Kernel, class T, class Type, class TX>
status run_bytes(const char* op, tensor_view<T, 2> y, tensor_view<const TX, 2> x,
                 tensor_view<const Type, 2> weight, tensor_view<const float, 1> bias,
                 stream_ref stream) {
  const int threads = devices()[static_cast<std::size_t>(stream.device())].num_compute_units;
  const auto parts = [&](int rows, int most) {
    const int wanted = device::divide_up(y.extent[1], rows);
    return wanted < most ? wanted : most;
  };
  const int many = parts(Kernel::block_rows, threads * Kernel::blocks_per_thread),
            one_each = parts(Kernel::least_block_rows, threads);
  const int num_blocks = many > one_each ? many : one_each;
  return launch(op, Kernel{y, x, weight, bias, num_blocks}, {num_blocks, 1}, stream);
}

}  // namespace linear_launch

/// y = x W^T + bias. Accumulates in float.
/// Asynchronous on `stream`; allocates nothing.
///
/// @tparam Type    how W is stored: float, half, bfloat16 or any block format of quant.hpp
/// @param y        [num_tokens, out_dim]  output of float, half or bfloat16
/// @param x        [num_tokens, in_dim]  of float, half or bfloat16, whatever y is of
/// @param weight   [out_dim, in_dim / block_traits<Type>::elements]
/// @param bias     [out_dim], or an empty view for none
/// @return invalid_shape if the extents disagree, invalid_layout if a last axis is not contiguous
template <class T, class Type, int BlockSize = default_block_size, class X = const T>
[[nodiscard]] status linear(tensor_view<T, 2> y, tensor_view<X, 2> x, tensor_view<Type, 2> weight,
                            tensor_view<const float, 1> bias = {}, stream_ref stream = {}) {
  static_assert(floating_dtype<std::remove_const_t<X>>,
                "linear: x must be of float, half or bfloat16");
  using TX = std::conditional_t<floating_dtype<std::remove_const_t<X>>, std::remove_const_t<X>, T>;
  constexpr const char* op = "linear";
  using weight_type = std::remove_const_t<Type>;
  if (status s = checks::all(
          checks::output(op, "y", y), checks::view(op, "x", x), checks::view(op, "weight", weight),
          checks::view(op, "bias", bias), checks::extent(op, "x", 0, x.extent[0], y.extent[0]),
          checks::extent(op, "weight", 0, weight.extent[0], y.extent[1]),
          checks::extent(op, "x", 1, x.extent[1],
                         std::int64_t{weight.extent[1]} * block_traits<weight_type>::elements),
          bias.data == nullptr ? status{}
                               : checks::extent(op, "bias", 0, bias.extent[0], y.extent[1]));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    constexpr int block_lanes = block_threads<BlockSize, wave>;
    const int num_tokens = y.extent[0], out_dim = y.extent[1];
    if constexpr (wave > 1 && has_numbers<weight_type>) {
      if (num_tokens <= max_matvec_tokens(wave) && linear_launch::rows_are_near(weight)) {
        return linear_launch::few_tokens<block_lanes, wave, T, weight_type, TX>(
            op, y, elements_as<const TX>(x), weight, bias, stream);
      }
      status launched;
      if (linear_launch::many_tokens<block_lanes, wave, T, weight_type, TX>(
              launched, op, y, elements_as<const TX>(x), weight, bias, stream)) {
        return launched;
      }
    } else {
      if constexpr (wave == 1 && has_byte_weights<weight_type> && device::byte_dot_size > 0) {
        using kernel = kernels::matvec_bytes<T, weight_type, block_lanes, TX>;
        if (num_tokens == 1 && x.extent[1] <= kernel::max_in_dim) {
          return linear_launch::run_bytes<kernel>(op, y, elements_as<const TX>(x), weight, bias,
                                                  stream);
        }
      } else if (num_tokens == 1) {
        // Waves share nothing. Small blocks of this one, which has few instructions for its bytes,
        // spread a small matrix over all compute units.
        constexpr int lanes = kernels::multiplies_pairs<weight_type, TX>
                                  ? linear_launch::tile_lanes(block_lanes, wave, 2 * wave)
                                  : block_lanes;
        using kernel = kernels::matvec<T, weight_type, 1, lanes, wave, TX>;
        return launch(op, kernel{y, elements_as<const TX>(x), weight, bias},
                      {device::divide_up(out_dim, kernel::rows_per_block)}, stream);
      }
      if (num_tokens <= max_matvec_tokens(wave)) {
        using kernel = kernels::matvec<T, weight_type, 4, block_lanes, wave, TX>;
        return launch(
            op, kernel{y, elements_as<const TX>(x), weight, bias},
            {device::divide_up(out_dim, kernel::rows_per_block), device::divide_up(num_tokens, 4)},
            stream);
      }
    }
    using kernel = kernels::linear<T, weight_type, block_lanes, wave, TX>;
    return launch(op, kernel{y, elements_as<const TX>(x), weight, bias},
                  {device::divide_up(out_dim, kernel::tile.block_rows),
                   device::divide_up(num_tokens, kernel::tile.block_tokens)},
                  stream);
  });
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
