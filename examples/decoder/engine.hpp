// What the decoder asks of a device. platform_engine.hpp implements it, compiled once for the host
// and once for the card, so that one program can hold the kernels of both.
#pragma once

#include <functional>
#include <memory>
#include <rocmforge/gguf.hpp>
#include <rocmforge/platform/types.hpp>
#include <span>
#include <string>
#include <vector>

namespace decoder {

enum class cache_type { f32, f16, bf16 };
enum class logits_of { last, all };

struct engine_options {
  int device = 0;       // index within the platform
  std::string card;     // what to call the device; empty on the host
  int num_threads = 0;  // host only; 0: all
  int context = 0;      // tokens the cache must hold; 0: the smaller of the file's context and 4096
  cache_type cache = cache_type::f32;
};

/// A loaded model with one sequence: its weights and its key-value cache on one device.
class engine {
 public:
  virtual ~engine() = default;
  /// The card that computes, as the options call it; empty on the host.
  [[nodiscard]] virtual std::string card() const = 0;
  [[nodiscard]] virtual int vocab_size() const = 0;
  /// Tokens that the cache can hold.
  [[nodiscard]] virtual int context() const = 0;
  /// Tokens that the cache holds now.
  [[nodiscard]] virtual int length() const = 0;
  /// Forgets all tokens from `length` on.
  virtual void truncate(int length) = 0;
  /// Appends `tokens` (at least one) and copies logits to the host: of the last token (vocab_size
  /// floats), or of each (tokens.size() rows). Throws rocmforge::error when the context is full, a
  /// token is out of range, or logits are NaN because keys or values exceed the cache's type.
  virtual void append(std::span<const int> tokens, logits_of which, std::span<float> logits) = 0;
};

/// Called with the fraction of the weights that is loaded, 0 to 1.
using progress = std::function<void(double)>;

/// What one compilation of platform_engine.hpp gives. (Nothing here needs fmt, which nvcc refuses.)
struct platform {
  const char* name;  // "host", "amd", "nvidia"
  std::vector<rocmforge::device_properties> (*devices)();
  std::unique_ptr<engine> (*make_engine)(const rocmforge::gguf::file& file,
                                         const engine_options& options,
                                         const progress& on_progress);
};

platform host_platform();
platform card_platform();  // with DECODER_HAS_CARD alone

}  // namespace decoder
