#include "nn/torch_errors.h"

#include <fmt/format.h>
#include <string>

#include "base/error.h"
#include "nn/torch_compat.h"

namespace espalier {

void throw_out_of_memory() {
    throw Error(ErrorCode::MemoryExceeded, "There is not enough memory for this step.",
                "Use a smaller batch (a shorter context, fewer threads), set --memory-budget, or "
                "close other programs.");
}

void throw_as_error(const c10::Error& error) {
    if (is_out_of_memory(error)) throw_out_of_memory();
    const std::string text = error.what_without_backtrace();
    throw Error(ErrorCode::RunStage,
                fmt::format("The learning library refused a computation: {}",
                            text.substr(0, text.find('\n'))),
                "If the model is sound, report this with the model's config.json.");
}

}  // namespace espalier
