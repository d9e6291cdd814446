#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/cancel.h"
#include "eval/mask_probe.h"
#include "model/model_source.h"
#include "pipeline/probe_windows.h"
#include "torch_services/torch_flip_estimator.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

const fs::path kSample = ESPALIER_SAMPLE;

std::vector<double> ranks(const std::vector<double>& values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> rank(values.size());
    for (std::size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<double>(i);
    return rank;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
    const auto n = static_cast<double>(a.size());
    const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
    const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ab += (a[i] - mean_a) * (b[i] - mean_b);
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        bb += (b[i] - mean_b) * (b[i] - mean_b);
    }
    return ab / std::sqrt(aa * bb);
}

}  // namespace

class TestFlipEstimator : public QObject {
    Q_OBJECT

private:
    std::unique_ptr<ModelSource> m_model = ModelSource::open(kSample / "model");
    ThreadPool m_pool{2};
    TokenWindows m_windows =
        read_probe_windows(*m_model, {.data = {{kSample / "calibration/mix.txt", "mix", 1}},
                                      .file = {},
                                      .context = 256,
                                      .max_tokens = 4096});

    std::vector<std::size_t> all_windows() const {
        std::vector<std::size_t> all(m_windows.windows.size());
        std::iota(all.begin(), all.end(), std::size_t{0});
        return all;
    }
    /// Every second expert of every layer is gone.
    ExpertMask half() const {
        ExpertMask mask;
        mask.removed.assign(6, std::vector<bool>(32, false));
        for (auto& layer : mask.removed) {
            for (std::size_t e = 1; e < layer.size(); e += 2) layer[e] = true;
        }
        return mask;
    }
    ExpertMask none() const {
        ExpertMask mask;
        mask.removed.assign(6, std::vector<bool>(32, false));
        return mask;
    }

private Q_SLOTS:
    void flips_cost_what_was_estimated_data() {
        QTest::addColumn<bool>("is_halved");
        QTest::addColumn<int>("layer");
        QTest::addRow("whole, first layer") << false << 0;
        QTest::addRow("whole, last layer") << false << 5;
        QTest::addRow("halved, last layer") << true << 5;
    }

    void flips_cost_what_was_estimated() {
        QFETCH(bool, is_halved);
        QFETCH(int, layer);
        const ExpertMask mask = is_halved ? half() : none();
        const auto estimator = make_flip_estimator(*m_model, m_windows, {}, m_pool);
        const FlipEstimates estimates = estimator->estimate(mask, all_windows(), {});
        QCOMPARE(estimates.size(), std::size_t{6});
        NativeModel native(*m_model, m_pool);
        MaskProbe probe(native, m_windows);
        const double before = probe.measure(mask).all.kl;
        probe.settle(mask);
        std::vector<double> expected;
        std::vector<double> estimated;
        const auto l = static_cast<std::size_t>(layer);
        double difference = 0;
        double size = 0;
        for (std::size_t e = 0; e < 32; ++e) {
            ExpertMask trial = mask;
            trial.removed[l][e] = !trial.removed[l][e];
            expected.push_back(probe.measure(trial).all.kl - before);
            const FlipEstimate& estimate = estimates.at(layer)[e];
            estimated.push_back(estimate.change());
            QVERIFY(estimate.second >= 0);
            difference += std::abs(estimated.back() - expected.back());
            size += std::abs(expected.back());
        }
        const double rank = correlation(ranks(expected), ranks(estimated));
        const double straight = correlation(expected, estimated);
        const QByteArray told = QString("rank %1, linear %2, error %3")
                                    .arg(rank)
                                    .arg(straight)
                                    .arg(difference / size)
                                    .toLatin1();
        QVERIFY2(rank > 0.85, told.constData());
        QVERIFY2(straight > 0.9, told.constData());
        QVERIFY2(difference < 0.6 * size, told.constData());
    }

    void the_same_windows_give_the_same_estimates_whatever_the_threads() {
        const std::vector<std::size_t> some = {1, 3, 4, 6};
        ThreadPool one(1);
        const auto first = make_flip_estimator(*m_model, m_windows, {}, m_pool);
        const auto second = make_flip_estimator(*m_model, m_windows, {}, one);
        static_cast<void>(second->estimate(none(), all_windows(), {}));  // nothing is left of it
        const FlipEstimates a = first->estimate(half(), some, {});
        const FlipEstimates b = second->estimate(half(), some, {});
        for (const auto& [layer, flips] : a) {
            for (std::size_t e = 0; e < flips.size(); ++e) {
                QVERIFY(std::abs(flips[e].change() - b.at(layer)[e].change()) < 1e-7);
            }
        }
    }

    void what_top_k_needs_costs_infinitely_much() {
        ExpertMask mask = none();
        for (std::size_t e = 4; e < 32; ++e) mask.removed[2][e] = true;
        const auto estimator = make_flip_estimator(*m_model, m_windows, {}, m_pool);
        const FlipEstimates estimates = estimator->estimate(mask, std::vector<std::size_t>{0}, {});
        for (std::size_t e = 0; e < 32; ++e) {
            QCOMPARE(std::isinf(estimates.at(2)[e].change()), e < 4);
            QVERIFY(std::isfinite(estimates.at(1)[e].change()));
        }
    }

    void it_stops_when_asked() {
        std::stop_source stop;
        stop.request_stop();
        const auto estimator = make_flip_estimator(*m_model, m_windows, {}, m_pool);
        QVERIFY_EXCEPTION_THROWN(
            static_cast<void>(estimator->estimate(half(), all_windows(), stop.get_token())),
            Cancelled);
    }
};

QTEST_APPLESS_MAIN(TestFlipEstimator)
#include "tst_flip_estimator.moc"
