// Matrix instructions: the descriptions on the host, the instructions themselves on whatever device
// this build is for.
#include "rocmforge/platform/mma.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "support/matrix_launch.hpp"

namespace rocmforge {
namespace {

using mma::coord;
using mma::operand;
using mma::orientation;
using mma::route;

using instructions = ::testing::Types<
    mma::host_tile<float, float, 6, 32, 1>, mma::host_tile<float, float, 5, 7, 3>,
    mma::host_tile<half, float, 16, 16, 16>, mma::host_tile<half, float, 16, 16, 16, 32>,
    mma::host_tile<bfloat16, float, 16, 16, 16, 64>, mma::host_tile<float, float, 32, 8, 4, 32>,
    mma::host_tile<std::int8_t, std::int32_t, 16, 16, 32, 64>, mma::wmma_f32_16x16x16_f16,
    mma::wmma_f32_16x16x16_bf16, mma::wmma_i32_16x16x16_i8, mma::wmma_f32_16x16x16_f16_gfx12,
    mma::wmma_f32_16x16x16_bf16_gfx12, mma::wmma_i32_16x16x16_i8_gfx12, mma::mfma_f32_16x16x16_f16,
    mma::mfma_f32_32x32x8_f16, mma::mfma_f32_16x16x16_bf16, mma::mfma_f32_32x32x8_bf16,
    mma::mfma_i32_16x16x16_i8, mma::mfma_i32_32x32x8_i8, mma::mfma_i32_16x16x32_i8,
    mma::mfma_i32_32x32x16_i8, mma::mma_f32_16x8x16_f16, mma::mma_f32_16x8x16_bf16,
    mma::mma_i32_16x8x32_i8>;

/// Every value and every sum of products is exact in the instruction's types, so results are
/// compared for equality whatever the order of additions: quarters up to 8 for the floating types
/// (bfloat16 has 8 bits), all bytes for int8.
template <class T>
std::vector<T> random_values(int count, std::mt19937& random) {
  std::vector<T> values;
  if constexpr (std::is_integral_v<T>) {
    std::uniform_int_distribution<int> draw(-128, 127);
    for (int i = 0; i < count; ++i) values.push_back(static_cast<T>(draw(random)));
  } else {
    std::uniform_int_distribution<int> draw(-32, 32);
    for (int i = 0; i < count; ++i)
      values.push_back(static_cast<T>(0.25f * static_cast<float>(draw(random))));
  }
  return values;
}

template <class T>
double to_double(T value) {
  if constexpr (std::is_integral_v<T>) {
    return value;
  } else {
    return static_cast<float>(value);
  }
}

/// Random A, B and C, and C + A B in double. Rows and columns differ, so that no exchange of them
/// goes unseen.
template <class I>
struct problem {
  explicit problem(int num_steps) : steps(num_steps) {
    std::mt19937 random(20 * I::m + I::k);
    a = random_values<typename I::a_element>(I::m * I::k * steps, random);
    b = random_values<typename I::b_element>(I::k * steps * I::n, random);
    c = random_values<typename I::c_element>(I::m * I::n, random);
    for (int row = 0; row < I::m; ++row) {
      for (int col = 0; col < I::n; ++col) {
        double sum = to_double(c[row * I::n + col]);
        for (int k = 0; k < I::k * steps; ++k) {
          sum += to_double(a[row * I::k * steps + k]) * to_double(b[k * I::n + col]);
        }
        expected.push_back(sum);
      }
    }
  }

  int steps;
  std::vector<typename I::a_element> a;
  std::vector<typename I::b_element> b;
  std::vector<typename I::c_element> c;
  std::vector<double> expected;
};

template <class T>
std::vector<double> doubles(const std::vector<T>& values) {
  std::vector<double> result;
  for (const T& value : values) result.push_back(to_double(value));
  return result;
}

using coord_function = coord (*)(int, int);

/// How often each place of a rows x cols tile is held; fails on a place outside.
std::vector<int> count_places(coord_function place, int lanes, int elements, int rows, int cols) {
  std::vector<int> count(static_cast<std::size_t>(rows * cols), 0);
  for (int lane = 0; lane < lanes; ++lane) {
    for (int i = 0; i < elements; ++i) {
      const coord at = place(lane, i);
      if (at.row < 0 || at.row >= rows || at.col < 0 || at.col >= cols) {
        ADD_FAILURE() << "lane " << lane << ", element " << i << " is outside the tile";
        return {};
      }
      ++count[static_cast<std::size_t>(at.row * cols + at.col)];
    }
  }
  return count;
}

template <class I>
class matrix_instruction : public ::testing::Test {};

struct instruction_names {
  template <class I>
  static std::string GetName(int index) {
    return std::to_string(index) + "_" + I::name;
  }
};
TYPED_TEST_SUITE(matrix_instruction, instructions, instruction_names);

TYPED_TEST(matrix_instruction, maps_cover_their_tiles) {
  using I = TypeParam;
  static_assert(mma::instruction<I>);
  const auto times = [](int count, int rows, int cols) {
    return std::vector<int>(static_cast<std::size_t>(rows * cols), count);
  };
  EXPECT_EQ(count_places([](int lane, int i) { return I::a_coord(lane, i); }, I::lanes,
                         I::a_elements, I::m, I::k),
            times(I::a_repeat, I::m, I::k));
  EXPECT_EQ(count_places([](int lane, int i) { return I::b_coord(lane, i); }, I::lanes,
                         I::b_elements, I::k, I::n),
            times(I::b_repeat, I::k, I::n));
  EXPECT_EQ(count_places([](int lane, int i) { return I::c_coord(lane, i); }, I::lanes,
                         I::c_elements, I::m, I::n),
            times(1, I::m, I::n));
}

/// The product of what the lanes hold, each element found through the maps.
TYPED_TEST(matrix_instruction, maps_agree_with_each_other) {
  using I = TypeParam;
  problem<I> p(1);
  std::vector<std::vector<double>> a(I::m, std::vector<double>(I::k)),
      b(I::k, std::vector<double>(I::n));
  for (int lane = 0; lane < I::lanes; ++lane) {
    const auto held_a =
        mma::load_a<I>(lane, test::tile_ref<typename I::a_element>{p.a.data(), I::k});
    const auto held_b =
        mma::load_b<I>(lane, test::tile_ref<typename I::b_element>{p.b.data(), I::n});
    for (int i = 0; i < I::a_elements; ++i) {
      const coord at = I::a_coord(lane, i);
      a[at.row][at.col] = to_double(held_a[i]);
    }
    for (int i = 0; i < I::b_elements; ++i) {
      const coord at = I::b_coord(lane, i);
      b[at.row][at.col] = to_double(held_b[i]);
    }
  }
  std::vector<typename I::c_element> result(p.c.size());
  const test::tile_ref<typename I::c_element> sums{p.c.data(), I::n}, stored{result.data(), I::n};
  for (int lane = 0; lane < I::lanes; ++lane) {
    auto held = mma::load_c<I>(lane, sums);
    for (int i = 0; i < I::c_elements; ++i) {
      const coord at = I::c_coord(lane, i);
      for (int k = 0; k < I::k; ++k) {
        held[i] += static_cast<typename I::c_element>(a[at.row][k] * b[k][at.col]);
      }
    }
    mma::store_c<I>(lane, held, stored);
  }
  EXPECT_EQ(doubles(result), p.expected);
}

template <class I>
bool available_on_device() {
  test::device_copy<int> answer(std::vector<int>{-1});
  test::run_wave(I::lanes, test::ask_available<I>{answer.data()});
  return answer.read().front() == 1;
}

template <class I>
std::vector<double> multiply_on_device(const problem<I>& p) {
  test::device_copy<typename I::a_element> a(p.a);
  test::device_copy<typename I::b_element> b(p.b);
  test::device_copy<typename I::c_element> c(p.c);
  test::run_wave(I::lanes, test::multiply_tiles<I>{a.data(), b.data(), c.data(), p.steps});
  return doubles(c.read());
}

TYPED_TEST(matrix_instruction, multiplies_on_the_device) {
  using I = TypeParam;
  const std::string architecture = test::device_architecture();
  if (architecture.empty()) GTEST_SKIP() << "no device";
  const bool available = available_on_device<I>();
  EXPECT_EQ(available, I::runs_on(architecture)) << architecture;
  if (!available) GTEST_SKIP() << architecture << " has no " << I::name;
  for (const int steps : {1, 3}) {
    const problem<I> p(steps);
    EXPECT_EQ(multiply_on_device(p), p.expected) << steps << " steps";
  }
}

// Compiled in every device pass, so also for the processors that no emulator knows.
#if defined(__amdgcn_processor__)
template <class... I>
constexpr bool pass_and_host_agree(::testing::Types<I...>) {
  return ((I::available == I::runs_on(__amdgcn_processor__)) && ...);
}
static_assert(pass_and_host_agree(instructions{}));
#endif

/// A wrong device must never see zeros or garbage, so the trap of a missing instruction is tested
/// where there is one.
template <class I>
int attempt_multiplication() {
  try {
    multiply_on_device(problem<I>(1));
  } catch (const std::runtime_error&) {
    return 1;
  }
  return 0;
}

template <class I>
void expect_trap() {
  const auto failed = [](int status) { return status != 0; };
  EXPECT_EXIT(std::exit(attempt_multiplication<I>()), failed, "") << I::name;
}

TEST(missing_matrix_instruction, traps) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string architecture = test::device_architecture();
  if (architecture.empty()) GTEST_SKIP() << "no device";
  // What is there ends well, so a failure below is the trap. No architecture has two of the four.
  using plain = mma::host_tile<float, float, 16, 16, 16, 32>;
  EXPECT_EXIT(std::exit(attempt_multiplication<plain>()), ::testing::ExitedWithCode(0), "");
  if (!mma::wmma_f32_16x16x16_f16::runs_on(architecture)) expect_trap<mma::wmma_f32_16x16x16_f16>();
  if (!mma::wmma_i32_16x16x16_i8_gfx12::runs_on(architecture))
    expect_trap<mma::wmma_i32_16x16x16_i8_gfx12>();
  if (!mma::mfma_f32_32x32x8_bf16::runs_on(architecture)) expect_trap<mma::mfma_f32_32x32x8_bf16>();
  if (!mma::mma_f32_16x8x16_f16::runs_on(architecture)) expect_trap<mma::mma_f32_16x8x16_f16>();
}

TEST(matrix_instruction_architectures, are_told_apart) {
  EXPECT_TRUE(mma::wmma_f32_16x16x16_f16::runs_on("gfx1100"));
  EXPECT_TRUE(mma::wmma_f32_16x16x16_f16::runs_on("gfx1151"));
  EXPECT_FALSE(mma::wmma_f32_16x16x16_f16::runs_on("gfx1201"));
  EXPECT_FALSE(mma::wmma_f32_16x16x16_f16::runs_on("gfx1030"));
  EXPECT_TRUE(mma::wmma_f32_16x16x16_f16_gfx12::runs_on("gfx1201"));
  EXPECT_FALSE(mma::wmma_f32_16x16x16_f16_gfx12::runs_on("gfx1250"));
  EXPECT_TRUE(mma::mfma_f32_16x16x16_bf16::runs_on("gfx90a"));
  EXPECT_TRUE(mma::mfma_f32_16x16x16_bf16::runs_on("gfx950"));
  EXPECT_FALSE(mma::mfma_f32_16x16x16_bf16::runs_on("gfx908"));
  EXPECT_TRUE(mma::mfma_i32_16x16x16_i8::runs_on("gfx90a"));
  EXPECT_FALSE(mma::mfma_i32_16x16x16_i8::runs_on("gfx942"));
  EXPECT_FALSE(mma::mfma_i32_16x16x32_i8::runs_on("gfx90a"));
  EXPECT_TRUE(mma::mfma_i32_16x16x32_i8::runs_on("gfx942"));
  EXPECT_FALSE(mma::mma_f32_16x8x16_f16::runs_on("sm_75"));
  EXPECT_TRUE(mma::mma_f32_16x8x16_f16::runs_on("sm_80"));
  EXPECT_TRUE(mma::mma_f32_16x8x16_f16::runs_on("sm_120"));
  EXPECT_FALSE(mma::mma_f32_16x8x16_f16::runs_on("host"));
  EXPECT_FALSE(mma::mma_f32_16x8x16_f16::runs_on(""));
  EXPECT_TRUE((mma::host_tile<float, float, 6, 32, 1>::runs_on("host")));
}

struct score_case {
  const char* name;
  mma::score_layout found;
  mma::score_layout expected;
};

template <class Scores, class Output = Scores>
score_case scores(mma::score_layout expected) {
  return {Scores::name, mma::best_score_layout<Scores, Output>, expected};
}

TEST(matrix_score_layout, is_known_for_every_family) {
  constexpr mma::score_layout as_is{orientation::as_is, route::own_registers, 0};
  constexpr mma::score_layout transposed{orientation::transposed, route::own_registers, 0};
  constexpr mma::score_layout swapped{orientation::transposed, route::lane_swap, 16};
  constexpr mma::score_layout memory{orientation::as_is, route::memory, 0};
  using namespace mma;
  const score_case cases[] = {
      scores<host_tile<float, float, 16, 16, 16>>(as_is),
      scores<host_tile<float, float, 6, 32, 1>>(as_is),
      scores<host_tile<float, float, 16, 16, 16, 32>>(memory),
      scores<wmma_f32_16x16x16_f16>(swapped),
      scores<wmma_f32_16x16x16_bf16>(swapped),
      scores<wmma_i32_16x16x16_i8, wmma_f32_16x16x16_f16>(swapped),
      scores<wmma_f32_16x16x16_f16_gfx12>(transposed),
      scores<wmma_f32_16x16x16_bf16_gfx12>(transposed),
      scores<wmma_i32_16x16x16_i8_gfx12, wmma_f32_16x16x16_f16_gfx12>(transposed),
      scores<mfma_f32_16x16x16_f16>(transposed),
      scores<mfma_f32_16x16x16_bf16>(transposed),
      scores<mfma_f32_32x32x8_f16>(transposed),
      scores<mfma_f32_32x32x8_bf16>(transposed),
      scores<mfma_i32_16x16x16_i8, mfma_f32_16x16x16_f16>(transposed),
      scores<mfma_i32_16x16x32_i8, mfma_f32_16x16x16_f16>(transposed),
      scores<mfma_i32_16x16x32_i8>(memory),
      scores<mfma_i32_32x32x16_i8>(memory),
      scores<mfma_i32_16x16x16_i8>(transposed),
      scores<mfma_i32_32x32x16_i8, mfma_f32_32x32x8_bf16>(transposed),
      scores<mma_f32_16x8x16_f16>(as_is),
      scores<mma_f32_16x8x16_bf16>(as_is),
      scores<mma_i32_16x8x32_i8, mma_f32_16x8x16_f16>(as_is),
      scores<mma_i32_16x8x32_i8>(memory),
  };
  for (const score_case& c : cases) {
    EXPECT_EQ(c.found.read, c.expected.read) << c.name;
    EXPECT_EQ(c.found.way, c.expected.way) << c.name;
    EXPECT_EQ(c.found.lane_mask, c.expected.lane_mask) << c.name;
  }
}

/// Fills C tiles with their coordinates, follows source_of, and looks whether the operand's
/// coordinates arrive.
template <class Producer, class Consumer, operand Which, orientation Read>
void expect_sources_are_right() {
  using reuse = mma::c_reuse<Producer, Consumer, Which, Read>;
  for (int tile_row = 0; tile_row < reuse::tile_rows; ++tile_row) {
    for (int tile_col = 0; tile_col < reuse::tile_cols; ++tile_col) {
      for (int lane = 0; lane < Consumer::lanes; ++lane) {
        for (int i = 0; i < reuse::elements; ++i) {
          const coord in_tile =
              Which == operand::a ? Consumer::a_coord(lane, i) : Consumer::b_coord(lane, i);
          const coord wanted{tile_row * reuse::rows + in_tile.row,
                             tile_col * reuse::cols + in_tile.col};
          const mma::source from = reuse::source_of(tile_row, tile_col, lane, i);
          const coord c = Producer::c_coord(from.lane, from.index);
          const coord read = Read == orientation::as_is ? c : coord{c.col, c.row};
          const coord found{from.tile_row * reuse::c_rows + read.row,
                            from.tile_col * reuse::c_cols + read.col};
          ASSERT_EQ(found, wanted) << Producer::name << ", lane " << lane << ", element " << i;
          if (reuse::way == route::own_registers) {
            ASSERT_EQ(from.lane, lane) << Producer::name;
          }
          if (reuse::way == route::lane_swap) {
            ASSERT_TRUE(from.lane == lane || from.lane == (lane ^ reuse::lane_mask))
                << Producer::name;
          }
        }
      }
    }
  }
}

template <class Producer, class Consumer = Producer>
void expect_all_sources_are_right() {
  expect_sources_are_right<Producer, Consumer, operand::a, orientation::as_is>();
  expect_sources_are_right<Producer, Consumer, operand::a, orientation::transposed>();
  expect_sources_are_right<Producer, Consumer, operand::b, orientation::as_is>();
  expect_sources_are_right<Producer, Consumer, operand::b, orientation::transposed>();
}

TEST(matrix_reuse, finds_every_element) {
  using namespace mma;
  expect_all_sources_are_right<host_tile<float, float, 6, 32, 1>>();
  expect_all_sources_are_right<host_tile<half, float, 16, 16, 16, 32>>();
  expect_all_sources_are_right<wmma_f32_16x16x16_f16>();
  expect_all_sources_are_right<wmma_f32_16x16x16_f16_gfx12>();
  expect_all_sources_are_right<mfma_f32_16x16x16_f16>();
  expect_all_sources_are_right<mfma_f32_32x32x8_f16>();
  expect_all_sources_are_right<mfma_i32_16x16x32_i8, mfma_f32_16x16x16_f16>();
  expect_all_sources_are_right<mma_f32_16x8x16_f16>();
  expect_all_sources_are_right<mma_i32_16x8x32_i8, mma_f32_16x8x16_f16>();
}

/// Where S as C feeds the A of P V, it also feeds the B of O^T = V^T P^T read the other way round,
/// as A and B mirror each other; and the way that is not free goes through memory.
TEST(matrix_reuse, both_operands_mirror_each_other) {
  using namespace mma;
  using gfx12 = wmma_f32_16x16x16_f16_gfx12;
  EXPECT_EQ((c_reuse<gfx12, gfx12, operand::a, orientation::transposed>::way),
            route::own_registers);
  EXPECT_EQ((c_reuse<gfx12, gfx12, operand::b, orientation::as_is>::way), route::own_registers);
  EXPECT_EQ((c_reuse<gfx12, gfx12, operand::a, orientation::as_is>::way), route::memory);
  using ptx = mma_f32_16x8x16_f16;
  EXPECT_EQ((c_reuse<ptx, ptx, operand::a, orientation::as_is>::way), route::own_registers);
  EXPECT_EQ((c_reuse<ptx, ptx, operand::b, orientation::transposed>::way), route::own_registers);
  EXPECT_EQ((c_reuse<ptx, ptx, operand::a, orientation::transposed>::way), route::memory);
}

}  // namespace
}  // namespace rocmforge
