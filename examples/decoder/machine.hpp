// The devices that the program knows, and loading a model onto one.
#pragma once

#include <memory>
#include <rocmforge/gguf.hpp>
#include <string>
#include <vector>

#include "engine.hpp"
#include "options.hpp"

namespace decoder {

/// One line a device: its name and what it is.
std::string device_list();

/// A device that the program can compute on.
struct machine_device {
  platform on;
  int index;            // within the platform
  std::string name;     // what --device takes: "host", "amd:0"
  std::string details;  // for people
};

/// @param name  as in the list, or "amd" for "amd:0"; empty: the first, which is a card if there is
/// one
/// @throws rocmforge::error that lists the devices if none has this name
machine_device find_device(const std::string& name);

/// Loads the model onto `device`, with a progress bar on a terminal if that takes long.
std::unique_ptr<engine> load_model(const rocmforge::gguf::file& file, const options& o,
                                   const machine_device& device);

}  // namespace decoder
