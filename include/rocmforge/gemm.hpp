// Dense matrix products, C = epilogue(alpha A B), one matrix or a batch, by the device's matrix
// instructions where it has them for the type and by multiply-adds elsewhere.
#pragma once

#include <string_view>

#include "rocmforge/block/checks.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/gemm/fma.hpp"
#include "rocmforge/gemm/fma_host.hpp"
#include "rocmforge/gemm/mma.hpp"
#include "rocmforge/gemm/options.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN
namespace checks::gemm {

/// A or B: a view as checks::view wants it, but either of the last two axes may be contiguous.
template <class T>
status operand(const char* op, const char* argument, tensor_view<const T, 3> x) {
  if (!gemm_detail::is_contiguous(x, 2) && gemm_detail::is_contiguous(x, 1))
    x = permuted<0, 2, 1>(x);
  return checks::view(op, argument, x);
}

}  // namespace checks::gemm

namespace kernels {
using namespace device;

/// Starts `Kernel`, kernels::gemm or kernels::gemm_mma of any tile, on the blocks that C takes.
template <class Kernel, class T, class TC, class Epilogue>
status launch_gemm(const char* op, const tensor_view<TC, 3>& c, const tensor_view<const T, 3>& a,
                   const tensor_view<const T, 3>& b, float alpha, const Epilogue& policy,
                   stream_ref stream) {
  const int tiles_m = divide_up(c.extent[1], Kernel::tile.block_m),
            tiles_n = divide_up(c.extent[2], Kernel::tile.block_n);
  if (status s = checks::countable(op, "c", "{0} matrices of {1} x {2} tiles are more than 2^30",
                                   c.extent[0], tiles_m, tiles_n);
      !s) {
    return s;
  }
  return launch(op, Kernel{c, a, b, alpha, policy},
                {checks::product(c.extent[0], tiles_m, tiles_n)}, stream);
}

}  // namespace kernels

namespace gemm_detail {
using namespace device;

/// Starts kernels::gemm_mma with the instruction that waves of this size have on a device of this
/// architecture; false if there is none.
template <int BlockSize, int WaveSize, class T, class TC, class Epilogue>
bool launch_matrix(status& launched, std::string_view architecture, const char* op,
                   const tensor_view<TC, 3>& c, const tensor_view<const T, 3>& a,
                   const tensor_view<const T, 3>& b, float alpha, const Epilogue& policy,
                   stream_ref stream) {
  return mma::with_instruction<WaveSize>(
      mma::product_instructions<T>{}, architecture, [&]<class Instruction>(Instruction) {
        constexpr gemm_tile tile = gemm_mma_tile_for(BlockSize, WaveSize);
        using kernel = kernels::gemm_mma<Instruction, TC, Epilogue, tile, BlockSize, WaveSize>;
        launched = kernels::launch_gemm<kernel, T>(op, c, a, b, alpha, policy, stream);
        return true;
      });
}

}  // namespace gemm_detail

/// The matrix instruction that `gemm` uses for elements of T on this device, for logs; nullptr if
/// there is none and `gemm` uses multiply-adds.
template <class T>
const char* gemm_instruction(const device_properties& device) {
  const char* name = nullptr;
  [&]<class... I>(mma::instruction_list<I...>) {
    static_cast<void>(((I::runs_on(device.architecture) && (name = I::name, true)) || ...));
  }(mma::product_instructions<T>{});
  return name;
}

/// C = epilogue(alpha A B) for each matrix of a batch. Sums are kept in float and rounded once.
/// Strides say what is transposed: of the last two axes of A and of B either may be the contiguous
/// one. A batch axis of stride 0 (`broadcast_batch`) is the same matrix for all.
///
/// Asynchronous on `stream`; allocates nothing.
///
/// @param c         [batch, m, n]  output, float, half or bfloat16; not A or B
/// @param a         [batch, m, k]  float, half or bfloat16
/// @param b         [batch, k, n]  the type of a
/// @param policy    what becomes of the sums before they are stored (gemm/epilogue.hpp)
/// @param options   alpha, and how to multiply
/// @return invalid_shape if the extents disagree, invalid_layout if the last axis of C, or neither
///         of the last two of A or B, is contiguous; unsupported if matrix instructions are asked
///         for and the device has none for T
template <class TC, class TA, class TB, class Epilogue = epilogue::none,
          int BlockSize = default_block_size>
[[nodiscard]] status gemm(tensor_view<TC, 3> c, tensor_view<TA, 3> a, tensor_view<TB, 3> b,
                          const Epilogue& policy = {}, const gemm_options& options = {},
                          stream_ref stream = {}) {
  constexpr const char* op = "gemm";
  using T = std::remove_const_t<TA>;
  static_assert(std::is_same_v<T, std::remove_const_t<TB>>, "gemm: A and B have the same type");
  static_assert(floating_dtype<T> && floating_dtype<TC>,
                "gemm: elements are float, half or bfloat16");
  if (status s = checks::all(checks::output(op, "c", c), checks::gemm::operand<T>(op, "a", a),
                             checks::gemm::operand<T>(op, "b", b),
                             checks::extent(op, "a", 0, a.extent[0], c.extent[0]),
                             checks::extent(op, "a", 1, a.extent[1], c.extent[1]),
                             checks::extent(op, "b", 0, b.extent[0], c.extent[0]),
                             checks::extent(op, "b", 1, b.extent[1], a.extent[2]),
                             checks::extent(op, "b", 2, b.extent[2], c.extent[2]),
                             epilogue::check(policy, op, c.extent[0], c.extent[1], c.extent[2]));
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    constexpr int block_lanes = block_threads<BlockSize, wave>;
    if (options.method != gemm_method::multiply_add) {
      status launched;
      const auto& device = devices()[static_cast<std::size_t>(stream.device())];
      const bool found = gemm_detail::launch_matrix<block_lanes, wave, T>(
          launched, device.architecture, op, c, a, b, options.alpha, policy, stream);
      if (found) return launched;
      if (options.method == gemm_method::matrix_instructions) {
        return status{status_code::unsupported,
                      op,
                      "method",
                      "the device has no matrix instructions for elements of this type",
                      {}};
      }
    }
    using kernel =
        kernels::gemm<T, TC, Epilogue, gemm_tile_for(block_lanes, wave), block_lanes, wave>;
    return kernels::launch_gemm<kernel, T>(op, c, a, b, options.alpha, policy, stream);
  });
}

/// The same for one matrix.
///
/// @param c  [m, n]  output
/// @param a  [m, k]
/// @param b  [k, n]
template <class TC, class TA, class TB, class Epilogue = epilogue::none,
          int BlockSize = default_block_size>
[[nodiscard]] status gemm(tensor_view<TC, 2> c, tensor_view<TA, 2> a, tensor_view<TB, 2> b,
                          const Epilogue& policy = {}, const gemm_options& options = {},
                          stream_ref stream = {}) {
  return gemm<TC, TA, TB, Epilogue, BlockSize>(broadcast_batch(c, 1), broadcast_batch(a, 1),
                                               broadcast_batch(b, 1), policy, options, stream);
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
