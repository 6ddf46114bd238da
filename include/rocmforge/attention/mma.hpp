// Attention for many queries in 16 bits, with matrix instructions: as tiled.hpp, but a wave has its
// queries in registers and multiplies tiles of keys and values in shared memory by them. Dao et
// al., "FlashAttention-2", 2023.
#pragma once

#include <type_traits>

#include "rocmforge/attention/problem.hpp"
#include "rocmforge/attention/rows.hpp"
#include "rocmforge/attention/scoring.hpp"
#include "rocmforge/attention/tiled.hpp"
#include "rocmforge/gemm/staged.hpp"
#include "rocmforge/platform/mma.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Default shape of kernels::attention_mma: 16 queries a wave, and as many keys as leave registers
/// for the queries and the output.
constexpr attention_config attention_mma_config_for(int head_dim, int block_size, int wave_size) {
  return {head_dim, 16 * (block_size / wave_size), head_dim <= 64 ? 64 : 32};
}

namespace kernels {
using namespace device;

/// Both products are computed transposed, S^T = K Q^T and O^T = V^T P^T: then a lane has the same
/// queries (columns) in the scores and in the output, and scales the output by what it knows of its
/// own columns. The weights P go through the wave's part of shared memory, rounded to the element
/// type; their sum is of those not rounded.
template <class Problem, mma::instruction Instruction, attention_config Config, int BlockSize,
          int WaveSize>
struct attention_mma {
  static_assert(Instruction::lanes == WaveSize,
                "attention_mma: the instruction's lanes are a wave");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  using T = typename Problem::element;
  static_assert(sizeof(T) == 2 && std::is_same_v<T, typename Problem::cache_element> &&
                    std::is_same_v<T, typename Instruction::a_element>,
                "attention_mma: queries, keys and values are of the instruction's elements");

  static constexpr int num_waves = BlockSize / WaveSize;
  static constexpr int wave_q = Config.block_q / num_waves;
  // Tiles of the instruction along queries, keys and head_dim.
  static constexpr int tiles_q = wave_q / Instruction::n,
                       tiles_kv = Config.block_kv / Instruction::m,
                       tiles_d = Config.head_dim / Instruction::m;
  static_assert(wave_q * num_waves == Config.block_q && tiles_q * Instruction::n == wave_q &&
                    tiles_kv * Instruction::m == Config.block_kv &&
                    tiles_d * Instruction::m == Config.head_dim,
                "attention_mma: block_q of a wave, block_kv and head_dim must be whole numbers of "
                "the instruction's tiles");

  using along_d = gemm_detail::staged_order<Instruction, Config.head_dim>;   // queries and keys
  using along_kv = gemm_detail::staged_order<Instruction, Config.block_kv>;  // values and weights
  using a_layout = typename along_d::a_layout;
  using b_layout = typename along_d::b_layout;
  /// Operands of keys or values that are loaded together. A barrier of the wave keeps clang from
  /// loading those of a whole tile first, for which there are no registers.
  static constexpr int loads_ahead = 4;
  using query_operands = typename Instruction::b_registers[tiles_q][along_d::turns];
  /// Whether a lane has registers for its queries beside the output; else it reads them again for
  /// each tile of keys.
  static constexpr bool holds_queries =
      sizeof(query_operands) / sizeof(float) * along_d::steps < 32;
  static constexpr int key_rows =
      holds_queries && Config.block_q > Config.block_kv ? Config.block_q : Config.block_kv;

  struct shared_storage {
    alignas(16) T key[along_d::template size<key_rows>];
    alignas(16) T query[holds_queries ? 1 : along_d::template size<Config.block_q>];
    alignas(16) T value[along_kv::template size<Config.head_dim>];  // transposed
    alignas(16) T weight[num_waves][along_kv::template size<wave_q>];
    int special[2];  // whether a tile has values that are not finite; of two tiles in turn
  };

  /// As gemm_mma's, where shared memory leaves room for a second block.
  static constexpr int min_waves = sizeof(shared_storage) <= 32768 ? 2 : 1;

  Problem problem;
  attention_scoring scoring;

  /// Rows are read in packets of 16 bytes.
  static bool takes(const Problem& problem) {
    return problem.is_aligned() && problem.head_dim() % octet == 0 &&
           problem.v_head_dim() % Instruction::m == 0;
  }

  // Grid: x over tiles of queries, y over heads, z over sequences.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    if constexpr (Instruction::available) {
      run(block, shared);
    } else {
      typename Instruction::c_registers nothing;
      Instruction::multiply(nothing, {}, {});  // which traps
    }
  }

 private:
  static constexpr int octet = 8;  // elements in 16 bytes
  using c_registers = typename Instruction::c_registers;

  /// Which of its columns an element of a lane's C belongs to, and how many there are.
  ROCMFORGE_HOST_DEVICE static constexpr int column_of(int e) {
    int count = 0;
    for (int other = 0; other < e; ++other) {
      bool is_new = true;
      for (int before = 0; before < other; ++before)
        is_new = is_new && column(0, before) != column(0, other);
      if (column(0, other) == column(0, e)) return count;
      count += is_new;
    }
    return count;
  }
  ROCMFORGE_HOST_DEVICE static constexpr int column(int lane, int e) {
    return Instruction::c_coord(lane, e).col;
  }
  static constexpr int columns = [] {
    int most = 0;
    for (int e = 0; e < Instruction::c_elements; ++e)
      most = column_of(e) + 1 > most ? column_of(e) + 1 : most;
    return most;
  }();
  /// Bits of a lane's number that lead to lanes with the same columns.
  ROCMFORGE_HOST_DEVICE static constexpr bool shares_columns(int bit) {
    for (int lane = 0; lane < WaveSize; ++lane)
      for (int e = 0; e < Instruction::c_elements; ++e)
        if (column(lane, e) != column(lane ^ bit, e)) return false;
    return true;
  }
  template <int Bit = 1, class Op>
  ROCMFORGE_DEVICE static float over_columns(block_context<BlockSize, WaveSize> block, float value,
                                             Op op) {
    if constexpr (Bit < WaveSize) {
      if constexpr (shares_columns(Bit)) value = op(value, block.template shuffle_xor<Bit>(value));
      return over_columns<2 * Bit>(block, value, op);
    } else {
      return value;
    }
  }

  /// The queries of a lane's columns.
  struct queries {
    int index[tiles_q][columns];  // in the block
    ROCMFORGE_DEVICE queries(block_context<BlockSize, WaveSize> block) {
      ROCMFORGE_UNROLL
      for (int j = 0; j < tiles_q; ++j) {
        ROCMFORGE_UNROLL
        for (int e = 0; e < Instruction::c_elements; ++e)
          index[j][column_of(e)] =
              block.wave() * wave_q + j * Instruction::n + column(block.lane(), e);
      }
    }
  };
  /// A tile: the block's first query, and its own first key.
  struct place {
    int first_query, q_len, kv_len, first_key;
  };
  /// The keys that each of a lane's queries sees, counted from the tile's first.
  struct seen_keys {
    int begin[tiles_q][columns], end[tiles_q][columns];
  };
  ROCMFORGE_DEVICE seen_keys seen_by(const queries& own, const place& tile) const {
    seen_keys seen;
    ROCMFORGE_UNROLL
    for (int j = 0; j < tiles_q; ++j) {
      ROCMFORGE_UNROLL
      for (int c = 0; c < columns; ++c) {
        const int wanted = tile.first_query + own.index[j][c];
        const int row = wanted < tile.q_len ? wanted : tile.q_len - 1;
        seen.begin[j][c] = scoring.mask.begin(row, tile.q_len, tile.kv_len) - tile.first_key;
        seen.end[j][c] = scoring.mask.end(row, tile.q_len, tile.kv_len) - tile.first_key;
      }
    }
    return seen;
  }

  struct state {
    float maximum[tiles_q][columns], sum[tiles_q][columns];  // sums of the lane's own keys
    c_registers output[tiles_d][tiles_q];
  };

  ROCMFORGE_DEVICE void run(block_context<BlockSize, WaveSize> block,
                            shared_storage& shared) const {
    const int sequence = block.index.z, head = block.index.y;
    const int kv_head = head / (problem.num_heads() / problem.num_kv_heads());
    const int q_len = problem.q_len(sequence), kv_len = problem.kv_len(sequence);
    const int first_query = block.index.x * Config.block_q;
    if (first_query >= q_len) return;  // uniform across the block
    const attention_mask mask = scoring.mask;
    const int last_query =
        first_query + Config.block_q <= q_len ? first_query + Config.block_q - 1 : q_len - 1;
    // As in tiled.hpp: the keys that some query of the block sees, and those that all of them see.
    const int begin = mask.begin(first_query, q_len, kv_len),
              end = mask.end(last_query, q_len, kv_len);
    const int common_begin = mask.begin(last_query, q_len, kv_len),
              common_end = mask.end(first_query, q_len, kv_len);

    // Where registers hold the queries, they only come by.
    T* const staged = holds_queries ? shared.key : shared.query;
    stage_queries(block, staged, sequence, head, first_query, q_len);
    if (block.thread < 2) shared.special[block.thread] = 0;
    block.barrier();
    query_operands query[holds_queries ? along_d::steps : 1];
    if constexpr (holds_queries) {
      ROCMFORGE_UNROLL
      for (int step = 0; step < along_d::steps; ++step)
        read_queries(query[step], staged, block, step);
      block.barrier();
    }

    const queries own(block);
    state s;
    ROCMFORGE_UNROLL
    for (int j = 0; j < tiles_q; ++j) {
      ROCMFORGE_UNROLL
      for (int c = 0; c < columns; ++c) {
        s.maximum[j][c] = scoring.first_maximum(head);
        s.sum[j][c] = 0;
      }
      ROCMFORGE_UNROLL
      for (int i = 0; i < tiles_d; ++i) s.output[i][j] = {};
    }

    int turn = 0;
    // Tiles start at multiples of their size, so that a query's sums do not depend on the others'.
    for (int first_key = begin / Config.block_kv * Config.block_kv; first_key < end;
         first_key += Config.block_kv, turn ^= 1) {
      const bool masked = first_key < common_begin || first_key + Config.block_kv > common_end;
      const attention_mma& held = reloaded(*this);  // keys and values
      held.stage_keys(block, shared, sequence, kv_head, first_key, begin, end);
      if (masked) {
        held.template stage_values<true>(block, shared, sequence, kv_head, first_key, begin, end,
                                         turn);
      } else {
        held.template stage_values<false>(block, shared, sequence, kv_head, first_key, begin, end,
                                          turn);
      }
      block.barrier();
      if (block.thread == 0) shared.special[turn ^ 1] = 0;
      const place tile{first_query, q_len, kv_len, first_key};
      held.score(block, shared, query, s, own, tile, masked);
      block.wave_barrier();
      add_values(block, shared, s);
      if (masked && shared.special[turn] != 0)
        held.add_special_values(block, shared, s, own, tile, sequence, kv_head, begin, end);
      block.barrier();
    }
    reloaded(*this).finish(block, s, own, sequence, head, first_query, q_len);
  }

  ROCMFORGE_DEVICE void stage_queries(block_context<BlockSize, WaveSize> block, T* to, int sequence,
                                      int head, int first_query, int q_len) const {
    constexpr int row_octets = Config.head_dim / octet;
    for (int i = block.thread; i < Config.block_q * row_octets; i += BlockSize) {
      const int row = i / row_octets, first = i % row_octets * octet;
      const int query = first_query + row < q_len ? first_query + row : q_len - 1;
      store_aligned(to + along_d::offset(row, first),
                    load_octet(problem.query(sequence, head, query), first, problem.head_dim()));
    }
  }
  ROCMFORGE_DEVICE static void read_queries(query_operands& to, const T* staged,
                                            block_context<BlockSize, WaveSize> block, int step) {
    ROCMFORGE_UNROLL
    for (int j = 0; j < tiles_q; ++j) {
      along_d::template read<b_layout>(to[j], staged, block.wave() * wave_q + j * Instruction::n,
                                       block.lane(), step);
    }
  }
  ROCMFORGE_DEVICE static raw_packet<T, octet> load_octet(const T* row, int first, int size) {
    raw_packet<T, octet> result{};
    if (first < size) result = load_raw<octet>(global_memory(row + first));
    return result;
  }

  /// Keys that no query of the block sees are 0.
  ROCMFORGE_DEVICE void stage_keys(block_context<BlockSize, WaveSize> block, shared_storage& shared,
                                   int sequence, int kv_head, int first_key, int begin,
                                   int end) const {
    constexpr int row_octets = Config.head_dim / octet;
    const int head_dim = problem.head_dim();
    const auto bring = [&](int i) {
      const int index = i + block.thread, row = index / row_octets,
                first = index % row_octets * octet;
      if (Config.block_kv * row_octets % BlockSize != 0 && row >= Config.block_kv) return;
      const int key = first_key + row;
      raw_packet<T, octet> held{};
      if (key >= begin && key < end)
        held = load_octet(problem.key(sequence, kv_head, key), first, head_dim);
      store_aligned(shared.key + along_d::offset(row, first), held);
    };
    // Two loads in flight: with all of them there are not registers enough on gfx11.
    ROCMFORGE_NO_UNROLL
    for (int i = 0; i < Config.block_kv * row_octets; i += 2 * BlockSize) {
      bring(i);
      if (i + BlockSize < Config.block_kv * row_octets) bring(i + BlockSize);
    }
  }

  /// A lane brings eight elements of two keys, which become words of shared memory: neighbors along
  /// the keys. Where some queries do not see all keys, values that are not finite are left out, and
  /// the tile is marked: the product would multiply them by 0 for the others.
  template <bool Masked>
  ROCMFORGE_DEVICE void stage_values(block_context<BlockSize, WaveSize> block,
                                     shared_storage& shared, int sequence, int kv_head,
                                     int first_key, int begin, int end,
                                     [[maybe_unused]] int turn) const {
    constexpr int pairs = Config.block_kv / 2, row_octets = Config.head_dim / octet;
    const int v_head_dim = problem.v_head_dim();
    const auto bring = [&](int i) {
      // Lanes go four octets along a row, then down the keys: see gemm_mma's in_flight.
      const int index = i + block.thread;
      if (pairs * row_octets % BlockSize != 0 && index >= pairs * row_octets) return;
      const int first = (index % 4 + index / (4 * pairs) * 4) * octet, pair = index / 4 % pairs;
      raw_packet<T, octet> held[2] = {};
      ROCMFORGE_UNROLL
      for (int second = 0; second < 2; ++second) {
        const int key = first_key + 2 * pair + second;
        if (!Masked || (key >= begin && key < end))
          held[second] = load_octet(problem.value(sequence, kv_head, key), first, v_head_dim);
        if constexpr (Masked) {
          if (clear_special(held[second])) shared.special[turn] = 1;
        }
      }
      ROCMFORGE_UNROLL
      for (int word = 0; word < octet / 2; ++word) {
        const unsigned lower = held[0].word[word], upper = held[1].word[word];
        const raw_packet<T, 2> even{{(lower & 0xffffu) | upper << 16}},
            odd{{lower >> 16 | (upper & 0xffff0000u)}};
        store_aligned(shared.value + along_kv::offset(first + 2 * word, 2 * pair), even);
        store_aligned(shared.value + along_kv::offset(first + 2 * word + 1, 2 * pair), odd);
      }
    };
    if constexpr (Masked) {
      ROCMFORGE_NO_UNROLL
      for (int i = 0; i < pairs * row_octets; i += BlockSize) bring(i);
    } else {
      ROCMFORGE_UNROLL
      for (int i = 0; i < pairs * row_octets; i += BlockSize) bring(i);
    }
  }
  /// Whether 16 bits are infinite or NaN: all bits of the exponent are set.
  ROCMFORGE_DEVICE static bool is_special(unsigned bits) {
    constexpr unsigned exponent = std::is_same_v<T, half> ? 0x7c00u : 0x7f80u;
    return (bits & exponent) == exponent;
  }
  ROCMFORGE_DEVICE static bool clear_special(raw_packet<T, octet>& values) {
    bool found = false;
    ROCMFORGE_UNROLL
    for (unsigned& word : values.word) {
      const bool low = is_special(word), high = is_special(word >> 16);
      word &= (low ? 0u : 0xffffu) | (high ? 0u : 0xffff0000u);
      found = found || low || high;
    }
    return found;
  }

  /// The weights of the tile's keys, into shared memory, and the online softmax.
  ROCMFORGE_DEVICE void score(block_context<BlockSize, WaveSize> block, shared_storage& shared,
                              const query_operands (&query)[holds_queries ? along_d::steps : 1],
                              state& s, const queries& own, const place& tile, bool masked) const {
    const int lane = block.lane();
    c_registers product[tiles_kv][tiles_q];
    ROCMFORGE_UNROLL
    for (int t = 0; t < tiles_kv; ++t) {
      ROCMFORGE_UNROLL
      for (int j = 0; j < tiles_q; ++j) product[t][j] = {};
    }
    ROCMFORGE_UNROLL
    for (int step = 0; step < along_d::steps; ++step) {
      block.wave_barrier();
      query_operands read;
      const query_operands* right = &read;
      if constexpr (holds_queries) {
        right = &query[step];
      } else {
        read_queries(read, shared.query, block, step);
      }
      ROCMFORGE_UNROLL
      for (int t = 0; t < tiles_kv; ++t) {
        typename Instruction::a_registers key[along_d::turns];
        along_d::template read<a_layout>(key, shared.key, t * Instruction::m, lane, step);
        ROCMFORGE_UNROLL
        for (int turn = 0; turn < along_d::turns; ++turn) {
          ROCMFORGE_UNROLL
          for (int j = 0; j < tiles_q; ++j)
            Instruction::multiply(product[t][j], key[turn], (*right)[j][turn]);
        }
      }
    }
    // One branch for all elements each: with one an element clang puts off products past it, and
    // keeps their operands.
    const auto for_each_score = [&](auto&& f) {
      ROCMFORGE_UNROLL
      for (int t = 0; t < tiles_kv; ++t) {
        ROCMFORGE_UNROLL
        for (int j = 0; j < tiles_q; ++j) {
          ROCMFORGE_UNROLL
          for (int e = 0; e < Instruction::c_elements; ++e) f(t, j, e, product[t][j][e]);
        }
      }
    };
    for_each_score([&](int, int, int, float& exponent) { exponent *= scoring.query_scale; });
    if (scoring.soft_cap != 0) {
      for_each_score([&](int, int, int, float& exponent) {
        exponent = scoring.exponent(packet<float, 1>(exponent))[0];
      });
    }
    if (masked) {
      const seen_keys seen = seen_by(own, tile);
      for_each_score([&](int t, int j, int e, float& exponent) {
        const int c = column_of(e);
        const int key = t * Instruction::m + Instruction::c_coord(lane, e).row;
        if (key < seen.begin[j][c] || key >= seen.end[j][c])
          exponent = attention_rows::minus_infinity;
      });
    }
    T* const weights = shared.weight[block.wave()];
    ROCMFORGE_UNROLL
    for (int j = 0; j < tiles_q; ++j) {
      float largest[columns];
      ROCMFORGE_UNROLL
      for (int c = 0; c < columns; ++c) largest[c] = attention_rows::minus_infinity;
      ROCMFORGE_UNROLL
      for (int t = 0; t < tiles_kv; ++t) {
        ROCMFORGE_UNROLL
        for (int e = 0; e < Instruction::c_elements; ++e) {
          const int c = column_of(e);
          largest[c] = maximum(largest[c], product[t][j][e]);
        }
      }
      float keep[columns], reference[columns];
      ROCMFORGE_UNROLL
      for (int c = 0; c < columns; ++c) {
        const float now = maximum(s.maximum[j][c], over_columns(block, largest[c], max_op{}));
        reference[c] = attention_rows::finite_maximum(now);
        keep[c] = exp2_of(s.maximum[j][c] - reference[c]);
        s.maximum[j][c] = now;
        s.sum[j][c] *= keep[c];
      }
      ROCMFORGE_UNROLL
      for (int i = 0; i < tiles_d; ++i) {
        ROCMFORGE_UNROLL
        for (int e = 0; e < Instruction::c_elements; ++e) s.output[i][j][e] *= keep[column_of(e)];
      }
      ROCMFORGE_UNROLL
      for (int t = 0; t < tiles_kv; ++t) {
        ROCMFORGE_UNROLL
        for (int e = 0; e < Instruction::c_elements; ++e) {
          const int c = column_of(e);
          const mma::coord at = Instruction::c_coord(lane, e);
          const float weight = exp2_of(product[t][j][e] - reference[c]);
          s.sum[j][c] += weight;
          weights[along_kv::offset(j * Instruction::n + at.col, t * Instruction::m + at.row)] =
              T(weight);
        }
      }
    }
  }

  ROCMFORGE_DEVICE static void add_values(block_context<BlockSize, WaveSize> block,
                                          const shared_storage& shared, state& s) {
    ROCMFORGE_UNROLL
    for (int step = 0; step < along_kv::steps; ++step) {
      typename Instruction::b_registers weight[tiles_q][along_kv::turns];
      ROCMFORGE_UNROLL
      for (int j = 0; j < tiles_q; ++j)
        along_kv::template read<b_layout>(weight[j], shared.weight[block.wave()],
                                          j * Instruction::n, block.lane(), step);
      ROCMFORGE_UNROLL
      for (int i = 0; i < tiles_d; ++i) {
        typename Instruction::a_registers value[along_kv::turns];
        if (i * along_kv::turns % loads_ahead == 0) block.wave_barrier();
        along_kv::template read<a_layout>(value, shared.value, i * Instruction::m, block.lane(),
                                          step);
        ROCMFORGE_UNROLL
        for (int turn = 0; turn < along_kv::turns; ++turn) {
          ROCMFORGE_UNROLL
          for (int j = 0; j < tiles_q; ++j)
            Instruction::multiply(s.output[i][j], value[turn], weight[j][turn]);
        }
      }
    }
  }

  /// The values that `stage_values` left out, for the queries that see them.
  ROCMFORGE_DEVICE void add_special_values(block_context<BlockSize, WaveSize> block,
                                           const shared_storage& shared, state& s,
                                           const queries& own, const place& tile, int sequence,
                                           int kv_head, int begin, int end) const {
    const seen_keys seen = seen_by(own, tile);
    const int first_key = tile.first_key;
    const T* const weights = shared.weight[block.wave()];
    const int v_head_dim = problem.v_head_dim();
    const int first = begin > first_key ? begin - first_key : 0,
              last = end - first_key < Config.block_kv ? end - first_key : Config.block_kv;
    ROCMFORGE_NO_UNROLL
    for (int key = first; key < last; ++key) {
      const T* const from = problem.value(sequence, kv_head, first_key + key);
      ROCMFORGE_UNROLL
      for (int j = 0; j < tiles_q; ++j) {
        ROCMFORGE_UNROLL
        for (int e = 0; e < Instruction::c_elements; ++e) {
          const int c = column_of(e);
          block.wave_barrier();  // not all loads first
          const bool is_seen = key >= seen.begin[j][c] && key < seen.end[j][c];
          const int row = own.index[j][c] - block.wave() * wave_q;
          const auto weight = static_cast<float>(weights[along_kv::offset(row, key)]);
          ROCMFORGE_UNROLL
          for (int i = 0; i < tiles_d; ++i) {
            if (i * Instruction::m >= v_head_dim) break;
            // 32 bits from a row that is the same for all lanes.
            const auto d = static_cast<unsigned>(i * Instruction::m +
                                                 Instruction::c_coord(block.lane(), e).row);
            const float value = load_packet<1>(global_memory(from + d))[0];
            const bool counts = is_seen && value - value != 0;
            s.output[i][j][e] += counts ? weight * value : 0.0f;
          }
        }
      }
    }
  }

  ROCMFORGE_DEVICE void finish(block_context<BlockSize, WaveSize> block, const state& s,
                               const queries& own, int sequence, int head, int first_query,
                               int q_len) const {
    const int v_head_dim = problem.v_head_dim();
    ROCMFORGE_UNROLL
    for (int j = 0; j < tiles_q; ++j) {
      float inverse[columns];
      ROCMFORGE_UNROLL
      for (int c = 0; c < columns; ++c) {
        // The sink is a key of weight 2^(sink - maximum) without a value.
        const float sink =
            exp2_of(scoring.first_maximum(head) - attention_rows::finite_maximum(s.maximum[j][c]));
        const float sum = over_columns(block, s.sum[j][c], add_op{}) + scoring.first_sum() * sink;
        inverse[c] = sum > 0 ? 1.0f / sum : 0.0f;
        const int query = first_query + own.index[j][c];
        if (query >= q_len) continue;
        float* const lse = problem.lse_at(sequence, head, query);
        if (lse != nullptr && is_first_of_column(block.lane()))
          *lse = attention_rows::log_sum_exp(s.maximum[j][c], sum);
      }
      ROCMFORGE_UNROLL
      for (int e = 0; e < Instruction::c_elements; ++e) {
        const int c = column_of(e), query = first_query + own.index[j][c];
        if (query >= q_len) continue;
        T* const to = problem.output(sequence, head, query);
        ROCMFORGE_UNROLL
        for (int i = 0; i < tiles_d; ++i) {
          const int d = i * Instruction::m + Instruction::c_coord(block.lane(), e).row;
          if (d < v_head_dim) to[d] = T(s.output[i][j][e] * inverse[c]);
        }
      }
    }
  }
  /// Whether a lane is the first one with its columns: that with row 0.
  ROCMFORGE_DEVICE static bool is_first_of_column(int lane) {
    return Instruction::c_coord(lane, 0).row == 0;
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
