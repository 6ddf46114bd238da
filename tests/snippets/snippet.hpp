// What the preludes of tests/snippets_test.py are made of: tensors for the fragments of the docs,
// and the checks around each fragment.
#pragma once

#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <rocmforge/error.hpp>
#include <rocmforge/memory.hpp>
#include <rocmforge/status.hpp>
#include <vector>

namespace rocmforge::testing {

class snippet {
 public:
  rocmforge::stream stream;

  /// Throws error if there are outputs and none was written.
  void check_outputs() const {
    for (const auto& was_written : outputs_) {
      if (was_written()) return;
    }
    if (!outputs_.empty()) throw error("nothing was written");
  }

 protected:
  /// A contiguous tensor of numbers between -1 and 1.
  template <class T, class... Extent>
  tensor_view<T, sizeof...(Extent)> in(Extent... extent) {
    std::vector<T> values(static_cast<std::size_t>((1 * ... * extent)));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = T(std::sin(0.7f * static_cast<float>(i)));
    return make_view(keep<T>(values), extent...);
  }
  /// A contiguous tensor of zero bytes: weights in blocks.
  template <class T, class... Extent>
  tensor_view<T, sizeof...(Extent)> zeros(Extent... extent) {
    return make_view(keep<T>(std::vector<T>(static_cast<std::size_t>((1 * ... * extent)))),
                     extent...);
  }
  /// A contiguous tensor of these elements.
  template <class T, class... Extent>
  tensor_view<T, sizeof...(Extent)> of(const std::vector<T>& values, Extent... extent) {
    return make_view(keep<T>(values), extent...);
  }
  /// A contiguous tensor that a fragment may write; NaN, or -1, until then.
  template <class T, class... Extent>
  tensor_view<T, sizeof...(Extent)> out(Extent... extent) {
    const auto buffer =
        std::make_shared<device_buffer<T>>(static_cast<std::size_t>((1 * ... * extent)));
    buffer->fill_bytes(0xff);
    outputs_.push_back([buffer] {
      const std::vector<T> values = buffer->to_host();
      const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
      for (std::size_t i = 0; i < values.size() * sizeof(T); ++i) {
        if (bytes[i] != 0xff) return true;
      }
      return false;
    });
    return make_view(buffer->data(), extent...);
  }

 private:
  template <class T>
  T* keep(const std::vector<T>& values) {
    const auto buffer = std::make_shared<device_buffer<T>>(values);
    inputs_.push_back(buffer);
    return buffer->data();
  }

  std::vector<std::shared_ptr<void>> inputs_;
  std::vector<std::function<bool()>> outputs_;
};

/// `call(), must_succeed{}` throws the message of a status that is not success.
struct must_succeed {
  ~must_succeed() {}
};
inline void operator,(const status& result, const must_succeed&) {
  if (!result) throw error(result.message());
}

template <class Fragment>
bool run(const char* where) {
  try {
    Fragment fragment;
    fragment.run();
    fragment.check_outputs();
    return true;
  } catch (const std::exception& caught) {
    std::printf("%s: %s\n", where, caught.what());
    return false;
  }
}

}  // namespace rocmforge::testing

using rocmforge::testing::must_succeed;
using rocmforge::testing::run;
