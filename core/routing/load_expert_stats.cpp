#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <set>
#include <span>

#include "base/error.h"
#include "base/file_hash.h"
#include "formats/safetensors_reader.h"
#include "routing/expert_stats.h"
#include "routing/expert_stats_fields.h"
#include "routing/expert_stats_file.h"

namespace espalier {
namespace {

constexpr std::int64_t kMaxExperts = 65'536;
constexpr std::int64_t kMaxLayers = 65'536;
/// Counts stay exact as doubles, and sums of many shards inside 64 bits.
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 53;

/// A statistics file being read: every complaint names it.
class StatsReader {
public:
    explicit StatsReader(const std::filesystem::path& path) : path_(path), file_(path) {}

    Error malformed(const std::string& what) const {
        return Error(ErrorCode::FileMalformed, fmt::format("{}: {}", path_.string(), what),
                     "Calibrate again, or use the file that calibration wrote.");
    }

    Json about(std::string_view kind) const {
        const auto found = file_.metadata().find("espalier");
        if (found == file_.metadata().end()) {
            throw malformed("it is no statistics file of Espalier (no metadata \"espalier\").");
        }
        Json json = parse_json(found->second, path_.string() + " (metadata)");
        if (!json.is_object() || member(json, "kind") != kind) {
            throw malformed(fmt::format("its metadata does not say that it is \"{}\".", kind));
        }
        if (member(json, "version") != kExpertStatsVersion) {
            throw Error(
                ErrorCode::FileUnsupported,
                fmt::format("{}: version {} of statistics files is not known, {} is.",
                            path_.string(), member(json, "version").dump(), kExpertStatsVersion),
                "Calibrate again with this version of Espalier.");
        }
        return json;
    }

    template <typename T>
    T field(const Json& json, const char* name) const {
        try {
            return json.at(name).get<T>();
        } catch (const Json::exception&) {
            throw malformed(fmt::format(
                "the field \"{}\" of its metadata is missing or of the wrong kind.", name));
        }
    }

    bool has(const std::string& name) const { return file_.find(name) != nullptr; }

    const TensorView& tensor(const std::string& name, DType dtype, const Shape& shape) const {
        const TensorView* view = file_.find(name);
        if (view == nullptr) throw malformed(fmt::format("the tensor {} is missing.", name));
        if (view->dtype != dtype || view->shape != shape) {
            throw malformed(fmt::format("the tensor {} is {} {}, {} {} was expected.", name,
                                        info(view->dtype).name, shape_text(view->shape),
                                        info(dtype).name, shape_text(shape)));
        }
        return *view;
    }

    std::vector<std::int64_t> counts(const std::string& name, const Shape& shape,
                                     std::int64_t largest) const {
        auto values = copy<std::int64_t>(tensor(name, DType::I64, shape));
        for (const std::int64_t value : values) {
            if (value < 0 || value > largest) {
                throw malformed(fmt::format("{} holds the count {}, 0 to {} is possible.", name,
                                            value, largest));
            }
        }
        return values;
    }

    std::vector<double> sums(const std::string& name, const Shape& shape) const {
        auto values = copy<double>(tensor(name, DType::F64, shape));
        require_finite(name, values);
        return values;
    }

    /// Any [rows, columns] (of any number of rows if `rows` is negative, or [columns] where it is
    /// 0) of F32, as double.
    std::vector<double> long_vector(const std::string& name, std::int64_t rows) const {
        const TensorView* view = file_.find(name);
        if (view == nullptr) return {};
        const std::size_t dims = rows != 0 ? 2 : 1;
        if (view->dtype != DType::F32 || view->shape.size() != dims ||
            (rows > 0 && view->shape[0] != rows)) {
            throw malformed(
                fmt::format("the tensor {} is {} {}, F32 was expected{}.", name,
                            info(view->dtype).name, shape_text(view->shape),
                            rows > 0 ? fmt::format(", a row for each of {} experts", rows) : ""));
        }
        const auto floats = copy<float>(*view);
        std::vector<double> values(floats.begin(), floats.end());
        require_finite(name, values);
        return values;
    }

private:
    static Json member(const Json& json, const char* name) {
        const auto found = json.find(name);
        return found == json.end() ? Json() : *found;
    }
    template <typename T>
    static std::vector<T> copy(const TensorView& view) {
        std::vector<T> values(view.bytes.size() / sizeof(T));
        if (!values.empty())
            std::memcpy(values.data(), view.bytes.data(), values.size() * sizeof(T));
        return values;
    }
    void require_finite(const std::string& name, const std::vector<double>& values) const {
        if (!std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); })) {
            throw malformed(fmt::format("{} holds a value that is not finite.", name));
        }
    }

    std::filesystem::path path_;
    SafetensorsFile file_;
};

template <typename T>
bool is_there(const StatsReader& reader, const StatField<T>& field, const std::string& name) {
    return field.is_required() || reader.has(name);
}

template <typename T>
void append(std::vector<T>& values, const std::vector<T>& more) {
    values.insert(values.end(), more.begin(), more.end());
}

void read_tasks(const StatsReader& reader, const ExpertStats& stats, std::int64_t index,
                LayerStats& layer) {
    for (const std::string& task : stats.tasks) {
        append(layer.task_tokens,
               reader.counts(stat_tensor_name("tokens", task, index), {1}, layer.tokens));
        for (const auto& field : kTaskCountFields) {
            append(layer.*field.values, reader.counts(stat_tensor_name(field.name, task, index),
                                                      {stats.num_experts}, layer.tokens));
        }
        for (const auto& field : kTaskSumFields) {
            const std::string name = stat_tensor_name(field.name, task, index);
            if (!is_there(reader, field, name)) continue;
            append(layer.*field.values, reader.sums(name, {stats.num_experts}));
        }
    }
}

LayerStats read_layer(const StatsReader& reader, const ExpertStats& stats, std::int64_t index) {
    LayerStats layer;
    layer.tokens = reader.counts(stat_tensor_name("tokens", index), {1}, kMaxTokens).front();
    for (const auto& field : kCountFields) {
        const std::string name = stat_tensor_name(field.name, index);
        if (!is_there(reader, field, name)) continue;
        layer.*field.values =
            reader.counts(name, stat_shape(field.extent, stats.num_experts), layer.tokens);
    }
    for (const auto& field : kSumFields) {
        const std::string name = stat_tensor_name(field.name, index);
        if (!is_there(reader, field, name)) continue;
        layer.*field.values = reader.sums(name, stat_shape(field.extent, stats.num_experts));
    }
    read_tasks(reader, stats, index, layer);
    return layer;
}

void read_about(const StatsReader& reader, const Json& about, ExpertStats& stats) {
    stats.model_hash = reader.field<std::string>(about, "model_hash");
    stats.tokenizer_hash = reader.field<std::string>(about, "tokenizer_hash");
    stats.data_hash = reader.field<std::string>(about, "data_hash");
    stats.num_experts = reader.field<std::int64_t>(about, "num_experts");
    stats.top_k = reader.field<std::int64_t>(about, "top_k");
    stats.tasks = reader.field<std::vector<std::string>>(about, "tasks");
    stats.settings = reader.field<Json>(about, "settings");
    if (stats.num_experts < 1 || stats.num_experts > kMaxExperts) {
        throw reader.malformed(fmt::format("{} experts are not possible.", stats.num_experts));
    }
    if (stats.top_k < 1 || stats.top_k > stats.num_experts) {
        throw reader.malformed(fmt::format("{} of {} experts per token are not possible.",
                                           stats.top_k, stats.num_experts));
    }
    if (std::set(stats.tasks.begin(), stats.tasks.end()).size() != stats.tasks.size()) {
        throw reader.malformed("a task label stands in its metadata twice.");
    }
}

void check_pairs(const StatsReader& reader, const ExpertStats& stats, const LayerStats& layer) {
    const auto experts = static_cast<std::size_t>(stats.num_experts);
    if (layer.gated_gram.empty() || layer.gated_gram.size() == experts * experts) return;
    throw reader.malformed(
        fmt::format("gated_gram must be of {} by {} experts.", experts, experts));
}

void read_vectors(const std::filesystem::path& path, ExpertStats& stats) {
    const StatsReader reader(path);
    const Json about = reader.about(kExpertVectorsKind);
    if (reader.field<std::string>(about, "model_hash") != stats.model_hash ||
        reader.field<std::string>(about, "data_hash") != stats.data_hash ||
        reader.field<std::int64_t>(about, "tokens") != stats.total_tokens()) {
        throw Error(
            ErrorCode::FileHash,
            fmt::format("{} belongs to other statistics than the file beside it.", path.string()),
            "Keep both files of one calibration together, or calibrate again.");
    }
    for (auto& [index, layer] : stats.layers) {
        for (const auto& field : kVectorFields) {
            const bool is_sample = field.extent == StatExtent::Samples;
            layer.*field.values = reader.long_vector(stat_tensor_name(field.name, index),
                                                     is_sample ? -1 : stats.num_experts);
        }
        check_pairs(reader, stats, layer);
    }
    for (auto& [name, energy] : stats.input_energies) {
        energy.sq_sum = reader.long_vector("input_sq_sum." + name, 0);
    }
}

}  // namespace

ExpertStats load_expert_stats(const std::filesystem::path& path, bool with_vectors) {
    const StatsReader reader(path);
    const Json about = reader.about(kExpertStatsKind);
    ExpertStats stats;
    read_about(reader, about, stats);
    for (const auto index : reader.field<std::vector<std::int64_t>>(about, "layers")) {
        if (index < 0 || index > kMaxLayers) {
            throw reader.malformed(fmt::format("a layer {} is not possible.", index));
        }
        stats.layers[index] = read_layer(reader, stats, index);
    }
    for (const auto& name : reader.field<std::vector<std::string>>(about, "matrices")) {
        stats.input_energies[name].tokens =
            reader.counts("input_tokens." + name, {1}, kMaxTokens).front();
    }
    stats.file_hash = sha256_of_file(path);
    if (with_vectors && std::filesystem::exists(vectors_path(path))) {
        read_vectors(vectors_path(path), stats);
    }
    return stats;
}

}  // namespace espalier
