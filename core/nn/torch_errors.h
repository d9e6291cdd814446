#pragma once

#include <new>
#include <utility>

#include <c10/util/Exception.h>

namespace espalier {

/// @throws Error MemoryExceeded or RunStage
[[noreturn]] void throw_as_error(const c10::Error& error);
/// @throws Error MemoryExceeded
[[noreturn]] void throw_out_of_memory();

/// Runs `work`; what libtorch throws comes out as an Error that a person can act on.
template <typename Work>
decltype(auto) with_torch_errors(Work&& work) {
    try {
        return std::forward<Work>(work)();
    } catch (const c10::Error& error) {
        throw_as_error(error);
    } catch (const std::bad_alloc&) {
        throw_out_of_memory();
    }
}

}  // namespace espalier
