// Attention over plain tensors against double loops: both kernels, every mask and stride.
#include <bit>
#include <rocmforge/attention.hpp>

#include "reference/attention_data.hpp"

namespace rocmforge::testing {
namespace {

ROCMFORGE_KERNEL_TEST_SUITE(attention_contiguous);

struct problem {
  int batch = 1, num_heads = 2, num_kv_heads = 1;
  int q_len = 1, kv_len = 1;
  int head_dim = 32;
  bool causal = true;
  bool seq_first = false;  // memory order [batch, seq, heads, head_dim]
  int gap = 0;             // elements after each row
  float scale = 0;
  double magnitude = 1;     // of the elements of q and k
  double tolerance = 5e-6;  // of the output, relative to its largest element
  int v_head_dim = 0;       // 0: head_dim
  float soft_cap = 0;
  int window = 0;
  std::vector<float> sink{};  // of each head, or empty
  attention_plan plan{};

  [[nodiscard]] int out_dim() const { return v_head_dim != 0 ? v_head_dim : head_dim; }
};

struct result {
  std::vector<std::vector<float>> out;  // of each sequence, [num_heads, q_len, v_head_dim]
  std::vector<float> lse;               // [batch, num_heads, q_len]
  bool operator==(const result&) const = default;
};

struct inputs {
  padded_tensor<float> q, k, v;
  explicit inputs(const problem& p)
      : q(p.batch, p.num_heads, p.q_len, p.head_dim, p.seq_first, p.gap),
        k(p.batch, p.num_kv_heads, p.kv_len, p.head_dim, p.seq_first, p.gap),
        v(p.batch, p.num_kv_heads, p.kv_len, p.out_dim(), p.seq_first, p.gap) {
    q.fill(1, p.magnitude);
    k.fill(2, p.magnitude);
    v.fill(3);
  }
};

result run(const problem& p, inputs& in) {
  padded_tensor<float> out(p.batch, p.num_heads, p.q_len, p.out_dim(), p.seq_first, p.gap);
  device_buffer<float> lse(std::size_t(p.batch * p.num_heads * p.q_len));
  lse.fill_bytes(0xff);
  const device_buffer<float> sink(p.sink);
  split_memory workspace(p.plan, p.batch, p.num_heads, p.q_len, p.out_dim());
  EXPECT_SUCCESS(rocmforge::attention(out.upload(), in.q.upload(), in.k.upload(), in.v.upload(),
                                      {.softmax_scale = p.scale,
                                       .causal = p.causal,
                                       .logits_soft_cap = p.soft_cap,
                                       .sliding_window = p.window,
                                       .sink = sink.view(int(p.sink.size())),
                                       .split = workspace.split()},
                                      lse.view(p.batch, p.num_heads, p.q_len)));
  out.download();
  result result{{}, lse.to_host()};
  for (int b = 0; b < p.batch; ++b) result.out.push_back(out.values(b));
  return result;
}
result run(const problem& p) {
  inputs in(p);
  return run(p, in);
}

void check(const problem& p) {
  SCOPED_TRACE("batch " + std::to_string(p.batch) + ", heads " + std::to_string(p.num_heads) + "/" +
               std::to_string(p.num_kv_heads) + ", q_len " + std::to_string(p.q_len) + ", kv_len " +
               std::to_string(p.kv_len) + ", head_dim " + std::to_string(p.head_dim) + "/" +
               std::to_string(p.out_dim()) + (p.causal ? ", causal" : "") +
               (p.seq_first ? ", seq first" : "") + ", gap " + std::to_string(p.gap) +
               ", soft cap " + std::to_string(p.soft_cap) + ", window " + std::to_string(p.window) +
               (p.sink.empty() ? "" : ", sinks") +
               (p.plan.num_chunks == 1
                    ? ""
                    : ", " + std::to_string(p.plan.num_chunks) + " chunks of at least " +
                          std::to_string(p.plan.min_chunk)));
  inputs in(p);
  const result actual = run(p, in);
  for (int b = 0; b < p.batch; ++b) {
    const auto expected = reference::attention(
        to_double(in.q.values(b)), to_double(in.k.values(b)), to_double(in.v.values(b)),
        {p.num_heads, p.num_kv_heads, p.q_len, p.kv_len, p.head_dim, p.causal, double(p.scale),
         p.out_dim(), double(p.soft_cap), p.window, to_double(p.sink)});
    expect_close(actual.out[std::size_t(b)], expected.out, p.tolerance, 1.0);
    expect_lse(&actual.lse[std::size_t(b * p.num_heads * p.q_len)], expected.lse, p.tolerance);
  }
}

// One query for each kernel, one tile of queries and of keys, and their neighbors. With fewer keys
// than queries the first rows of a causal mask see nothing.
TEST_P(attention_contiguous, agrees_with_double_for_every_length) {
  for (const int q_len : {1, 3, 4, 5, 31, 64, 65, 130}) {
    for (const int kv_len : {1, 15, 16, 17, 63, 64, 65, 257}) {
      for (const bool causal : {false, true})
        check({.q_len = q_len, .kv_len = kv_len, .causal = causal});
    }
  }
}

TEST_P(attention_contiguous, agrees_with_double_for_every_head_dim) {
  for (const int head_dim : {1, 7, 16, 31, 32, 33, 48, 64, 65, 80, 96, 127, 128, 160, 256}) {
    for (const int q_len : {2, 7}) {
      check({.batch = 2, .q_len = q_len, .kv_len = 67, .head_dim = head_dim});
      check({.batch = 2,
             .q_len = q_len,
             .kv_len = 35,
             .head_dim = head_dim,
             .causal = false,
             .seq_first = true,
             .gap = 5});
    }
  }
}

TEST_P(attention_contiguous, heads_of_a_group_share_their_keys) {
  for (const int group : {1, 3, 4, 7}) {
    for (const int num_kv_heads : {1, 2, 3}) {
      for (const int q_len : {1, 3, 6}) {
        check({.num_heads = group * num_kv_heads,
               .num_kv_heads = num_kv_heads,
               .q_len = q_len,
               .kv_len = 40});
      }
    }
  }
}

// SmolLM2-135M, Llama 3 8B with one kv head of its eight, and a head_dim of Gemma.
TEST_P(attention_contiguous, shapes_of_real_models_large) {
  for (const int q_len : {1, 70}) {
    check({.num_heads = 9, .num_kv_heads = 3, .q_len = q_len, .kv_len = 300, .head_dim = 64});
    check({.num_heads = 4,
           .num_kv_heads = 1,
           .q_len = q_len,
           .kv_len = 300,
           .head_dim = 128,
           .seq_first = true});
    check({.num_heads = 2,
           .num_kv_heads = 1,
           .q_len = q_len,
           .kv_len = 130,
           .head_dim = 256,
           .causal = false});
  }
}

TEST_P(attention_contiguous, takes_any_scale) {
  for (const int q_len : {2, 9}) {
    for (const float scale : {1.0f, 0.01f, -0.5f})
      check({.q_len = q_len, .kv_len = 33, .scale = scale});
  }
}

// Scores of thousands: exponents that are not taken relative to the maximum overflow. The products
// themselves are rounded, by up to 2^-24 of the score, and the error of a score is the relative
// error of a weight.
TEST_P(attention_contiguous, large_scores_do_not_overflow) {
  for (const int q_len : {1, 9}) {
    check({.q_len = q_len, .kv_len = 100, .scale = 1, .magnitude = 30, .tolerance = 5e-3});
  }
}

// Windows of one key, and of a tile and its neighbors; wider than there are keys; with fewer keys
// than queries. Without a causal mask the keys after the query are seen too.
TEST_P(attention_contiguous, a_window_hides_what_is_further_back) {
  for (const int window : {1, 2, 15, 16, 17, 64, 65, 300}) {
    for (const auto& [q_len, kv_len] : {std::pair{1, 200}, std::pair{4, 130}, std::pair{5, 131},
                                        std::pair{70, 190}, std::pair{70, 40}, std::pair{4, 2}}) {
      check({.q_len = q_len, .kv_len = kv_len, .window = window});
    }
    check({.q_len = 3, .kv_len = 150, .causal = false, .window = window});
    check({.q_len = 66, .kv_len = 150, .causal = false, .window = window});
  }
}

// What is far back must not be looked at: its pages may be gone.
TEST_P(attention_contiguous, keys_outside_the_window_are_not_read) {
  for (const int q_len : {1, 40}) {
    const problem p{.q_len = q_len, .kv_len = 700, .window = 30};
    inputs in(p);
    const result expected = run(p, in);
    const auto k = in.k.upload(), v = in.v.upload();
    for (int head = 0; head < p.num_kv_heads; ++head) {
      const int hidden = p.kv_len - q_len + 1 - p.window;
      const std::vector<float> nothing(std::size_t(hidden * p.head_dim), not_a_number<float>);
      for (const auto& cache : {k, v}) {
        platform_memory::upload(slice(cache, 0, head).data, nothing.data(),
                                nothing.size() * sizeof(float), {});
      }
    }
    stream_ref{}.synchronize();
    device_buffer<float> out(std::size_t(p.num_heads * q_len * p.head_dim));
    EXPECT_SUCCESS(rocmforge::attention(out.view(1, p.num_heads, q_len, p.head_dim), in.q.upload(),
                                        k, v, {.sliding_window = p.window}));
    EXPECT_EQ(out.to_host(), expected.out[0]);
  }
}

// Scores of up to many caps, and a cap far above every score. An error of a score is a relative
// error of its weight.
TEST_P(attention_contiguous, soft_caps_agree_with_double) {
  for (const int q_len : {1, 4, 9, 66}) {
    for (const float cap : {0.5f, 5.0f, 50.0f, 1000.0f}) {
      check({.q_len = q_len, .kv_len = 77, .magnitude = 4, .soft_cap = cap});
      check({.q_len = q_len,
             .kv_len = 77,
             .scale = 30,
             .magnitude = 3,
             .tolerance = std::max(5e-6, 1e-7 * double(cap)),
             .soft_cap = cap});
    }
  }
}

TEST_P(attention_contiguous, sinks_join_the_sum) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> sinks[] = {{1, -2, 0.5f, 3}, {40, -40, -infinity, 0}};
  for (const auto& sink : sinks) {
    for (const int q_len : {1, 3, 9, 66}) {
      for (const int kv_len : {2, 40})
        check({.batch = 2,
               .num_heads = 4,
               .num_kv_heads = 2,
               .q_len = q_len,
               .kv_len = kv_len,
               .sink = sink});
    }
  }
}

TEST_P(attention_contiguous, values_have_a_head_dim_of_their_own) {
  for (const auto& [head_dim, v_head_dim] :
       {std::pair{64, 32}, std::pair{24, 70}, std::pair{192, 128}, std::pair{1, 33},
        std::pair{80, 256}}) {
    for (const int q_len : {2, 7}) {
      check(
          {.q_len = q_len, .kv_len = 35, .head_dim = head_dim, .gap = 3, .v_head_dim = v_head_dim});
    }
  }
}

// Gemma 2's and gpt-oss's kinds of heads.
TEST_P(attention_contiguous, everything_at_once) {
  for (const int q_len : {1, 4, 70}) {
    for (const bool causal : {true, false}) {
      check({.batch = 2,
             .num_heads = 6,
             .num_kv_heads = 2,
             .q_len = q_len,
             .kv_len = 150,
             .head_dim = 80,
             .causal = causal,
             .seq_first = true,
             .gap = 1,
             .scale = 0.3f,
             .v_head_dim = 64,
             .soft_cap = 4,
             .window = 20,
             .sink = {1, 0, -1, 2, 0.5f, -3}});
    }
  }
}

// Chunks of a step of the kernel and smaller, more than there are keys for, fewer than there are
// keys for at their smallest size; the end of the keys at every place around a chunk's.
TEST_P(attention_contiguous, chunks_of_keys_agree_with_double) {
  for (const attention_plan& plan : {attention_plan{2, 64}, attention_plan{5, 64},
                                     attention_plan{16, 16}, attention_plan{3, 1}}) {
    for (const int q_len : {1, 3, 4}) {
      for (const int kv_len : {0, 1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, 257, 500}) {
        for (const bool causal : {false, true})
          check({.q_len = q_len, .kv_len = kv_len, .causal = causal, .plan = plan});
      }
    }
  }
}

TEST_P(attention_contiguous, chunks_of_keys_for_every_kind_of_head) {
  for (const attention_plan& plan : {attention_plan{4, 64}, attention_plan{32, 8}}) {
    for (const auto& [num_heads, num_kv_heads] :
         {std::pair{1, 1}, std::pair{6, 2}, std::pair{7, 1}}) {
      for (const int head_dim : {7, 80, 128}) {
        check({.batch = 2,
               .num_heads = num_heads,
               .num_kv_heads = num_kv_heads,
               .q_len = 2,
               .kv_len = 150,
               .head_dim = head_dim,
               .seq_first = true,
               .gap = 3,
               .v_head_dim = 40,
               .plan = plan});
      }
    }
  }
}

// Both ends of windows at every place around the end of a chunk; sinks of all sizes, once.
TEST_P(attention_contiguous, chunks_of_keys_with_windows_and_sinks) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const attention_plan plan{4, 32};
  for (const int q_len : {1, 4}) {
    for (const int window : {0, 1, 31, 32, 33, 64, 100}) {
      for (const int kv_len : {0, 3, 63, 64, 65, 66, 67, 68, 95, 96, 97, 130, 1000}) {
        for (const bool causal : {true, false}) {
          check({.num_heads = 4,
                 .num_kv_heads = 2,
                 .q_len = q_len,
                 .kv_len = kv_len,
                 .causal = causal,
                 .soft_cap = 5,
                 .window = window,
                 .sink = {1, 30, -infinity, -30},
                 .plan = plan});
        }
      }
    }
  }
}

TEST_P(attention_contiguous, chunks_of_large_scores_do_not_overflow) {
  check({.kv_len = 300, .scale = 1, .magnitude = 30, .tolerance = 5e-3, .plan = {8, 32}});
}

TEST_P(attention_contiguous, a_slot_of_the_batch_does_not_change_a_bit) {
  const problem p{
      .batch = 5, .num_heads = 6, .num_kv_heads = 2, .q_len = 2, .kv_len = 777, .plan = {8, 64}};
  inputs in(p);
  const result together = run(p, in);
  for (int b = 0; b < p.batch; ++b) {
    split_memory workspace(p.plan, 1, p.num_heads, p.q_len, p.head_dim);
    device_buffer<float> out(std::size_t(p.num_heads * p.q_len * p.head_dim));
    const auto one = [&](const tensor_view<float, 4>& all) { return sub_view<0>(all, b, b + 1); };
    EXPECT_SUCCESS(rocmforge::attention(out.view(1, p.num_heads, p.q_len, p.head_dim),
                                        one(in.q.upload()), one(in.k.upload()), one(in.v.upload()),
                                        {.split = workspace.split()}));
    EXPECT_EQ(out.to_host(), together.out[std::size_t(b)]) << "sequence " << b;
  }
}

// What is merged with nothing is not changed, however many chunks have no keys. (Without a plan a
// block has other waves, which add up in another order.)
TEST_P(attention_contiguous, chunks_without_keys_change_no_bit) {
  for (const int kv_len : {1, 33, 64}) {
    problem p{.num_heads = 4, .num_kv_heads = 2, .q_len = 3, .kv_len = kv_len, .plan = {2, 64}};
    const result few = run(p);
    p.plan = {16, 64};
    EXPECT_EQ(run(p).out, few.out) << kv_len << " keys";
  }
}

TEST_P(attention_contiguous, chunks_are_where_a_plan_says) {
  const attention_chunks chunks{4, 5};
  for (const int begin : {0, 1, 31, 32, 33, 500}) {
    for (const int count : {1, 31, 32, 33, 96, 97, 127, 128, 129, 1000, 5000}) {
      const int end = begin + count;
      int next = begin, size = 0;
      for (int chunk = 0; chunk < chunks.num_chunks; ++chunk) {
        const auto range = chunks.of(chunk, begin, end);
        if (range.begin == range.end) {
          EXPECT_GE(next, end) << begin << " to " << end;
          continue;
        }
        if (chunk == 0) size = range.end - range.begin;
        EXPECT_TRUE(chunk == 0 ? range.begin <= next : range.begin == next);
        EXPECT_EQ(range.end - range.begin, size);
        EXPECT_EQ(range.begin % size, 0);
        next = range.end;
      }
      EXPECT_GE(next, end);
      EXPECT_TRUE(size >= 32 && (size == 32 || (end - 1) / (size / 2) - begin / (size / 2) >= 4))
          << "chunks of " << size << " keys, although smaller ones would do";
    }
  }
  const auto huge = attention_chunks{3, 6}.of(2, (1 << 30) - 5, 1 << 30);
  EXPECT_EQ(huge.begin, huge.end);
  EXPECT_EQ((attention_chunks{1, 6}.of(0, 0, 1 << 30).end), 1 << 30);
}

TEST_P(attention_contiguous, a_plan_keeps_a_device_busy) {
  const auto device = [](int wave_size, int num_compute_units) {
    device_properties d;
    d.wave_size = wave_size;
    d.num_compute_units = num_compute_units;
    return d;
  };
  const auto blocks = [](const attention_plan& plan, const attention_limits& limits, int kv_len) {
    int chunks = 0;
    const attention_chunks parts{plan.num_chunks, std::countr_zero(unsigned(plan.min_chunk))};
    for (int chunk = 0; chunk < plan.num_chunks; ++chunk) {
      const auto range = parts.of(chunk, 0, kv_len);
      chunks += range.begin < range.end;
    }
    return chunks * limits.num_kv_heads;
  };
  EXPECT_EQ(plan_attention(device(1, 64), {32, 8, 128, 8192}).num_chunks, 1);
  const attention_limits llama{32, 8, 128, 131072};
  for (const int units : {48, 96, 132, 304}) {
    const attention_plan plan = plan_attention(device(32, units), llama);
    for (const int kv_len : {8192, 10000, 16384, 131072})
      EXPECT_GE(blocks(plan, llama, kv_len), 2 * units) << kv_len << " keys";
    EXPECT_LE(blocks(plan, llama, 131072), 2 * (8 / split_block_waves) * units + 16);
  }
  EXPECT_GE(blocks(plan_attention(device(32, 96), {8, 2, 128, 2048}), {8, 2, 128, 2048}, 2048), 64);
  EXPECT_EQ(plan_attention(device(32, 132), {32, 8, 128, 64}).num_chunks, 1);
  EXPECT_EQ(plan_attention(device(64, 132), {32, 8, 32, 1000}).min_chunk, 256);
  const attention_limits many{64, 8, 256, 131072, 4096, 4};
  const attention_plan few_chunks = plan_attention(device(32, 132), many);
  EXPECT_LE(attention_workspace_bytes(few_chunks, 4096, 64, 4, 256), std::size_t{128} << 20);
  EXPECT_EQ(plan_attention(device(32, 132), {0, 0, 0, 0}).num_chunks, 1);
}

TEST_P(attention_contiguous, refuses_a_split_without_its_workspace) {
  device_buffer<float> buffer(std::vector<float>(4096, 1.0f));
  const auto q = buffer.view(2, 4, 3, 16), k = buffer.view(2, 2, 5, 16);
  const attention_plan plan{2, 64};
  split_memory workspace(plan, 2, 4, 3, 16);
  const auto run = [&](const attention_split& split) {
    return rocmforge::attention(q, q, k, k, {.split = split});
  };
  EXPECT_EQ(attention_workspace_bytes(plan, 2, 4, 3, 16), std::size_t(2 * 2 * 4 * 3 * 17 * 4));
  EXPECT_EQ(attention_workspace_bytes({}, 2, 4, 3, 16), 0u);
  EXPECT_EQ(attention_workspace_bytes(plan, 1 << 30, 1 << 30, 1 << 30, 1),
            std::numeric_limits<std::size_t>::max());
  EXPECT_SUCCESS(run(workspace.split()));
  EXPECT_REFUSED(run({plan, {}}), status_code::invalid_argument, "workspace");
  attention_split less = workspace.split();
  less.workspace = less.workspace.first(less.workspace.size() - 1);
  EXPECT_REFUSED(run(less), status_code::invalid_argument, "workspace");
  for (const int num_chunks : {0, -1, max_attention_chunks + 1}) {
    EXPECT_REFUSED(run({{num_chunks, 64}, workspace.split().workspace}),
                   status_code::invalid_argument, "split");
  }
  for (const int min_chunk : {0, -64, 48, std::numeric_limits<int>::max()}) {
    EXPECT_REFUSED(run({{2, min_chunk}, workspace.split().workspace}),
                   status_code::invalid_argument, "split");
  }
}

TEST_P(attention_contiguous, queries_that_see_no_key_give_zeros) {
  for (const int q_len : {4, 9}) {
    for (const int kv_len : {0, 3}) {
      const problem p{.q_len = q_len, .kv_len = kv_len};
      const result actual = run(p);
      for (int head = 0; head < p.num_heads; ++head) {
        for (int row = 0; row < q_len; ++row) {
          const bool sees_something = row >= q_len - kv_len;
          const auto index = std::size_t(head * q_len + row);
          EXPECT_EQ(std::isinf(actual.lse[index]), !sees_something);
          for (int d = 0; d < p.head_dim; ++d) {
            const float value = actual.out[0][index * std::size_t(p.head_dim) + std::size_t(d)];
            EXPECT_TRUE(sees_something ? value != 0 && std::isfinite(value) : value == 0) << value;
          }
        }
      }
    }
  }
}

TEST_P(attention_contiguous, the_order_of_memory_does_not_change_a_bit) {
  for (const int q_len : {3, 70}) {
    const problem plain{.batch = 2, .q_len = q_len, .kv_len = 90, .head_dim = 48};
    problem other = plain;
    other.seq_first = true;
    other.gap = 3;
    EXPECT_EQ(run(plain), run(other));
  }
}

// Query i of a prompt and the same query in a later part of it: the same kernel must give the same
// bits.
TEST_P(attention_contiguous, a_query_does_not_depend_on_the_others) {
  for (const auto& [all, last] : {std::pair{4, 2}, std::pair{70, 37}}) {
    const problem p{.num_heads = 1, .num_kv_heads = 1, .q_len = all, .kv_len = 100};
    inputs in(p);
    device_buffer<float> out(std::size_t(last * p.head_dim));
    const auto whole = run(p, in).out[0];
    const auto q = sub_view<2>(in.q.upload(), all - last, all);
    EXPECT_SUCCESS(
        rocmforge::attention(out.view(1, 1, last, p.head_dim), q, in.k.upload(), in.v.upload()));
    EXPECT_EQ(out.to_host(), std::vector<float>(whole.end() - last * p.head_dim, whole.end()));
  }
}

TEST_P(attention_contiguous, two_runs_give_the_same_bits) {
  for (const int q_len : {2, 70}) {
    const problem p{.batch = 2, .num_heads = 6, .num_kv_heads = 2, .q_len = q_len, .kv_len = 100};
    const result first = run(p);
    EXPECT_EQ(first, run(p));
#if defined(ROCMFORGE_PLATFORM_HOST)
    const int threads = num_threads();
    for (const int other : {1, 2}) {
      set_num_threads(other);
      EXPECT_EQ(first, run(p)) << other << " threads";
    }
    set_num_threads(threads);
#endif
#if defined(ROCMFORGE_EMULATION)
    for (const std::uint64_t seed : {2, 3, 4, 5}) {
      emulation::seed() = seed;
      EXPECT_EQ(first, run(p)) << "lanes in the order of seed " << seed;
    }
    emulation::seed() = 1;
#endif
  }
}

TEST_P(attention_contiguous, refuses_what_does_not_fit) {
  device_buffer<float> buffer(std::vector<float>(4096, 1.0f));
  const auto q = buffer.view(2, 4, 3, 16), k = buffer.view(2, 2, 5, 16);
  using rocmforge::attention;
  EXPECT_SUCCESS(attention(q, q, k, k));
  EXPECT_REFUSED(attention(q, buffer.view(2, 4, 4, 16), k, k), status_code::invalid_shape, "q");
  EXPECT_REFUSED(attention(q, q, buffer.view(1, 2, 5, 16), k), status_code::invalid_shape, "k");
  EXPECT_REFUSED(attention(q, q, buffer.view(2, 2, 5, 15), k), status_code::invalid_shape, "k");
  EXPECT_REFUSED(attention(q, q, k, buffer.view(2, 2, 6, 16)), status_code::invalid_shape, "v");
  EXPECT_REFUSED(attention(q, q, buffer.view(2, 3, 5, 16), buffer.view(2, 3, 5, 16)),
                 status_code::invalid_shape, "k");
  EXPECT_EQ(attention(q, q, buffer.view(2, 3, 5, 16), buffer.view(2, 3, 5, 16)).message(),
            "attention: k: extent 1 (num_kv_heads) is 3, which does not divide the 4 query heads "
            "(invalid_shape)");
  EXPECT_REFUSED(attention(q, q, buffer.view(2, 0, 5, 16), buffer.view(2, 0, 5, 16)),
                 status_code::invalid_shape, "k");
  EXPECT_REFUSED(attention(q, permuted<0, 1, 3, 2>(buffer.view(2, 4, 16, 3)), k, k),
                 status_code::invalid_layout, "q");
  EXPECT_REFUSED(attention(permuted<0, 1, 3, 2>(buffer.view(2, 4, 16, 3)), q, k, k),
                 status_code::invalid_layout, "out");
  EXPECT_REFUSED(attention(q, q, k, permuted<0, 1, 3, 2>(buffer.view(2, 2, 16, 5))),
                 status_code::invalid_layout, "v");
  EXPECT_REFUSED(attention(q, q, k, k, {}, buffer.view(2, 4, 2)), status_code::invalid_shape,
                 "lse");
  EXPECT_REFUSED(attention(q, q, k, k, {}, permuted<0, 2, 1>(buffer.view(2, 3, 4))),
                 status_code::invalid_layout, "lse");
  auto nowhere = k;
  nowhere.data = nullptr;
  EXPECT_REFUSED(attention(q, q, nowhere, k), status_code::invalid_argument, "k");
  EXPECT_REFUSED(attention(q, q, k, k, {.softmax_scale = std::numeric_limits<float>::infinity()}),
                 status_code::invalid_argument, "softmax_scale");
  EXPECT_REFUSED(attention(q, q, k, k, {.logits_soft_cap = -1}), status_code::invalid_argument,
                 "logits_soft_cap");
  EXPECT_REFUSED(
      attention(q, q, k, k, {.logits_soft_cap = std::numeric_limits<float>::quiet_NaN()}),
      status_code::invalid_argument, "logits_soft_cap");
  EXPECT_REFUSED(attention(q, q, k, k, {.sliding_window = -1}), status_code::invalid_argument,
                 "sliding_window");
  EXPECT_REFUSED(attention(q, q, k, k, {.sink = buffer.view(3)}), status_code::invalid_shape,
                 "sink");
  EXPECT_REFUSED(attention(q, q, k, buffer.view(2, 2, 5, 12)), status_code::invalid_shape, "v");
  EXPECT_REFUSED(attention(buffer.view(2, 4, 3, 0), q, k, buffer.view(2, 2, 5, 0)),
                 status_code::invalid_shape, "out");
  EXPECT_REFUSED(attention(buffer.view(1, 1, 3, 300), buffer.view(1, 1, 3, 16),
                           buffer.view(1, 1, 5, 16), buffer.view(1, 1, 5, 300)),
                 status_code::unsupported, "v");
  const auto long_rows = buffer.view(1, 1, 3, 257);
  EXPECT_REFUSED(attention(long_rows, long_rows, long_rows, long_rows), status_code::unsupported,
                 "q");
  EXPECT_EQ(attention(long_rows, long_rows, long_rows, long_rows).message(),
            "attention: q: head_dim 257 is too large; up to 256 are supported (unsupported)");
  const auto no_rows = buffer.view(1, 1, 3, 0);
  EXPECT_REFUSED(attention(no_rows, no_rows, no_rows, no_rows), status_code::invalid_shape, "q");
  const auto no_queries = buffer.view(2, 4, 0, 16);
  EXPECT_SUCCESS(attention(no_queries, no_queries, k, k));  // nothing to do
}

}  // namespace
}  // namespace rocmforge::testing
