// Inputs of attention tests, with NaN wherever no kernel may look: between rows, after sequences,
// in unused pages.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <random>
#include <rocmforge/attention.hpp>
#include <rocmforge/memory.hpp>
#include <string>
#include <vector>

#include "reference/attention.hpp"
#include "reference/quant.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {

template <class T>
const T not_a_number{std::numeric_limits<float>::quiet_NaN()};

/// What a cache holds, in its own type: this many elements.
template <class TCache>
std::vector<TCache> cache_values(std::size_t count, unsigned seed) {
  if constexpr (reference::is_quantized<TCache>) {
    return reference::random_weights<TCache>(count, seed);
  } else {
    return random_values<TCache>(count, seed);
  }
}

/// A [batch, heads, seq, head_dim] tensor in device memory.
template <class T>
class padded_tensor {
 public:
  /// Memory in the order [batch, heads, seq, head_dim], or [batch, seq, heads, head_dim] with
  /// `seq_first`; `gap` elements after each row, and room for more rows than there are.
  padded_tensor(int batch, int heads, int seq, int head_dim, bool seq_first, int gap) {
    const int extents[] = {batch, heads, seq, head_dim};
    const std::int64_t row = head_dim + gap, rows = seq + 3;
    const std::int64_t strides[] = {heads * rows * row, seq_first ? row : rows * row,
                                    seq_first ? heads * row : row, 1};
    std::copy(extents, extents + 4, view_.extent);
    std::copy(strides, strides + 4, view_.stride);
    memory_.assign(std::size_t(batch * strides[0] + 1), not_a_number<T>);
  }

  padded_tensor& fill(unsigned seed, double magnitude = 1) {
    const auto values = random_values<T>(std::size_t(view_.size()), seed, -magnitude, magnitude);
    std::size_t next = 0;
    for_each([&](int, T& element) { element = values[next++]; });
    return *this;
  }
  tensor_view<T, 4> upload() {
    device_ = device_buffer<T>(memory_);
    view_.data = device_.data();
    return view_;
  }
  /// Takes what the device holds; what lies between the rows must still be NaN.
  void download() {
    const auto padding = [&] {
      auto copy = memory_;
      std::swap(copy, memory_);
      for_each([](int, T& element) { element = T(0.0f); });
      std::swap(copy, memory_);
      return copy;
    };
    memory_ = device_.to_host();
    const auto gaps = padding();
    EXPECT_TRUE(std::all_of(gaps.begin(), gaps.end(), [](T e) {
      return float(e) == 0 || std::isnan(float(e));
    })) << "something was written between the rows";
  }
  /// The elements of one sequence, [heads, seq, head_dim].
  std::vector<T> values(int sequence) {
    std::vector<T> result;
    for_each([&](int b, T& element) {
      if (b == sequence) result.push_back(element);
    });
    return result;
  }

 private:
  template <class F>
  void for_each(F f) {
    auto host = view_;
    host.data = memory_.data();
    for (int b = 0; b < host.extent[0]; ++b) {
      for (int h = 0; h < host.extent[1]; ++h) {
        for (int s = 0; s < host.extent[2]; ++s) {
          for (int d = 0; d < host.extent[3]; ++d) f(b, host(b, h, s, d));
        }
      }
    }
  }

  tensor_view<T, 4> view_;
  std::vector<T> memory_;
  device_buffer<T> device_;
};

/// One sequence of a step, and the seed of its contents.
struct paged_sequence {
  int q_len, kv_len;
  unsigned seed;
};

/// Sequences whose queries follow each other and whose keys and values lie in pages, in random
/// order.
template <class T, class TCache>
class paged_sequences {
 public:
  paged_sequences(std::vector<paged_sequence> sequences, int num_heads, int num_kv_heads,
                  int head_dim, int page_size)
      : sequences_(std::move(sequences)),
        num_heads_(num_heads),
        num_kv_heads_(num_kv_heads),
        head_dim_(head_dim) {
    std::vector<T> q;
    std::vector<int> q_begin{0}, kv_len;
    int max_pages = 1, num_pages = 1;
    for (const paged_sequence& s : sequences_) {
      const auto queries = random_values<T>(std::size_t(s.q_len * num_heads * head_dim), s.seed);
      q.insert(q.end(), queries.begin(), queries.end());
      q_begin.push_back(q_begin.back() + s.q_len);
      kv_len.push_back(s.kv_len);
      const int pages = (s.kv_len + page_size - 1) / page_size;
      max_pages = std::max(max_pages, pages);
      num_pages += pages;
      max_q_len = std::max(max_q_len, s.q_len);
    }
    std::vector<int> free_pages;
    for (int page = 0; page < num_pages; ++page) free_pages.push_back(page);
    std::shuffle(free_pages.begin(), free_pages.end(), std::mt19937(7));
    const int unused = free_pages.back();  // full of NaN; entries that must not be used lead there
    free_pages.pop_back();

    const int row = head_dim / block_traits<TCache>::elements;
    std::vector<TCache> k_pages(std::size_t(num_pages * num_kv_heads * page_size * row));
    std::memset(static_cast<void*>(k_pages.data()), 0xff, k_pages.size() * sizeof(TCache));  // NaN
    std::vector<TCache> v_pages = k_pages;
    std::vector<int> page_table(sequences_.size() * std::size_t(max_pages), unused);
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
      const auto k = keys(i), v = values(i);
      for (int position = 0; position < kv_len[i]; ++position) {
        int& page = page_table[i * std::size_t(max_pages) + std::size_t(position / page_size)];
        if (page == unused) {
          page = free_pages.back();
          free_pages.pop_back();
        }
        for (int head = 0; head < num_kv_heads; ++head) {
          const auto from = (head * kv_len[i] + position) * row;
          const auto to = ((page * num_kv_heads + head) * page_size + position % page_size) * row;
          std::copy_n(k.begin() + from, row, k_pages.begin() + to);
          std::copy_n(v.begin() + from, row, v_pages.begin() + to);
        }
      }
    }
    unused_page_ = unused;
    num_tokens_ = q_begin.back();
    num_pages_ = num_pages;
    page_size_ = page_size;
    max_pages_ = max_pages;
    q_ = device_buffer<T>(q);
    out_ = device_buffer<T>(std::vector<T>(q.size(), not_a_number<T>));
    lse_ = device_buffer<float>(
        std::vector<float>(std::size_t(num_tokens_ * num_heads), not_a_number<float>));
    k_pages_ = device_buffer<TCache>(k_pages);
    v_pages_ = device_buffer<TCache>(v_pages);
    q_begin_ = device_buffer<int>(q_begin);
    kv_len_ = device_buffer<int>(kv_len);
    page_table_ = device_buffer<int>(page_table);
  }

  int max_q_len = 0;

  tensor_view<T, 3> out() { return out_.view(num_tokens_, num_heads_, head_dim_); }
  tensor_view<T, 3> q() { return q_.view(num_tokens_, num_heads_, head_dim_); }
  tensor_view<TCache, 4> k_pages() {
    return k_pages_.view(num_pages_, num_kv_heads_, page_size_,
                         head_dim_ / block_traits<TCache>::elements);
  }
  tensor_view<TCache, 4> v_pages() {
    return v_pages_.view(num_pages_, num_kv_heads_, page_size_,
                         head_dim_ / block_traits<TCache>::elements);
  }
  tensor_view<float, 2> lse() { return lse_.view(num_tokens_, num_heads_); }
  paged_batch batch() const {
    const int count = int(sequences_.size());
    return {q_begin_.view(count + 1), kv_len_.view(count), page_table_.view(count, max_pages_),
            max_q_len};
  }

  std::vector<float> lse_values() const { return lse_.to_host(); }
  /// The page table with the first `count(sequence)` entries of each sequence leading to a page
  /// that holds nothing.
  template <class Count>
  std::vector<int> page_table_without(Count count) const {
    auto table = page_table_.to_host();
    for (std::size_t i = 0; i < sequences_.size(); ++i)
      std::fill_n(table.begin() + std::ptrdiff_t(i) * max_pages_, count(sequences_[i]),
                  unused_page_);
    return table;
  }

  /// The keys and values of a sequence, [num_kv_heads, kv_len, head_dim].
  std::vector<TCache> keys(std::size_t sequence) const { return cached(sequence, 1000); }
  std::vector<TCache> values(std::size_t sequence) const { return cached(sequence, 2000); }

  /// The output of one sequence, [q_len, num_heads, head_dim].
  std::vector<T> result(std::size_t sequence) const {
    std::ptrdiff_t first = 0;
    for (std::size_t i = 0; i < sequence; ++i) first += elements(i);
    const auto all = out_.to_host();
    return {all.begin() + first, all.begin() + first + elements(sequence)};
  }

  void expect_results(bool causal, double tolerance) const {
    expect_results(reference::attention_shape{.causal = causal}, tolerance);
  }
  /// With the options of `shape`; returns what lse must be, [num_tokens, num_heads].
  std::vector<double> expect_results(reference::attention_shape shape, double tolerance) const {
    std::vector<double> lse;
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
      const auto [q_len, kv_len, seed] = sequences_[i];
      SCOPED_TRACE("sequence " + std::to_string(i) + ": q_len " + std::to_string(q_len) +
                   ", kv_len " + std::to_string(kv_len));
      const auto queries = heads_first(random_values<T>(std::size_t(elements(i)), seed), q_len);
      shape.num_heads = num_heads_;
      shape.num_kv_heads = num_kv_heads_;
      shape.q_len = q_len;
      shape.kv_len = kv_len;
      shape.head_dim = head_dim_;
      const auto expected = reference::attention(to_double(queries), reference::decode(keys(i)),
                                                 reference::decode(values(i)), shape);
      expect_close(heads_first(result(i), q_len), expected.out, attention_rounding<T> + tolerance,
                   1.0);
      for (int row = 0; row < q_len; ++row) {
        for (int head = 0; head < num_heads_; ++head)
          lse.push_back(expected.lse[std::size_t(head * q_len + row)]);
      }
    }
    return lse;
  }

 private:
  std::ptrdiff_t elements(std::size_t sequence) const {
    return sequences_[sequence].q_len * num_heads_ * head_dim_;
  }
  std::vector<TCache> cached(std::size_t sequence, unsigned offset) const {
    const auto& s = sequences_[sequence];
    return cache_values<TCache>(std::size_t(num_kv_heads_ * s.kv_len * head_dim_), s.seed + offset);
  }
  std::vector<T> heads_first(const std::vector<T>& tokens, int q_len) const {
    std::vector<T> result;
    for (int head = 0; head < num_heads_; ++head) {
      for (int row = 0; row < q_len; ++row) {
        const auto from = tokens.begin() + (row * num_heads_ + head) * head_dim_;
        result.insert(result.end(), from, from + head_dim_);
      }
    }
    return result;
  }

  std::vector<paged_sequence> sequences_;
  int num_heads_, num_kv_heads_, head_dim_;
  int num_tokens_ = 0, num_pages_ = 0, page_size_ = 0, max_pages_ = 0, unused_page_ = 0;
  device_buffer<T> out_, q_;
  device_buffer<float> lse_;
  device_buffer<TCache> k_pages_, v_pages_;
  device_buffer<int> q_begin_, kv_len_, page_table_;
};

/// -inf where no key is seen, near elsewhere.
inline void expect_lse(const float* actual, const std::vector<double>& expected, double tolerance) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::isinf(expected[i])) {
      EXPECT_EQ(actual[i], -std::numeric_limits<float>::infinity()) << i;
    } else {
      EXPECT_NEAR(actual[i], expected[i], tolerance * std::max(1.0, std::fabs(expected[i]))) << i;
    }
  }
}

/// A plan with its workspace, full of NaN: what no chunk has written must not be used.
struct split_memory {
  attention_plan plan;
  device_buffer<std::byte> memory;

  split_memory(const attention_plan& of, int batch, int num_heads, int q_len, int v_head_dim)
      : plan(of), memory(attention_workspace_bytes(of, batch, num_heads, q_len, v_head_dim)) {
    memory.fill_bytes(0xff);
  }
  attention_split split() { return {plan, {memory.data(), memory.size()}}; }
};

/// Launches kernels::attention_decode itself, and with a plan kernels::merge_states.
template <int HeadDim, int BlockSize, class Problem>
status run_vector(const Problem& problem, int num_heads, int num_kv_heads, int head_dim, int q_len,
                  int batch, const attention_options& options = {},
                  const attention_plan& plan = {}) {
  const int v_head_dim = problem.out.extent[problem.out.rank - 1];
  split_memory workspace(plan, batch, num_heads, q_len, v_head_dim);
  const attention_chunks chunks =
      attention_launch::chunks_of(workspace.split(), batch, num_heads, q_len, v_head_dim);
  const status s = dispatch_wave_size<BlockSize>("attention_decode", {}, [&](auto wave) {
    using kernel =
        kernels::attention_decode<Problem, HeadDim, block_threads<BlockSize, wave>, wave>;
    const int rows = num_heads / num_kv_heads * q_len;
    const int row_groups = (rows + attention_decode_rows - 1) / attention_decode_rows;
    auto decode = kernel::make(problem, scoring_of(options, head_dim), chunks);
    decode.whole_packets = false;
    return launch("attention_decode", decode, {row_groups * chunks.num_chunks, num_kv_heads, batch},
                  {});
  });
  if (!s.ok() || plan.num_chunks == 1) return s;
  const status merged = attention_launch::merge<BlockSize>(
      "attention_decode", problem.results(), tensor_view<const float, 5>(chunks.states), chunks.lse,
      {});
  stream_ref{}.synchronize();  // the workspace ends here
  return merged;
}

/// Launches kernels::attention itself.
template <attention_config Config, int BlockSize, class Problem>
status run_tiled(const Problem& problem, int num_heads, int head_dim, int q_len, int batch,
                 const attention_options& options = {}) {
  return dispatch_wave_size<BlockSize>("attention", {}, [&](auto wave) {
    using kernel = kernels::attention<Problem, Config, block_threads<BlockSize, wave>, wave>;
    return launch("attention", kernel{problem, scoring_of(options, head_dim)},
                  {(q_len + Config.block_q - 1) / Config.block_q, num_heads, batch}, {});
  });
}

/// Launches kernels::attention_mma itself: with the device's instruction, or, for an emulated wave,
/// one that is plain arithmetic. False if there is none.
template <int HeadDim, int BlockSize, class Problem>
bool run_matrix(const Problem& problem, int num_heads, int head_dim, int q_len, int batch,
                const attention_options& options = {}) {
  using T = typename Problem::element;
  bool found = false;
  if constexpr (sizeof(T) == 2 && std::is_same_v<T, typename Problem::cache_element>) {
    const status launched = dispatch_wave_size<BlockSize>("attention", {}, [&](auto wave) {
      status result;
      if constexpr (wave > 1) {
#if defined(ROCMFORGE_EMULATION)
        using instructions = mma::instruction_list<mma::host_tile<T, float, 16, 16, 16, wave>>;
#else
            using instructions = mma::product_instructions<T>;
#endif
        found = attention_launch::many_queries<HeadDim, BlockSize, wave>(
            instructions{}, result, "attention", problem, scoring_of(options, head_dim), batch,
            q_len, num_heads, {});
      }
      return result;
    });
    EXPECT_SUCCESS(launched);
  }
  return found;
}

/// One sequence of three heads on plain tensors; `gap` makes rows unaligned. Those of the output
/// start at even elements: for AMD's GPUs, compilers merge neighboring 16-bit stores at any
/// address, as the hardware allows and an emulator may not.
template <class T, class TCache>
class plain_attention {
 public:
  static constexpr int num_heads = 3, num_kv_heads = 1, kv_len = 75;

  plain_attention(int head_dim, int q_len, int gap)
      : head_dim_(head_dim),
        q_len_(q_len),
        out_(1, num_heads, q_len, head_dim, true, 2 * gap),
        q_(1, num_heads, q_len, head_dim, true, gap),
        k_(1, num_kv_heads, kv_len, head_dim, true, gap),
        v_(1, num_kv_heads, kv_len, head_dim, true, gap) {
    q_.fill(1);
    k_.fill(2);
    v_.fill(3);
  }
  attention_problem::contiguous<T, TCache> problem() {
    return {out_.upload(), q_.upload(), k_.upload(), v_.upload(), {}};
  }
  void expect_result() {
    out_.download();
    const auto expected = reference::attention(
        to_double(q_.values(0)), to_double(k_.values(0)), to_double(v_.values(0)),
        {num_heads, num_kv_heads, q_len_, kv_len, head_dim_, true, 0});
    expect_close(out_.values(0), expected.out, attention_rounding<T> + 5e-6, 1.0);
  }

 private:
  int head_dim_, q_len_;
  padded_tensor<T> out_, q_;
  padded_tensor<TCache> k_, v_;
};

}  // namespace rocmforge::testing
