#include "experts_fixture.h"

#include <QComboBox>
#include <QFile>
#include <QRegularExpression>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTest>
#include <filesystem>

#include "model/model_source.h"
#include "pipeline/run_folder.h"
#include "routing/expert_stats.h"
#include "routing/expert_stats_file.h"
#include "store/database.h"
#include "store/library.h"
#include "ui/bridge/compress_draft.h"
#include "ui/pages/experts_page.h"
#include "ui/widgets/heat_view.h"

using namespace espalier;
using namespace espalier::ui;

namespace fs = std::filesystem;

QString sampleStatistics() {
    return QStringLiteral(ESPALIER_TEST_DATA "/sample/statistics.safetensors");
}

QString sampleModel() { return QStringLiteral(ESPALIER_SAMPLE "/model"); }

namespace {

/// Every expert's mean output is (0.01, 0.01, …).
void addOutputs(const fs::path& path) {
    ExpertStats stats = load_expert_stats(path);
    const auto model = ModelSource::open(sampleModel().toStdString());
    const auto hidden = static_cast<std::size_t>(model->config().hidden_size);
    for (auto& [index, layer] : stats.layers) {
        for (const std::int64_t count : layer.count)
            layer.output_sum.insert(layer.output_sum.end(), hidden,
                                    0.01 * static_cast<double>(count));
    }
    save_expert_stats(stats, path);
}

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

QString addCalibration(WindowFixture& fixture, Gathered gathered) {
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
    if (gathered == Gathered::Outputs) addOutputs(partial / "stats.safetensors");
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

std::unique_ptr<ExpertsWindow> makeExpertsWindow() {
    QTest::failOnWarning(QRegularExpression(
        QStringLiteral("^(?!This plugin does not support (propagateSizeHints|raise|setParent))")));
    auto made = std::make_unique<ExpertsWindow>();
    return QTest::qWaitForWindowActive(&made->window()) ? std::move(made) : nullptr;
}

ExpertsPage& ExpertsWindow::page() { return *find<ExpertsPage>("expertsPage"); }
ExpertSession& ExpertsWindow::session() { return page().session(); }
HeatView& ExpertsWindow::view() { return *find<HeatView>("exp_map_heat_view"); }
QTabWidget& ExpertsWindow::tabs() { return *find<QTabWidget>("exp_views_tabs"); }

void ExpertsWindow::open() {
    QSignalSpy ready(&page(), &Page::pageReady);
    QVERIFY(window().showPage(QStringLiteral("experts")));
    QVERIFY(ready.size() > 0 || ready.wait());
}

void ExpertsWindow::openSample(Gathered gathered) {
    addCalibration(*this, gathered);
    open();
    page().openModel(sampleModel());
    QTRY_VERIFY(session().data() && session().data()->hasStats());
    QTRY_COMPARE(session().plan().chooser, std::string("reap"));
}

void ExpertsWindow::measure() {
    const std::size_t before = session().points().all().size();
    click("exp_plan_measure_btn");
    QTRY_COMPARE_WITH_TIMEOUT(session().points().all().size(), before + 1, 60'000);
    QTRY_VERIFY_WITH_TIMEOUT(!session().probe().isBusy(), 60'000);
}

void ExpertsWindow::choose(const char* combo, const QString& text) {
    auto* box = find<QComboBox>(combo);
    const int index = box->findText(text);
    QVERIFY2(index >= 0, qPrintable(text));
    box->setCurrentIndex(index);
    Q_EMIT box->activated(index);
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
