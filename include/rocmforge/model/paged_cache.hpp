// Keys and values of all layers in pages of a fixed number of tokens, handed out to sequences as
// they grow. Kwon et al., "Efficient Memory Management for Large Language Model Serving with
// PagedAttention", 2023.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "rocmforge/dtype.hpp"
#include "rocmforge/error.hpp"
#include "rocmforge/memory.hpp"
#include "rocmforge/tensor_view.hpp"

namespace rocmforge {
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Size and type of a paged cache.
struct paged_cache_options {
  int num_layers = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
  int page_size = 32;  // tokens per page
  int num_pages = 0;
  dtype type = dtype::f32;
};

/// The pages and the list of free ones. Pages belong to the cache; sequences borrow them and must
/// not outlive it. Neither copyable nor movable, because its sequences hold its address.
class paged_cache {
 public:
  /// @throws error if an option is not positive, the number of tokens or bytes overflows, or the
  /// device does not have enough memory
  explicit paged_cache(const paged_cache_options& options) : options_(options) {
    const auto& o = options;
    if (o.num_layers < 1 || o.num_kv_heads < 1 || o.head_dim < 1 || o.page_size < 1 ||
        o.num_pages < 1) {
      throw error("paged_cache: every option must be 1 or more");
    }
    if (capacity() > std::numeric_limits<int>::max() ||
        o.num_kv_heads > max_row_elements / o.head_dim) {
      throw error(
          "paged_cache: " + std::to_string(o.num_pages) + " pages of " +
          std::to_string(o.page_size) + " tokens with " + std::to_string(o.num_kv_heads) +
          " heads of " + std::to_string(o.head_dim) +
          " elements are too many, expected at most 2^31 - 1 tokens of at most 2^24 elements");
    }
    const auto num_buffers = 2 * static_cast<std::size_t>(o.num_layers);
    if (layer_bytes() > std::numeric_limits<std::size_t>::max() / num_buffers) {
      throw error("paged_cache: " + std::to_string(o.num_layers) + " layers of " +
                  std::to_string(layer_bytes()) + " bytes are too many to count");
    }
    pages_ = device_buffer<std::byte>(num_buffers * layer_bytes());
    free_.resize(static_cast<std::size_t>(o.num_pages));
    std::iota(free_.rbegin(), free_.rend(), 0);  // page 0 is handed out first
  }

  paged_cache(const paged_cache&) = delete;
  paged_cache& operator=(const paged_cache&) = delete;

  [[nodiscard]] const paged_cache_options& options() const { return options_; }
  [[nodiscard]] int num_free_pages() const { return static_cast<int>(free_.size()); }
  /// The capacity of all pages together, in tokens.
  [[nodiscard]] std::int64_t capacity() const {
    return std::int64_t{options_.num_pages} * options_.page_size;
  }

  /// [num_pages, num_kv_heads, page_size, head_dim]. `T` must be the cache's type.
  template <class T>
  [[nodiscard]] tensor_view<T, 4> keys(int layer) {
    return pages<T>(2 * layer);
  }
  template <class T>
  [[nodiscard]] tensor_view<T, 4> values(int layer) {
    return pages<T>(2 * layer + 1);
  }

 private:
  friend class cached_sequence;

  static constexpr int max_row_elements =
      1 << 24;  // size of a token's keys: then a layer's bytes fit in 64 bits

  [[nodiscard]] std::size_t layer_bytes() const {
    return static_cast<std::size_t>(options_.num_pages) *
           static_cast<std::size_t>(options_.num_kv_heads) *
           static_cast<std::size_t>(options_.page_size) *
           static_cast<std::size_t>(options_.head_dim) *
           static_cast<std::size_t>(bytes_of(options_.type));
  }
  template <class T>
  [[nodiscard]] tensor_view<T, 4> pages(int buffer) {
    if (dtype_of<T> != options_.type)
      throw error(std::string("paged_cache: asked for pages of another type than ") +
                  name_of(options_.type));
    return make_view(
        reinterpret_cast<T*>(pages_.data() + static_cast<std::size_t>(buffer) * layer_bytes()),
        options_.num_pages, options_.num_kv_heads, options_.page_size, options_.head_dim);
  }

  paged_cache_options options_;
  device_buffer<std::byte> pages_;  // keys and values, layer by layer. A single allocation, so
                                    // that the host can use huge pages
  std::vector<int> free_;
};

/// The tokens of one sequence in a paged cache. Gives its pages back when it is destroyed.
/// Move-only.
class cached_sequence {
 public:
  /// @param max_length  maximum length of the sequence, in tokens
  cached_sequence(paged_cache& cache, int max_length) : cache_(&cache), max_length_(max_length) {}
  cached_sequence(cached_sequence&& other) noexcept
      : cache_(other.cache_),
        max_length_(other.max_length_),
        length_(std::exchange(other.length_, 0)),
        pages_(std::exchange(other.pages_, {})) {}
  cached_sequence& operator=(cached_sequence&& other) noexcept {
    std::swap(cache_, other.cache_);
    std::swap(max_length_, other.max_length_);
    std::swap(length_, other.length_);
    std::swap(pages_, other.pages_);
    return *this;
  }
  ~cached_sequence() { truncate(0); }

  [[nodiscard]] const paged_cache& cache() const { return *cache_; }
  [[nodiscard]] int length() const { return length_; }
  [[nodiscard]] int max_length() const { return max_length_; }
  [[nodiscard]] const std::vector<int>& pages() const { return pages_; }

  /// Makes room for `count` more tokens and adds them to the length.
  /// @throws error if the sequence would exceed its maximum length or the cache has no free page
  /// left; the sequence is then unchanged
  void grow(int count) {
    if (count < 0)
      throw error("cached_sequence: cannot grow by " + std::to_string(count) + " tokens");
    if (count > max_length_ - length_) {
      throw error("the context of " + std::to_string(max_length_) + " tokens is full: it holds " +
                  std::to_string(length_) + ", and " + std::to_string(count) + " more were given");
    }
    const std::size_t needed = pages_for(length_ + count);
    const std::size_t missing = needed > pages_.size() ? needed - pages_.size() : 0;
    if (missing > cache_->free_.size()) {
      throw error("the key-value cache has no page left: " + std::to_string(missing) +
                  " are needed, " + std::to_string(cache_->free_.size()) + " of " +
                  std::to_string(cache_->options_.num_pages) + " are free");
    }
    pages_.reserve(needed);  // may throw; nothing after it does
    for (std::size_t i = 0; i < missing; ++i) {
      pages_.push_back(cache_->free_.back());
      cache_->free_.pop_back();
    }
    length_ += count;
  }

  /// Drops the tokens from `length` on, and gives back the pages that become empty.
  void truncate(int length) {
    if (length >= length_) return;
    length_ = length < 0 ? 0 : length;
    while (pages_.size() > pages_for(length_)) {
      cache_->free_.push_back(pages_.back());  // does not allocate: it held this page before
      pages_.pop_back();
    }
  }

  /// The row of the cache that holds token `position`: page * page_size + row within the page.
  [[nodiscard]] int slot(int position) const {
    const int page_size = cache_->options_.page_size;
    return pages_[static_cast<std::size_t>(position / page_size)] * page_size +
           position % page_size;
  }

  /// Why logits are NaN, if a cache of f16 is the reason: the first layer with keys or values that
  /// are larger than f16 can hold, as a sentence. Empty if there is none, or if NaN came before it
  /// (from damaged weights, say). Copies the sequence's pages to the host and waits for them.
  [[nodiscard]] std::string overflow(stream_ref stream = {}) const {
    if (cache_->options_.type != dtype::f16) return {};
    for (int layer = 0; layer < cache_->options_.num_layers; ++layer) {
      const contents keys = contents_of(cache_->keys<half>(layer), stream),
                     values = contents_of(cache_->values<half>(layer), stream);
      if (keys.nan || values.nan) return {};
      if (keys.infinity || values.infinity) {
        return std::string("the key-value cache: some ") + (keys.infinity ? "keys" : "values") +
               " of layer " + std::to_string(layer) +
               " are larger than 65504, the largest number of its type f16";
      }
    }
    return {};
  }

 private:
  /// Whether some elements of the sequence's keys or values are no finite numbers.
  struct contents {
    bool infinity = false, nan = false;
  };
  [[nodiscard]] contents contents_of(const tensor_view<half, 4>& pages, stream_ref stream) const {
    const paged_cache_options& o = cache_->options_;
    std::vector<half> rows(static_cast<std::size_t>(o.num_kv_heads) *
                           static_cast<std::size_t>(o.page_size) *
                           static_cast<std::size_t>(o.head_dim));
    contents found;
    for (int first = 0; first < length_; first += o.page_size) {
      const half* page = slice(pages, pages_[static_cast<std::size_t>(first / o.page_size)]).data;
      platform_memory::download(rows.data(), page, rows.size() * sizeof(half), stream);
      stream.synchronize();
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto row = static_cast<int>(i / static_cast<std::size_t>(o.head_dim)) % o.page_size;
        if (first + row >= length_) continue;  // no token's: never written
        found.infinity = found.infinity || std::isinf(static_cast<float>(rows[i]));
        found.nan = found.nan || std::isnan(static_cast<float>(rows[i]));
      }
    }
    return found;
  }

  [[nodiscard]] std::size_t pages_for(int num_tokens) const {
    const auto page_size = static_cast<std::size_t>(cache_->options_.page_size);
    return (static_cast<std::size_t>(num_tokens) + page_size - 1) / page_size;
  }

  paged_cache* cache_;
  int max_length_;
  int length_ = 0;
  std::vector<int> pages_;
};

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
