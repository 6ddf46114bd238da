// How heads are rotated: which elements are a pair, by which angle, at which position.
#pragma once

#include "rocmforge/tensor_view.hpp"

namespace rocmforge {

/// Which elements of a head are a pair.
enum class rope_layout {
  interleaved,  // 2i and 2i + 1
  half_split    // i and i + rotary_dim / 2
};

/// Which pairs take their position from which row of `positions`, where there are several.
enum class rope_sections {
  consecutive,  // the first sections[0] pairs from row 0, the next sections[1] from row 1, ...
  interleaved   // of rows 0, 1, 2 in turn: pair i from row i % 3, as long as i < 3 * sections[i %
                // 3], and the rest from row 0
};

/// A rope_layout that has to be given: models differ in it, and the wrong one is wrong text, not an
/// error. `rope_options{}` without a layout does not compile.
struct required_rope_layout {
  rope_layout value;
  required_rope_layout() = delete;
  constexpr required_rope_layout(rope_layout layout) : value(layout) {}
  constexpr operator rope_layout() const { return value; }
};

/// Options of `rope`, `qk_norm_rope` and `rope_kv_append`, for example
/// `{.layout = rope_layout::half_split, .theta = 500000}`.
struct rope_options {
  required_rope_layout layout;  // which elements are a pair; there is no default
  float theta = 10000;          // above 0
  int rotary_dim = 0;           // elements of a head that are rotated, the first ones; 0: head_dim
  float position_scale = 1;     // positions are multiplied by it; they need not stay whole
  /// [rotary_dim / 2] on the device, divides the angle of each pair; or empty
  tensor_view<const float, 1> frequency_factors = {};
  float attention_factor = 1;  // cosines and sines are multiplied by it; finite
  int sections[4] = {};        // with several rows of positions: how many pairs use each row
  rope_sections section_order = rope_sections::consecutive;
};

/// The positions of tokens on the device, in tokens: whole or fractional numbers, [num_tokens], or
/// [num_sections, num_tokens] for tokens that have a time, a height and a width (M-RoPE).
struct rope_positions {
  tensor_view<const int, 2> whole = {};
  tensor_view<const float, 2> fractional = {};

  rope_positions() = default;
  rope_positions(const tensor_view<const int, 2>& positions) : whole(positions) {}
  rope_positions(const tensor_view<int, 2>& positions) : whole(positions) {}
  rope_positions(const tensor_view<const float, 2>& positions) : fractional(positions) {}
  rope_positions(const tensor_view<float, 2>& positions) : fractional(positions) {}
  template <class T>
  rope_positions(const tensor_view<T, 1>& p)
      : rope_positions(tensor_view<T, 2>{p.data, {1, p.extent[0]}, {0, p.stride[0]}}) {}

  [[nodiscard]] bool is_whole() const { return fractional.data == nullptr; }
  [[nodiscard]] int num_sections() const {
    return is_whole() ? whole.extent[0] : fractional.extent[0];
  }
  [[nodiscard]] int num_tokens() const {
    return is_whole() ? whole.extent[1] : fractional.extent[1];
  }
};

}  // namespace rocmforge
