// Attention for a few queries, as in generation: each key and value is read once for all queries of
// its group of heads, and the keys are split across the waves of a block. Online softmax: Milakov
// and Gimelshein, 2018; the merge at the end as in Dao et al., "Flash-Decoding", 2023.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/attention/decode_job.hpp"
#include "rocmforge/attention/decode_serial.hpp"
#include "rocmforge/attention/rows.hpp"
#include "rocmforge/block/dot.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/platform/half_pairs.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace kernels {
using namespace device;

/// A wave takes `round_keys` keys a round, so many that each of its lanes ends with the score of
/// one key for one row (lane num_rows * key + row), and computes the weight of that one alone. For
/// the scores a key is split across `score_lanes` lanes, as few as have registers for the queries:
/// the fewer, the less is added across lanes. For the output a value is split across all lanes that
/// its row has packets for; the weights get there through LDS. Waves have their own running
/// maximum, sum and output, merged through LDS at the end. A block takes one chunk of a sequence's
/// keys; where there are several, its result goes to `chunks`, for kernels::merge_states.
template <class Problem, int HeadDim, int BlockSize, int WaveSize>
struct attention_decode : attention_decode_job<Problem> {
  using job = attention_decode_job<Problem>;
  using job::num_rows, job::problem, job::scoring, job::chunks, job::whole_packets, job::larger,
      job::smaller;
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int num_waves = BlockSize / WaveSize;
  using element = typename Problem::element;
  using cache_element = typename Problem::cache_element;
  static constexpr int packet_elements =
      attention_rows::row_packet<cache_element, WaveSize> < HeadDim
          ? attention_rows::row_packet<cache_element, WaveSize>
          : HeadDim;
  static constexpr int packets = HeadDim / packet_elements;
  /// Halves are multiplied as they lie in memory, in pairs.
  static constexpr bool has_pairs = has_half_dot && WaveSize == 32 &&
                                    std::is_same_v<element, half> &&
                                    std::is_same_v<cache_element, half>;

  /// So are values that are halves, those of two keys at a time: their weights as the sum of two
  /// halves each, which together are as exact as a float. Weights are from 0 to 2^weight_shift, so
  /// that also the second half of a small one is no denormal.
  static constexpr bool has_value_pairs = has_half_dot && std::is_same_v<cache_element, half>;
  static constexpr float weight_shift = has_value_pairs ? 15 : 0;

  static constexpr int query_words = num_rows * HeadDim / (has_pairs ? 2 : 1);
  static constexpr int lanes_for_queries() {
    // Keys that are decoded as they are loaded take more registers.
    constexpr int lane_words = floating_dtype<cache_element> ? 64 : 32;
    int lanes = num_rows;
    while (query_words / lanes > lane_words) lanes *= 2;
    return lanes;
  }
  static constexpr int score_lanes = lanes_for_queries();
  static constexpr int score_packets = packets / score_lanes;  // of a key, a lane
  static constexpr int score_keys = score_lanes / num_rows;    // of a round, for a team of lanes
  static constexpr int round_keys = WaveSize / num_rows;
  static constexpr int value_lanes = packets < WaveSize ? packets : WaveSize;
  static constexpr int value_packets = packets / value_lanes;  // of a value, a lane
  static constexpr int value_teams = WaveSize / value_lanes;
  static constexpr int value_keys = round_keys / value_teams;  // of a round, for a team

  /// Registers of a lane that hold the keys of a round. Several rounds share the online softmax,
  /// and their loads are in flight together.
  static constexpr int round_words =
      HeadDim * (floating_dtype<cache_element> ? static_cast<int>(sizeof(cache_element)) : 4) /
      (4 * num_rows);
  static constexpr int rounds = round_words <= 8 ? 4 : round_words <= 16 ? 2 : 1;
  static constexpr int step_keys = rounds * round_keys;  // of a wave
  // Queries, output and partial scores: what cannot be loaded later.
  static constexpr int lane_registers =
      query_words / score_lanes + num_rows * value_packets * packet_elements + score_lanes;
  static_assert(lane_registers <= max_lane_registers(BlockSize, WaveSize),
                "attention_decode: this HeadDim keeps more of the queries and their output in a "
                "lane than a lane has registers; take a smaller HeadDim or BlockSize");

  struct shared_storage {
    alignas(64) float output[num_waves][value_teams][num_rows][HeadDim];
    alignas(16) float weight[num_waves][rounds * WaveSize];  // as lanes have them, or in pairs
    alignas(16) float keep[num_waves][WaveSize];
    float maximum[num_waves][num_rows];
    float sum[num_waves][num_rows];
    float factor[num_waves][num_rows];  // of a wave's output in the whole
  };

  using query_packet = std::conditional_t<has_pairs, raw_packet<half, packet_elements>,
                                          packet<float, packet_elements>>;
  /// Parts of rows of the cache: as they lie in memory, or decoded.
  using row_part =
      raw_packet<std::conditional_t<floating_dtype<cache_element>, cache_element, float>,
                 packet_elements>;
  /// A lane's parts of the rows of a step.
  template <int Keys, int Packets>
  struct row_parts {
    row_part part[rounds][Keys][Packets];
  };
  /// Whether the values of a step are loaded before its scores are computed.
  static constexpr bool values_ahead = rounds * round_words <= 32;

  static attention_decode make(const Problem& problem, const attention_scoring& scoring,
                               const attention_chunks& chunks) {
    return {{problem, scoring, chunks, divisor::of(problem.num_heads() / problem.num_kv_heads()),
             divisor::of(chunks.num_chunks), has_whole_packets(problem)}};
  }
  /// Whether every packet of queries, keys and values is all there and can be loaded at once.
  /// (Asked for on the host: the strides would take scalar registers, of which gfx9 has too few.)
  static bool has_whole_packets(const Problem& problem) {
    return problem.head_dim() % packet_elements == 0 &&
           problem.v_head_dim() % packet_elements == 0 && problem.is_aligned();
  }

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    using attention_rows::minus_infinity;
    const auto rows = this->rows_of(block.index);
    if (rows.count <= 0) return;  // uniform across the block
    const int q_len = problem.q_len(rows.sequence), kv_len = problem.kv_len(rows.sequence);
    const auto keys = this->keys_of(rows, q_len, kv_len);
    // The first chunk has the sink, and is written even if there is no key at all.
    if (rows.chunk > 0 && keys.is_empty) {
      this->mark_unseen(block, rows);
      return;
    }
    const int wave = block.wave(), lane = block.lane();

    query_packet query[num_rows][score_packets];
    load_queries(query, rows, lane);
    packet<float, packet_elements> output[num_rows][value_packets];
    ROCMFORGE_UNROLL
    for (int r = 0; r < num_rows; ++r) {
      ROCMFORGE_UNROLL
      for (int i = 0; i < value_packets; ++i) output[r][i] = packet<float, packet_elements>(0.0f);
    }
    // The row and the key of a round whose score is the lane's.
    const int own_row = rows.existing(lane % num_rows), own_key = lane / num_rows;
    const int own_query = rows.query(own_row);
    const int begin = scoring.mask.begin(own_query, q_len, kv_len),
              end = smaller(scoring.mask.end(own_query, q_len, kv_len), keys.end);
    const bool has_sink = wave == 0 && rows.chunk == 0;  // in one sum of all
    float maximum = has_sink ? scoring.first_maximum(rows.head(own_row)) : minus_infinity;
    float sum = has_sink && own_key == 0 ? scoring.first_sum() * exp2_of(weight_shift) : 0.0f;
    // Where the lane's parts of keys and values lie, from the first row of a round on.
    unsigned key_bytes[score_packets], value_bytes[value_packets];
    if constexpr (Problem::rows_in_line) {
      ROCMFORGE_UNROLL
      for (int i = 0; i < score_packets; ++i) {
        key_bytes[i] = static_cast<unsigned>(score_row(lane)) * problem.key_row_bytes() +
                       bytes_in_row<cache_element>(score_element(lane, i), problem.head_dim());
      }
      ROCMFORGE_UNROLL
      for (int i = 0; i < value_packets; ++i) {
        value_bytes[i] = static_cast<unsigned>(value_row(lane)) * problem.value_row_bytes() +
                         bytes_in_row<cache_element>(value_element(lane, i), problem.v_head_dim());
      }
    }

    for (int first = keys.first + wave * step_keys; first < keys.last;
         first += num_waves * step_keys) {
      // Reloaded in every step: kept live through the loop, the views spill scalar registers on
      // gfx9.
      const attention_decode& held = reloaded(*this);
      row_parts<score_keys, score_packets> ahead;
      row_parts<value_keys, value_packets> values;
      held.load_keys(ahead, rows, keys, first, lane, key_bytes);
      if constexpr (values_ahead) held.load_values(values, rows, keys, first, lane, value_bytes);

      packet<float, rounds> score;
      ROCMFORGE_UNROLL
      for (int u = 0; u < rounds; ++u) {
        packet<float, num_rows> product[score_keys];
        ROCMFORGE_UNROLL
        for (int c = 0; c < score_keys; ++c) {
          product[c] = packet<float, num_rows>(0.0f);
          ROCMFORGE_UNROLL
          for (int i = 0; i < score_packets; ++i)
            add_products(query, i, as_operand(ahead.part[u][c][i]), product[c]);
        }
        float products[score_lanes];
        ROCMFORGE_UNROLL
        for (int j = 0; j < score_lanes; ++j) products[j] = product[j / num_rows][j % num_rows];
        score.set(u, sum_transposed(products, block));
      }
      score = held.scoring.exponent(score * held.scoring.query_scale);
      const bool is_common = first >= keys.common_begin && first + step_keys <= keys.common_end;
      if (!is_common) {
        ROCMFORGE_UNROLL
        for (int u = 0; u < rounds; ++u) {
          const int position = first + u * round_keys + own_key;
          if (position < begin || position >= end) score.set(u, minus_infinity);
        }
      }

      float greatest = score[0];
      ROCMFORGE_UNROLL
      for (int u = 1; u < rounds; ++u) greatest = greatest_op{}(greatest, score[u]);
      const float new_maximum =
          greatest_op{}(maximum, reduce_lanes_apart<num_rows>(greatest, greatest_op{}, block));
      const float reference = attention_rows::finite_maximum(new_maximum);
      const float keep = exp2_of(maximum - reference);
      score = exp2_of(score - packet<float, rounds>(reference - weight_shift));
      sum = sum * keep + horizontal_sum(score);
      maximum = new_maximum;
      // From the lanes that have them to those that need them: of a key, the weights of all rows.
      const bool in_pairs = has_value_pairs && is_common;
      ROCMFORGE_UNROLL
      for (int u = 0; u < rounds; ++u) {
        if (in_pairs) {
          store_in_pair(&shared.weight[wave][0], u, lane, score[u]);
        } else {
          shared.weight[wave][u * WaveSize + lane] = score[u];
        }
      }
      shared.keep[wave][lane] = keep;
      block.wave_barrier();
      const auto kept = of_rows(&shared.keep[wave][0]);
      ROCMFORGE_UNROLL
      for (int r = 0; r < num_rows; ++r) {
        ROCMFORGE_UNROLL
        for (int i = 0; i < value_packets; ++i) {
          output[r][i] = output[r][i] * kept[r];
        }
      }
      if constexpr (!values_ahead) held.load_values(values, rows, keys, first, lane, value_bytes);
      // At the edge of a mask each row takes only the keys that it sees, whose weights alone are
      // not 0. The others may be NaN or infinite, and 0 * NaN is NaN.
      const auto add_values = [&](auto is_edge) {
        ROCMFORGE_UNROLL
        for (int u = 0; u < rounds; ++u) {
          ROCMFORGE_UNROLL
          for (int c = 0; c < value_keys; ++c) {
            const int in_round = c * value_teams + lane / value_lanes;
            const auto weights = of_rows(&shared.weight[wave][u * WaveSize + in_round * num_rows]);
            ROCMFORGE_UNROLL
            for (int i = 0; i < value_packets; ++i) {
              const packet<float, packet_elements> part = to_float(as_loaded(values.part[u][c][i]));
              ROCMFORGE_UNROLL
              for (int r = 0; r < num_rows; ++r) {
                packet<float, packet_elements> seen = part;
                if constexpr (decltype(is_edge)::value) {
                  // Masked, not skipped: results of comparisons take scalar registers.
                  const float weight = weights[r];  // nvcc takes no bits of a call's result
                  const auto bits = __builtin_bit_cast(std::uint32_t, weight);
                  seen =
                      bit_cast<float>(bit_cast<unsigned>(part) & packet<unsigned, packet_elements>(
                                                                     0u - (bits < 1u ? bits : 1u)));
                }
                output[r][i] = fma(packet<float, packet_elements>(weights[r]), seen, output[r][i]);
              }
            }
          }
        }
      };
      if (is_common) {
        if constexpr (has_value_pairs) {
          add_value_pairs(output, values, &shared.weight[wave][0], lane);
        } else {
          add_values(std::false_type{});
        }
      } else {
        add_values(std::true_type{});
      }
      block.wave_barrier();
    }

    sum = reduce_lanes_apart<num_rows>(sum, add_op{}, block);
    ROCMFORGE_UNROLL
    for (int r = 0; r < num_rows; ++r) {
      ROCMFORGE_UNROLL
      for (int i = 0; i < value_packets; ++i) {
        store_packet(&shared.output[wave][lane / value_lanes][r][value_element(lane, i)],
                     output[r][i]);
      }
    }
    if (lane < num_rows) {
      shared.maximum[wave][lane] = maximum - weight_shift;
      shared.sum[wave][lane] = sum;
    }
    block.barrier();
    reloaded(*this).merge_waves(block, shared);
  }

 private:
  // What is a lane's of a key and of a value: first elements of its packets, and which row of those
  // that follow each other in a round.
  ROCMFORGE_DEVICE static int score_element(int lane, int i) {
    return (i * score_lanes + lane % score_lanes) * packet_elements;
  }
  ROCMFORGE_DEVICE static int value_element(int lane, int i) {
    return (i * value_lanes + lane % value_lanes) * packet_elements;
  }
  ROCMFORGE_DEVICE static int score_row(int lane) { return lane / score_lanes * score_keys; }
  ROCMFORGE_DEVICE static int value_row(int lane) { return lane / value_lanes; }

  /// Lanes beyond the end of a row read its begin: where a load depends on the lane, the compiler
  /// waits for it before the next.
  template <class T>
  ROCMFORGE_DEVICE static unsigned bytes_in_row(int first, int size) {
    return first < size ? static_cast<unsigned>(first) * static_cast<unsigned>(sizeof(T)) : 0;
  }
  /// A row, some bytes on: with the row in scalar registers the address costs nothing.
  template <class T>
  ROCMFORGE_DEVICE static const T* further(const T* row, unsigned bytes) {
    return reinterpret_cast<const T*>(reinterpret_cast<const char*>(row) + bytes);
  }

  ROCMFORGE_DEVICE void load_queries(query_packet (&query)[num_rows][score_packets],
                                     const typename job::block_rows& rows, int lane) const {
    const int size = problem.head_dim();
    const auto load = [&](auto load_part) {
      ROCMFORGE_UNROLL
      for (int r = 0; r < num_rows; ++r) {
        const int row = rows.existing(r);
        const element* from = problem.query(rows.sequence, rows.head(row), rows.query(row));
        ROCMFORGE_UNROLL
        for (int i = 0; i < score_packets; ++i)
          query[r][i] = load_part(from, score_element(lane, i));
      }
    };
    if constexpr (!has_pairs) {
      load([&](const element* from, int first) {
        return attention_rows::load<packet_elements>(from, first, size);
      });
    } else if (!whole_packets) {
      load([&](const element* from, int first) {
        return load_raw<packet_elements>(global_memory(from + first), size - first);
      });
    } else {
      load([&](const element* from, int first) {
        return load_raw<packet_elements>(
            global_memory(further(from, bytes_in_row<element>(first, size))));
      });
      if (size == HeadDim) return;
      // What the lanes beyond the end have read counts for nothing.
      ROCMFORGE_UNROLL
      for (int r = 0; r < num_rows; ++r) {
        ROCMFORGE_UNROLL
        for (int i = 0; i < score_packets; ++i) {
          if (score_element(lane, i) >= size) query[r][i] = query_packet{};
        }
      }
    }
  }

  ROCMFORGE_DEVICE void load_keys(row_parts<score_keys, score_packets>& to,
                                  const typename job::block_rows& rows,
                                  const typename job::block_keys& keys, int first, int lane,
                                  const unsigned (&bytes)[score_packets]) const {
    load_rows<1>(
        to, first, keys.last, score_row(lane), problem.head_dim(), bytes,
        [&](int position) { return problem.key(rows.sequence, rows.kv_head, position); },
        [&](int i) { return score_element(lane, i); });
  }
  ROCMFORGE_DEVICE void load_values(row_parts<value_keys, value_packets>& to,
                                    const typename job::block_rows& rows,
                                    const typename job::block_keys& keys, int first, int lane,
                                    const unsigned (&bytes)[value_packets]) const {
    load_rows<value_teams>(
        to, first, keys.last, value_row(lane), problem.v_head_dim(), bytes,
        [&](int position) { return problem.value(rows.sequence, rows.kv_head, position); },
        [&](int i) { return value_element(lane, i); });
  }

  /// Loads a lane's parts of the rows of a step: in each round row `lane_row` and those that follow
  /// it `Apart` rows apart. Rows from `last` on may not exist in memory; the last one stands in.
  template <int Apart, int Keys, int Packets, class RowOf, class ElementOf>
  ROCMFORGE_DEVICE void load_rows(row_parts<Keys, Packets>& to, int first, int last, int lane_row,
                                  int size, const unsigned (&bytes)[Packets], RowOf row_of,
                                  ElementOf element_of) const {
    // The addresses of more rows are more than gfx9 has scalar registers for.
    if constexpr (floating_dtype<cache_element> && Problem::rows_in_line && Keys * rounds <= 8) {
      if (whole_packets && first + step_keys <= last) {
        ROCMFORGE_UNROLL
        for (int u = 0; u < rounds; ++u) {
          ROCMFORGE_UNROLL
          for (int c = 0; c < Keys; ++c) {
            // The same for all lanes.
            const cache_element* const row = row_of(first + u * round_keys + c * Apart);
            ROCMFORGE_UNROLL
            for (int i = 0; i < Packets; ++i) {
              // The compiler has to see here that they are 32 bits, and not what it could add
              // first: only then are they the offset of a load from an address in scalar registers.
              const int further_on = in_each_lane(static_cast<int>(bytes[i]));
              to.part[u][c][i] = load_raw<packet_elements>(
                  global_memory(further(row, static_cast<unsigned>(further_on))));
            }
          }
        }
        return;
      }
    }
    ROCMFORGE_UNROLL
    for (int u = 0; u < rounds; ++u) {
      ROCMFORGE_UNROLL
      for (int c = 0; c < Keys; ++c) {
        const int position = first + u * round_keys + c * Apart + lane_row;
        const cache_element* const row = row_of(smaller(position, last - 1));
        ROCMFORGE_UNROLL
        for (int i = 0; i < Packets; ++i) to.part[u][c][i] = load_part(row, element_of(i), size);
      }
    }
  }
  ROCMFORGE_DEVICE row_part load_part(const cache_element* row, int first, int size) const {
    if constexpr (floating_dtype<cache_element>) {
      if (whole_packets)
        return load_raw<packet_elements>(global_memory(row + (first < size ? first : 0)));
      if constexpr (sizeof(cache_element) == 4) {
        // Without branches, each of which would take scalar registers.
        row_part part;
        ROCMFORGE_UNROLL
        for (int i = 0; i < packet_elements; ++i) {
          const bool exists = first + i < size;
          const auto one = load_raw<1>(global_memory(row + (exists ? first + i : 0)));
          part.word[i] = exists ? one.word[0] : 0u;
        }
        return part;
      }
      return load_raw<packet_elements>(global_memory(row + first), size - first);
    } else {
      // Lanes beyond the end read the begin, as in bytes_in_row: their queries are 0, and what they
      // add of the values is not stored.
      const packet<float, packet_elements> decoded =
          block_traits<cache_element>::template load<packet_elements>(row,
                                                                      first < size ? first : 0);
      row_part part;
      __builtin_memcpy(&part, &decoded, sizeof(part));
      return part;
    }
  }

  /// A part of a key as it is multiplied.
  ROCMFORGE_DEVICE static auto as_operand(const row_part& part) {
    if constexpr (has_pairs) {
      return part;
    } else {
      return to_float(as_loaded(part));
    }
  }
  /// Adds to the dot products of the rows what packet i of a key contributes.
  ROCMFORGE_DEVICE static void add_products(const query_packet (&query)[num_rows][score_packets],
                                            int i, const packet<float, packet_elements>& part,
                                            packet<float, num_rows>& product) {
    ROCMFORGE_UNROLL
    for (int r = 0; r < num_rows; ++r) product.set(r, dot_add(query[r][i], part, product[r]));
  }
  ROCMFORGE_DEVICE static void add_products(const query_packet (&query)[num_rows][score_packets],
                                            int i, const raw_packet<half, packet_elements>& part,
                                            packet<float, num_rows>& product) {
    ROCMFORGE_UNROLL
    for (int word = 0; word < packet_elements / 2; word += 2) {
      ROCMFORGE_UNROLL
      for (int k = 0; k < 2 * num_rows; ++k) {
        const int r = diagonal_row(k), w = word + k % 2;
        product.set(r, dot_add(query[r][i].word[w], part.word[w], product[r]));
      }
    }
  }
  /// The row of term k where terms of two words follow each other in turns: neighboring terms have
  /// neither a word nor a row in common, so that RDNA can issue them together.
  static constexpr int diagonal_row(int k) { return k / 4 * 2 + (k / 2 + k) % 2; }

  /// Numbers of all rows, side by side in shared memory.
  ROCMFORGE_DEVICE static packet<float, num_rows> of_rows(const float* p) {
    return to_float(load_aligned<num_rows>(p));
  }

  /// Value `index` of a team in a step (of value_keys in each round) is in pair index / 2. A pair's
  /// weights are the first halves of all rows, two keys side by side, then their second halves.
  ROCMFORGE_DEVICE static int pair_at(int index, int team) {
    return (index / 2 * value_teams + team) * 2 * num_rows;
  }
  ROCMFORGE_DEVICE static void store_in_pair(float* weights, int round, int lane, float weight) {
    const int key = lane / num_rows, row = lane % num_rows;
    const int index = round * value_keys + key / value_teams;
    auto* const place = reinterpret_cast<half*>(weights + pair_at(index, key % value_teams) + row);
    const half upper(weight);
    place[index % 2] = upper;
    place[2 * num_rows + index % 2] = half(weight - static_cast<float>(upper));
  }
  ROCMFORGE_DEVICE static void add_value_pairs(
      packet<float, packet_elements> (&output)[num_rows][value_packets],
      const row_parts<value_keys, value_packets>& values, const float* weights, int lane) {
    const auto part_of = [&](int index, int i) {
      return values.part[index / value_keys][index % value_keys][i];
    };
    ROCMFORGE_UNROLL
    for (int index = 0; index < rounds * value_keys; index += 2) {
      const float* const at = weights + pair_at(index, value_row(lane));
      const auto upper = load_aligned<num_rows>(at), lower = load_aligned<num_rows>(at + num_rows);
      ROCMFORGE_UNROLL
      for (int i = 0; i < value_packets; ++i) {
        const row_part a = part_of(index, i), b = part_of(index + 1, i);
        ROCMFORGE_UNROLL
        for (int word = 0; word < packet_elements / 2; ++word) {
          const half_pair pair[2] = {pair_of_firsts(a.word[word], b.word[word]),
                                     pair_of_seconds(a.word[word], b.word[word])};
          ROCMFORGE_UNROLL
          for (int half_of = 0; half_of < 2; ++half_of) {
            const auto& w = half_of == 0 ? upper : lower;
            ROCMFORGE_UNROLL
            for (int k = 0; k < 2 * num_rows; ++k) {
              const int s = k % 2, r = diagonal_row(k), e = 2 * word + s;
              output[r][i].set(e, dot_add(pair[s], w.word[r], output[r][i][e]));
            }
          }
        }
      }
    }
  }

  /// Merges what the waves have and writes it. What is one number for a row is computed once, by
  /// the lane of the row in the first wave.
  ROCMFORGE_DEVICE void merge_waves(block_context<BlockSize, WaveSize> block,
                                    shared_storage& shared) const {
    const auto rows = this->rows_of(block.index);
    const int wave = block.wave(), lane = block.lane();
    if (wave == 0 && lane < num_rows) {
      float maximum = attention_rows::minus_infinity, sum = 0;
      for (int w = 0; w < num_waves; ++w) maximum = greatest_op{}(maximum, shared.maximum[w][lane]);
      const float reference = attention_rows::finite_maximum(maximum);
      for (int w = 0; w < num_waves; ++w) {
        const float weight = exp2_of(shared.maximum[w][lane] - reference);
        sum += shared.sum[w][lane] * weight;
        shared.factor[w][lane] = weight;
      }
      const float inverse = sum != 0 ? 1.0f / sum : 0.0f;
      for (int w = 0; w < num_waves; ++w) shared.factor[w][lane] *= inverse;
      if (lane < rows.count) this->store_lse(rows, lane, maximum, sum);
    }
    block.barrier();
    constexpr int size = packet_size<float, WaveSize>;
    for (int r = wave; r < rows.count; r += num_waves) {
      for (int first = lane * size; first < HeadDim; first += WaveSize * size) {
        packet<float, size> output(0.0f);
        for (int w = 0; w < num_waves; ++w) {
          packet<float, size> part = load_packet<size>(&shared.output[w][0][r][first]);
          ROCMFORGE_UNROLL
          for (int team = 1; team < value_teams; ++team)
            part += load_packet<size>(&shared.output[w][team][r][first]);
          output = fma(packet<float, size>(shared.factor[w][r]), part, output);
        }
        this->store_row(rows, r, first, output);
      }
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
