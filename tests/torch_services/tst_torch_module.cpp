#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "nn/golden_model.h"
#include "pipeline/stage.h"
#include "pipeline/torch_services.h"
#include "support/gguf_model.h"

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

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return INFINITY;
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest =
            std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return largest;
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

    void gguf_files_serve_as_well_as_folders_data() {
        QTest::addColumn<QString>("name");
        std::set<std::string> architectures;
        for (const std::string& name : golden_model::cases()) {
            const auto architecture =
                test::gguf_architecture(*ModelSource::open(golden_model::folder(name)));
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
        test::write_as_gguf(*ModelSource::open(model), path / "model.gguf");

        LogitsRecorder recorder;
        torch_services().trace(*ModelSource::open(path / "model.gguf"), ids, {}, recorder, {});
        const auto expected = golden_model::floats(golden, "logits");
        QVERIFY(largest_difference(recorder.logits, expected) <=
                golden_model::tolerance(name.toStdString(), "logits"));
    }
};

QTEST_APPLESS_MAIN(TestTorchModule)
#include "tst_torch_module.moc"
