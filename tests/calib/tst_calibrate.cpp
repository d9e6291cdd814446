#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>

#include "base/atomic_file.h"
#include "base/cancel.h"
#include "base/error.h"
#include "calib/calibrate.h"
#include "calib/calibration_case.h"
#include "nn/golden_model.h"
#include "routing/expert_stats.h"
#include "support/gguf_model.h"

using namespace espalier;
using namespace calibration;
namespace fs = std::filesystem;

namespace {

/// Keeps what is reported, and asks to stop once `when` is true.
class Watcher {
public:
    std::vector<double> fractions;
    std::vector<ExpertStats> layers;
    std::stop_source stop;
    std::function<bool()> when;

    CalibrateSinks sinks() {
        return {.progress =
                    [this](double fraction, const std::string& /*text*/) {
                        fractions.push_back(fraction);
                        look();
                    },
                .layer =
                    [this](const ExpertStats& stats) {
                        layers.push_back(stats);
                        look();
                    }};
    }

private:
    void look() {
        if (when && when()) stop.request_stop();
    }
};

/// Hash of what Case makes in one go.
const std::string& uninterrupted() {
    static const std::string hash = [] {
        Case test;
        calibrate(test.request, {}, {});
        return hash_of_result(test.request.out);
    }();
    return hash;
}

}  // namespace

class TestCalibrate : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void saliency_equals_the_reference_data() {
        QTest::addColumn<QString>("name");
        for (const std::string& name : golden_model::cases()) {
            QTest::addRow("%s", name.c_str()) << QString::fromStdString(name);
        }
    }

    void saliency_equals_the_reference() {
        QFETCH(QString, name);
        const fs::path model = golden_model::folder(name.toStdString());
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        write_ids(path / "ids.json",
                  golden_model::rows_of_ids(SafetensorsFile(model / "golden.safetensors")));
        calibrate({.model = model,
                   .ids = path / "ids.json",
                   .out = path / "stats.safetensors",
                   .compute_dtype = "F32"},
                  {}, {});

        // The file that scripts read, not only what load_expert_stats() makes of it.
        const SafetensorsFile expected(model / "saliency.safetensors");
        const SafetensorsFile stats(path / "stats.safetensors");
        for (const NamedTensor& tensor : expected.tensors()) {
            if (tensor.view.dtype == DType::I64) {
                QCOMPARE(golden_model::integers(stats, tensor.name),
                         golden_model::integers(expected, tensor.name));
                continue;
            }
            const auto values = golden_model::read<double>(stats, tensor.name);
            const auto wanted = golden_model::floats(expected, tensor.name);
            QVERIFY2(are_close(values, {wanted.begin(), wanted.end()}, 1e-4), tensor.name.c_str());
        }
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
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        test::write_as_gguf(*ModelSource::open(model), path / "model.gguf");
        write_ids(path / "ids.json",
                  golden_model::rows_of_ids(SafetensorsFile(model / "golden.safetensors")));
        calibrate({.model = path / "model.gguf",
                   .ids = path / "ids.json",
                   .out = path / "stats.safetensors"},
                  {}, {});
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

    void reports_layers_and_growing_progress() {
        Case test;
        Watcher watcher;
        const CalibrateResult result = calibrate(test.request, watcher.sinks(), {});
        QCOMPARE(watcher.layers.size(), 3U);
        for (std::int64_t index = 0; const ExpertStats& stats : watcher.layers) {
            QCOMPARE(stats.layers.size(), 1U);
            const LayerStats& layer = stats.layers.at(index++);
            QCOMPARE(std::accumulate(layer.count.begin(), layer.count.end(), std::int64_t{0}),
                     layer.tokens * stats.top_k);
        }
        double last = 0;
        for (const double fraction : watcher.fractions) {
            QVERIFY(fraction >= last);
            last = fraction;
        }
        QCOMPARE(last, 1.0);
        QCOMPARE(result.metrics.at("tokens").get<int>(), 12000);
        QVERIFY(result.peak_bytes > 0);
        QVERIFY(!fs::exists(test.request.out.string() + ".partial"));
    }

    void same_bytes_whatever_the_threads() {
        Case test;
        for (const std::size_t threads : {1U, 3U}) {
            test.request.num_threads = threads;
            calibrate(test.request, {}, {});
            QCOMPARE(hash_of_result(test.request.out), uninterrupted());
        }
    }

    void goes_on_where_it_was_cut_off_data() {
        QTest::addColumn<int>("layers");
        for (const int layers : {0, 1, 2}) QTest::addRow("after %d layers", layers) << layers;
    }

    void goes_on_where_it_was_cut_off() {
        QFETCH(int, layers);
        Case test;
        test.request.num_threads = 2;
        Watcher watcher;
        watcher.when = [&] { return static_cast<int>(watcher.layers.size()) >= layers; };
        QVERIFY_THROWS_EXCEPTION(
            Cancelled, calibrate(test.request, watcher.sinks(), watcher.stop.get_token()));
        QVERIFY(!fs::exists(test.request.out));
        const CalibrateResult result = calibrate(test.request, {}, {});
        QCOMPARE(hash_of_result(test.request.out), uninterrupted());
        QCOMPARE(result.metrics.at("layers_resumed").get<std::size_t>(), watcher.layers.size());
    }

    void a_checkpoint_of_other_settings_is_not_taken_up() {
        Case test;
        Watcher watcher;
        watcher.when = [&] { return !watcher.layers.empty(); };
        QVERIFY_THROWS_EXCEPTION(
            Cancelled, calibrate(test.request, watcher.sinks(), watcher.stop.get_token()));
        test.request.context = 200;
        const CalibrateResult result = calibrate(test.request, {}, {});
        QCOMPARE(result.metrics.at("layers_resumed").get<int>(), 0);
    }

    void data_that_cannot_be_is_refused() {
        Case test;
        write_file(test.request.ids, "[[1, 2], [3, \"x\"]]");
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
        write_file(test.request.ids, "[[1, 128]]");
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
        write_file(test.request.ids, "[[]]");
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
        write_ids(test.request.ids, {{1, 2}});
        test.request.shard_count = 2;
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
        test.request.shard_index = 2;
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
    }

    void the_budget_of_tokens_is_kept() {
        Case test;
        test.request.max_tokens = 1300;
        const CalibrateResult result = calibrate(test.request, {}, {});
        QCOMPARE(result.metrics.at("tokens").get<int>(), 1300);
    }
};

QTEST_APPLESS_MAIN(TestCalibrate)
#include "tst_calibrate.moc"
