#include "model/model_report.h"

#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/utf8.h"
#include "formats/gguf_set.h"
#include "formats/safetensors_reader.h"
#include "model/gguf_model.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

ModelReport report_on_tensors(std::span<const NamedTensor> tensors) {
    ModelReport report;
    for (const auto& [name, view] : tensors) {
        const std::string type(info(view.dtype).name);
        report.tensors.push_back({name, type, view.shape, view.bytes.size()});
        report.bytes += view.bytes.size();
        report.bytes_by_type[type] += view.bytes.size();
        report.total_parameters += num_elements(view.shape).value_or(0);
    }
    return report;
}

std::optional<std::int64_t> integer_if_there(const GgufMetadata& keys, const std::string& key) {
    const GgufValue* value = keys.find(key);
    if (!value || std::holds_alternative<GgufArray>(*value)) return std::nullopt;
    return keys.integer(key);
}

/// Elements of the stacks of experts, by the name that all architectures give them.
std::uint64_t expert_parameters(std::span<const NamedTensor> tensors) {
    std::uint64_t count = 0;
    for (const auto& [name, view] : tensors) {
        if (name.find("_exps.") != std::string::npos) count += num_elements(view.shape).value_or(0);
    }
    return count;
}

/// The keys that all architectures share, for one that Espalier cannot run.
ModelReport report_on_keys(const GgufSet& files) {
    ModelReport report = report_on_tensors(files.tensors());
    const GgufMetadata& keys = files.metadata();
    const std::string architecture = keys.text_or("general.architecture", "");
    if (architecture.empty()) return report;
    report.family = replace_invalid_utf8(architecture);
    report.layers = integer_if_there(keys, architecture + ".block_count");
    report.hidden_size = integer_if_there(keys, architecture + ".embedding_length");
    report.experts = integer_if_there(keys, architecture + ".expert_count");
    report.experts_per_token = integer_if_there(keys, architecture + ".expert_used_count");
    report.shared_experts = integer_if_there(keys, architecture + ".expert_shared_count");
    report.context_length = integer_if_there(keys, architecture + ".context_length");
    const std::int64_t experts = report.experts.value_or(0);
    const std::int64_t used = report.experts_per_token.value_or(0);
    if (experts > 0 && used > 0 && used <= experts) {
        const std::uint64_t routed = expert_parameters(files.tensors());
        const std::uint64_t idle = routed / static_cast<std::uint64_t>(experts) *
                                   static_cast<std::uint64_t>(experts - used);
        report.active_parameters = report.total_parameters - idle;
    }
    return report;
}

ModelReport report_on_gguf(const fs::path& path) {
    const GgufSet files(path);  // a damaged file is an error, whatever it holds
    try {
        return report_on(GgufModel(path));
    } catch (const Error& error) {
        ModelReport report = report_on_keys(files);
        report.problem = error.what();
        return report;
    }
}

/// A gated one is one, whatever its width; without a gate several lie side by side.
std::int64_t num_shared_experts(const MoeConfig& config) {
    const SharedExpertConfig& shared = config.shared_expert;
    if (shared.width == 0 || shared.has_gate) return shared.width == 0 ? 0 : 1;
    return shared.width / config.moe_intermediate_size;
}

void add_native(ModelReport& report, const MoeConfig& config) {
    for (const LayerConfig& layer : config.layers) {
        report.experts_by_layer.push_back(layer.num_experts);
        report.constants += static_cast<std::int64_t>(layer.constants.size());
    }
}

template <typename T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

}  // namespace

ModelReport report_on(const ModelSource& model) {
    const MoeConfig& config = model.config();
    const ParameterCounts counts = count_parameters(config);
    ModelReport report = report_on_tensors(model.stored_tensors());
    report.family = config.family;
    report.layers = config.num_layers();
    report.hidden_size = config.hidden_size;
    report.experts = config.router.num_experts;
    if (config.is_native()) add_native(report, config);
    report.experts_per_token = config.router.top_k;
    report.shared_experts = num_shared_experts(config);
    report.extra_tensors = model.extra_tensors();
    report.context_length = config.context_length;
    report.total_parameters = counts.total;
    report.active_parameters = counts.active;
    return report;
}

ModelReport report_on(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) {
        if (path.extension() == ".safetensors") {
            return report_on_tensors(SafetensorsFile(path).tensors());
        }
        if (path.extension() == ".gguf") return report_on_gguf(path);
    }
    return report_on(*ModelSource::open(path));
}

Json to_json(const ModelReport& report) {
    Json types = Json::object();
    for (const auto& [type, bytes] : report.bytes_by_type) types[type] = bytes;
    Json tensors = Json::array();
    for (const auto& tensor : report.tensors) {
        tensors.push_back({{"name", tensor.name},
                           {"shape", tensor.shape},
                           {"type", tensor.type},
                           {"bytes", tensor.bytes}});
    }
    Json json{{"family", report.family.empty() ? Json() : Json(report.family)},
              {"layers", or_null(report.layers)},
              {"hidden_size", or_null(report.hidden_size)},
              {"experts", or_null(report.experts)},
              {"experts_per_token", or_null(report.experts_per_token)},
              {"shared_experts", or_null(report.shared_experts)},
              {"parameters",
               {{"total", report.total_parameters}, {"active", or_null(report.active_parameters)}}},
              {"bytes", report.bytes},
              {"types", std::move(types)},
              {"context_length", or_null(report.context_length)},
              {"tensors", std::move(tensors)},
              {"extra_tensors", report.extra_tensors}};
    if (!report.experts_by_layer.empty()) {
        json["native"] = {{"experts_by_layer", report.experts_by_layer},
                          {"constants", report.constants}};
    }
    if (!report.problem.empty()) json["problem"] = replace_invalid_utf8(report.problem);
    return json;
}

}  // namespace espalier
