// Finds items by name, and names that occur twice.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

namespace rocmforge::gguf::detail {

/// Names in sorted order, each with the position at which it was added. Sorted rather than hashed:
/// no choice of names in a hostile file makes a sort slow.
class name_lookup {
 public:
  void reserve(std::size_t num_names) { names_.reserve(num_names); }
  void add(std::string_view name) {
    names_.push_back({name, static_cast<std::uint32_t>(names_.size())});
  }

  /// Sorts the names: call once, after the last `add`. Returns a name that was added twice, if any.
  std::optional<std::string_view> sort() {
    std::sort(names_.begin(), names_.end(), [](const named& a, const named& b) {
      const int order = a.name.compare(b.name);
      return order != 0 ? order < 0 : a.position < b.position;
    });
    const auto first =
        std::adjacent_find(names_.begin(), names_.end(),
                           [](const named& a, const named& b) { return a.name == b.name; });
    if (first == names_.end()) return std::nullopt;
    return std::next(first)->name;
  }

  std::optional<std::uint32_t> find(std::string_view name) const {
    const auto at = std::lower_bound(names_.begin(), names_.end(), name,
                                     [](const named& a, std::string_view b) { return a.name < b; });
    if (at == names_.end() || at->name != name) return std::nullopt;
    return at->position;
  }

 private:
  struct named {
    std::string_view name;
    std::uint32_t position;
  };
  std::vector<named> names_;
};

}  // namespace rocmforge::gguf::detail
