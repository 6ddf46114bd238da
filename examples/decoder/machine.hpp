// The devices that the program can use, and loading a model onto one.
#pragma once

#include <memory>
#include <rocmforge/gguf.hpp>
#include <string>
#include <vector>

#include "engine.hpp"
#include "options.hpp"

namespace decoder {

/// One line per device: name and details.
std::string device_list();

/// A device that the program can compute on.
struct machine_device {
  platform on;
  int index;            // within the platform
  std::string name;     // what --device takes: "host", "amd:0"
  std::string details;  // for messages
};

/// Finds a device by its name.
/// @param name  as in the list, or "amd" for "amd:0"; empty: the first, a card if there is any
/// @throws rocmforge::error with a list of the devices if none has this name
machine_device find_device(const std::string& name);

/// Loads the model onto `device`. Shows a progress bar on a terminal if that takes long.
std::unique_ptr<engine> load_model(const rocmforge::gguf::file& file, const options& o,
                                   const machine_device& device);

}  // namespace decoder
