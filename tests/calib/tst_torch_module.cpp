#include <QTemporaryDir>
#include <QTest>
#include <cmath>

#include "base/atomic_file.h"
#include "base/error.h"
#include "nn/golden_model.h"
#include "pipeline/stage.h"
#include "pipeline/torch_services.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

class LogitsRecorder final : public ForwardObserver {
public:
    std::vector<float> logits;

    void on_activation(Activation what, std::int64_t /*index*/,
                       std::span<const float> rows) override {
        if (what == Activation::Logits) logits.insert(logits.end(), rows.begin(), rows.end());
    }
    void on_routing(std::int64_t /*layer*/, const RoutingView& /*routing*/) override {}
};

class Silent final : public RunObserver {
public:
    void on_event(const RunEvent& /*event*/) override {}
};

}  // namespace

/// The loadable module, reached as programs reach it: nothing here links libtorch.
class TestTorchModule : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void traces() {
        const fs::path model = golden_model::folder("qwen3_moe-basic");
        const SafetensorsFile golden(model / "golden.safetensors");
        LogitsRecorder recorder;
        torch_services().trace(*ModelSource::open(model), golden_model::rows_of_ids(golden), {},
                               recorder, {});
        const auto expected = golden_model::floats(golden, "logits");
        QCOMPARE(recorder.logits.size(), expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            QVERIFY(std::abs(recorder.logits[i] - expected[i]) < 2e-4F);
        }
    }

    void errors_keep_their_type() {
        const fs::path model = golden_model::folder("qwen3_moe-basic");
        LogitsRecorder recorder;
        QVERIFY_THROWS_EXCEPTION(
            Error, torch_services().trace(*ModelSource::open(model), {{-1}}, {}, recorder, {}));
    }

    void calibrates() {
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        write_file(path / "ids.json", "[[1, 2, 3, 4, 5]]");
        Silent observer;
        const CalibrateResult result =
            torch_services().calibrate({.model = golden_model::folder("mixtral-basic"),
                                        .ids = path / "ids.json",
                                        .out = path / "stats.safetensors"},
                                       observer, {});
        QCOMPARE(result.out, path / "stats.safetensors");
        QVERIFY(fs::exists(result.out));
    }

    void brings_the_calibrate_stage() {
        const Stage& stage = find_stage("calibrate");
        stage.validate(Json{{"tokens", 1000}, {"context", 512}});
        QVERIFY_THROWS_EXCEPTION(Error, stage.validate(Json{{"tokens", -1}}));
        QVERIFY_THROWS_EXCEPTION(Error, stage.validate(Json{{"criterion", "luck"}}));
        QVERIFY_THROWS_EXCEPTION(Error, stage.validate(Json{{"tokenz", 1000}}));
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
        RunState state;
        state.original = recipe.model;
        state.model = recipe.model;
        Silent observer;
        const StageContext context{.recipe = recipe,
                                   .entry = recipe.stages[0],
                                   .index = 0,
                                   .state = state,
                                   .folder = path,
                                   .observer = observer,
                                   .stop = {}};
        const StageOutput output = find_stage("calibrate").run(context);
        QCOMPARE(output.stats.parent_path(), path);
        const SafetensorsFile stats(output.stats);
        for (const char* name :
             {"frequency.0", "reap.5", "wean_sum.python.3", "frequency.prose.5"}) {
            QVERIFY2(stats.find(name) != nullptr, name);
        }
        QCOMPARE(output.metrics.at("routed_layers").get<int>(), 6);
    }
};

QTEST_APPLESS_MAIN(TestTorchModule)
#include "tst_torch_module.moc"
