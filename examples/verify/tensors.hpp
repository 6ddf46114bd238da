// Tensors for cases: seeded data, strided rows that may start at odd addresses, and guards about
// them.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <rocmforge/dispatch.hpp>
#include <rocmforge/dtype.hpp>
#include <rocmforge/memory.hpp>
#include <rocmforge/status.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "case.hpp"
#include "support/data.hpp"

namespace verify {

using rocmforge::bfloat16;
using rocmforge::half;
using rocmforge::tensor_view;
using rocmforge::testing::as_double;
using rocmforge::testing::attention_rounding;
using rocmforge::testing::random_values;
using rocmforge::testing::rounding;
using rocmforge::testing::to_double;

template <class T>
inline constexpr number_format format_of = std::is_same_v<T, int>        ? number_format::i32
                                           : std::is_same_v<T, half>     ? number_format::f16
                                           : std::is_same_v<T, bfloat16> ? number_format::bf16
                                                                         : number_format::f32;

template <class T>
inline const std::string type_name = std::is_same_v<T, half>       ? "f16"
                                     : std::is_same_v<T, bfloat16> ? "bf16"
                                                                   : "f32";

/// What `make(seed)` returns for the copies of a batch, one after the other. The case's own seed is
/// at its slot.
template <class Make>
auto placed(const placement& at, unsigned seed, const Make& make) {
  decltype(make(seed)) all;
  for (int copy = 0; copy < at.copies; ++copy) {
    const auto part = make(copy == at.slot ? seed : seed + 1000 + unsigned(copy));
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}
template <class T>
std::vector<T> placed_values(const placement& at, std::size_t count, unsigned seed, double low = -1,
                             double high = 1) {
  return placed(at, seed, [&](unsigned s) { return random_values<T>(count, s, low, high); });
}

/// Whether a test is in the order of elements or of parts that lie elsewhere in memory.
struct layout {
  int offset = 0;  // elements by which the first one misses an aligned address
  int gap = 0;     // elements between rows that belong to nobody
};

/// Of an output, beside inputs laid out like `how`: another gap, and as odd a start.
inline layout for_output(const layout& how) {
  return {how.offset, how.gap == 0 ? 0 : how.gap + 2};
}

/// A tensor of the given extents in device memory. What lies before it, between its rows and after
/// it is NaN to those who read it, and must still be there after the op.
template <class T, int Rank>
class guarded_tensor final : public output {
 public:
  /// Memory in the order of the axes; gaps are between the rows of the last but one.
  explicit guarded_tensor(const int (&extents)[Rank], const layout& how = {}) {
    std::int64_t stride = 1;
    for (int axis = Rank - 1; axis >= 0; --axis) {
      view_.extent[axis] = extents[axis];
      view_.stride[axis] = stride;
      stride *= extents[axis];
      if (axis == Rank - 1) stride += how.gap;
    }
    allocate(stride, how.offset);
  }
  /// As above for a layout of its own: `strides` in elements.
  guarded_tensor(const int (&extents)[Rank], const std::int64_t (&strides)[Rank],
                 const layout& how) {
    std::int64_t elements = 1;
    for (int axis = 0; axis < Rank; ++axis) {
      view_.extent[axis] = extents[axis];
      view_.stride[axis] = strides[axis];
      elements += std::max(0, extents[axis] - 1) * strides[axis];
    }
    allocate(elements, how.offset);
  }

  /// Sets the elements, in the order of the axes.
  void fill(const std::vector<T>& values) {
    std::size_t next = 0;
    for_each([&](std::size_t at) { memory_[at] = values[next++]; });
    device_.copy_from_host(memory_);
    rocmforge::stream_ref{}.synchronize();
  }
  tensor_view<T, Rank> view() {
    auto result = view_;
    result.data = device_.data() + first_;
    return result;
  }
  /// What surrounds an output is another NaN than what surrounds inputs, so that one is not the
  /// other copied.
  void mark_as_output() {
    static_assert(sizeof(T) % 2 == 0);
    constexpr std::uint16_t guards = 0xffd5;  // NaN as half, bfloat16, and twice as float
    std::vector<T> marked(memory_.size());
    auto* bytes = reinterpret_cast<unsigned char*>(marked.data());
    for (std::size_t i = 0; i < marked.size() * sizeof(T); i += 2)
      std::memcpy(bytes + i, &guards, 2);
    for_each([&](std::size_t at) { marked[at] = memory_[at]; });
    memory_ = std::move(marked);
  }
  /// Only indices `begin` to `end` of an axis are read back.
  void select(int axis, int begin, int end) {
    axis_ = axis;
    begin_ = begin;
    end_ = end;
  }

  void reset() override {
    device_.copy_from_host(memory_);
    rocmforge::stream_ref{}.synchronize();
  }
  reading read() const override {
    reading result;
    std::vector<T> now = device_.to_host();
    for_each([&](std::size_t at, int index) {
      if (index >= begin_ && index < end_) {
        result.values.push_back(as_double(now[at]));
        std::uint32_t bits = 0;
        std::memcpy(&bits, &now[at], sizeof(T) < 4 ? sizeof(T) : 4);
        result.bits.push_back(bits);
      }
    });
    // Elements that are nobody's are as they were.
    for_each([&](std::size_t at) { now[at] = memory_[at]; });
    for (std::size_t i = 0; i < now.size() && result.damage.empty(); ++i) {
      if (std::memcmp(&now[i], &memory_[i], sizeof(T)) != 0) {
        result.damage =
            "wrote outside " + name + ", " +
            std::to_string(static_cast<std::int64_t>(i) - static_cast<std::int64_t>(first_)) +
            " elements from its start";
      }
    }
    return result;
  }

 private:
  static constexpr std::size_t guard = 4096;  // elements before and after

  void allocate(std::int64_t elements, int offset) {
    format = format_of<T>;
    first_ = guard + std::size_t(offset);
    memory_.resize(first_ + std::size_t(elements) + guard);
    std::memset(static_cast<void*>(memory_.data()), 0xff, memory_.size() * sizeof(T));
    device_ = rocmforge::device_buffer<T>(memory_);
    end_ = view_.extent[0];
  }
  /// Calls `f(place in memory)` or `f(place in memory, index along the selected axis)` for every
  /// element in order.
  template <class F>
  void for_each(const F& f) const {
    int index[Rank] = {};
    for (std::int64_t i = 0; i < view_.size(); ++i) {
      std::int64_t at = static_cast<std::int64_t>(first_);
      for (int axis = 0; axis < Rank; ++axis) at += index[axis] * view_.stride[axis];
      if constexpr (std::is_invocable_v<F, std::size_t, int>) {
        f(static_cast<std::size_t>(at), index[axis_]);
      } else {
        f(static_cast<std::size_t>(at));
      }
      for (int axis = Rank - 1; axis >= 0 && ++index[axis] == view_.extent[axis]; --axis)
        index[axis] = 0;
    }
  }

  tensor_view<T, Rank> view_;
  std::size_t first_ = 0;
  std::vector<T> memory_;
  rocmforge::device_buffer<T> device_;
  int axis_ = 0, begin_ = 0, end_ = 0;
};

template <class T, int Rank>
using tensor = std::shared_ptr<guarded_tensor<T, Rank>>;

template <class T, int Rank>
tensor<T, Rank> make_tensor(const int (&extents)[Rank], const layout& how = {}) {
  return std::make_shared<guarded_tensor<T, Rank>>(extents, how);
}
template <class T, int Rank>
tensor<T, Rank> make_tensor(const int (&extents)[Rank], const std::vector<T>& values,
                            const layout& how = {}) {
  auto result = make_tensor<T>(extents, how);
  result->fill(values);
  return result;
}

/// Says what is expected of an output, of which indices `begin` to `end` of the first axis are the
/// case's.
template <class T, int Rank>
tensor<T, Rank> expecting(tensor<T, Rank> out, const char* name, int begin, int end,
                          const tolerance& allowed, std::function<std::vector<double>()> expected) {
  out->mark_as_output();
  out->name = name;
  out->select(0, begin, end);
  out->allowed = allowed;
  out->expected = std::move(expected);
  return out;
}

inline std::string refusal(const rocmforge::status& status) {
  return status.ok() ? "" : status.message();
}

/// "rows 3, hidden_dim 257"; numbers of 0 are left out.
inline std::string shape_text(std::initializer_list<std::pair<const char*, int>> numbers) {
  std::string text;
  for (const auto& [name, number] : numbers) {
    if (number != 0)
      text += (text.empty() ? "" : ", ") + std::string(name) + " " + std::to_string(number);
  }
  return text;
}

/// Calls `f(T{})` for float, half and bfloat16.
template <class F>
void for_each_dtype(F f) {
  f(float{});
  f(half{});
  f(bfloat16{});
}

/// A contiguous tensor for timing: a few thousand random values over and over.
template <class T>
std::shared_ptr<rocmforge::device_buffer<T>> timing_data(std::size_t count) {
  const auto some = random_values<T>(std::min<std::size_t>(count, 10007), 1);
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = some[i % some.size()];
  return std::make_shared<rocmforge::device_buffer<T>>(values);
}

/// Rows of `row_size` elements that make a tensor too large for caches: 32 MiB on a host, 256 MiB
/// on a GPU.
template <class T>
int timing_rows(const settings& s, int row_size) {
  const std::size_t mebibytes = s.architecture == "host" ? 32 : 256;
  return static_cast<int>((mebibytes << 20) / sizeof(T) / static_cast<std::size_t>(row_size));
}

}  // namespace verify
