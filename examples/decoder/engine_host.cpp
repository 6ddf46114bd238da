// The engine on the host's processor, which is part of every decoder.
#include "platform_engine.hpp"

namespace decoder {
namespace {

std::unique_ptr<engine> make_engine(const gguf::file& file, const engine_options& options,
                                    const progress& on_progress) {
  if (options.num_threads > 0) set_num_threads(options.num_threads);
  return std::make_unique<platform_engine>(file, options, on_progress);
}

}  // namespace

platform host_platform() {
  const auto list = [] { return std::vector(devices().begin(), devices().end()); };
  return {platform_name, list, make_engine};
}

}  // namespace decoder
