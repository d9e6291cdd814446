#include "experts_fixture.h"

#include <QDir>
#include <QFile>
#include <filesystem>

#include "model/model_source.h"
#include "pipeline/run_folder.h"
#include "routing/expert_stats.h"
#include "routing/expert_stats_file.h"
#include "store/database.h"
#include "store/library.h"
#include "ui/bridge/compress_draft.h"

using namespace espalier;
using namespace espalier::ui;

namespace fs = std::filesystem;

QString sampleStatistics() {
    return QStringLiteral(ESPALIER_TEST_DATA "/sample/statistics.safetensors");
}

QString sampleModel() { return QStringLiteral(ESPALIER_SAMPLE "/model"); }

namespace {

/// A text for the strongest tokens of one expert.
void addTexts(const fs::path& path) {
    ExpertStats stats = load_expert_stats(path);
    LayerStats& layer = stats.layers.at(3);
    layer.top_contexts.resize(static_cast<std::size_t>(stats.num_experts));
    layer.top_contexts[7] = {{.gate = 0.91,
                              .row = 12,
                              .position = 12,
                              .token = 5,
                              .before = "for i in ",
                              .text = "range",
                              .after = "(10):\n    print(i)"}};
    save_expert_contexts(stats, contexts_path(path));
}

}  // namespace

QString addCalibration(WindowFixture& fixture) {
    const Recipe recipe{
        .model = sampleModel().toStdString(),
        .data = sampleDraft(QStringLiteral(ESPALIER_SAMPLE)).data,
        .seed = 0,
        .stages = {{"calibrate", {{"tokens", 40000}, {"context", 512}}}},
    };
    const fs::path path = (fixture.dataFolder() + "/runs/sample-statistics").toStdString();
    RunFolder folder(path, recipe, false);
    const fs::path partial = folder.partial_path(0, "calibrate");
    fs::create_directories(partial);
    fs::copy_file(sampleStatistics().toStdString(), partial / "stats.safetensors");
    addTexts(partial / "stats.safetensors");
    const Json record = {
        {"stage", "calibrate"},
        {"config", recipe.stages[0].config},
        {"seconds", 17.0},
        {"peak_bytes", 165 << 20},
        {"metrics", Json::object()},
        {"routing", Json::object()},
        {"outputs", {{"model", ""}, {"stats", "stats.safetensors"}, {"plan", ""}}}};
    folder.finish_stage(0, "calibrate", record);
    folder.write_report({{"version", 1}, {"stages", {record}}, {"result", Json::object()}}, "");
    Library(library_path()).index_run(path);
    return QString::fromStdString(
        (folder.stage_path(0, "calibrate") / "stats.safetensors").string());
}

ExpertPlan selected(std::int64_t keep, const std::string& criterion,
                    std::map<std::int64_t, LayerPlan> wishes) {
    const auto model = ModelSource::open(sampleModel().toStdString());
    SelectOptions options;
    options.criterion = criterion;
    options.keep.experts = keep;
    options.champion_share = 0;
    options.wishes = std::move(wishes);
    return select_experts(load_expert_stats(sampleStatistics().toStdString()), model->config(),
                          options);
}

std::map<std::int64_t, std::vector<std::int32_t>> keptOf(const PlanState& plan) {
    std::map<std::int64_t, std::vector<std::int32_t>> kept;
    for (const auto& [layer, row] : plan.layers) kept[layer] = row->kept;
    return kept;
}

std::map<std::int64_t, std::vector<std::int32_t>> keptOf(const ExpertPlan& plan) {
    std::map<std::int64_t, std::vector<std::int32_t>> kept;
    for (const auto& [layer, row] : plan.layers) kept[layer] = row.kept;
    return kept;
}
