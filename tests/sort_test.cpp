// Sorted rows and top_k by sorting against a comparison sort in double.
#include <rocmforge/sort.hpp>

#include <cstring>
#include <numeric>

#include "reference/sampling.hpp"
#include "reference/sort.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(sort);

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::span<std::byte> all_of(device_buffer<std::byte>& workspace) {
  return {workspace.data(), workspace.size()};
}

template <class T>
std::vector<unsigned> bits_of(const std::vector<T>& values) {
  std::vector<unsigned> bits(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) std::memcpy(&bits[i], &values[i], sizeof(T));
  return bits;
}

template <class T>
std::vector<T> row_of(const std::vector<T>& values, int row, int size) {
  const auto begin = values.begin() + std::ptrdiff_t(row) * size;
  return {begin, begin + size};
}

/// Few different values, so that most are equal to others; zeros of both signs, NaN and infinities.
template <class T>
std::vector<T> tied_values(std::size_t count, unsigned seed) {
  auto values = random_values<T>(count, seed, -8, 8);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = T(std::round(static_cast<float>(values[i])));
    if (i % 13 == 5) values[i] = T(nan);
    if (i % 17 == 3) values[i] = T(-infinity);
    if (i % 19 == 4) values[i] = T(infinity);
    if (i % 7 == 6) values[i] = T(i % 2 == 0 ? -0.0f : 0.0f);
  }
  return values;
}

// ---- the platform's sorts ----

/// Numbers that agree in many of the bits that are sorted, and differ in the others.
template <class Key>
std::vector<Key> random_keys(int count, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::vector<Key> keys(static_cast<std::size_t>(count));
  for (Key& key : keys) key = static_cast<Key>(engine() & engine());
  return keys;
}

/// Indices in the order of the bits.
template <class Key>
std::vector<int> order_by_bits(const std::vector<Key>& keys, int begin_bit, int end_bit) {
  std::vector<int> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    for (int bit = end_bit; bit-- > begin_bit;) {
      const bool of_a = keys[std::size_t(a)] >> bit & 1, of_b = keys[std::size_t(b)] >> bit & 1;
      if (of_a != of_b) return of_b;
    }
    return a < b;
  });
  return order;
}

template <class Key>
void expect_keys_sorted(int count, int begin_bit, int end_bit) {
  SCOPED_TRACE(::testing::Message() << count << " keys of " << sizeof(Key) << ", bits " << begin_bit
                                    << " to " << end_bit);
  const auto keys = random_keys<Key>(count, unsigned(count + begin_bit));
  std::vector<int> values(keys.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1000 - int(i);
  const auto order = order_by_bits(keys, begin_bit, end_bit);
  std::vector<Key> sorted_keys;
  std::vector<int> sorted_values;
  for (const int i : order) {
    sorted_keys.push_back(keys[std::size_t(i)]);
    sorted_values.push_back(values[std::size_t(i)]);
  }
  device_buffer<Key> from(keys), to(keys.size());
  device_buffer<int> values_from(values), values_to(values.size());
  {
    device_buffer<std::byte> workspace(platform_sort::keys_bytes<Key>(count, begin_bit, end_bit));
    EXPECT_SUCCESS(platform_sort::sort_keys<Key>("test", all_of(workspace), from.data(), to.data(),
                                                 count, begin_bit, end_bit, {}));
    EXPECT_EQ(to.to_host(), sorted_keys);
  }
  device_buffer<std::byte> workspace(
      platform_sort::pairs_bytes<Key, int>(count, begin_bit, end_bit));
  EXPECT_SUCCESS((platform_sort::sort_pairs<Key, int>(
      "test", all_of(workspace), from.data(), to.data(), values_from.data(), values_to.data(),
      count, begin_bit, end_bit, {})));
  EXPECT_EQ(to.to_host(), sorted_keys);
  EXPECT_EQ(values_to.to_host(), sorted_values);
  EXPECT_EQ(from.to_host(), keys) << "inputs are only read";
  EXPECT_EQ(values_from.to_host(), values);
}

TEST_P(sort, keys_and_pairs_by_some_of_their_bits) {
  for (const int count : {1, 2, 33, 257, 3000}) {
    expect_keys_sorted<std::uint32_t>(count, 0, 32);
    expect_keys_sorted<std::uint32_t>(count, 3, 12);
    expect_keys_sorted<std::uint32_t>(count, 5, 6);
    expect_keys_sorted<std::uint64_t>(count, 17, 52);
    expect_keys_sorted<std::uint64_t>(count, 0, 64);
  }
}

TEST_P(sort, pairs_as_many_as_several_blocks_take_large) {
  expect_keys_sorted<std::uint32_t>(200'000, 0, 7);
  expect_keys_sorted<std::uint64_t>(1'200'000, 20, 60);  // rocPRIM's radix sort begins at 2^20
}

// ---- sort_rows ----

template <class T>
struct sorted {
  std::vector<T> values;
  std::vector<int> indices;
};

template <class T, int BlockSize = default_block_size>
sorted<T> sorted_of(const std::vector<T>& x, int rows, bool descending) {
  const int size = int(x.size()) / rows;
  device_buffer<T> device_x(x), values(x.size());
  device_buffer<int> indices(x.size());
  device_buffer<std::byte> workspace(sort_rows_workspace_bytes(rows, size));
  EXPECT_SUCCESS((sort_rows<T, BlockSize>(values.view(rows, size), indices.view(rows, size),
                                          device_x.view(rows, size), all_of(workspace),
                                          {.descending = descending})));
  return {values.to_host(), indices.to_host()};
}

/// What `sorted_of` has to give; values bit for bit.
template <class T>
void expect_sorted(const sorted<T>& found, const std::vector<T>& x, int rows, bool descending) {
  const int size = int(x.size()) / rows;
  std::vector<int> indices;
  std::vector<T> values;
  for (int row = 0; row < rows; ++row) {
    for (const int i : reference::sorted_indices(to_double(row_of(x, row, size)), descending)) {
      indices.push_back(i);
      values.push_back(x[std::size_t(row) * std::size_t(size) + std::size_t(i)]);
    }
  }
  EXPECT_EQ(found.indices, indices);
  EXPECT_EQ(bits_of(found.values), bits_of(values));
}

template <class T>
void expect_sorted(const std::vector<T>& x, int rows) {
  for (const bool descending : {false, true}) {
    SCOPED_TRACE(descending ? "descending" : "ascending");
    expect_sorted(sorted_of(x, rows, descending), x, rows, descending);
  }
}

// Packets, waves, a part of a row, a tile of the vendors' sorts and their neighbors.
constexpr int row_sizes[] = {1, 2, 31, 33, 64, 65, 255, 257, 1023, 1025, 2048, 2561, 4097};

TEST_P(sort, rows_of_any_size) {
  for_each_dtype([]<class T>(T) {
    for (const int size : row_sizes) {
      SCOPED_TRACE(size);
      expect_sorted(random_values<T>(std::size_t(2 * size), unsigned(size), -20, 20), 2);
    }
  });
}

TEST_P(sort, equal_values_stay_in_their_order_and_nan_is_last) {
  for_each_dtype([]<class T>(T) {
    for (const int size : {1, 40, 1025}) {
      SCOPED_TRACE(size);
      expect_sorted(tied_values<T>(std::size_t(3 * size), unsigned(size)), 3);
    }
    expect_sorted(std::vector<T>(100, T(nan)), 2);
    expect_sorted(std::vector<T>(100, T(2.0f)), 2);
  });
}

TEST_P(sort, neighboring_values_of_a_type_are_told_apart) {
  for_each_dtype([]<class T>(T) {
    using word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint16_t>;
    constexpr word sign = word(1) << (8 * sizeof(T) - 1);
    const word one = __builtin_bit_cast(word, T(1.0f));
    const word infinite = __builtin_bit_cast(word, T(infinity));
    std::vector<T> x;
    for (const word of_sign : {word(0), sign}) {
      for (const int around : {5, int(one), int(infinite) - 3}) {  // denormals, 1, the largest
        for (int i = 4; i >= -4; --i)
          x.push_back(__builtin_bit_cast(T, word(word(around + i) | of_sign)));
      }
    }
    expect_sorted(x, 1);
  });
}

TEST_P(sort, nan_of_any_sign_and_payload_is_copied) {
  const auto of_bits = [](std::uint32_t bits) { return __builtin_bit_cast(float, bits); };
  expect_sorted<float>({of_bits(0xffc00001), 1, of_bits(0x7fc12345), -infinity, of_bits(0xffffffff),
                        infinity, of_bits(0x7fffffff), -0.0f, 0.0f, -0.0f},
                       1);
}

TEST_P(sort, more_rows_than_are_sorted_at_a_time) {
  const int size = 300, rows = 2 * (65536 / size) + 7;  // on the host three sorts
  expect_sorted(tied_values<half>(std::size_t(rows * size), 3), rows);
}

TEST_P(sort, many_short_rows) {
  expect_sorted(tied_values<float>(5 * 1000, 4), 1000);
  expect_sorted(tied_values<bfloat16>(1000, 5), 1000);
}

TEST_P(sort, blocks_of_another_size) {
  const auto x = tied_values<float>(3 * 777, 6);
  expect_sorted(sorted_of<float, 64>(x, 3, true), x, 3, true);
}

TEST_P(sort, strided_rows_and_nothing_beside_them) {
  const int rows = 3, size = 50, stride = 64;
  const auto x = tied_values<float>(std::size_t(rows * stride), 7);
  device_buffer<float> device_x(x), values(std::vector<float>(x.size(), 77.0f));
  device_buffer<int> indices(std::vector<int>(x.size(), 77));
  device_buffer<std::byte> workspace(sort_rows_workspace_bytes(rows, size));
  EXPECT_SUCCESS(sort_rows(sub_view<1>(values.view(rows, stride), 3, 3 + size),
                           sub_view<1>(indices.view(rows, stride), 5, 5 + size),
                           sub_view<1>(device_x.view(rows, stride), 1, 1 + size),
                           all_of(workspace)));
  const auto found_values = values.to_host();
  const auto found_indices = indices.to_host();
  for (int row = 0; row < rows; ++row) {
    const auto own = row_of(x, row, stride);
    const std::vector<float> sliced(own.begin() + 1, own.begin() + 1 + size);
    const auto order = reference::sorted_indices(to_double(sliced), false);
    std::vector<float> expected_values(stride, 77.0f);
    std::vector<int> expected_indices(stride, 77);
    for (int i = 0; i < size; ++i) {
      expected_values[std::size_t(3 + i)] = sliced[std::size_t(order[std::size_t(i)])];
      expected_indices[std::size_t(5 + i)] = order[std::size_t(i)];
    }
    EXPECT_EQ(bits_of(row_of(found_values, row, stride)), bits_of(expected_values));
    EXPECT_EQ(row_of(found_indices, row, stride), expected_indices);
  }
}

TEST_P(sort, nothing_is_written_beyond_the_workspace) {
  const int rows = 5, size = 1000;
  const std::size_t bytes = sort_rows_workspace_bytes(rows, size), guard = 4096;
  device_buffer<std::byte> workspace(bytes + guard);
  workspace.fill_bytes(0x5a);
  const auto x = tied_values<float>(std::size_t(rows * size), 8);
  device_buffer<float> device_x(x), values(x.size());
  device_buffer<int> indices(x.size());
  EXPECT_SUCCESS(sort_rows(values.view(rows, size), indices.view(rows, size),
                           device_x.view(rows, size), {workspace.data(), bytes}));
  expect_sorted(sorted<float>{values.to_host(), indices.to_host()}, x, rows, false);
  const auto after = workspace.to_host();
  for (std::size_t i = bytes; i < after.size(); ++i) ASSERT_EQ(after[i], std::byte{0x5a}) << i;
}

TEST_P(sort, a_graph_sorts_what_is_there_when_it_runs) {
  const int rows = 3, size = 1500;
  const stream queue;
  device_buffer<float> x(std::size_t(rows * size));
  device_buffer<float> values(x.size());
  device_buffer<int> indices(x.size());
  device_buffer<std::byte> workspace(sort_rows_workspace_bytes(rows, size));
  x.fill_bytes(0, queue);
  queue.synchronize();
  const std::size_t allocated = current_memory_statistics().num_allocations;
  const graph recorded = graph::capture(queue, [&] {
    EXPECT_SUCCESS(sort_rows(values.view(rows, size), indices.view(rows, size), x.view(rows, size),
                             all_of(workspace), {.descending = true}, queue));
  });
  for (const unsigned seed : {1u, 2u}) {
    const auto data = tied_values<float>(x.size(), seed);
    x.copy_from_host(data, queue);
    recorded.launch(queue);
    expect_sorted(sorted<float>{values.to_host(queue), indices.to_host(queue)}, data, rows, true);
  }
  EXPECT_EQ(current_memory_statistics().num_allocations, allocated);
}

TEST_P(sort, vocabularies_of_real_models_large) {
  expect_sorted(random_values<float>(128256, 9, -20, 20), 1);
  expect_sorted(random_values<half>(3 * 151936, 10, -20, 20), 3);
}

TEST_P(sort, more_elements_than_a_card_sorts_at_a_time_large) {
  expect_sorted(random_values<bfloat16>(std::size_t{70} * 128256, 11, -20, 20), 70);
}

TEST_P(sort, refuses_what_does_not_fit) {
  device_buffer<float> buffer(64);
  device_buffer<int> ids(64);
  device_buffer<std::byte> memory(sort_rows_workspace_bytes(2, 8) + 16);
  const auto workspace = all_of(memory);
  const auto x = buffer.view(2, 8), columns = permuted<1, 0>(buffer.view(8, 2));
  const auto indices = ids.view(2, 8);
  constexpr auto shape = status_code::invalid_shape, layout = status_code::invalid_layout,
                 argument = status_code::invalid_argument;
  EXPECT_REFUSED(sort_rows(buffer.view(2, 7), indices, x, workspace), shape, "values");
  EXPECT_REFUSED(sort_rows(x, ids.view(1, 8), x, workspace), shape, "indices");
  EXPECT_REFUSED(sort_rows(columns, indices, x, workspace), layout, "values");
  EXPECT_REFUSED(sort_rows(x, permuted<1, 0>(ids.view(8, 2)), x, workspace), layout, "indices");
  EXPECT_REFUSED(sort_rows(x, indices, columns, workspace), layout, "x");
  EXPECT_REFUSED(sort_rows(x, indices, {nullptr, {2, 8}, {8, 1}}, workspace), argument, "x");
  const tensor_view<float, 2> one_row{buffer.data(), {2, 8}, {0, 1}};
  EXPECT_REFUSED(sort_rows(one_row, indices, x, workspace), layout, "values");
  EXPECT_SUCCESS(sort_rows(buffer.view(0, 8), ids.view(0, 8), buffer.view(0, 8), {}));
  EXPECT_SUCCESS(sort_rows(buffer.view(2, 0), ids.view(2, 0), buffer.view(2, 0), {}));
}

#if defined(ROCMFORGE_PLATFORM_NVIDIA)  // HIP keeps an error until the next call, before ROCm 7
TEST_P(sort, an_earlier_error_of_the_program_is_named_and_kept) {
  device_buffer<float> buffer(200);
  device_buffer<int> ids(100);
  device_buffer<std::byte> memory(sort_rows_workspace_bytes(1, 100));
  const auto sorted = [&] {
    return sort_rows(sub_view<1>(buffer.view(1, 200), 0, 100), ids.view(1, 100),
                     sub_view<1>(buffer.view(1, 200), 100, 200), all_of(memory));
  };
  ASSERT_NE(cudaSetDevice(-1), cudaSuccess);
  EXPECT_EQ(sorted().message(),
            std::string("sort_rows: an earlier call of the program left error 101 with the "
                        "runtime; read it first: ") +
                cudaGetErrorString(cudaErrorInvalidDevice) + " (device_error)");
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
  EXPECT_SUCCESS(sorted());
}
#endif

TEST_P(sort, a_workspace_that_is_too_small_is_refused_with_the_size_it_needs) {
  device_buffer<float> buffer(64);
  device_buffer<int> ids(64);
  const std::size_t needed = sort_rows_workspace_bytes(2, 8);
  device_buffer<std::byte> memory(needed + 16);
  const auto call = [&](std::span<std::byte> workspace) {
    return sort_rows(buffer.view(2, 8), ids.view(2, 8), buffer.view(2, 8), workspace);
  };
  for (const std::size_t bytes : {std::size_t{0}, needed - 1}) {
    EXPECT_REFUSED(call({memory.data(), bytes}), status_code::invalid_argument, "workspace");
    EXPECT_NE(call({memory.data(), bytes}).message().find("needs " + std::to_string(needed)),
              std::string::npos);
  }
  EXPECT_REFUSED(call({}), status_code::invalid_argument, "workspace");
  EXPECT_REFUSED(call({memory.data() + 8, needed}), status_code::invalid_argument, "workspace");
}

// ---- top_k by sorting ----

struct ranking {
  std::vector<float> values;
  std::vector<int> tokens;
};

/// Of the launcher that may sort.
template <class T>
ranking top_k_of(const std::vector<T>& logits, int rows, int k) {
  const int size = int(logits.size()) / rows;
  device_buffer<T> device_logits(logits);
  const auto count = std::size_t(rows) * std::size_t(k);
  device_buffer<float> values(count);
  device_buffer<int> tokens(count);
  device_buffer<std::byte> workspace(top_k_workspace_bytes(rows, size, k));
  EXPECT_SUCCESS(top_k(values.view(rows, k), tokens.view(rows, k), device_logits.view(rows, size),
                       all_of(workspace)));
  return {values.to_host(), tokens.to_host()};
}

/// By sorting, whatever k is.
template <class T>
ranking top_k_by_sort(const std::vector<T>& logits, int rows, int k) {
  const int size = int(logits.size()) / rows;
  device_buffer<T> device_logits(logits);
  const auto count = std::size_t(rows) * std::size_t(k);
  device_buffer<float> values(count);
  device_buffer<int> tokens(count);
  device_buffer<std::byte> workspace(sort_rows_workspace_bytes(rows, size));
  EXPECT_SUCCESS(dispatch_wave_size<default_block_size>("top_k", {}, [&](auto wave) {
    return sort_launch::top_k_by_sort<block_threads<default_block_size, wave>, wave, T>(
        "top_k", values.view(rows, k), tokens.view(rows, k), device_logits.view(rows, size),
        all_of(workspace), {});
  }));
  return {values.to_host(), tokens.to_host()};
}

template <class T>
void expect_ranked(const ranking& found, const std::vector<T>& logits, int rows, int k) {
  const int size = int(logits.size()) / rows;
  ranking expected;
  for (int row = 0; row < rows; ++row) {
    const auto own = to_double(row_of(logits, row, size));
    auto ids = reference::ranked(own);
    ids.resize(std::size_t(k), -1);
    for (const int id : ids) {
      expected.tokens.push_back(id);
      const double value = id < 0 ? -double(infinity) : own[std::size_t(id)];
      expected.values.push_back(float(value) + 0.0f);  // no zero is negative
    }
  }
  EXPECT_EQ(found.tokens, expected.tokens);
  EXPECT_EQ(bits_of(found.values), bits_of(expected.values));
}

TEST_P(sort, top_k_agrees_with_the_search_bit_for_bit) {
  for_each_dtype([]<class T>(T) {
    const int rows = 2, size = 1000;
    const auto logits = tied_values<T>(std::size_t(rows * size), 12);
    for (const int k : {1, 64, 999, 1000, 1300}) {
      SCOPED_TRACE(k);
      const ranking by_sort = top_k_by_sort(logits, rows, k), by_search = top_k_of(logits, rows, k);
      EXPECT_EQ(by_sort.tokens, by_search.tokens);
      EXPECT_EQ(bits_of(by_sort.values), bits_of(by_search.values));
      expect_ranked(by_sort, logits, rows, k);
    }
  });
}

TEST_P(sort, top_k_of_many_ranks_sorts) {
  for (const int k : {platform_sort::min_top_k - 1, platform_sort::min_top_k, 4500, 4600}) {
    SCOPED_TRACE(k);
    EXPECT_EQ(top_k_workspace_bytes(2, 4500, k) != 0, k >= platform_sort::min_top_k);
    const auto logits = tied_values<float>(2 * 4500, unsigned(k));
    expect_ranked(top_k_of(logits, 2, k), logits, 2, k);
  }
  const std::vector<half> nothing(3000, half(nan));
  expect_ranked(top_k_of(nothing, 1, 3000), nothing, 1, 3000);
}

TEST_P(sort, top_k_of_a_whole_vocabulary_large) {
  const int size = 128256;
  const auto logits = tied_values<bfloat16>(std::size_t(2 * size), 13);
  expect_ranked(top_k_of(logits, 2, size), logits, 2, size);
}

TEST_P(sort, top_k_writes_strided_rows_and_nothing_beside_them) {
  const int rows = 2, size = 3000, k = 2500, stride = 2600;
  const auto logits = tied_values<float>(std::size_t(rows * size), 14);
  device_buffer<float> device_logits(logits),
      values(std::vector<float>(std::size_t(rows * stride), 77.0f));
  device_buffer<int> tokens(std::vector<int>(std::size_t(rows * stride), 77));
  device_buffer<std::byte> workspace(top_k_workspace_bytes(rows, size, k));
  EXPECT_SUCCESS(top_k(sub_view<1>(values.view(rows, stride), 0, k),
                       sub_view<1>(tokens.view(rows, stride), 0, k), device_logits.view(rows, size),
                       all_of(workspace)));
  ranking inside;
  for (int row = 0; row < rows; ++row) {
    auto of_values = row_of(values.to_host(), row, stride);
    auto of_tokens = row_of(tokens.to_host(), row, stride);
    for (int i = k; i < stride; ++i) {
      EXPECT_EQ(of_values[std::size_t(i)], 77.0f);
      EXPECT_EQ(of_tokens[std::size_t(i)], 77);
    }
    inside.values.insert(inside.values.end(), of_values.begin(), of_values.begin() + k);
    inside.tokens.insert(inside.tokens.end(), of_tokens.begin(), of_tokens.begin() + k);
  }
  expect_ranked(inside, logits, rows, k);
}

TEST_P(sort, top_k_refuses_what_does_not_fit) {
  const int size = 3000, k = std::max(2500, platform_sort::min_top_k);
  device_buffer<float> buffer(std::size_t(2 * size));
  device_buffer<int> ids(std::size_t(2 * k));
  const std::size_t needed = top_k_workspace_bytes(2, size, k);
  device_buffer<std::byte> memory(needed + 16);
  const auto workspace = all_of(memory);
  const auto logits = buffer.view(2, size), values = buffer.view(2, k);
  const auto tokens = ids.view(2, k);
  constexpr auto shape = status_code::invalid_shape;
  EXPECT_REFUSED(top_k(buffer.view(2, k - 1), tokens, logits, workspace), shape, "tokens");
  EXPECT_REFUSED(top_k(buffer.view(1, k), ids.view(1, k), logits, workspace), shape, "values");
  EXPECT_REFUSED(top_k(values, tokens, buffer.view(2, 0), workspace), shape, "logits");
  EXPECT_REFUSED(top_k(values, tokens, permuted<1, 0>(buffer.view(size, 2)), workspace),
                 status_code::invalid_layout, "logits");
  const tensor_view<float, 2> huge{buffer.data(), {2, (1 << 23) + 1}, {0, 1}};
  EXPECT_REFUSED(top_k(values, tokens, huge, workspace), status_code::unsupported, "logits");
  const auto too_small = workspace.first(needed - 1);
  EXPECT_REFUSED(top_k(values, tokens, logits, too_small), status_code::invalid_argument,
                 "workspace");
  EXPECT_NE(
      top_k(values, tokens, logits, too_small).message().find("needs " + std::to_string(needed)),
      std::string::npos);
  EXPECT_SUCCESS(top_k(buffer.view(0, k), ids.view(0, k), buffer.view(0, size), workspace));
}

}  // namespace
}  // namespace rocmforge::testing
