#include <QTest>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/compare.h"
#include "eval/evaluate.h"
#include "prune/expert_plan.h"
#include "prune/rank_experts.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

const fs::path kSample = ESPALIER_SAMPLE;

/// The best experts by the reference's own scores, so that only the engine is on trial.
ExpertPlan plan_from_scores(const Json& scores, const std::string& criterion, double keep) {
    ExpertPlan plan;
    const Json& layers = scores.at(criterion);
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
        const auto values = layers[layer].get<std::vector<double>>();
        const auto counts = scores.at("frequency")[layer].get<std::vector<double>>();
        auto order = rank_experts(values, std::vector<std::int64_t>(counts.begin(), counts.end()));
        order.resize(
            static_cast<std::size_t>(std::lround(keep * static_cast<double>(order.size()))));
        std::sort(order.begin(), order.end());
        plan.layers[static_cast<std::int64_t>(layer)].kept = order;
    }
    return plan;
}

PerplexityOptions reference_windows() {
    PerplexityOptions options;
    options.context = 512;
    options.first_scored = 255;
    return options;
}

}  // namespace

/// The trained sample against figures of the reference implementation. ESPALIER_ALL_ROWS=1 runs
/// every text and ratio instead of the few that fit a test run.
class TestSampleReference : public QObject {
    Q_OBJECT

private:
    std::unique_ptr<ModelSource> source_;
    std::map<std::string, std::vector<std::int32_t>> ids_;

    const std::vector<std::int32_t>& ids_of(const std::string& text) {
        auto& ids = ids_[text];
        if (ids.empty()) {
            const std::vector<std::string> files{(kSample / "heldout" / text).string()};
            ids = read_texts(*source_, files).front().ids;
        }
        return ids;
    }

private Q_SLOTS:
    void initTestCase() { source_ = ModelSource::open(kSample / "model"); }

    void rows_agree_with_the_reference_data() {
        QTest::addColumn<QString>("calibration");
        QTest::addColumn<QString>("criterion");
        QTest::addColumn<QString>("text");
        QTest::addColumn<double>("keep");
        QTest::addColumn<double>("perplexity");
        QTest::addColumn<double>("kl");
        QTest::addColumn<double>("top1");
        QTest::addColumn<int>("tokens");
        const bool all = qEnvironmentVariableIsSet("ESPALIER_ALL_ROWS");
        const Json reference = read_json_file(kSample / "reference.json");
        for (const auto& [calibration, entry] : reference.at("calibrations").items()) {
            for (const Json& row : entry.at("rows")) {
                const std::string criterion = row.at("criterion");
                const double keep = row.at("keep");
                const std::string text = row.at("text");
                const bool fast = calibration == "python.txt" && text == "python.txt" &&
                                  keep == 0.5 && criterion == "reap";
                if (!all && !fast) continue;
                QTest::addRow("%s, %s, %.2f, %s", calibration.c_str(), criterion.c_str(), keep,
                              text.c_str())
                    << QString::fromStdString(calibration) << QString::fromStdString(criterion)
                    << QString::fromStdString(text) << keep << row.at("perplexity").get<double>()
                    << row.at("kl").get<double>() << row.at("top1").get<double>()
                    << row.at("tokens").get<int>();
            }
        }
    }

    void rows_agree_with_the_reference() {
        QFETCH(QString, calibration);
        QFETCH(QString, criterion);
        QFETCH(QString, text);
        QFETCH(double, keep);
        QFETCH(double, perplexity);
        QFETCH(double, kl);
        QFETCH(double, top1);
        QFETCH(int, tokens);
        ExpertMask mask;
        if (criterion != "none") {
            const Json scores = read_json_file(kSample / "reference.json")
                                    .at("calibrations")
                                    .at(calibration.toStdString())
                                    .at("scores");
            mask = plan_from_scores(scores, criterion.toStdString(), keep).mask(source_->config());
        }
        ThreadPool pool;
        NativeModel original(*source_, pool);
        NativeModel masked(*source_, pool);
        masked.set_mask(mask);
        const Comparison result = compare_models(
            {original, masked, {}, ids_of(text.toStdString()), reference_windows(), mask});
        qInfo("perplexity %.5f (%.5f), KL %.6f (%.6f), top-1 %.5f (%.5f)", result.model_perplexity,
              perplexity, result.kl_mean, kl, result.top1, top1);
        QCOMPARE(result.tokens, static_cast<std::int64_t>(tokens));
        // A router decision that is nearly a tie may fall the other way in another order of
        // summing.
        QVERIFY(std::abs(result.model_perplexity - perplexity) <= 2e-3 * perplexity);
        QVERIFY(std::abs(result.kl_mean - kl) <= 0.02 * kl + 1e-6);
        QVERIFY(std::abs(result.top1 - top1) <= 2e-3);
    }

    void llama_windows_give_nearly_the_same_perplexity() {
        ThreadPool pool;
        NativeModel model(*source_, pool);
        PerplexityOptions options;  // 255 predictions a window instead of 256
        const auto result = perplexity(model, ids_of("python.txt"), options);
        QCOMPARE(result.tokens, std::int64_t{50 * 255});
        QVERIFY(std::abs(result.perplexity - 19.038) <= 2e-3 * 19.038);
    }
};

QTEST_APPLESS_MAIN(TestSampleReference)
#include "tst_sample_reference.moc"
