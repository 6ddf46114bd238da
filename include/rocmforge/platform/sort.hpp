// Device-wide sorts by the bits of whole numbers: rocPRIM on AMD, CUB on NVIDIA, a counting sort on
// the host. Only headers that sort include this one, as the vendors' libraries take long to
// compile.
//
// Each platform defines the same names in `platform_sort`:
//
//   std::size_t keys_bytes<Key>(count, begin_bit, end_bit)
//   status sort_keys(op, workspace, keys_in, keys_out, count, begin_bit, end_bit, stream)
//   std::size_t pairs_bytes<Key, Value>(count, begin_bit, end_bit)
//   status sort_pairs(op, workspace, keys_in, keys_out, values_in, values_out, count, begin_bit,
//                     end_bit, stream)
//
// They sort `count` unsigned numbers in ascending order of the bits `begin_bit` to `end_bit` - 1.
// The sort is stable: keys that agree in these bits stay in their order. Inputs are only read, and
// must not overlap outputs. `workspace` has at least as many bytes as the first of each two says
// for the current device, and 16-byte alignment. Everything runs on `stream` without
// synchronization or allocation, and can be captured into a graph. The vendors' libraries ask the
// runtime for its last error; where an earlier call of the program has left one, the sort is
// refused with it.
//
// A sort of segments puts the number of the segment into the upper bits of the key. (The vendors
// have sorts of segments as well, but give a segment to one block, and rocPRIM's waits for the
// stream.)
//
// Beside them there are what users of the sorts tune: `elements_per_sort`, above which nothing is
// gained from more rows in one sort, and `min_top_k`, the smallest k for which `top_k` sorts.
#pragma once

#include "rocmforge/platform/platform.hpp"

#if defined(ROCMFORGE_PLATFORM_AMD)
#include "rocmforge/platform/gpu/amd_sort.hpp"
#elif defined(ROCMFORGE_PLATFORM_NVIDIA)
#include "rocmforge/platform/gpu/nvidia_sort.hpp"
#else
#include "rocmforge/platform/host/sort.hpp"
#endif
