// Ends a stream of text at the first stop text. Holds back the start of a possible stop text until
// more text decides.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace decoder {

class stop_filter {
 public:
  /// @param stops  the stop texts, none of them empty
  explicit stop_filter(std::span<const std::string> stops) : stops_(stops.begin(), stops.end()) {}

  /// Takes the next piece of text.
  /// @return the text to show now: up to a stop text, or up to the possible start of one
  std::string push(std::string_view piece) {
    if (found_) return {};
    held_ += piece;
    std::size_t end = std::string::npos;
    std::size_t begin = held_.size();
    for (const std::string& stop : stops_) {
      // The stop text that ends first is taken: then the result does not depend on how the text is
      // split into pieces.
      const std::size_t at = held_.find(stop);
      if (at == std::string::npos) continue;
      found_ = true;
      if (at + stop.size() < end || (at + stop.size() == end && at < begin)) {
        end = at + stop.size();
        begin = at;
      }
    }
    return release(found_ ? begin : held_.size() - beginning_of_a_stop());
  }

  /// Ends the text.
  /// @return the text that was held back
  std::string finish() { return found_ ? std::string() : release(held_.size()); }

  [[nodiscard]] bool found() const { return found_; }

 private:
  /// The length of the longest suffix of `held_` that is a prefix of a stop text.
  std::size_t beginning_of_a_stop() const {
    std::size_t longest = 0;
    for (const std::string& stop : stops_) {
      for (std::size_t length = std::min(stop.size() - 1, held_.size()); length > longest;
           --length) {
        if (held_.ends_with(std::string_view(stop).substr(0, length))) longest = length;
      }
    }
    return longest;
  }

  std::string release(std::size_t length) {
    std::string shown = held_.substr(0, length);
    held_.erase(0, length);
    return shown;
  }

  std::vector<std::string> stops_;
  std::string held_;
  bool found_ = false;
};

}  // namespace decoder
