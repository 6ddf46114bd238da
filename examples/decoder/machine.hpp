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

/// @param name  as in the list; empty: the first
/// @return the device's index
/// @throws rocmforge::error that lists the devices if none has this name
int find_device(const std::string& name);

/// Loads the model onto `device`, with a progress bar on a terminal if that takes long.
std::unique_ptr<engine> load_model(const rocmforge::gguf::file& file, const options& o, int device);

}  // namespace decoder
