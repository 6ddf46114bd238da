// Steps recorded once for a shape and then replayed: the host starts one graph where it would start
// some hundred kernels, each of which costs it microseconds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <optional>

#include "rocmforge/dtype.hpp"
#include "rocmforge/memory.hpp"
#include "rocmforge/platform/platform.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// What the launches of a step depend on, but for the contents of device memory: steps that agree
/// in it launch the same kernels with the same arguments.
struct step_shape {
  const void* inputs = nullptr;       // where the step's integers lie
  const void* cache_pages = nullptr;  // where keys and values lie
  dtype cache_type = dtype::f32;
  int num_pages = 0, page_size = 0;  // of the cache
  int num_sequences = 0;             // each with one new token
  int table_columns = 0;             // pages of the longest sequence, at most
  bool operator==(const step_shape&) const = default;
};

/// The graphs of the shapes that were last seen.
class step_graphs {
 public:
  /// Does what `launch(stream)` launches. The first step of a shape launches it, since what a
  /// kernel's first launch loads cannot be recorded; the second one records it, and from then on it
  /// is replayed.
  template <class Launch>
  void run(const step_shape& shape, stream_ref stream, const Launch& launch) {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const entry& seen) { return seen.shape == shape; });
    if (found == entries_.end()) {
      launch(stream);
      if (entries_.size() == max_entries) entries_.pop_back();
      entries_.push_front({shape, std::nullopt});
      return;
    }
    if (!found->recorded) {
      // The default stream cannot be recorded, a stream of its own can.
      if (!recorder_) recorder_.emplace();
      const stream_ref recorder = *recorder_;
      found->recorded = graph::capture(recorder, [&] { launch(recorder); });
    }
    entries_.splice(entries_.begin(), entries_, found);
    found->recorded->launch(stream);
  }

  /// The number of graphs.
  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(),
                      [](const entry& seen) { return seen.recorded.has_value(); }));
  }

 private:
  struct entry {
    step_shape shape;
    std::optional<graph> recorded;
  };
  static constexpr std::size_t max_entries = 32;  // a graph of a large model is a few megabytes

  std::optional<class stream> recorder_;
  std::list<entry> entries_;  // the last used first
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
