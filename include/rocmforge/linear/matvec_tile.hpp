// y = x W^T for a few tokens and quantized W, on a GPU. Reading the weights is the whole cost:
// waves copy them to shared memory as they lie in the file, in chunks of 16 bytes with the next
// ones in flight, and decode them there to pairs of halves, which matrix instructions or packed
// dot products multiply by x. Weights are whole numbers times a scale that 16 or 32 of them share:
// the sum is scaled, not the weight.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/block/reduce.hpp"
#include "rocmforge/linear/tile_product.hpp"
#include "rocmforge/platform/half_pairs.hpp"
#include "rocmforge/platform/platform.hpp"
#include "rocmforge/quant.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

namespace kernels {
using namespace device;
using tile_product::four_pairs;
using tile_product::two_pairs;

/// A block multiplies tiles of `Product::tile_rows` rows of W one after the other by all of x,
/// which it keeps in shared memory as far as there is room.
///
/// Four lanes (a quad) share two rows and 256 columns, a span: each of them has 4 of 16 neighboring
/// weights. The quads of a wave stand beside each other along the rows of the tile, then along k;
/// the waves of a block along k.
///
/// A float of x becomes two halves, the rounded value and the rest, in two columns of the product;
/// before, the row is scaled by a power of two such that the rest is no denormal number. So nothing
/// is lost that a float sum would keep. A bfloat16 is exact in one half, and scaled too.
template <class T, class Type, class Product, int BlockSize, int WaveSize, class TX = T>
struct matvec_tile {
  static_assert(WaveSize > 1 && BlockSize % WaveSize == 0,
                "matvec_tile: BlockSize must be a multiple of WaveSize, which is more than 1");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int num_waves = BlockSize / WaveSize;
  static constexpr int tile_rows = Product::tile_rows;
  static constexpr int columns = Product::columns;
  static constexpr int columns_per_token = std::is_same_v<TX, float> ? 2 : 1;
  static constexpr int max_tokens = columns / columns_per_token;

  using format = block_format<Type>;
  static_assert(alignof(Type) % 2 == 0);
  static constexpr int span = 256;
  static constexpr int span_groups = span / group_elements;
  static constexpr int span_blocks = span / format::elements;
  static constexpr int span_bytes = span_blocks * static_cast<int>(sizeof(Type));
  static constexpr int slots = WaveSize / 2;  // rows of a span that a wave multiplies at a time
  static constexpr int wave_spans = slots / tile_rows;
  static_assert(wave_spans > 0 && wave_spans * tile_rows == slots,
                "matvec_tile: a wave has two lanes for each row of the tile, or a multiple");

  // A span starts anywhere in its first chunk. Slots are an odd number of chunks apart, which puts
  // the rows that a wave reads together into different banks.
  static constexpr int chunk_bytes = 16;
  static constexpr int span_chunks =
      divide_up(span_bytes + chunk_bytes - static_cast<int>(alignof(Type)), chunk_bytes);
  static constexpr int slot_bytes = (span_chunks | 1) * chunk_bytes;
  static constexpr int lane_chunks = divide_up(slots * span_chunks, WaveSize);

  static constexpr int num_scales = span_groups * scales_per_group<Type>;
  using factor = std::conditional_t<has_zero<Type>, float, affine>;

  struct alignas(16) shared_storage {  // x lies behind it
    alignas(16) unsigned char raw[num_waves][slots][slot_bytes];
    factor factors[num_waves][num_scales][slots];
    float sums[2][num_waves][tile_rows][columns];
    float maximum[num_waves][max_tokens];
    float scale[max_tokens];
  };

  tensor_view<T, 2> y;                // [num_tokens, out_dim]
  tensor_view<const TX, 2> x;         // [num_tokens, in_dim]
  tensor_view<const Type, 2> weight;  // [out_dim, in_dim / elements]
  tensor_view<const float, 1> bias;   // [out_dim] or empty
  int num_blocks;                     // of the grid: x over tiles, each num_blocks-th one; y over
                                      // max_tokens tokens
  int held_spans;                     // of x, that are in shared memory at the same time

  // Of x in shared memory: a column's halves of a span, and for each span the sums of elements that
  // share a scale.
  static constexpr int column_span_bytes = 2 * span;
  static constexpr int span_sums_bytes = has_zero<Type> ? 0 : num_scales * columns * 4;
  static constexpr int column_pad = 64;  // puts neighboring columns into different banks
  static constexpr int spans_per_step = num_waves * wave_spans;

  ROCMFORGE_HOST_DEVICE static int column_bytes(int spans) {
    return spans * column_span_bytes + column_pad;
  }
  ROCMFORGE_HOST_DEVICE static int columns_of(int num_tokens) {
    return columns_per_token * least(num_tokens, max_tokens);
  }
  /// Bytes of so many spans of x.
  static std::int64_t x_bytes(int num_tokens, int spans) {
    return std::int64_t{columns_of(num_tokens)} * column_bytes(spans) +
           std::int64_t{spans} * span_sums_bytes;
  }
  int shared_tail_bytes() const { return static_cast<int>(x_bytes(x.extent[0], held_spans)); }
  /// How many spans of x to hold where a block may have so many bytes: all, or whole steps.
  static int spans_that_fit(int num_tokens, int in_dim, std::int64_t shared_bytes) {
    const std::int64_t room = shared_bytes - std::int64_t{sizeof(shared_storage)};
    const int all = divide_up(divide_up(in_dim, span), wave_spans) * wave_spans;
    if (x_bytes(num_tokens, all) <= room) return all;
    int steps = 1;
    while (x_bytes(num_tokens, (steps + 1) * spans_per_step) <= room) ++steps;
    return steps * spans_per_step;
  }

  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize> block,
                                   shared_storage& shared) const {
    const int first_token = block.index.y * max_tokens;
    const int num_tokens =
        x.extent[0] - first_token < max_tokens ? x.extent[0] - first_token : max_tokens;
    const int num_spans = divide_up(x.extent[1], span);
    const int num_steps = divide_up(num_spans, wave_spans);  // of all waves
    const int num_tiles = divide_up(y.extent[1], tile_rows);
    const bool holds_all = held_spans >= num_spans;
    unsigned char* const held = reinterpret_cast<unsigned char*>(&shared + 1);
    const lane_place place(block.lane());

    chunks in_flight;
    if (block.wave() < num_steps) fetch(in_flight, block.lane(), block.index.x, block.wave());
    if constexpr (!std::is_same_v<TX, half>) find_scales(block, shared, first_token, num_tokens);
    if (holds_all) {
      stage(block, shared, held, first_token, num_tokens, 0);
      block.barrier();
    }

    int turn = 0;
    for (int tile = block.index.x; tile < num_tiles; tile += num_blocks, turn ^= 1) {
      typename Product::sums sums;
      Product::start(sums);
      for (int first_span = 0; first_span < num_spans; first_span += held_spans) {
        if (!holds_all) {
          block.barrier();  // the previous part of x has been read
          stage(block, shared, held, first_token, num_tokens, first_span);
          block.barrier();
        }
        const int end = divide_up(least(first_span + held_spans, num_spans), wave_spans);
        for (int step = first_span / wave_spans + block.wave(); step < end; step += num_waves) {
          const source from = source_of(tile, step);
          put(shared.raw[block.wave()], block.lane(), in_flight);
          const bool wraps = step + num_waves >= num_steps;
          const int next_tile = wraps ? tile + num_blocks : tile;
          if (next_tile < num_tiles)
            fetch(in_flight, block.lane(), next_tile, wraps ? block.wave() : step + num_waves);
          block.wave_barrier();
          find_factors(shared, block, from, step);
          block.wave_barrier();
          multiply(shared, block, place, held, num_tokens, from, step * wave_spans - first_span,
                   sums);
          block.wave_barrier();
        }
      }
      float(&wave_sums)[tile_rows][columns] = shared.sums[turn][block.wave()];
      Product::store(block, sums,
                     [&](int row, int column, float sum) { wave_sums[row][column] = sum; });
      block.barrier();
      finish(shared, block, tile, turn, first_token, num_tokens);
    }
  }

 private:
  /// Memory of any type is read and written as these.
  struct __attribute__((may_alias, aligned(chunk_bytes))) chunk {
    std::uint32_t word[chunk_bytes / 4];
  };
  struct chunks {
    chunk c[lane_chunks];
  };

  /// Which rows and which span of a step a lane multiplies, and its part of each 16 weights.
  struct lane_place {
    int part, row, span_of_step;
    ROCMFORGE_DEVICE explicit lane_place(int lane)
        : part(lane % 4),
          row(lane / 4 % (tile_rows / 2)),
          span_of_step(lane / 4 / (tile_rows / 2)) {}
    /// The slot of the first (0) or second (1) of the two rows.
    ROCMFORGE_DEVICE int slot(int second) const {
      return span_of_step * tile_rows + row + second * (tile_rows / 2);
    }
  };

  ROCMFORGE_HOST_DEVICE static int least(int a, int b) { return a < b ? a : b; }

  /// Where the bytes of a wave's part of a tile in a step begin: the same for all its lanes.
  struct source {
    const unsigned char* aligned;  // the start of the first chunk
    unsigned skipped;              // from there to the first byte
  };
  ROCMFORGE_DEVICE source source_of(int tile, int step) const {
    const unsigned char* const first =
        reinterpret_cast<const unsigned char*>(slice(weight, tile * tile_rows).data) +
        step * wave_spans * span_bytes;
    const auto skipped =
        static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(first) % chunk_bytes);
    return {first - skipped, skipped};
  }
  /// From the first byte of a wave's part to that of a slot. Tiles are far smaller than 4 GiB.
  ROCMFORGE_DEVICE unsigned slot_offset(int slot) const {
    return static_cast<unsigned>(slot % tile_rows) * static_cast<unsigned>(weight.stride[0]) *
               static_cast<unsigned>(sizeof(Type)) +
           static_cast<unsigned>(slot / tile_rows * span_bytes);
  }
  /// The same to the chunk that a lane brings as its i-th.
  ROCMFORGE_DEVICE unsigned chunk_offset(int lane, int i) const {
    const int index = lane + i * WaveSize;
    return slot_offset(index / span_chunks) +
           static_cast<unsigned>(index % span_chunks * chunk_bytes);
  }

  /// Asks for the wave's part of a tile in a step: the chunks of each slot's span. What follows a
  /// row may come along; its scales will be 0.
  ROCMFORGE_DEVICE void fetch(chunks& to, int lane, int tile, int step) const {
    const source from = source_of(tile, step);
    const auto* const begin = reinterpret_cast<const unsigned char*>(weight.data);
    const unsigned char* const end = reinterpret_cast<const unsigned char*>(
        slice(weight, y.extent[1] - 1).data + weight.extent[1]);
    const bool inner =
        from.aligned >= begin &&
        from.aligned + slot_offset(slots - 1) + (span_chunks + 1) * chunk_bytes <= end;
    const auto for_each_chunk = [&](auto&& read) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < lane_chunks; ++i) {
        if (slots * span_chunks % WaveSize == 0 || lane + i * WaveSize < slots * span_chunks) {
          to.c[i] = read(from.aligned +
                         (chunk_offset(lane, i) + from.skipped) / chunk_bytes * chunk_bytes);
        }
      }
    };
    if (inner) {
      for_each_chunk([](const unsigned char* p) { return *reinterpret_cast<const chunk*>(p); });
    } else {
      // Chunks that reach beyond the weights are read in parts.
      for_each_chunk([&](const unsigned char* p) {
        const auto two_bytes = [&](const unsigned char* at) -> std::uint32_t {
          if (at < begin || at >= end) return 0;
          return *reinterpret_cast<const std::uint16_t*>(at);
        };
        chunk parts;
        ROCMFORGE_UNROLL_ON_GPU
        for (int word = 0; word < chunk_bytes / 4; ++word)
          parts.word[word] = two_bytes(p + 4 * word) | two_bytes(p + 4 * word + 2) << 16;
        return parts;
      });
    }
  }

  ROCMFORGE_DEVICE static void put(unsigned char (&raw)[slots][slot_bytes], int lane,
                                   const chunks& from) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int i = 0; i < lane_chunks; ++i) {
      const int index = lane + i * WaveSize;
      if (slots * span_chunks % WaveSize != 0 && index >= slots * span_chunks) break;
      *reinterpret_cast<chunk*>(&raw[index / span_chunks][index % span_chunks * chunk_bytes]) =
          from.c[i];
    }
  }

  /// The first block of a slot's span, as `put` left it.
  ROCMFORGE_DEVICE const unsigned char* blocks_of(const unsigned char (&raw)[slots][slot_bytes],
                                                  const source& from, int slot) const {
    return raw[slot] + (slot_offset(slot) + from.skipped) % chunk_bytes;
  }
  /// The block that has `group` of a span.
  ROCMFORGE_DEVICE static const Type& block_at(const unsigned char* blocks, int group) {
    constexpr int groups = format::elements / group_elements;
    return *reinterpret_cast<const Type*>(blocks + group / groups * static_cast<int>(sizeof(Type)));
  }
  ROCMFORGE_DEVICE static int group_in_block(int group) {
    return group % (format::elements / group_elements);
  }

  /// Decodes the scales of the wave's slots, once for the four lanes of a quad; 0 beyond the row.
  /// Each lane has half of a slot's.
  ROCMFORGE_DEVICE void find_factors(shared_storage& shared,
                                     block_context<BlockSize, WaveSize> block, const source& from,
                                     int step) const {
    constexpr int lane_scales = num_scales / 2;
    const int slot = block.lane() % slots, first = block.lane() / slots * lane_scales;
    const unsigned char* const blocks = blocks_of(shared.raw[block.wave()], from, slot);
    const int scales_left =
        (x.extent[1] / group_elements - (step * wave_spans + slot / tile_rows) * span_groups) *
        scales_per_group<Type>;
    affine f[lane_scales];
    if constexpr (has_half_factors<Type>) {
      format::half_factors(block_at(blocks, 0), block.lane() / slots, f);
    } else {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < lane_scales; ++i) {
        const int group = (first + i) / scales_per_group<Type>;
        f[i] = format::factors(block_at(blocks, group), group_in_block(group),
                               i % scales_per_group<Type>);
      }
    }
    ROCMFORGE_UNROLL_ON_GPU
    for (int i = 0; i < lane_scales; ++i) {
      if (first + i >= scales_left) f[i] = {0, 0};
      factor& to = shared.factors[block.wave()][first + i][slot];
      if constexpr (has_zero<Type>) {
        to = f[i].d;
      } else {
        to = f[i];
      }
    }
  }

  ROCMFORGE_DEVICE void multiply(const shared_storage& shared,
                                 block_context<BlockSize, WaveSize> block, const lane_place& place,
                                 const unsigned char* held, int num_tokens, const source& from,
                                 int first_span, typename Product::sums& sums) const {
    const unsigned char* const blocks[2] = {
        blocks_of(shared.raw[block.wave()], from, place.slot(0)),
        blocks_of(shared.raw[block.wave()], from, place.slot(1))};
    const int held_span = first_span + place.span_of_step;
    const unsigned char* const x_span =
        held + held_span * column_span_bytes + place.part * chunk_bytes;
    const auto* const x_sums =
        reinterpret_cast<const float*>(held + sums_offset() + held_span * span_sums_bytes);
    const int used_columns = columns_of(num_tokens), column_size = column_bytes(held_spans);
    constexpr int at_once = Product::groups_at_once;
    Product::template for_each<span_groups / at_once>([&](int turn) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int group = at_once * turn; group < at_once * (turn + 1); ++group) {
        typename Product::operand right;
        Product::load(right, block.lane(), used_columns, [&](int column) {
          return *reinterpret_cast<const four_pairs*>(x_span + column * column_size +
                                                      group * 2 * group_elements);
        });
        typename Product::sums part;
        const auto half_group = [&]<int Half>(std::integral_constant<int, Half>) {
          if (Half == 0 || scales_per_group<Type> == 2) Product::start(part);
          half_pair left[2][2];
          ROCMFORGE_UNROLL_ON_GPU
          for (int r = 0; r < 2; ++r) {
            const unsigned bytes =
                format::template numbers<4, Half>(block_at(blocks[r], group), group_in_block(group),
                                                  place.part)
                    .words[0];
            left[r][0] = bytes_to_halves<0, zero>(bytes);
            left[r][1] = bytes_to_halves<2, zero>(bytes);
          }
          Product::multiply(part, left, right, Half);
          if (Half == 0 && scales_per_group<Type> == 1) return;
          const int scale = scales_per_group<Type> == 2 ? 2 * group + Half : group;
          const factor(&factors)[slots] = shared.factors[block.wave()][scale];
          const factor both[2] = {factors[place.slot(0)], factors[place.slot(1)]};
          if constexpr (has_zero<Type>) {
            Product::add_scaled(sums, part, both);
          } else {
            Product::add_scaled(sums, part, both, block.lane(), x_sums + scale * columns);
          }
        };
        half_group(std::integral_constant<int, 0>{});
        half_group(std::integral_constant<int, 1>{});
      }
    });
  }
  static constexpr int zero = [] {
    if constexpr (has_zero<Type>) {
      return format::zero;
    } else {
      return 0;
    }
  }();

  /// The power of two for each token's row of x that takes its largest element to 2^14 and above,
  /// and by which the sum is divided in the end.
  ROCMFORGE_DEVICE void find_scales(block_context<BlockSize, WaveSize> block,
                                    shared_storage& shared, int first_token, int num_tokens) const {
    const int in_dim = x.extent[1];
    for (int t = 0; t < num_tokens; ++t) {
      const TX* const row = slice(x, first_token + t).data;
      float maximum = 0;
      for (int k = block.thread * 8; k < in_dim; k += BlockSize * 8) {
        const packet<float, 8> values = load_packet<8>(row + k);
        ROCMFORGE_UNROLL_ON_GPU
        for (int i = 0; i < 8; ++i) {
          const float magnitude = __builtin_fabsf(values[i]);
          maximum = magnitude > maximum ? magnitude : maximum;
        }
      }
      maximum = reduce_lanes<WaveSize>(maximum, max_op{}, block);
      if (block.lane() == 0) shared.maximum[block.wave()][t] = maximum;
    }
    block.barrier();
    if (block.thread < num_tokens) {
      float maximum = 0;
      for (int w = 0; w < num_waves; ++w) {
        const float other = shared.maximum[w][block.thread];
        maximum = other > maximum ? other : maximum;
      }
      // The exponent of a float is biased by 127. Neither the scale nor its inverse may overflow.
      const int exponent = static_cast<int>(__builtin_bit_cast(std::uint32_t, maximum) >> 23);
      const int wanted = 14 + 2 * 127 - exponent;
      shared.scale[block.thread] =
          __builtin_bit_cast(float, static_cast<std::uint32_t>(wanted < 1     ? 1
                                                               : wanted > 253 ? 253
                                                                              : wanted)
                                        << 23);
    }
    block.barrier();
  }

  /// Puts x from `first_span` on into shared memory: of each group the four elements of a lane in
  /// its first half, then those in its second, beside each other.
  ROCMFORGE_DEVICE void stage(block_context<BlockSize, WaveSize> block, shared_storage& shared,
                              unsigned char* held, int first_token, int num_tokens,
                              int first_span) const {
    const int column_size = column_bytes(held_spans);
    for (int token = 0; token < num_tokens; ++token) {
      const TX* const row = slice(x, first_token + token).data;
      unsigned char* const column = held + token * columns_per_token * column_size;
      // The lanes of a wave have neighboring octets, and all of them are here.
      for (int octet = block.thread; octet < held_spans * (span / 8); octet += BlockSize) {
        const int k = first_span * span + 8 * octet;
        half_pair rounded[4] = {}, rest[4];
        float sum = 0;  // of the octet
        if constexpr (std::is_same_v<TX, half>) {
          if (k < x.extent[1]) load_half_pairs(rounded, row + k);
          ROCMFORGE_UNROLL_ON_GPU
          for (int i = 0; i < 4; ++i) sum = dot_add(rounded[i], ones, sum);
        } else {
          packet<float, 8> values(0.0f);
          if (k < x.extent[1]) values = load_packet<8>(row + k);
          values = values * shared.scale[token];
          sum = horizontal_sum(values);
          ROCMFORGE_UNROLL_ON_GPU
          for (int i = 0; i < 4; ++i) {
            const float a = values[2 * i], b = values[2 * i + 1];
            rounded[i] = make_half_pair(a, b);
            rest[i] =
                make_half_pair(rest_of(a, first_of(rounded[i])), rest_of(b, second_of(rounded[i])));
          }
        }
        unsigned char* const to = column + octet / 4 * 2 * group_elements +
                                  octet % 2 * 2 * chunk_bytes + octet / 2 % 2 * 8;
        ROCMFORGE_UNROLL_ON_GPU
        for (int quad = 0; quad < 2; ++quad) {
          *reinterpret_cast<two_pairs*>(to + quad * chunk_bytes) =
              two_pairs{{rounded[2 * quad], rounded[2 * quad + 1]}};
          if constexpr (columns_per_token == 2) {
            *reinterpret_cast<two_pairs*>(to + column_size + quad * chunk_bytes) =
                two_pairs{{rest[2 * quad], rest[2 * quad + 1]}};
          }
        }
        if constexpr (!has_zero<Type>) {
          sum += block.template shuffle_xor<1>(sum);
          if constexpr (scales_per_group<Type> == 1) sum += block.template shuffle_xor<2>(sum);
          constexpr int octets = 4 / scales_per_group<Type>;
          if (octet % octets == 0) {
            float* const to_sums = reinterpret_cast<float*>(held + sums_offset()) +
                                   octet / octets * columns + token * columns_per_token;
            to_sums[0] = sum;
            if constexpr (columns_per_token == 2) to_sums[1] = 0;
          }
        }
      }
    }
  }
  static constexpr half_pair ones = 0x3c003c00u;
  /// What a float has beyond its rounded value; infinity has nothing.
  ROCMFORGE_DEVICE static float rest_of(float value, float rounded) {
    const float less = value - rounded;
    return less - less == 0 ? less : 0.0f;
  }
  ROCMFORGE_DEVICE int sums_offset() const {
    return columns_of(x.extent[0]) * column_bytes(held_spans);
  }

  /// Adds up the waves' sums of a tile and stores them.
  ROCMFORGE_DEVICE void finish(const shared_storage& shared,
                               block_context<BlockSize, WaveSize> block, int tile, int turn,
                               int first_token, int num_tokens) const {
    for (int i = block.thread; i < tile_rows * num_tokens; i += BlockSize) {
      const int row = i % tile_rows, token = i / tile_rows, out = tile * tile_rows + row;
      if (out >= y.extent[1]) continue;
      float sum = 0;
      for (int w = 0; w < num_waves; ++w) {
        ROCMFORGE_UNROLL_ON_GPU
        for (int c = 0; c < columns_per_token; ++c)
          sum += shared.sums[turn][w][row][token * columns_per_token + c];
      }
      if constexpr (!std::is_same_v<TX, half>) {
        // An inverse of a power of two is exact.
        sum *= 1.0f / shared.scale[token];
      }
      y(first_token + token, out) = T(bias.data != nullptr ? sum + bias(out) : sum);
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
