#include "app/cli/find_model.h"

#include <fmt/format.h>

#include "base/error.h"
#include "prune/expert_plan.h"
#include "store/library.h"

namespace espalier::cli {
namespace fs = std::filesystem;

fs::path model_path(const std::string& model) {
    std::error_code ignored;  // a path that cannot be looked at does not exist for us
    if (fs::exists(model, ignored)) return model;
    if (fs::exists(library_path(), ignored)) {
        if (const auto record = Library(library_path()).find_model(model)) return record->path;
    }
    throw Error(
        ErrorCode::FileMissing,
        fmt::format("{} is neither a file, nor a folder, nor a name in the library.", model),
        "Check the path, or list the library with `espalier-cli models list`.");
}

std::unique_ptr<ModelSource> open_model(const std::string& model) {
    return ModelSource::open(model_path(model));
}

Tokenizer tokenizer_of(const ModelSource& model) {
    const auto files = model.tokenizer_files();
    if (!files) {
        throw Error(ErrorCode::FileMissing,
                    fmt::format("{} has no tokenizer.", model.path().string()),
                    "Put its tokenizer.json beside config.json.");
    }
    return Tokenizer(files->tokenizer, (model.path() / "tokenizer.json").string());
}

ExpertMask mask_of(const std::string& plan_file, const MoeConfig& config) {
    if (plan_file.empty()) return {};
    return load_expert_plan(plan_file).mask(config);
}

}  // namespace espalier::cli
