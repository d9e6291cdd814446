#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "nn/golden_model.h"
#include "pipeline/stage.h"
#include "pipeline/torch_services.h"
#include "quant/write_gguf.h"

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

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return INFINITY;
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest =
            std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return largest;
}

/// What llama.cpp calls the model's kind; nothing if it could not run it.
std::optional<std::string> gguf_architecture(const ModelSource& model) {
    try {
        const auto keys = gguf_metadata(model, plan_quantization(model.config(), "f32"));
        return keys.text("general.architecture");
    } catch (const Error& error) {
        if (error.code() != ErrorCode::GgufInexpressible) throw;
        return std::nullopt;
    }
}

void write_as_gguf(const ModelSource& model, const fs::path& file) {
    const QuantPlan plan = plan_quantization(model.config(), "f32");
    ThreadPool pool(1);
    write_gguf({model, plan, nullptr, file, pool, {}, {}});
}

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

    void gguf_files_serve_as_well_as_folders_data() {
        QTest::addColumn<QString>("name");
        std::set<std::string> architectures;
        for (const std::string& name : golden_model::cases()) {
            const auto architecture =
                gguf_architecture(*ModelSource::open(golden_model::folder(name)));
            if (!architecture) continue;
            architectures.insert(*architecture);
            QTest::addRow("%s", name.c_str()) << QString::fromStdString(name);
        }
        QCOMPARE(architectures.size(), std::size_t{11});
    }

    void gguf_files_serve_as_well_as_folders() {
        QFETCH(QString, name);
        const fs::path model = golden_model::folder(name.toStdString());
        const SafetensorsFile golden(model / "golden.safetensors");
        const auto ids = golden_model::rows_of_ids(golden);
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        write_as_gguf(*ModelSource::open(model), path / "model.gguf");
        write_file(path / "ids.json", Json(ids).dump());

        LogitsRecorder recorder;
        torch_services().trace(*ModelSource::open(path / "model.gguf"), ids, {}, recorder, {});
        const auto expected = golden_model::floats(golden, "logits");
        QVERIFY(largest_difference(recorder.logits, expected) <=
                golden_model::tolerance(name.toStdString(), "logits"));

        Silent observer;
        torch_services().calibrate({.model = path / "model.gguf",
                                    .ids = path / "ids.json",
                                    .out = path / "stats.safetensors"},
                                   observer, {});
        const SafetensorsFile saliency(model / "saliency.safetensors");
        const SafetensorsFile stats(path / "stats.safetensors");
        for (const NamedTensor& tensor : saliency.tensors()) {
            if (tensor.view.dtype == DType::I64) {
                QCOMPARE(golden_model::integers(stats, tensor.name),
                         golden_model::integers(saliency, tensor.name));
                continue;
            }
            const auto values = golden_model::read<double>(stats, tensor.name);
            const auto wanted = golden_model::floats(saliency, tensor.name);
            QCOMPARE(values.size(), wanted.size());
            for (std::size_t i = 0; i < values.size(); ++i) {
                const auto value = static_cast<double>(wanted[i]);
                QVERIFY2(std::abs(values[i] - value) <= 1e-4 * std::max(1.0, std::abs(value)),
                         tensor.name.c_str());
            }
        }
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
