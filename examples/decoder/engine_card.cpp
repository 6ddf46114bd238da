// The engine on a card of the platform that the program is built for: amd or nvidia.
#include "platform_engine.hpp"

namespace decoder {
namespace {

std::unique_ptr<engine> make_engine(const gguf::file& file, const engine_options& options,
                                    const progress& on_progress) {
  set_device(options.device);
  return std::make_unique<platform_engine>(file, options, on_progress);
}

}  // namespace

platform card_platform() {
  const auto list = [] { return std::vector(devices().begin(), devices().end()); };
  return {platform_name, list, make_engine};
}

}  // namespace decoder
