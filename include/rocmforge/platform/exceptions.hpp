// Included by headers whose functions report by exceptions: files, models, and what owns memory.
// Launchers, views and stream_ref work without.
#pragma once

#include "rocmforge/platform/standard.hpp"

#if !defined(__cpp_exceptions)
#error "this header of rocmforge reports by exceptions, which -fno-exceptions turns off"
#include "rocmforge/see_the_error_above"
#endif
