#pragma once

#include <string_view>
#include <torch/types.h>

#include <c10/util/Exception.h>

namespace espalier {

/// What differs between libtorch 1.13 and 2.x is asked for here, and nowhere else.

/// True if libtorch ran out of memory. 1.13 has no class of its own for it on the CPU, 2.x throws
/// c10::OutOfMemoryError there; the allocator's sentence is the same in both.
inline bool is_out_of_memory(const c10::Error& error) {
    return std::string_view(error.what_without_backtrace()).find("llocat") !=
           std::string_view::npos;
}

}  // namespace espalier
