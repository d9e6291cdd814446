#pragma once

#include <string_view>
#include <torch/types.h>

#include <c10/util/Exception.h>

namespace espalier {

/// What differs between libtorch 1.13 and 2.x is asked for here, and nowhere else.

/// True if libtorch ran out of memory. 1.13 has no class of its own for it on the CPU, 2.x throws
/// c10::OutOfMemoryError there; the allocator's sentence is the same in both.
inline bool is_out_of_memory(const c10::Error& error) {
    const std::string_view text = error.what_without_backtrace();
    return text.find("DefaultCPUAllocator") != std::string_view::npos;
}

}  // namespace espalier
