#include "ui/bridge/model_entry.h"

#include <algorithm>
#include <array>

#include "formats/hub_folder.h"
#include "infer/memory_need.h"
#include "model/model_report.h"
#include "routing/provenance.h"
#include "ui/bridge/failure.h"

namespace espalier::ui {
namespace {

constexpr std::int64_t fewestExperts = 2;

void takeReport(ModelFacts& facts, const ModelReport& report) {
    facts.family = QString::fromStdString(report.family);
    facts.layers = report.layers.value_or(0);
    facts.hiddenSize = report.hidden_size.value_or(0);
    facts.experts = report.experts.value_or(0);
    facts.topK = report.experts_per_token.value_or(0);
    facts.sharedExperts = report.shared_experts.value_or(0);
    facts.contextLength = report.context_length.value_or(0);
    facts.parameters = report.total_parameters;
    facts.activeParameters = report.active_parameters.value_or(report.total_parameters);
    facts.tensorBytes = report.bytes;
    for (const auto& [type, bytes] : report.bytes_by_type)
        facts.types.emplace_back(QString::fromStdString(type), bytes);
    std::sort(facts.types.begin(), facts.types.end(),
              [](const auto& a, const auto& b) { return a.second > b.second; });
}

bool hasPast(const ModelSource& model) {
    if (const GgufFile* file = model.gguf_file())
        return file->metadata().find("espalier.version") != nullptr;
    std::error_code ignored;
    return std::filesystem::is_regular_file(model.path() / kProvenanceFile, ignored);
}

/// Only of a model that tells its past: asking another one would hash it.
void takePast(ModelFacts& facts, const ModelSource& model) {
    if (!hasPast(model)) return;
    const Provenance past = provenance_of(model);
    if (past.lineage.empty()) return;
    facts.baseName = QString::fromStdString(past.base_name);
    facts.baseHash = QString::fromStdString(past.base_hash);
    for (const Json& step : past.lineage) {
        const auto stage = step.is_object() ? step.find("stage") : step.end();
        if (step.is_object() && stage != step.end() && stage->is_string())
            facts.stages.append(QString::fromStdString(stage->get<std::string>()));
    }
}

ModelFacts factsOf(const ModelSource& model) {
    ModelFacts facts;
    takeReport(facts, report_on(model));
    facts.routedLayers = static_cast<std::int64_t>(model.config().moe_layers().size());
    const MemoryNeed need = memory_need(model.config());
    facts.cachePerToken = need.cache_per_token;
    facts.cacheFixed = need.cache_fixed;
    facts.bufferBytes = need.buffers;
    takePast(facts, model);
    return facts;
}

/// Of the first of the keys that is there, also inside `text_config` of models that see.
std::int64_t integerIn(const Json& config, std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
        const auto found = config.find(key);
        if (found != config.end() && found->is_number_integer()) return found->get<std::int64_t>();
    }
    const auto inner = config.find("text_config");
    return inner != config.end() && inner->is_object() ? integerIn(*inner, keys) : 0;
}

/// A hub folder of a family that Espalier does not know: what its config and headers say plainly.
ModelFacts factsOfStranger(const std::filesystem::path& path) {
    const HubFolder folder(path);
    const Json& config = folder.config();
    ModelFacts facts;
    const auto type = config.find("model_type");
    if (type != config.end() && type->is_string())
        facts.family = QString::fromStdString(type->get<std::string>());
    facts.layers = integerIn(config, {"num_hidden_layers", "n_layer", "num_layers"});
    facts.hiddenSize = integerIn(config, {"hidden_size", "d_model", "n_embd"});
    facts.experts = integerIn(config, {"num_experts", "num_local_experts", "n_routed_experts",
                                       "moe_num_experts", "num_moe_experts"});
    facts.topK = integerIn(config, {"num_experts_per_tok", "moe_topk", "moe_k", "top_k_experts"});
    facts.contextLength = integerIn(config, {"max_position_embeddings", "n_positions"});
    std::map<QString, std::uint64_t> types;
    for (const NamedTensor& tensor : folder.tensors()) {
        facts.parameters += num_elements(tensor.view.shape).value_or(0);
        facts.tensorBytes += tensor.view.bytes.size();
        types[QString::fromUtf8(info(tensor.view.dtype).name.data(),
                                static_cast<qsizetype>(info(tensor.view.dtype).name.size()))] +=
            tensor.view.bytes.size();
    }
    facts.activeParameters = facts.parameters;
    facts.types.assign(types.begin(), types.end());
    return facts;
}

ModelFacts factsOfClosed(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return factsOfStranger(path);
    ModelFacts facts;
    takeReport(facts, report_on(path));
    return facts;
}

}  // namespace

bool ModelEntry::isGguf() const {
    return path.endsWith(QLatin1String(".gguf"), Qt::CaseInsensitive);
}

Obstacle ModelEntry::obstacle() const {
    if (gap != ModelGap::None) return Obstacle::Incomplete;
    if (!facts) return Obstacle::NotRead;
    const QString& code = facts->problemCode;
    if (code == QLatin1String("E-FILE-05")) return Obstacle::UnknownType;
    if (!code.isEmpty() && !code.startsWith(QLatin1String("E-ARCH"))) return Obstacle::Damaged;
    if (facts->experts < fewestExperts) return Obstacle::NoExperts;
    return code.isEmpty() ? Obstacle::None : Obstacle::UnknownFamily;
}

bool ModelEntry::canPlay() const {
    return gap == ModelGap::None && facts && facts->problem.isEmpty();
}

ModelFacts readModelFacts(const std::filesystem::path& path) {
    Failure failure;
    try {
        return factsOf(*ModelSource::open(path));
    } catch (const std::exception&) {  // one bad file must not keep the others from being read
        failure = failureOf(std::current_exception());
    }
    ModelFacts facts;
    try {
        facts = factsOfClosed(path);
    } catch (const std::exception&) {
        facts = {};  // the first failure says it already
    }
    facts.problem = failure.hint.isEmpty()
                        ? failure.message
                        : QStringLiteral("%1 %2").arg(failure.message, failure.hint);
    facts.problemCode = failure.code;
    return facts;
}

}  // namespace espalier::ui
