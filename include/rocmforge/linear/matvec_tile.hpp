// y = x W^T for a few tokens and quantized W, on a GPU. Reading the weights is the whole cost:
// waves copy them to shared memory as they lie in the file, in chunks of 16 bytes with the next
// ones in flight, and decode them there to pairs of halves, which matrix instructions or packed
// dot products multiply by x. Weights are whole numbers times a scale that 16 or 32 of them share:
// the sum is scaled, not the weight.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rocmforge/block/reduce.hpp"
#include "rocmforge/linear/half_limbs.hpp"
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
/// Four lanes (a quad) share a few rows and 256 columns, a span. With matrix instructions there are
/// two rows, and each lane has 4 of 16 neighboring weights. With dot products there are four or
/// two: two lanes have the first 128 columns, two the others, and of 16 neighboring weights each
/// has 8. The quads of a wave stand beside each other along the rows of the tile or along k; the
/// waves of a block along k.
///
/// x is taken as halves, see half_limbs.hpp; those of a float are two columns of the product.
template <class T, class Type, class Product, int BlockSize, int WaveSize, class TX = T>
struct matvec_tile {
  static_assert(WaveSize > 1 && BlockSize % WaveSize == 0,
                "matvec_tile: BlockSize must be a multiple of WaveSize, which is more than 1");
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  static constexpr int num_waves = BlockSize / WaveSize;
  static constexpr int tile_rows = Product::tile_rows;
  static constexpr int columns = Product::columns;
  static constexpr int columns_per_token = half_limbs::count<TX>;
  static constexpr int max_tokens = columns / columns_per_token;

  using format = block_format<Type>;
  static_assert(alignof(Type) % 2 == 0);
  static constexpr int span = 256;
  static constexpr int span_groups = span / group_elements;
  static constexpr int span_blocks = span / format::elements;
  static constexpr int span_bytes = span_blocks * static_cast<int>(sizeof(Type));
  static constexpr int wave_spans = Product::wave_spans;  // that a wave multiplies at a time
  static constexpr int slots = tile_rows * wave_spans;    // spans of all rows of these
  static constexpr int slot_lanes = WaveSize / slots;
  static_assert(slot_lanes > 0 && slot_lanes * slots == WaveSize);

  // A row's part of a tile starts anywhere in its first chunk. For dot products as many lanes have
  // a row each, and bring neighboring chunks of it; the next ones are at constant distances, which
  // costs no instruction. A matrix instruction reads all rows together: there they are an odd
  // number of chunks apart, which puts them into different banks.
  static constexpr int chunk_bytes = 16;
  static constexpr int row_chunks = divide_up(
      wave_spans * span_bytes + chunk_bytes - static_cast<int>(alignof(Type)), chunk_bytes);
  static constexpr int row_lanes = WaveSize / tile_rows;
  static constexpr int lane_chunks = Product::by_matrix
                                         ? divide_up(tile_rows * row_chunks, WaveSize)
                                         : divide_up(row_chunks, row_lanes);
  static constexpr int row_bytes =
      (Product::by_matrix ? row_chunks | 1 : lane_chunks * row_lanes) * chunk_bytes;

  static constexpr int num_scales = span_groups * scales_per_group<Type>;
  using factor = product_factor<Type>;
  // Puts the scales of the two halves of a span into different banks.
  static constexpr int factor_pad = Product::by_matrix ? 0 : 4;

  struct alignas(16) shared_storage {  // x lies behind it
    alignas(16) unsigned char raw[num_waves][tile_rows][row_bytes];
    alignas(16) factor factors[num_waves][num_scales][slots + factor_pad];
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
  // share a scale. For dot products each half of a span is followed by the sums of its octets,
  // where weights have offsets, and by a gap that puts the halves of neighboring spans into
  // different banks.
  static constexpr int half_sums_at = span;  // bytes from the first of 128 halves
  static constexpr int half_span_bytes = half_sums_at + (has_zero<Type> ? 0 : 16 * 4) + 32;
  static constexpr int column_span_bytes = Product::by_matrix ? 2 * span : 2 * half_span_bytes;
  static constexpr int span_sums_bytes =
      has_zero<Type> || !Product::by_matrix ? 0 : num_scales * columns * 4;
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
    const lane_place place{block.lane()};

    chunks in_flight;
    if (block.wave() < num_steps) fetch(in_flight, block.lane(), block.index.x, block.wave());
    if constexpr (!std::is_same_v<TX, half>) find_scales(block, shared, first_token, num_tokens);

    bool has_x = false;
    int turn = 0;
    for (int tile = block.index.x; tile < num_tiles; tile += num_blocks, turn ^= 1) {
      typename Product::sums sums;
      Product::start(sums);
      for (int first_span = 0; first_span < num_spans; first_span += held_spans) {
        if (!has_x) {
          block.barrier();  // the previous part of x has been read
          stage(block, shared, held, first_token, num_tokens, first_span);
          block.barrier();
          has_x = holds_all;
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
    int lane;
    // With matrix instructions: the lane of the quad, and its rows.
    ROCMFORGE_DEVICE int part() const { return lane % 4; }
    ROCMFORGE_DEVICE int slot(int second) const { return lane / 4 + second * (tile_rows / 2); }
    // With dot products: which 8 of 16 elements, which half of a span, and its first slot.
    ROCMFORGE_DEVICE int octet() const { return lane % 2; }
    ROCMFORGE_DEVICE int half_of_span() const { return lane / 2 % 2; }
    ROCMFORGE_DEVICE int span_of_step() const { return lane / 4 % wave_spans; }
    ROCMFORGE_DEVICE int first_row() const {
      return lane / (4 * wave_spans) * (tile_rows * 4 * wave_spans / WaveSize);
    }
    ROCMFORGE_DEVICE int first_slot() const { return span_of_step() * tile_rows + first_row(); }
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
  /// From the first byte of a wave's part to that of a row. Tiles are far smaller than 4 GiB.
  ROCMFORGE_DEVICE unsigned row_offset(int row) const {
    return static_cast<unsigned>(row) * static_cast<unsigned>(weight.stride[0]) *
           static_cast<unsigned>(sizeof(Type));
  }
  /// The row of the chunk that a lane brings as its i-th, and the bytes before it: some that depend
  /// on the lane, and some that do not.
  struct chunk_place {
    int row, offset, distance;
  };
  ROCMFORGE_DEVICE static chunk_place place_of_chunk(int lane, int i) {
    if constexpr (Product::by_matrix) {
      const int index = lane + i * WaveSize;
      return {index / row_chunks, index % row_chunks * chunk_bytes, 0};
    } else {
      return {lane / row_lanes, lane % row_lanes * chunk_bytes, i * row_lanes * chunk_bytes};
    }
  }
  ROCMFORGE_DEVICE static bool has_chunk(int lane, int i) {
    return !Product::by_matrix || tile_rows * row_chunks % WaveSize == 0 ||
           lane + i * WaveSize < tile_rows * row_chunks;
  }

  /// Asks for the wave's part of a tile in a step: the chunks of each row. What follows a row may
  /// come along; its scales will be 0.
  ROCMFORGE_DEVICE void fetch(chunks& to, int lane, int tile, int step) const {
    const source from = source_of(tile, step);
    const auto* const begin = reinterpret_cast<const unsigned char*>(weight.data);
    const unsigned char* const end = reinterpret_cast<const unsigned char*>(
        slice(weight, y.extent[1] - 1).data + weight.extent[1]);
    const int spans_left = divide_up(x.extent[1], span) - step * wave_spans;
    const bool inner = from.aligned >= begin && (wave_spans == 1 || spans_left >= wave_spans) &&
                       from.aligned + row_offset(tile_rows - 1) + row_bytes + chunk_bytes <= end;
    const auto for_each_chunk = [&](auto&& read) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < lane_chunks; ++i) {
        if (!has_chunk(lane, i)) continue;
        // The first part of the address is the same for all lanes, the last for all chunks.
        const chunk_place place = place_of_chunk(lane, i);
        const unsigned row = (row_offset(place.row) + from.skipped) / chunk_bytes * chunk_bytes;
        to.c[i] = read(from.aligned + (row + static_cast<unsigned>(place.offset)), place);
      }
    };
    if (inner) {
      for_each_chunk([](const unsigned char* lane_begin, const chunk_place& place) {
        return *reinterpret_cast<const chunk*>(lane_begin + place.distance);
      });
    } else {
      // Chunks that reach beyond the weights are read in parts; those beyond a row's part not at
      // all.
      for_each_chunk([&](const unsigned char* lane_begin, const chunk_place& place) {
        // Constants of 64 bits would take scalar registers, of which gfx9 has too few.
        const unsigned char* const p = lane_begin + in_each_lane(place.distance);
        if (place.distance >= spans_left * span_bytes + chunk_bytes - place.offset) return chunk{};
        if (p >= begin && p + chunk_bytes <= end) return *reinterpret_cast<const chunk*>(p);
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

  ROCMFORGE_DEVICE static void put(unsigned char (&raw)[tile_rows][row_bytes], int lane,
                                   const chunks& from) {
    ROCMFORGE_UNROLL_ON_GPU
    for (int i = 0; i < lane_chunks; ++i) {
      if (!has_chunk(lane, i)) break;
      const chunk_place place = place_of_chunk(lane, i);
      *reinterpret_cast<chunk*>(&raw[place.row][place.offset] + place.distance) = from.c[i];
    }
  }

  /// The first block of a row's part, as `put` left it.
  ROCMFORGE_DEVICE const unsigned char* blocks_of(const unsigned char (&raw)[tile_rows][row_bytes],
                                                  const source& from, int row) const {
    return raw[row] + (row_offset(row) + from.skipped) % chunk_bytes;
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
  /// Each lane has those of a slot, or half of them.
  ROCMFORGE_DEVICE void find_factors(shared_storage& shared,
                                     block_context<BlockSize, WaveSize> block, const source& from,
                                     int step) const {
    constexpr int lane_scales = num_scales / slot_lanes;
    const int slot = block.lane() % slots, first = block.lane() / slots * lane_scales;
    const unsigned char* const blocks =
        blocks_of(shared.raw[block.wave()], from, slot % tile_rows) + slot / tile_rows * span_bytes;
    const int groups_left = x.extent[1] / group_elements - step * wave_spans * span_groups;
    const bool all_in_row = groups_left >= wave_spans * span_groups;
    const int scales_left = (groups_left - slot / tile_rows * span_groups) * scales_per_group<Type>;
    affine f[lane_scales];
    if constexpr (has_half_factors<Type>) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int half = 0; half < 2 / slot_lanes; ++half) {
        affine four[4];
        format::half_factors(block_at(blocks, 0), block.lane() / slots + half, four);
        ROCMFORGE_UNROLL_ON_GPU
        for (int i = 0; i < 4; ++i) f[4 * half + i] = four[i];
      }
    } else {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < lane_scales; ++i) {
        const int group = (first + i) / scales_per_group<Type>;
        f[i] = format::factors(block_at(blocks, group), group_in_block(group),
                               i % scales_per_group<Type>);
      }
    }
    if (!all_in_row) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = 0; i < lane_scales; ++i) {
        if (first + i >= scales_left) f[i] = {0, 0};
      }
    }
    ROCMFORGE_UNROLL_ON_GPU
    for (int i = 0; i < lane_scales; ++i)
      shared.factors[block.wave()][first + i][slot] = product_factor_of<Type>(f[i]);
  }

  ROCMFORGE_DEVICE void multiply(const shared_storage& shared,
                                 block_context<BlockSize, WaveSize> block, const lane_place& place,
                                 const unsigned char* held, int num_tokens, const source& from,
                                 int first_span, typename Product::sums& sums) const {
    if constexpr (Product::by_matrix) {
      multiply_by_matrix(shared, block, place, held, num_tokens, from, first_span, sums);
    } else {
      multiply_by_dots(shared, block, place, held, num_tokens, from, first_span, sums);
    }
  }

  ROCMFORGE_DEVICE void multiply_by_dots(const shared_storage& shared,
                                         block_context<BlockSize, WaveSize> block,
                                         const lane_place& place, const unsigned char* held,
                                         int num_tokens, const source& from, int first_span,
                                         typename Product::sums& sums) const {
    // A half of a span begins within a block of 256, or is some whole blocks.
    constexpr bool within_block = span_blocks == 1;
    const int half_of_span = place.half_of_span();
    const int skipped =
        place.span_of_step() * span_bytes + (within_block ? 0 : half_of_span * (span_bytes / 2));
    const unsigned char* blocks[Product::lane_rows];
    ROCMFORGE_UNROLL_ON_GPU
    for (int r = 0; r < Product::lane_rows; ++r)
      blocks[r] = blocks_of(shared.raw[block.wave()], from, place.first_row() + r) + skipped;
    const unsigned char* const x_half =
        held + (2 * (first_span + place.span_of_step()) + half_of_span) * half_span_bytes;
    const unsigned char* const x_octets = x_half + place.octet() * chunk_bytes;
    const unsigned char* const x_sums = x_half + half_sums_at + place.octet() * 4;
    const factor* const half_factors =
        &shared.factors[block.wave()][half_of_span * (num_scales / 2)][place.first_slot()];
    const int used_columns = columns_of(num_tokens), column_size = column_bytes(held_spans);
    constexpr int at_once = Product::groups_at_once;
    Product::template for_each<span_groups / 2 / at_once>([&](int turn) {
      ROCMFORGE_UNROLL_ON_GPU
      for (int i = at_once * turn; i < at_once * (turn + 1); ++i) {
        const int group = within_block ? 4 * half_of_span + i : i;
        typename Product::sums part;
        const auto half_group = [&]<int Half>(std::integral_constant<int, Half>) {
          typename Product::operand right;
          Product::load(right, used_columns, [&](int column) {
            return *reinterpret_cast<const four_pairs*>(x_octets + column * column_size +
                                                        (2 * i + Half) * 2 * chunk_bytes);
          });
          if (Half == 0 || scales_per_group<Type> == 2) Product::start(part);
          ROCMFORGE_UNROLL_ON_GPU
          for (int r = 0; r < Product::lane_rows; ++r) {
            constexpr number_form form{true};
            const auto bytes = format::template numbers<8, Half, form>(
                block_at(blocks[r], group), group_in_block(group), place.octet());
            const unsigned first = bytes.words[0], second = bytes.words[1];
            Product::multiply(
                part, r,
                {{bytes_to_halves<0, zero>(first), bytes_to_halves<2, zero>(first),
                  bytes_to_halves<0, zero>(second), bytes_to_halves<2, zero>(second)}},
                right);
          }
          if (Half == 0 && scales_per_group<Type> == 1) return;
          const int scale = scales_per_group<Type> == 2 ? 2 * i + Half : i;
          factor factors[Product::lane_rows];
          ROCMFORGE_UNROLL_ON_GPU
          for (int r = 0; r < Product::lane_rows; ++r)
            factors[r] = half_factors[scale * (slots + factor_pad) + r];
          if constexpr (has_zero<Type>) {
            Product::add_scaled(sums, part, factors);
          } else {
            float both[columns];
            ROCMFORGE_UNROLL_ON_GPU
            for (int c = 0; c < columns; ++c) {
              const int column = c < used_columns ? c : used_columns - 1;
              both[c] = *reinterpret_cast<const float*>(x_sums + column * column_size +
                                                        (2 * i + Half) * 2 * 4);
            }
            Product::add_scaled(sums, part, factors, both);
          }
        };
        half_group(std::integral_constant<int, 0>{});
        half_group(std::integral_constant<int, 1>{});
      }
    });
  }

  ROCMFORGE_DEVICE void multiply_by_matrix(const shared_storage& shared,
                                           block_context<BlockSize, WaveSize> block,
                                           const lane_place& place, const unsigned char* held,
                                           int num_tokens, const source& from, int first_span,
                                           typename Product::sums& sums) const {
    const unsigned char* const blocks[2] = {
        blocks_of(shared.raw[block.wave()], from, place.slot(0)),
        blocks_of(shared.raw[block.wave()], from, place.slot(1))};
    const unsigned char* const x_span =
        held + first_span * column_span_bytes + place.part() * chunk_bytes;
    const auto* const x_sums =
        reinterpret_cast<const float*>(held + sums_offset() + first_span * span_sums_bytes);
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
                                                  place.part())
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
  static constexpr int zero = subtracted_zero<Type>;
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
      shared.scale[block.thread] = half_limbs::scale_for(maximum);
    }
    block.barrier();
  }

  /// Puts x from `first_span` on into shared memory. For dot products as it is; for matrix
  /// instructions of each group the four elements of a lane in its first half, then those in its
  /// second, beside each other.
  ROCMFORGE_DEVICE void stage(block_context<BlockSize, WaveSize> block, shared_storage& shared,
                              unsigned char* held, int first_token, int num_tokens,
                              int first_span) const {
    const int column_size = column_bytes(held_spans);
    for (int token = 0; token < num_tokens; ++token) {
      const TX* const row = slice(x, first_token + token).data;
      unsigned char* const column = held + token * columns_per_token * column_size;
      const int first = first_span * span;
      // Puts the octet that is so many behind the lane's first one to `to`, and its sum to
      // `to_sum`.
      const auto put_octet = [&]<bool Inner>(std::bool_constant<Inner>, int distance,
                                             unsigned char* to,
                                             [[maybe_unused]] unsigned char* to_sum) {
        const int octet = block.thread + distance, k = first + 8 * octet;
        half_pair rounded[4] = {};
        [[maybe_unused]] half_pair rest[4];  // what rounding leaves of floats
        [[maybe_unused]] float sum = 0;      // of the octet
        if constexpr (std::is_same_v<TX, half>) {
          if constexpr (Inner) {
            const chunk raw = *reinterpret_cast<const chunk*>(
                reinterpret_cast<const unsigned char*>(row + first) + distance * chunk_bytes +
                static_cast<unsigned>(block.thread) * chunk_bytes);
            ROCMFORGE_UNROLL_ON_GPU
            for (int i = 0; i < 4; ++i) rounded[i] = raw.word[i];
          } else {
            if (k < x.extent[1]) load_half_pairs(rounded, row + k);
          }
        } else {
          packet<float, 8> values(0.0f);
          if (Inner || k < x.extent[1]) values = load_packet<8>(row + k);
          values = values * shared.scale[token];
          if constexpr (Product::by_matrix) sum = horizontal_sum(values);
          ROCMFORGE_UNROLL_ON_GPU
          for (int i = 0; i < 4; ++i) {
            const float a = values[2 * i], b = values[2 * i + 1];
            rounded[i] = make_half_pair(a, b);
            rest[i] = half_limbs::rest_of(a, b, rounded[i]);
          }
        }
        if constexpr (!Product::by_matrix) {
          const auto store_column = [&](int offset, const half_pair(&pairs)[4]) {
            *reinterpret_cast<four_pairs*>(to + offset) =
                four_pairs{{pairs[0], pairs[1], pairs[2], pairs[3]}};
            if constexpr (!has_zero<Type>) {
              // Of an octet, or of a group's two with the same part of 16 elements.
              float octet_sum = 0;
              ROCMFORGE_UNROLL_ON_GPU
              for (int i = 0; i < 4; ++i) octet_sum = dot_add(pairs[i], ones, octet_sum);
              if constexpr (scales_per_group<Type> == 1)
                octet_sum += block.template shuffle_xor<2>(octet_sum);
              *reinterpret_cast<float*>(to_sum + offset) = octet_sum;
            }
          };
          store_column(0, rounded);
          if constexpr (columns_per_token == 2) store_column(column_size, rest);
        } else {
          if constexpr (std::is_same_v<TX, half>) {
            ROCMFORGE_UNROLL_ON_GPU
            for (int i = 0; i < 4; ++i) sum = dot_add(rounded[i], ones, sum);
          }
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
      };
      // The lanes of a wave have neighboring octets, and all of them are here.
      if constexpr (Product::by_matrix) {
        for (int octet = block.thread; octet < held_spans * (span / 8); octet += BlockSize) {
          put_octet(std::false_type{}, octet - block.thread,
                    column + octet / 4 * 2 * group_elements + octet % 2 * 2 * chunk_bytes +
                        octet / 2 % 2 * 8,
                    nullptr);
        }
      } else {
        // Some octets at once, at constant distances.
        constexpr int step_octets = wave_spans * (span / 8);
        static_assert(step_octets % BlockSize == 0 && BlockSize % 16 == 0);
        const auto put_octets = [&](auto inner) {
          unsigned char* to = column + block.thread / 16 * half_span_bytes;
          unsigned char* to_sum = to + half_sums_at + block.thread % 16 * 4;
          to += block.thread % 16 * chunk_bytes;
          for (int begin = 0; begin < held_spans * (span / 8); begin += step_octets) {
            ROCMFORGE_UNROLL_ON_GPU
            for (int i = 0; i < step_octets; i += BlockSize) {
              put_octet(inner, begin + i, to + i / 16 * half_span_bytes,
                        to_sum + i / 16 * half_span_bytes);
            }
            to += step_octets / 16 * half_span_bytes;
            to_sum += step_octets / 16 * half_span_bytes;
          }
        };
        if (first + held_spans * span <= x.extent[1] &&
            reinterpret_cast<std::uintptr_t>(row) % chunk_bytes == 0) {
          put_octets(std::true_type{});
        } else {
          put_octets(std::false_type{});
        }
      }
    }
  }
  static constexpr half_pair ones = 0x3c003c00u;
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
      if constexpr (half_limbs::are_scaled<TX>) sum *= half_limbs::inverse_of(shared.scale[token]);
      y(first_token + token, out) = T(bias.data != nullptr ? sum + bias(out) : sum);
      if constexpr (tile_rows * max_tokens <= BlockSize) break;  // a lane has one at most
    }
  }
};

}  // namespace kernels
ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
