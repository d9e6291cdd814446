#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "calib/calibrate.h"
#include "routing/criterion.h"
#include "routing/expert_stats.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

fs::path sample(const char* name) { return fs::path(ESPALIER_SAMPLE) / name; }

struct Deviation {
    std::int64_t experts_with_other_counts = 0;
    std::int64_t largest_count_difference = 0;
    double score = 0;  ///< largest relative difference where the counts are equal
};

Deviation compare(const ExpertStats& stats, const Json& reference, const char* criterion) {
    Deviation worst;
    std::size_t row = 0;
    for (const auto& [index, layer] : stats.layers) {
        const auto scores = find_criterion(criterion).score(layer, {});
        const auto expected = reference.at(criterion).at(row).get<std::vector<double>>();
        const auto counts = reference.at("frequency").at(row).get<std::vector<double>>();
        ++row;
        for (std::size_t e = 0; e < scores.size(); ++e) {
            const auto other = std::llabs(layer.count[e] - std::llround(counts[e]));
            worst.largest_count_difference =
                std::max<std::int64_t>(worst.largest_count_difference, other);
            if (other != 0) {
                ++worst.experts_with_other_counts;
            } else if (expected[e] > 0) {
                worst.score = std::max(worst.score, std::abs(scores[e] / expected[e] - 1));
            }
        }
    }
    return worst;
}

}  // namespace

class TestSampleCalibration : public QObject {
    Q_OBJECT

private Q_SLOTS:
    /// 65,536 tokens through the trained sample, against transformers' numbers.
    void scores_equal_the_reference_data() {
        QTest::addColumn<QString>("text");
        QTest::addRow("python") << "python.txt";
        QTest::addRow("mix") << "mix.txt";
    }

    void scores_equal_the_reference() {
        QFETCH(QString, text);
        const QTemporaryDir folder;
        const fs::path out = fs::path(folder.path().toStdString()) / "stats.safetensors";
        const CalibrateResult result = calibrate(
            {.model = sample("model"),
             .data = {{.path = sample("calibration") / text.toStdString(), .task = "text"}},
             .out = out,
             .max_tokens = 65536,
             .context = 512,
             .probe = "none",
             .compute_dtype = "F32"},
            {}, {});
        qInfo("%.0f tokens a second, peak %.1f MiB",
              result.metrics.at("tokens_per_second").get<double>(),
              static_cast<double>(result.peak_bytes) / (1 << 20));
        const ExpertStats stats = load_expert_stats(out);
        const Json reference = read_json_file(sample("reference.json"))
                                   .at("calibrations")
                                   .at(text.toStdString())
                                   .at("scores");
        for (const char* criterion : {"reap", "ean_sum", "frequency"}) {
            const Deviation worst = compare(stats, reference, criterion);
            qInfo("%s: %lld experts with other counts (by at most %lld), scores within %.2g",
                  criterion, static_cast<long long>(worst.experts_with_other_counts),
                  static_cast<long long>(worst.largest_count_difference), worst.score);
            // Rounding decides between near-equal experts for a token in ten thousand.
            QVERIFY(worst.largest_count_difference <= 4);
            QVERIFY(worst.score <= 1e-4);
        }
    }
};

QTEST_APPLESS_MAIN(TestSampleCalibration)
#include "tst_sample_calibration.moc"
