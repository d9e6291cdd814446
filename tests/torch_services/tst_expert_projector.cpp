#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/cancel.h"
#include "eval/mask_expansion.h"
#include "eval/mask_probe.h"
#include "model/model_source.h"
#include "pipeline/probe_windows.h"
#include "torch_services/torch_expert_projector.h"

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

class TestExpertProjector : public QObject {
    Q_OBJECT

private:
    std::unique_ptr<ModelSource> m_model = ModelSource::open(kSample / "model");
    ThreadPool m_pool{2};
    TokenWindows m_windows =
        read_probe_windows(*m_model, {.data = {{kSample / "calibration/mix.txt", "mix", 1}},
                                      .file = {},
                                      .context = 256,
                                      .max_tokens = 2560});

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

    static std::map<std::int64_t, std::vector<std::int32_t>> kept_of(const ExpertMask& mask) {
        std::map<std::int64_t, std::vector<std::int32_t>> kept;
        for (std::size_t l = 0; l < mask.removed.size(); ++l) {
            for (std::size_t e = 0; e < 32; ++e) {
                if (mask.removed[l][e]) continue;
                kept[static_cast<std::int64_t>(l)].push_back(static_cast<std::int32_t>(e));
            }
        }
        return kept;
    }

private Q_SLOTS:
    void flips_cost_what_the_expansion_says_data() {
        QTest::addColumn<bool>("is_halved");
        QTest::addColumn<int>("layer");
        QTest::addRow("whole, first layer") << false << 0;
        QTest::addRow("whole, last layer") << false << 5;
        QTest::addRow("halved, last layer") << true << 5;
    }

    void flips_cost_what_the_expansion_says() {
        QFETCH(bool, is_halved);
        QFETCH(int, layer);
        const ExpertMask mask = is_halved ? half() : none();
        // At the temperature 1 the curvature is the Fisher information: sizes are right, too.
        const auto projector = make_expert_projector(*m_model, m_windows, {.labels = 2}, m_pool);
        const MaskExpansion expansion(m_model->config(),
                                      projector->project(mask, all_windows(), 1, {}), kept_of(mask),
                                      m_pool);
        NativeModel native(*m_model, m_pool);
        MaskProbe probe(native, m_windows);
        const double before = probe.measure(mask).all.kl;
        probe.settle(mask);
        std::vector<double> expected;
        std::vector<double> told;
        const auto l = static_cast<std::size_t>(layer);
        double difference = 0;
        double size = 0;
        for (std::size_t e = 0; e < 32; ++e) {
            ExpertMask trial = mask;
            trial.removed[l][e] = !trial.removed[l][e];
            expected.push_back(probe.measure(trial).all.kl - before);
            told.push_back(expansion.change(layer, kept_of(trial).at(layer)));
            difference += std::abs(told.back() - expected.back());
            size += std::abs(expected.back());
        }
        const double rank = correlation(ranks(expected), ranks(told));
        const double straight = correlation(expected, told);
        const QByteArray figures = QString("rank %1, linear %2, error %3")
                                       .arg(rank)
                                       .arg(straight)
                                       .arg(difference / size)
                                       .toLatin1();
        QVERIFY2(rank > 0.85, figures.constData());
        QVERIFY2(straight > 0.9, figures.constData());
        QVERIFY2(difference < 0.6 * size, figures.constData());
    }

    void the_whole_model_costs_nothing_to_first_order() {
        const auto projector = make_expert_projector(*m_model, m_windows, {}, m_pool);
        const ProjectedExperts experts =
            projector->project(none(), std::vector<std::size_t>{0, 2}, 2, {});
        QCOMPARE(experts.layers.size(), std::size_t{6});
        QCOMPARE(experts.num_labels, std::int64_t{1});
        QCOMPARE(experts.scored, std::int64_t{2 * (255 - 64)});
        for (const auto& [layer, projected] : experts.layers) {
            QCOMPARE(projected.cost.size(), std::size_t{2 * 256 * 32});
            double cost = 0;
            double sampled = 0;
            for (const float value : projected.cost) cost += std::abs(value);
            for (const float value : projected.sampled) sampled += std::abs(value);
            QVERIFY(cost < 1e-4 * sampled);
            QVERIFY(sampled > 0);
        }
    }

    void the_same_windows_give_the_same_projections_whatever_the_threads() {
        const std::vector<std::size_t> some = {1, 3, 4, 6};
        ThreadPool one(1);
        const auto first = make_expert_projector(*m_model, m_windows, {}, m_pool);
        const auto second = make_expert_projector(*m_model, m_windows, {}, one);
        // Nothing is left of what was asked before.
        static_cast<void>(second->project(none(), std::vector<std::size_t>{0, 1}, 1, {}));
        const ProjectedExperts a = first->project(half(), some, 2, {});
        const ProjectedExperts b = second->project(half(), some, 2, {});
        for (const auto& [layer, projected] : a.layers) {
            const ProjectedLayer& other = b.layers.at(layer);
            QCOMPARE(projected.logits.size(), other.logits.size());
            for (std::size_t i = 0; i < projected.logits.size(); ++i) {
                QVERIFY(std::abs(projected.sampled[i] - other.sampled[i]) < 1e-4);
                QVERIFY(std::abs(projected.cost[i] - other.cost[i]) < 1e-4);
            }
        }
    }

    void it_stops_when_asked() {
        std::stop_source stop;
        stop.request_stop();
        const auto projector = make_expert_projector(*m_model, m_windows, {}, m_pool);
        QVERIFY_EXCEPTION_THROWN(
            static_cast<void>(projector->project(half(), all_windows(), 1, stop.get_token())),
            Cancelled);
    }
};

QTEST_APPLESS_MAIN(TestExpertProjector)
#include "tst_expert_projector.moc"
