// The language that the headers are written in. Whatever it may be compiled as, a source gets one
// error here and none after it.
#pragma once

#if __cplusplus < 202002L
#error "rocmforge needs C++20: -std=c++20"
#include "rocmforge/see_the_error_above"
#endif
