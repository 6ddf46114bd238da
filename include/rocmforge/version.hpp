// The library's version, for the preprocessor and for logs.
#pragma once

#define ROCMFORGE_VERSION_MAJOR 0
#define ROCMFORGE_VERSION_MINOR 1
#define ROCMFORGE_VERSION_PATCH 0
/// 10000 * major + 100 * minor + patch
#define ROCMFORGE_VERSION 100
#define ROCMFORGE_VERSION_STRING "0.1.0"
