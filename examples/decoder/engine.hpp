// What the decoder asks of a device. One translation unit per platform implements it (engine.cpp),
// so that one program can hold its card's kernels and the host's.
#pragma once

#include <functional>
#include <memory>
#include <rocmforge/gguf.hpp>
#include <span>
#include <string>
#include <vector>

namespace decoder {

enum class cache_type { f32, f16, bf16 };
enum class logits_of { last, all };

struct engine_options {
  int device = 0;       // index within the platform
  int num_threads = 0;  // host only; 0: all
  int context = 0;      // tokens the cache must hold; 0: the smaller of the file's context and 4096
  cache_type cache = cache_type::f32;
};

/// A loaded model with one sequence: its weights and its key-value cache on one device.
class engine {
 public:
  virtual ~engine() = default;
  [[nodiscard]] virtual int vocab_size() const = 0;
  /// Tokens that the cache can hold.
  [[nodiscard]] virtual int context() const = 0;
  /// Tokens that the cache holds now.
  [[nodiscard]] virtual int length() const = 0;
  /// Forgets all tokens from `length` on.
  virtual void truncate(int length) = 0;
  /// Appends `tokens` (at least one) and copies logits to the host: of the last token (vocab_size
  /// floats), or of each (tokens.size() rows). Throws rocmforge::error when the context is full or
  /// a token is out of range.
  virtual void append(std::span<const int> tokens, logits_of which, std::span<float> logits) = 0;
};

struct device_description {
  std::string name;     // what --device takes: "host", "amd:0"
  std::string details;  // for people
};

/// Called with the fraction of the weights that is loaded, 0 to 1.
using progress = std::function<void(double)>;

std::vector<device_description> host_devices();
std::unique_ptr<engine> make_host_engine(const rocmforge::gguf::file& file,
                                         const engine_options& options,
                                         const progress& on_progress);

}  // namespace decoder
