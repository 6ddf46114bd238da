// How a dense product is computed: the method, and the shape of a block's work.
#pragma once

namespace rocmforge {

/// How `gemm` multiplies. Halves and bfloat16s can be multiplied by matrix instructions where the
/// device has them; the sums are then in another order, and so differ in the last bits.
enum class gemm_method {
  automatic,           // by matrix instructions where there are any for the type
  multiply_add,        // one by one, on any device
  matrix_instructions  // or not at all: `unsupported` where there are none
};

/// Options of `gemm`.
struct gemm_options {
  float alpha = 1;
  gemm_method method = gemm_method::automatic;
};

/// Shape of the work of one block: `block_m` x `block_n` elements of C, `block_k` products of each
/// at a time; and the part of it that one lane has in registers, or one wave where it multiplies
/// with matrix instructions.
struct gemm_tile {
  int block_m, block_n, block_k;
  int m, n;
};

}  // namespace rocmforge
