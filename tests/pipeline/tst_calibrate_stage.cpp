#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "formats/safetensors_reader.h"
#include "pipeline/recipe.h"
#include "pipeline/stage.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

class Recorder final : public RunObserver {
public:
    std::vector<LayerMeasured> layers;
    double fraction = 0;

    void on_event(const RunEvent& event) override {
        if (const auto* layer = std::get_if<LayerMeasured>(&event)) layers.push_back(*layer);
        if (const auto* progress = std::get_if<StageProgress>(&event)) {
            fraction = progress->fraction;
        }
    }
};

}  // namespace

class TestCalibrateStage : public QObject {
    Q_OBJECT

private:
    static StageOutput run(const Recipe& recipe, const fs::path& folder, Recorder& observer) {
        RunState state;
        state.original = recipe.model;
        state.model = recipe.model;
        const StageContext context{.recipe = recipe,
                                   .entry = recipe.stages[0],
                                   .index = 0,
                                   .state = state,
                                   .folder = folder,
                                   .observer = observer,
                                   .stop = {}};
        return find_stage("calibrate").run(context);
    }

private Q_SLOTS:
    void refuses_what_it_cannot_do() {
        const Stage& stage = find_stage("calibrate");
        stage.validate(Json{{"tokens", 1000}, {"context", 512}});
        QVERIFY_THROWS_EXCEPTION(Error, stage.validate(Json{{"tokens", -1}}));
        QVERIFY_THROWS_EXCEPTION(Error, stage.validate(Json{{"criterion", "luck"}}));
        QVERIFY_THROWS_EXCEPTION(Error, stage.validate(Json{{"tokenz", 1000}}));
        QVERIFY_THROWS_EXCEPTION(Error, stage.validate(Json{{"compute_dtype", "F16"}}));
        QVERIFY_THROWS_EXCEPTION(Error, stage.validate(Json{{"own_text_share", 0.6}}));
        QVERIFY_THROWS_EXCEPTION(Error, stage.validate(Json{{"own_text_seconds", -1}}));
    }

    void the_stage_leaves_statistics() {
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        const fs::path sample = ESPALIER_SAMPLE;
        Recipe recipe;
        recipe.model = sample / "model";
        recipe.data = {{.path = sample / "calibration" / "python.txt", .task = "python"},
                       {.path = sample / "calibration" / "prose.txt", .task = "prose"}};
        recipe.stages = {
            {.stage = "calibrate",
             .config = Json{{"tokens", 4096}, {"context", 256}, {"holds_out_probe", false}}}};
        Recorder observer;
        const StageOutput output = run(recipe, path, observer);
        QCOMPARE(output.stats.parent_path(), path);
        const SafetensorsFile stats(output.stats);
        for (const char* name :
             {"frequency.0", "reap.5", "wean_sum.python.3", "frequency.prose.5"}) {
            QVERIFY2(stats.find(name) != nullptr, name);
        }
        QCOMPARE(output.metrics.at("routed_layers").get<int>(), 6);
        QCOMPARE(observer.fraction, 1.0);
        QCOMPARE(observer.layers.size(), 6U);
        for (const LayerMeasured& layer : observer.layers) {
            QCOMPARE(layer.saliency.size(), 32U);
            double load = 0;
            for (const double share : layer.load) load += share;
            QVERIFY(std::abs(load - 1) < 1e-9);
        }
    }

    void the_model_may_write_some_of_the_text() {
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        const fs::path sample = ESPALIER_SAMPLE;
        Recipe recipe;
        recipe.model = sample / "model";
        recipe.data = {{.path = sample / "calibration" / "python.txt", .task = "python"}};
        recipe.stages = {{.stage = "calibrate",
                          .config = Json{{"tokens", 2048},
                                         {"context", 128},
                                         {"own_text_share", 0.2},
                                         {"own_text_seconds", 1000}}}};
        Recorder observer;
        const StageOutput output = run(recipe, path, observer);
        QVERIFY(fs::exists(path / "stats.own.json"));
        const auto own = output.metrics.at("own_tokens").get<std::int64_t>();
        QVERIFY(own >= 512 && own < 512 + 128);
        QCOMPARE(output.metrics.at("tokens").get<std::int64_t>(), 2048 + own);
        QCOMPARE(observer.fraction, 1.0);
    }
};

QTEST_APPLESS_MAIN(TestCalibrateStage)
#include "tst_calibrate_stage.moc"
