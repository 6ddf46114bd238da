// The interface of the decoder to a device. platform_engine.hpp implements it. It is compiled once
// for the host and once for the card, so that one program contains the kernels of both.
#pragma once

#include <functional>
#include <memory>
#include <rocmforge/gguf.hpp>
#include <rocmforge/platform/types.hpp>
#include <rocmforge/sampling.hpp>
#include <span>
#include <string>
#include <vector>

namespace decoder {

enum class cache_type { f32, f16, bf16 };

struct engine_options {
  int device = 0;       // index within the platform
  std::string card;     // name of the card, for the speed line; empty on the host
  int num_threads = 0;  // host only; 0: all
  int context = 0;      // tokens of the cache; 0: the smaller of the file's context and 4096
  cache_type cache = cache_type::f32;
};

/// How to choose a token from a row of logits.
struct token_choice {
  rocmforge::sampling_options sampling = {};
  std::span<const int> suppressed = {};  // ids that are never chosen
  float repeat_penalty = 1.0f;
  std::span<const int> repeated = {};  // the ids that the penalty applies to, each once
  rocmforge::draw_counter counter = {};
  int num_choices = 0;  // only the ids below this one: an embedding may be padded
};

/// A loaded model with one sequence: weights and key-value cache on one device.
class engine {
 public:
  virtual ~engine() = default;
  /// The name of the card, from the options; empty on the host.
  [[nodiscard]] virtual std::string card() const = 0;
  [[nodiscard]] virtual int vocab_size() const = 0;
  /// The capacity of the cache, in tokens.
  [[nodiscard]] virtual int context() const = 0;
  /// The number of tokens in the cache.
  [[nodiscard]] virtual int length() const = 0;
  /// Drops all tokens from `length` on.
  virtual void truncate(int length) = 0;
  /// Appends `tokens` (at least one). The logits after the last of them stay on the device. Throws
  /// rocmforge::error when the context is full or a token is out of range.
  virtual void append(std::span<const int> tokens) = 0;
  /// The same, and copies the logits after each token to the host.
  /// @param logits  [tokens.size(), vocab_size]
  virtual void append(std::span<const int> tokens, std::span<float> logits) = 0;
  /// Copies the first `logits.size()` logits after the last token to the host, before `choose`.
  virtual void read_logits(std::span<float> logits) = 0;
  /// Chooses a token from the logits after the last token, once after each append: they
  /// are changed in place.
  /// @return the token; -1 if all logits are NaN or -infinity. Throws rocmforge::error where they
  /// are NaN because keys or values exceed the cache's type.
  virtual int choose(const token_choice& choice) = 0;
};

/// Called with the fraction of the weights that are loaded, 0 to 1.
using progress = std::function<void(double)>;

/// The functions of one compilation of platform_engine.hpp. (No fmt here: nvcc cannot compile it.)
struct platform {
  const char* name;  // "host", "amd", "nvidia"
  std::vector<rocmforge::device_properties> (*devices)();
  std::unique_ptr<engine> (*make_engine)(const rocmforge::gguf::file& file,
                                         const engine_options& options,
                                         const progress& on_progress);
};

platform host_platform();
platform card_platform();  // only with DECODER_HAS_CARD

}  // namespace decoder
