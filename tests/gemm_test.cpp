// Dense products against double loops: every transposition, type and edge, batches, and what is
// refused. Epilogues: gemm_epilogue_test.cpp.
#include <rocmforge/gemm.hpp>

#include "reference/gemm_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(gemm_dense);

TEST_P(gemm_dense, float_agrees_with_double) {
  check_gemm_shapes<float>(plain_gemm);
}
TEST_P(gemm_dense, half_agrees_with_double) {
  check_gemm_shapes<half>(plain_gemm);
}
TEST_P(gemm_dense, bfloat16_agrees_with_double) {
  check_gemm_shapes<bfloat16>(plain_gemm);
}
TEST_P(gemm_dense, sums_of_halves_may_be_stored_as_floats) {
  for (const int m : {1, 33, 130}) check_gemm<float, half>({.m = m, .n = 66, .k = 40}, plain_gemm);
}

TEST_P(gemm_dense, products_may_be_added_one_by_one) {
  const auto one_by_one = [](const auto& c, const auto& a, const auto& b) {
    return gemm(c, a, b, epilogue::none{}, {.method = gemm_method::multiply_add});
  };
  check_gemm_shapes<half>(one_by_one);
  check_gemm<bfloat16, bfloat16>({.m = 130, .n = 131, .k = 70, .b = {.transposed = true}},
                                 one_by_one);
}

TEST_P(gemm_dense, matrix_instructions_are_used_or_refused) {
  const auto by_matrix = [](const auto& c, const auto& a, const auto& b) {
    return gemm(c, a, b, epilogue::none{}, {.method = gemm_method::matrix_instructions});
  };
  device_buffer<float> floats(64);
  EXPECT_EQ(gemm_instruction<float>(device()), nullptr);
  EXPECT_REFUSED(by_matrix(floats.view(8, 8), floats.view(8, 8), floats.view(8, 8)),
                 status_code::unsupported, "method");
  if (gemm_instruction<half>(device()) == nullptr) {
    device_buffer<half> halves(64);
    EXPECT_REFUSED(by_matrix(halves.view(8, 8), halves.view(8, 8), halves.view(8, 8)),
                   status_code::unsupported, "method");
  } else {
    check_gemm<half, half>({.m = 130, .n = 131, .k = 70}, by_matrix);
    check_gemm<bfloat16, bfloat16>({.m = 130, .n = 131, .k = 70}, by_matrix);
  }
}

#if defined(ROCMFORGE_EMULATION)
// The kernel for matrix instructions on an emulated wave, whose instruction is plain arithmetic.
TEST_P(gemm_dense, waves_multiply_tiles) {
  if (device().wave_size == 1) GTEST_SKIP() << "a wave of one lane has no matrix instructions";
  const auto by_tiles = [](const auto& c, const auto& a, const auto& b) {
    using T = typename std::remove_cvref_t<decltype(a)>::element_type;
    return dispatch(int_list<32, 64>{}, device().wave_size, "gemm", "", "", [&](auto wave) {
      using kernel = kernels::gemm_mma<mma::host_tile<T, float, 16, 16, 16, wave>, T,
                                       epilogue::none, gemm_mma_tile_for(256, wave), 256, wave>;
      return kernels::launch_gemm<kernel, T>("gemm", c, a, b, 1.0f, epilogue::none{}, {});
    });
  };
  check_gemm_shapes<half>(by_tiles);
}
#endif

// Several blocks along every axis, and more than one group of them.
TEST_P(gemm_dense, many_blocks_agree_with_double_large) {
  check_gemm<float, float>({.m = 1300, .n = 400, .k = 70, .b = {.transposed = true}}, plain_gemm);
  check_gemm<half, half>({.m = 400, .n = 1300, .k = 800, .a = {.transposed = true}}, plain_gemm);
  check_gemm<bfloat16, bfloat16>({.m = 200, .n = 200, .k = 400, .batch = 3}, plain_gemm);
}

TEST_P(gemm_dense, a_broadcast_matrix_is_the_same_for_all) {
  const gemm_problem p{.m = 17, .n = 35, .k = 20, .batch = 3};
  gemm_inputs<float> in(p);
  const auto b_size = std::size_t(p.k * p.n);
  for (std::size_t i = b_size; i < in.b.size(); ++i) in.b[i] = in.b[i % b_size];
  const matrix_batch<float> a(in.a, p.batch, p.m, p.k), c(p.batch, p.m, p.n);
  device_buffer<float> b(std::vector<float>(in.b.begin(), in.b.begin() + int(b_size)));
  EXPECT_SUCCESS(gemm(c.view(), a.view(), broadcast_batch(b.view(p.k, p.n), p.batch)));
  expect_close(c.download(), in.product(p), 3e-6, 1.0);
}

TEST_P(gemm_dense, one_matrix_needs_no_batch_axis) {
  const gemm_problem p{.m = 5, .n = 6, .k = 7};
  const gemm_inputs<float> in(p);
  device_buffer<float> a(in.a), b(in.b), c(30);
  EXPECT_SUCCESS(gemm(c.view(5, 6), a.view(5, 7), b.view(7, 6)));
  expect_close(c.to_host(), in.product(p), 3e-6, 1.0);
}

// Heads of a [seq, heads, dim] buffer, as attention multiplies them: rows are heads * dim apart.
TEST_P(gemm_dense, permuted_views_are_read_where_they_lie) {
  const int seq = 21, heads = 3, dim = 16;
  const auto values = random_values<half>(std::size_t(seq * heads * dim), 5);
  device_buffer<half> buffer(values);
  device_buffer<float> c(std::size_t(heads * seq * seq));
  const auto q = permuted<1, 0, 2>(buffer.view(seq, heads, dim));  // [heads, seq, dim]
  EXPECT_SUCCESS(gemm(c.view(heads, seq, seq), q, permuted<0, 2, 1>(q)));
  std::vector<double> expected;
  for (int head = 0; head < heads; ++head) {
    for (int row = 0; row < seq; ++row) {
      for (int column = 0; column < seq; ++column) {
        double sum = 0;
        for (int i = 0; i < dim; ++i) {
          sum += as_double(values[std::size_t((row * heads + head) * dim + i)]) *
                 as_double(values[std::size_t((column * heads + head) * dim + i)]);
        }
        expected.push_back(sum);
      }
    }
  }
  expect_close(c.to_host(), expected, 3e-6, 1.0);
}

TEST_P(gemm_dense, a_matrix_does_not_depend_on_its_place_in_the_batch) {
  const gemm_problem one{.m = 70, .n = 45, .k = 50};
  gemm_problem three = one;
  three.batch = 3;
  const gemm_inputs<half> all(three);
  gemm_inputs<half> last = all;
  last.a.erase(last.a.begin(), last.a.end() - one.m * one.k);
  last.b.erase(last.b.begin(), last.b.end() - one.k * one.n);
  const auto whole = to_double(run_gemm<half>(three, all, plain_gemm));
  EXPECT_EQ(to_double(run_gemm<half>(one, last, plain_gemm)),
            std::vector<double>(whole.end() - one.m * one.n, whole.end()));
}

TEST_P(gemm_dense, two_runs_give_the_same_bits) {
  const gemm_problem p{.m = 140, .n = 150, .k = 90, .batch = 2};
  const gemm_inputs<float> in(p);
  const auto first = run_gemm<float>(p, in, plain_gemm);
  EXPECT_EQ(first, run_gemm<float>(p, in, plain_gemm));
#if defined(ROCMFORGE_PLATFORM_HOST)
  const int threads = num_threads();
  for (const int other : {1, 2}) {
    set_num_threads(other);
    EXPECT_EQ(first, run_gemm<float>(p, in, plain_gemm)) << other << " threads";
  }
  set_num_threads(threads);
#endif
#if defined(ROCMFORGE_EMULATION)
  for (const std::uint64_t seed : {2, 3, 4, 5}) {
    emulation::seed() = seed;
    EXPECT_EQ(first, run_gemm<float>(p, in, plain_gemm)) << "lanes in the order of seed " << seed;
  }
  emulation::seed() = 1;
#endif
}

// The layout of the operands changes how they come, not what is added to what.
TEST_P(gemm_dense, layouts_give_the_same_bits) {
  gemm_problem p{.m = 33, .n = 50, .k = 70};
  const gemm_inputs<float> in(p);
  const auto expected = run_gemm<float>(p, in, plain_gemm);
  p.a.transposed = p.b.transposed = true;
  EXPECT_EQ(run_gemm<float>(p, in, plain_gemm), expected);
}

TEST_P(gemm_dense, tiles_are_a_parameter) {
  check_gemm<float, float>(
      {.m = 70, .n = 100, .k = 40}, [](const auto& c, const auto& a, const auto& b) {
        return dispatch_wave_size<256>("gemm", {}, [&](auto wave) {
          constexpr int packet = packet_size<float, 1>;
          constexpr gemm_tile tile =
              wave == 1 ? gemm_tile{2 * packet, 6 * packet, 2 * packet, packet / 2, 3 * packet}
                        : gemm_tile{64, 64, 16, 4, 4};
          using kernel =
              kernels::gemm<float, float, epilogue::none, tile, block_threads<256, wave>, wave>;
          return kernels::launch_gemm<kernel, float>("gemm", c, a, b, 1.0f, epilogue::none{}, {});
        });
      });
}

TEST_P(gemm_dense, refuses_what_does_not_fit) {
  device_buffer<float> buffer(4096), output(2 * 8 * 6);  // C is written while A and B are read
  const auto c = output.view(2, 8, 6), a = buffer.view(2, 8, 4), b = buffer.view(2, 4, 6);
  EXPECT_SUCCESS(gemm(c, a, b));
  EXPECT_REFUSED(gemm(c, buffer.view(1, 8, 4), b), status_code::invalid_shape, "a");
  EXPECT_REFUSED(gemm(c, buffer.view(2, 7, 4), b), status_code::invalid_shape, "a");
  EXPECT_REFUSED(gemm(c, a, buffer.view(3, 4, 6)), status_code::invalid_shape, "b");
  EXPECT_REFUSED(gemm(c, a, buffer.view(2, 5, 6)), status_code::invalid_shape, "b");
  EXPECT_REFUSED(gemm(c, a, buffer.view(2, 4, 5)), status_code::invalid_shape, "b");
  EXPECT_REFUSED(gemm(permuted<0, 2, 1>(buffer.view(2, 6, 8)), a, b), status_code::invalid_layout,
                 "c");
  const auto strided = [&](int rows, int columns) {
    return tensor_view<float, 3>{buffer.data(), {2, rows, columns}, {512, 2 * columns, 2}};
  };
  EXPECT_REFUSED(gemm(c, strided(8, 4), b), status_code::invalid_layout, "a");
  EXPECT_REFUSED(gemm(c, a, strided(4, 6)), status_code::invalid_layout, "b");
  EXPECT_REFUSED(gemm(c, tensor_view<float, 3>{nullptr, {2, 8, 4}, {32, 4, 1}}, b),
                 status_code::invalid_argument, "a");
  EXPECT_REFUSED(gemm(c, a, tensor_view<float, 3>{buffer.data(), {2, 4, -6}, {24, 6, 1}}),
                 status_code::invalid_shape, "b");
  EXPECT_REFUSED(
      gemm(tensor_view<float, 3>{buffer.data(), {2000000000, 2000000, 1}, {0, 1, 1}},
           tensor_view<float, 3>{buffer.data(), {2000000000, 2000000, 4}, {0, 1, 2000000}},
           tensor_view<float, 3>{buffer.data(), {2000000000, 4, 1}, {0, 1, 1}}),
      status_code::invalid_shape, "c");
  EXPECT_EQ(gemm(c, a, buffer.view(2, 5, 6)).message(),
            "gemm: b: extent 1 is 5, expected 4 (invalid_shape)");
  // Nothing to do, and nothing to add up.
  EXPECT_SUCCESS(gemm(buffer.view(2, 0, 6), buffer.view(2, 0, 4), b));
}

}  // namespace
}  // namespace rocmforge::testing
