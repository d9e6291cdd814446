#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/thread_pool.h"
#include "model/model_source.h"
#include "quant/write_gguf.h"

namespace espalier::test {

/// What llama.cpp calls the model's kind; nothing if it could not run it.
inline std::optional<std::string> gguf_architecture(const ModelSource& model) {
    try {
        const auto keys = gguf_metadata(model, plan_quantization(model.config(), "f32"));
        return keys.text("general.architecture");
    } catch (const Error& error) {
        if (error.code() != ErrorCode::GgufInexpressible) throw;
        return std::nullopt;
    }
}

/// In float32: nothing is lost.
inline void write_as_gguf(const ModelSource& model, const std::filesystem::path& file) {
    const QuantPlan plan = plan_quantization(model.config(), "f32");
    ThreadPool pool(1);
    write_gguf({model, plan, nullptr, file, pool, {}, {}});
}

}  // namespace espalier::test
