"""Faults to inject, one at a time. Each names what is wrong, and the text in include/rocmforge that it replaces.

family: the examples/verify/verify_FAMILY.cpp that is to see it.
design: the sentence of section 8 of docs/design.md that it repeats, if any.
The old text must occur exactly once in its file, so that no fault goes stale unseen.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    name: str
    family: str
    file: str  # below include/rocmforge
    old: str
    new: str
    design: str = ""


WRONG_STRIDE = "reduction that starts at stride 16"
SWIGLU = "SwiGLU with its operands exchanged"
LAYOUTS = "invented quantised block layouts"
ROPE_BASE = "RoPE with a fixed base of 10000"
POSITIONS = "scaled positions cut to integers"
GQA = "GQA"
OVERFLOW = "block dimensions that overflow"
UNINITIALISED = "uninitialised device memory"
WAVE_SIZE = "wave size 32 assumed"
STUB = "launch stubs that always succeed"

MUTATIONS = [
    # Reductions and shared loops.
    Mutation("butterfly starts at half its stride", "norm", "block/reduce.hpp",
             "template <int Width, int Mask = Width / 2,", "template <int Width, int Mask = Width / 4,", WRONG_STRIDE),
    Mutation("waves of 32 assumed", "norm", "block/reduce.hpp",
             "value = reduce_lanes<WaveSize>(value, op, block);",
             "value = reduce_lanes<(WaveSize < 32 ? WaveSize : 32)>(value, op, block);", WAVE_SIZE),
    Mutation("last wave not added", "norm", "block/reduce.hpp",
             "for (int wave = 1; wave < num_waves; ++wave)", "for (int wave = 1; wave < num_waves - 1; ++wave)",
             WRONG_STRIDE),
    Mutation("no barrier before the waves' sums are read", "norm", "block/reduce.hpp",
             "block.barrier();\n      value = shared.of_wave[0];", "value = shared.of_wave[0];"),
    Mutation("no barrier after the waves' sums are read", "softmax", "block/reduce.hpp",
             "value = op(value, shared.of_wave[wave]);\n      block.barrier();",
             "value = op(value, shared.of_wave[wave]);"),
    Mutation("tail of a row lost", "norm", "block/packets.hpp",
             "if (index < size) f(packet_position<N, 0, false>{index, size - index});", ""),
    Mutation("tail of a row one too long", "norm", "block/packets.hpp",
             "f(packet_position<N, 0, false>{index, size - index});",
             "f(packet_position<N, 0, false>{index, size - index + 1});"),
    Mutation("wrong step from packet to packet", "norm", "block/packets.hpp",
             "index += step) f(packet_position<N, 0, true>{index, N});",
             "index += N) f(packet_position<N, 0, true>{index, N});", WRONG_STRIDE),
    Mutation("mask of a tail off by one", "softmax", "block/packets.hpp",
             "if (i >= at.count) value.set(i, outside);", "if (i > at.count) value.set(i, outside);"),
    Mutation("last blocks not launched", "activation", "block/rows.hpp",
             "return whole / part + (whole % part != 0);", "return whole / part > 0 ? whole / part : 1;"),
    Mutation("rows beyond the first of each lane lost", "rope", "block/rows.hpp",
             "row < num_rows; row += BlockSize / lanes) {", "row < num_rows; row += BlockSize) {"),
    Mutation("offsets of 32 bits", "address", "tensor_view.hpp",
             "((offset += static_cast<std::int64_t>(index) * view.stride[axis++]), ...);",
             "((offset += static_cast<int>(index * view.stride[axis++])), ...);", OVERFLOW),
    # RMSNorm.
    Mutation("epsilon lost", "norm", "norm.hpp", "scale(1.0f / sqrtf(mean + epsilon));", "scale(1.0f / sqrtf(mean));"),
    Mutation("mean over the block's lanes", "norm", "norm.hpp",
             "row_sum::reduce(lane_sum, add_op{}, block, shared) / static_cast<float>(hidden_dim);",
             "row_sum::reduce(lane_sum, add_op{}, block, shared) / static_cast<float>(BlockSize);"),
    Mutation("one accumulator lost", "norm", "norm.hpp",
             "(squares[2] + squares[3]));", "(squares[2] + squares[2]));", WRONG_STRIDE),
    Mutation("residual not added", "norm", "norm.hpp", "value += load(slice(residual, row).data, at);", ""),
    # SwiGLU and addition.
    Mutation("gate and up exchanged", "activation", "activation.hpp",
             "launch_combine<kernel>(op, y, gate, up, stream);", "launch_combine<kernel>(op, y, up, gate, stream);",
             SWIGLU),
    Mutation("block writes beyond its row", "activation", "activation.hpp",
             "const int count = y.extent[1] - first < columns ? y.extent[1] - first : columns;",
             "const int count = y.extent[1] - first < columns ? y.extent[1] - first + 1 : columns;"),
    Mutation("blocks of a row overlap", "activation", "activation.hpp",
             "const int first = block.index.y * columns;", "const int first = block.index.y * BlockSize;"),
    Mutation("launch that does nothing", "activation", "activation.hpp",
             "return launch(op, Kernel{y, a, b, rows},",
             "return launch(op, Kernel{y, a, b, rows}, true ? grid_size{0, 0, 0} : grid_size",
             STUB),
    # Conversions.
    Mutation("bfloat16 rounds toward zero", "activation", "platform/convert.hpp",
             "return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);",
             "return static_cast<std::uint16_t>(bits >> 16);"),
    Mutation("bfloat16 rounds ties up", "kv_cache", "platform/convert.hpp",
             "(bits + 0x7fffu + (bits >> 16 & 1u)) >> 16", "(bits + 0x8000u) >> 16"),
    # Softmax.
    Mutation("maximum not subtracted", "softmax", "softmax.hpp",
             "maximum(largest > lowest ? largest : 0.0f);", "maximum(largest > lowest ? 0.0f : 0.0f);"),
    Mutation("masked row divided by zero", "softmax", "softmax.hpp", "factor(sum == 0 ? 0.0f : 1.0f / sum);",
             "factor(1.0f / sum);"),
    Mutation("scale lost", "softmax", "softmax.hpp", "kernel{y, x, scale * log2_e, rows}", "kernel{y, x, log2_e, rows}"),
    Mutation("a constant with too few digits", "softmax", "platform/packet.hpp",
             "log2_e = 1.44269504f;", "log2_e = 1.4427f;"),
    # Rotary embedding.
    Mutation("base fixed at 10000", "rope", "rope.hpp", "std::pow(static_cast<double>(options.theta),",
             "std::pow(10000.0,", ROPE_BASE),
    Mutation("scaled positions cut to integers", "rope", "rope.hpp", "positions(token) * position_scale, shared);",
             "static_cast<int>(positions(token) * position_scale), shared);", POSITIONS),
    Mutation("angles in float", "rope", "rope.hpp", "double angle = position * power(ratio, first);",
             "float angle = static_cast<float>(position * power(ratio, first));"),
    Mutation("no barrier after the table of angles", "rope", "rope.hpp",
             "position_scale, shared);\n      block.barrier();", "position_scale, shared);"),
    Mutation("pairs split at half the head", "rope", "rope.hpp", "load(in + num_pairs, at)};",
             "load(in + from.extent[1] / 2, at)};"),
    Mutation("rest of the head not copied", "rope", "rope.hpp", "const int num_rest = from.extent[1] - rest;",
             "const int num_rest = 0;"),
    # Quantised weights.
    Mutation("nibbles exchanged", "gemm_quant", "quant.hpp",
             "return {fma(to_float(bytes & packet<int, N>(15)) + offset, d, m),\n"
             "            fma(to_float(bytes >> packet<int, N>(4)) + offset, d, m)};",
             "return {fma(to_float(bytes >> packet<int, N>(4)) + offset, d, m),\n"
             "            fma(to_float(bytes & packet<int, N>(15)) + offset, d, m)};", LAYOUTS),
    Mutation("q4_1 scale and minimum exchanged", "embedding", "quant.hpp", "half d, m;", "half m, d;", LAYOUTS),
    Mutation("q4_0 offset of 7", "gemm_quant", "quant.hpp", "-8.0f, d,", "-7.0f, d,", LAYOUTS),
    Mutation("q8_0 reads its first half twice", "gemm_quant", "quant.hpp", "load_bytes<N>(row[group].qs + part * N + 16)",
             "load_bytes<N>(row[group].qs + part * N)", LAYOUTS),
    Mutation("q8_0 without a sign", "embedding", "quant.hpp", "std::int8_t qs[32];", "std::uint8_t qs[32];", LAYOUTS),
    Mutation("last part of a dense row not looked up", "embedding", "embedding.hpp",
             "divide_up(hidden_dim, group_elements) * parts;", "hidden_dim / group_elements * parts;"),
    # Matrix products.
    Mutation("no barrier before the panels are read", "gemm", "gemm/tiled.hpp",
             "block.barrier();\n      for (int round = 0; round < rounds_tokens; ++round) {",
             "for (int round = 0; round < rounds_tokens; ++round) {"),
    Mutation("no barrier before the panels are overwritten", "gemm", "gemm/tiled.hpp",
             "lane_row + round_row * lanes_rows * tile.lane_rows, k, columns);\n        }\n      }\n      block.barrier();",
             "lane_row + round_row * lanes_rows * tile.lane_rows, k, columns);\n        }\n      }"),
    Mutation("last columns left from the panel before", "gemm", "gemm/tiled.hpp",
             "const int groups = (columns + group_elements - 1) / group_elements;",
             "const int groups = columns / group_elements;", UNINITIALISED),
    Mutation("last packet of a host's row lost", "gemm", "gemm/tiled.hpp", "if (column < columns) {",
             "if (column < columns - packet_elements) {"),
    Mutation("bias of another row", "gemm", "gemm/tiled.hpp", "bias(row) : 0.0f;", "bias(lane_row) : 0.0f;"),
    Mutation("one row too many written", "gemm", "gemm/tiled.hpp", "if (row < y.extent[1]) {", "if (row <= y.extent[1]) {"),
    Mutation("x and W exchanged in their rows", "gemm", "gemm/tiled.hpp",
             "const int row = first_row + lane_row + (round_row * tile.lane_rows + j) * lanes_rows;",
             "const int row = first_row + lane_row * tile.lane_rows + (round_row * tile.lane_rows + j);"),
    Mutation("rest of a row not multiplied", "gemm", "gemm/matvec.hpp",
             "if (rest > 0 && block.lane() < lanes_per_group) {",
             "if (rest > group_elements && block.lane() < lanes_per_group) {"),
    Mutation("sum kept in half", "gemm", "gemm/matvec.hpp", "reduce_lanes<WaveSize>(dot_fold(sums[r][t]), add_op{}, block)",
             "reduce_lanes<WaveSize>(static_cast<float>(half(dot_fold(sums[r][t]))), add_op{}, block)"),
    Mutation("groups multiplied by several lanes", "gemm", "gemm/matvec.hpp", "group += groups_per_step) {", "group += 1) {",
             WRONG_STRIDE),
    # Attention.
    Mutation("no barrier after the keys", "attention", "attention/tiled.hpp",
             "stage_keys(block, shared, sequence, kv_head, first_key, begin, end, head_dim);\n      block.barrier();",
             "stage_keys(block, shared, sequence, kv_head, first_key, begin, end, head_dim);"),
    Mutation("no barrier before the values", "attention", "attention/tiled.hpp",
             "block.barrier();\n      stage_values(", "stage_values("),
    Mutation("no barrier after the values", "attention", "attention/tiled.hpp",
             "stage_values(block, shared, sequence, kv_head, first_key, begin, end, v_head_dim);\n      block.barrier();",
             "stage_values(block, shared, sequence, kv_head, first_key, begin, end, v_head_dim);"),
    Mutation("no barrier before the next keys", "attention", "attention/tiled.hpp",
             "add_values(shared, row, lane_kv, output[round]);\n      }\n      block.barrier();",
             "add_values(shared, row, lane_kv, output[round]);\n      }"),
    Mutation("values beyond the end not cleared", "attention", "attention/tiled.hpp",
             "store_packet(&shared.value[key][first], values);",
             "if (first_key + key < end) store_packet(&shared.value[key][first], values);", UNINITIALISED),
    Mutation("head of the keys by remainder", "attention", "attention/tiled.hpp",
             "head / (problem.num_heads() / problem.num_kv_heads());", "head % problem.num_kv_heads();", GQA),
    Mutation("output not scaled to the new maximum", "attention", "attention/tiled.hpp",
             "output[r][c] = output[r][c] * keep;", "output[r][c] = output[r][c] * 1.0f;"),
    Mutation("sum not scaled to the new maximum", "attention", "attention/tiled.hpp", "sum[r] = sum[r] * keep + reduce_lanes",
             "sum[r] = sum[r] + reduce_lanes"),
    Mutation("scores not taken from the maximum", "attention", "attention/tiled.hpp",
             "const float reference = attention_rows::finite_maximum(new_maximum);",
             "const float reference = 0 * attention_rows::finite_maximum(new_maximum);"),
    Mutation("causal mask off by one", "attention", "mask.hpp", "causal ? kv_len - q_len + row + 1 : kv_len;",
             "causal ? kv_len - q_len + row : kv_len;"),
    Mutation("causal mask from the first key", "attention", "mask.hpp",
             "causal ? kv_len - q_len + row + 1 : kv_len;", "causal ? row + 1 : kv_len;"),
    Mutation("window of one key too many", "attention", "mask.hpp", "row - window_left + 1;", "row - window_left;"),
    Mutation("window not applied in its first tile", "attention", "attention/tiled.hpp", "if (begin > 0)", "if (begin > BlockSize)"),
    Mutation("window not applied for few queries", "attention", "attention/vector.hpp", "if (begin[r] > base)",
             "if (begin[r] > base + kv_len)"),
    Mutation("values as long as keys", "attention", "attention/tiled.hpp", "v_head_dim = problem.v_head_dim();",
             "v_head_dim = problem.head_dim();"),
    Mutation("soft cap lost", "attention", "attention/scoring.hpp", "soft_cap != 0 ? tanh_of(product) * soft_cap : product;",
             "product;"),
    Mutation("tanh doubled once too seldom", "attention", "block/tanh.hpp", "doubling < 3;", "doubling < 2;"),
    Mutation("sink of another head", "attention", "attention/scoring.hpp", "sink(head) * log2_e", "sink(0) * log2_e"),
    Mutation("sink not in the sum", "attention", "attention/scoring.hpp", "sink.data != nullptr ? 1.0f : 0.0f;",
             "sink.data != nullptr ? 0.0f : 0.0f;"),
    Mutation("masked rows are NaN", "attention", "attention/rows.hpp",
             "return maximum == minus_infinity ? 0.0f : maximum;", "return maximum;"),
    Mutation("lse as a power of two", "attention", "attention/rows.hpp", "(maximum + log2f(sum)) * 0.693147181f",
             "(maximum + log2f(sum))"),
    Mutation("rows read beyond head_dim", "attention", "attention/rows.hpp",
             "return load_packet<N>(row + first, head_dim - first);", "return load_packet<N>(row + first);"),
    Mutation("strides of k used for v", "attention", "attention/problem.hpp",
             "return slice(v, batch, kv_head, position).data;",
             "auto as_k = k;\n    as_k.data = v.data;\n    return slice(as_k, batch, kv_head, position).data;"),
    Mutation("no barrier before teams are merged", "attention", "attention/vector.hpp",
             "block.barrier();\n    merge_teams(", "merge_teams("),
    Mutation("queries of another group", "attention", "attention/vector.hpp", "kv_head * group + row % group, row / group),",
             "kv_head + row % group * problem.num_kv_heads(), row / group),", GQA),
    Mutation("sums of teams not scaled", "attention", "attention/vector.hpp", "sum += shared.sum[team][r] * weight;",
             "sum += shared.sum[team][r];"),
    Mutation("last key of a team lost", "attention", "attention/vector.hpp",
             "return (count + num_teams - 1) / num_teams;", "return count / num_teams;"),
    Mutation("pages of the first sequence", "attention_paged", "attention/problem.hpp",
             "batch.page_table(sequence, position / page_size)", "batch.page_table(0, position / page_size)"),
    Mutation("pages of 16 assumed", "attention_paged", "attention/problem.hpp", "position % page_size)\n", "position % 16)\n"),
    Mutation("queries of the first sequence", "attention_paged", "attention/problem.hpp",
             "return slice(q, batch.q_begin(sequence) + row, head).data;", "return slice(q, row, head).data;"),
    Mutation("lse of the first sequence", "attention_paged", "attention/problem.hpp",
             "&lse(batch.q_begin(sequence) + row, head)", "&lse(row, head)"),
    Mutation("cache of q8_0 read from its first block", "attention_quant", "attention/rows.hpp",
             "const q8_0& block = row[first / 32];", "const q8_0& block = row[0];"),
    Mutation("cache of q4_0 read from its low halves", "attention_quant", "attention/rows.hpp",
             "first % 32 < 16 ? 0 : 4, 8,", "first % 32 < 32 ? 0 : 4, 8,", LAYOUTS),
    # Cache of keys and values.
    Mutation("keys stored as values", "kv_cache", "kv_cache.hpp", "slice(v, token), slot % page_size);",
             "slice(k, token), slot % page_size);"),
    Mutation("unwanted tokens kept", "kv_cache", "kv_cache.hpp", "if (slot < 0 || slot / page_size", "if (slot / page_size"),
    Mutation("slots beyond the pages written", "kv_cache", "kv_cache.hpp", "if (slot < 0 || slot / page_size >= k_pages.extent[0]) return;",
             "if (slot < 0) return;"),
    # argmax.
    Mutation("of equal logits a later one", "sampling", "sampling.hpp", "if (candidate > largest) {",
             "if (candidate >= largest) {"),
    Mutation("of several lanes the last", "sampling", "sampling.hpp", "return a < b ? a : b;", "return a < b ? b : a;"),
    Mutation("what is beyond the row counts as zero", "sampling", "sampling.hpp", "maximum(masked(load(from, at), at, lowest),",
             "maximum(load(from, at),"),
    # Matrix instructions.
    Mutation("operand transposed", "matrix", "platform/matrix/host_tile.hpp", "static_cast<Accumulator>(a[row * K + k])",
             "static_cast<Accumulator>(a[k * block_rows + row])"),
    Mutation("rows and columns of B exchanged", "matrix", "platform/matrix/access.hpp", "b(at.row, at.col)", "b(at.col, at.row)"),
]
