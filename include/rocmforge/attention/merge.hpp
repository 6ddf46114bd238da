// Merging attention over parts of the keys: each part's output is weighted by e^lse. Dao et al.,
// "Flash-Decoding", 2023; the states of FlashInfer (Ye et al., 2025).
#pragma once

#include <type_traits>

#include "rocmforge/attention/checks.hpp"
#include "rocmforge/attention/rows.hpp"
#include "rocmforge/block/checks.hpp"
#include "rocmforge/block/divisor.hpp"
#include "rocmforge/block/reduce.hpp"
#include "rocmforge/block/rows.hpp"
#include "rocmforge/dispatch.hpp"
#include "rocmforge/dtype.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/status.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Where merged results go: plain tensors, or the tokens of several sequences.
namespace attention_results {

template <class T>
struct contiguous {
  tensor_view<T, 4> out;      // [batch, num_heads, q_len, v_head_dim]
  tensor_view<float, 3> lse;  // [batch, num_heads, q_len] or empty

  ROCMFORGE_DEVICE int q_len(int) const { return out.extent[2]; }
  ROCMFORGE_DEVICE T* output(int batch, int head, int row) const {
    return slice(out, batch, head, row).data;
  }
  ROCMFORGE_DEVICE float* lse_at(int batch, int head, int row) const {
    return lse.data != nullptr ? &lse(batch, head, row) : nullptr;
  }
};

template <class T>
struct paged {
  tensor_view<T, 3> out;              // [num_tokens, num_heads, v_head_dim]
  tensor_view<float, 2> lse;          // [num_tokens, num_heads] or empty
  tensor_view<const int, 1> q_begin;  // [batch + 1]

  ROCMFORGE_DEVICE int q_len(int sequence) const {
    return q_begin(sequence + 1) - q_begin(sequence);
  }
  ROCMFORGE_DEVICE T* output(int sequence, int head, int row) const {
    return slice(out, q_begin(sequence) + row, head).data;
  }
  ROCMFORGE_DEVICE float* lse_at(int sequence, int head, int row) const {
    return lse.data != nullptr ? &lse(q_begin(sequence) + row, head) : nullptr;
  }
};

}  // namespace attention_results

namespace kernels {
using namespace device;

/// A block merges the states of one row (on the host, of several rows). Each lane computes the
/// weight of a state, once. Then teams of lanes, each as wide as a part of a row, take a few states
/// at a time; their sums are added through LDS.
template <class Results, class State, int BlockSize, int WaveSize>
struct merge_states {
  static_assert(BlockSize % WaveSize == 0,
                "merge_states: BlockSize must be a multiple of WaveSize");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int packet_elements = packet_size<float, WaveSize>;
  static constexpr int team_lanes = WaveSize == 1 ? 1 : 32;
  static constexpr int num_teams = BlockSize / team_lanes;
  static constexpr int columns = team_lanes * packet_elements;
  static constexpr int states_at_once = 4;  // whose loads are in flight together
  using row_maximum = block_reduce<BlockSize, WaveSize>;

  /// States whose weights are known at a time.
  static constexpr int chunk_states = BlockSize > 64 ? BlockSize : 64;

  struct shared_storage {
    alignas(64) float output[num_teams][columns];
    alignas(16) float weight[chunk_states];
    float sum[num_teams];
    typename row_maximum::storage maximum;
  };

  Results results;
  tensor_view<const State, 5> states;     // [num_states, batch, num_heads, q_len, v_head_dim]
  tensor_view<const float, 4> state_lse;  // [num_states, batch, num_heads, q_len]
  divisor q_len;                          // of the states
  int num_block_rows;                     // rows that a block takes; on a GPU one

  // Grid: x over rows of all heads of a sequence, y over sequences.
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int num_rows = states.extent[2] * states.extent[3];
    for_each_row(block, num_block_rows, num_rows, [&](int index) {
      const int sequence = block.index.y;
      const int head = q_len.quotient(index), row = q_len.remainder(index);
      if (row < results.q_len(sequence)) merge_row(block, shared, sequence, head, row);
    });
  }

 private:
  ROCMFORGE_DEVICE void merge_row(block_context<BlockSize, WaveSize> block, shared_storage& shared,
                                  int sequence, int head, int row) const {
    using attention_rows::minus_infinity;
    const int num_states = states.extent[0], v_head_dim = states.extent[4];
    // A wave that is a team knows that its lanes have the same states.
    const int team = team_lanes == WaveSize ? block.wave() : block.thread / team_lanes;
    const int lane = block.thread % team_lanes;
    const bool whole_packets = v_head_dim % packet_elements == 0;
    float maximum = minus_infinity;
    for (int i = block.thread; i < num_states; i += BlockSize)
      maximum = max_op{}(maximum, state_lse(i, sequence, head, row));
    maximum = row_maximum::reduce(maximum, max_op{}, block, shared.maximum);
    const float reference = attention_rows::finite_maximum(maximum);
    for (int first = 0; first < v_head_dim; first += columns) {
      const int column = first + lane * packet_elements;
      packet<float, packet_elements> output(0.0f);
      float sum = 0;
      for (int start = 0; start < num_states; start += chunk_states) {
        const int left = num_states - start;
        for (int i = block.thread; i < chunk_states; i += BlockSize) {
          float weight = 0;  // of a state that does not exist, also where the maximum is NaN
          if (i < left) {
            const float lse = state_lse(start + i, sequence, head, row);
            weight = exp2_of((lse - reference) * log2_e);
          }
          shared.weight[i] = weight;
        }
        block.barrier();
        for (int base = team * states_at_once; base < left && base < chunk_states;
             base += num_teams * states_at_once) {
          const packet<float, states_at_once> weights =
              to_float(load_aligned<states_at_once>(&shared.weight[base]));
          packet<float, packet_elements> values[states_at_once];
          // The output of a state without keys may never have been written.
          ROCMFORGE_UNROLL
          for (int i = 0; i < states_at_once; ++i) {
            values[i] = packet<float, packet_elements>(0.0f);
            if (weights[i] != 0 && column < v_head_dim) {
              const State* state = slice(states, start + base + i, sequence, head, row).data;
              values[i] = whole_packets
                              ? load_packet<packet_elements>(state + column)
                              : attention_rows::load<packet_elements>(state, column, v_head_dim);
            }
          }
          ROCMFORGE_UNROLL
          for (int i = 0; i < states_at_once; ++i) {
            sum += weights[i];
            output = fma(packet<float, packet_elements>(weights[i]), values[i], output);
          }
        }
        block.barrier();
      }
      store_packet(&shared.output[team][lane * packet_elements], output);
      if (lane == 0) shared.sum[team] = sum;
      block.barrier();
      if (team == 0) {
        for (int other = 1; other < num_teams; ++other) {
          sum += shared.sum[other];
          output += load_packet<packet_elements>(&shared.output[other][lane * packet_elements]);
        }
        if (column < v_head_dim) {
          attention_rows::store(results.output(sequence, head, row), column, v_head_dim,
                                output * (sum != 0 ? 1.0f / sum : 0.0f));
        }
        if (float* lse = results.lse_at(sequence, head, row); lse != nullptr && column == 0)
          *lse = sum != 0 ? maximum + log2f(sum) * attention_rows::log_2 : minus_infinity;
      }
      block.barrier();
    }
  }
};

}  // namespace kernels

namespace attention_launch {

template <int BlockSize, class Results, class State>
status merge(const char* op, const Results& results, const tensor_view<const State, 5>& states,
             const tensor_view<const float, 4>& state_lse, stream_ref stream) {
  if (status s = checks::countable(op, "out", "{0} heads of {1} queries are more than 2^30",
                                   states.extent[2], states.extent[3]);
      !s) {
    return s;
  }
  return dispatch_wave_size<BlockSize>(op, stream, [&](auto wave) {
    // More waves would have fewer states each than their begin and end cost.
    constexpr int most_lanes = 64;
    constexpr int block_lanes = block_threads<BlockSize, wave>;
    constexpr int lanes = block_lanes < most_lanes ? block_lanes : most_lanes;
    using kernel = kernels::merge_states<Results, State, lanes, wave>;
    const int rows =
        device::rows_per_block<wave>(std::int64_t{states.extent[0]} * states.extent[4]);
    return launch(op,
                  kernel{results, states, state_lse, device::divisor::of(states.extent[3]), rows},
                  {device::divide_up(checks::product(states.extent[2], states.extent[3]), rows),
                   states.extent[1]},
                  stream);
  });
}

}  // namespace attention_launch

/// Attention over all keys from attention over parts of them: out = sum_i e^lse_i out_i /
/// sum_i e^lse_i, lse = log sum_i e^lse_i. A state whose lse is -infinity has seen no key: its
/// output is not read. Where all are such, gives zeros and lse = -infinity. Sinks belong to one of
/// the parts only.
///
/// @param out        [batch, num_heads, q_len, v_head_dim]  output
/// @param states     [num_states, batch, num_heads, q_len, v_head_dim], the output of each part
/// @param state_lse  [num_states, batch, num_heads, q_len], the lse of each part (natural
///                   logarithm)
/// @param lse        [batch, num_heads, q_len]  output; or an empty view
/// @return invalid_shape if extents disagree, invalid_layout if a last axis is not contiguous
template <class T, class State, int BlockSize = default_block_size>
[[nodiscard]] status merge_states(tensor_view<T, 4> out, tensor_view<State, 5> states,
                                  identity_t<tensor_view<const float, 4>> state_lse,
                                  tensor_view<float, 3> lse = {}, stream_ref stream = {}) {
  constexpr const char* op = "merge_states";
  if (status s = checks::all(checks::output(op, "out", out), checks::view(op, "states", states),
                             checks::view(op, "state_lse", state_lse),
                             checks::extent(op, "states", 1, states.extent[1], out.extent[0]),
                             checks::extent(op, "states", 2, states.extent[2], out.extent[1]),
                             checks::extent(op, "states", 3, states.extent[3], out.extent[2]),
                             checks::extent(op, "states", 4, states.extent[4], out.extent[3]),
                             checks::first_extents(op, "state_lse", state_lse, states, 4),
                             checks::attention::head_dim(op, "out", out.extent[3]),
                             checks::attention::lse(op, lse, out));
      !s) {
    return s;
  }
  return attention_launch::merge<BlockSize>(op, attention_results::contiguous<T>{out, lse},
                                            elements_as<const std::remove_const_t<State>>(states),
                                            state_lse, stream);
}

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
