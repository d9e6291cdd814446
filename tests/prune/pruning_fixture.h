#pragma once

#include <QTemporaryDir>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/model_source.h"
#include "prune/expert_plan.h"
#include "prune/write_pruned.h"

/// What the tests of writing share: golden models, plans by hand, and a folder that cleans itself
/// up.
namespace pruning {

inline std::filesystem::path golden(const std::string& name) {
    return std::filesystem::path(ESPALIER_TEST_DATA) / name;
}

class Folder {
public:
    std::filesystem::path path(const std::string& name) const {
        return std::filesystem::path(folder_.path().toStdString()) / name;
    }
    /// Names in the folder, sorted.
    std::vector<std::string> names() const {
        std::vector<std::string> result;
        for (const auto& entry :
             std::filesystem::directory_iterator(folder_.path().toStdString())) {
            result.push_back(entry.path().filename().string());
        }
        return result;
    }

private:
    QTemporaryDir folder_;
};

/// Keeps `count` experts of every routed layer, different ones in each: the layer's index + 1 and
/// every second one after it.
inline espalier::ExpertPlan plan_keeping(const espalier::ModelSource& model, std::int64_t count) {
    espalier::ExpertPlan plan;
    const std::int64_t experts = model.config().router.num_experts;
    for (const std::int64_t layer : model.config().moe_layers()) {
        std::vector<std::int32_t>& kept = plan.layers[layer].kept;
        std::vector<bool> chosen(static_cast<std::size_t>(experts), false);
        std::int64_t at = layer + 1;
        for (std::int64_t i = 0; i < count; ++i, at += 2) {
            while (chosen[static_cast<std::size_t>(at % experts)]) ++at;
            chosen[static_cast<std::size_t>(at % experts)] = true;
        }
        for (std::int32_t e = 0; e < static_cast<std::int32_t>(experts); ++e) {
            if (chosen[static_cast<std::size_t>(e)]) kept.push_back(e);
        }
    }
    return plan;
}

inline espalier::PruneReport prune(const espalier::ModelSource& model,
                                   const espalier::ExpertPlan& plan,
                                   const std::filesystem::path& out) {
    return espalier::write_pruned({model, plan, out, {{"stage", "prune"}}});
}

inline std::map<std::string, std::vector<std::byte>> tensor_bytes(
    const espalier::ModelSource& model) {
    std::map<std::string, std::vector<std::byte>> result;
    for (const auto& tensor : model.stored_tensors()) {
        result[tensor.name].assign(tensor.view.bytes.begin(), tensor.view.bytes.end());
    }
    return result;
}

}  // namespace pruning
