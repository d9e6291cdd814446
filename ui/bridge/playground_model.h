#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "infer/generator.h"
#include "infer/native_model.h"
#include "model/model_source.h"
#include "tokenizer/tokenizer.h"
#include "ui/bridge/playground_types.h"

namespace espalier::ui {

/// A model ready to talk: mapped weights, tokenizer, template and engine. Lives on one worker
/// thread.
class PlaygroundModel {
public:
    /// @throws Error
    explicit PlaygroundModel(const std::filesystem::path& path);

    GenerationResult answer(const PlaygroundRequest& request,
                            const std::function<void(std::string_view piece)>& onText,
                            std::stop_token stop);

private:
    std::vector<TokenId> promptIds(const PlaygroundRequest& request) const;

    std::unique_ptr<ModelSource> m_source;
    TokenizerFiles m_files;
    Tokenizer m_tokenizer;
    ThreadPool m_pool;
    NativeModel m_model;
    Generator m_generator;
};

}  // namespace espalier::ui
